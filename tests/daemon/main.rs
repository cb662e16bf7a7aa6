//! `khelper serve`, as other processes meet it: over its socket, and as a service.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/served.rs"]
mod daemon;
#[path = "../common/looping.rs"]
mod looping;

mod calls;
mod configuration;
mod crash;
mod day;
mod descriptors;
mod readers;
mod recursion;
mod service;
mod socket;
mod watches;
