//! Floor 2: applies the policy to the machine. [`Engine`] is a cheap handle that any thread may use.
#![forbid(unsafe_code)]

mod actors;
mod builder;
mod bus;
mod call;
mod cancel;
mod chains;
mod end;
mod end_chain;
mod failure;
#[cfg(all(test, khelper_models))]
mod faults;
mod forked;
mod gate;
mod gate_api;
mod handle;
mod hooks;
mod inner;
mod kmod;
mod launch;
mod lineage;
mod loading;
#[cfg(all(test, khelper_models))]
mod models;
mod narrowing;
mod options;
mod output_tail;
mod pools;
mod records;
mod registry;
mod rules;
mod signal;
mod sink;
mod sink_queue;
mod slots;
mod snapshot;
mod sync;
mod sysctl;
mod totals;
mod umh;
mod workers;
mod workqueue;
mod write;

pub use crate::abi::knob_value::Change;
pub use builder::Builder;
#[cfg(feature = "control")]
pub(crate) use bus::Bus;
pub use bus::{Received, Subscription};
pub use cancel::Cancel;
pub use gate::ReadGuard;
pub use handle::Engine;
pub use inner::{ProfileHook, RuleHook, SecurityHook};
pub use options::{Began, CallOptions, Caller, RequestOptions};
pub use sysctl::KnobWrite;
