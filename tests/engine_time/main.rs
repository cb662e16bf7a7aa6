//! The engine on a scripted host with a virtual clock. Each test bears the id of its rule.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod books;
mod callers;
mod end;
mod gate;
mod hooks;
mod knobs;
mod limit;
mod request;
mod support;
mod wait;
