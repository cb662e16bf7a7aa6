//! A scripted host with a virtual clock, for tests.
