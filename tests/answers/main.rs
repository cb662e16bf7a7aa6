//! How the engine's data is presented: a record as JSON, a counter as a knob, an outcome as an exit code. All values
//! differ, so that a test notices when one stands in another's place.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod exit_codes;
mod json;
mod knobs;
mod metrics;
mod posture;

use std::sync::Arc;

use khelper::abi::record::Record;
use khelper::engine::Engine;
use khelper::sys::fake::{FakeHost, Script};

/// A record of a helper that exited, to be changed by the test: records are made by an engine alone.
fn record() -> Record {
    let engine = engine(Script::default());
    Arc::unwrap_or_clone(engine.request_module("dummy", true))
}

/// An engine on a scripted host whose modprobe does so.
fn engine(modprobe: Script) -> Engine {
    let host = FakeHost::new();
    host.script("/sbin/modprobe", modprobe);
    Engine::builder().host(host).start().unwrap()
}
