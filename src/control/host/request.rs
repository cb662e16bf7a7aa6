//! A module request: it is asked on a thread of its own, and the watch tells how its helper ended.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::event::{EventKind, EventKinds};
use crate::abi::record::Record;
use crate::control::kernel_knobs::KernelKnobs;
use crate::control::kernel_knobs::ask::{Question, ask};
use crate::engine::{Received, Subscription};
use crate::sys::channel::channel;
use crate::sys::thread::spawn;

use super::store::Store;

/// Events that may wait while the kernel is asked.
const QUEUE: usize = 4096;
/// How long after the answer the watch may take to tell of the helper.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks, and returns the record of the helper.
pub(super) fn request(
    store: &Arc<Store>,
    knobs: &KernelKnobs,
    (name, wait): (&[u8], bool),
    by: &Arc<Actor>,
) -> Result<Arc<Record>, ControlError> {
    let events = store.subscribe(QUEUE, EventKinds::FINISHED, None);
    let question = ask(knobs, name, wait, by)?;
    if let Some(noop) = question.noop() {
        return Ok(Arc::new(noop));
    }
    Ok(found(&events, &question).unwrap_or_else(|| Arc::new(question.unknown("the watch has not seen one"))))
}

/// The helper that the kernel started for this question.
fn found(events: &Subscription, question: &Question) -> Option<Arc<Record>> {
    let (done, wait) = channel::<()>();
    let closes = events.clone();
    // It ends with this function at the latest.
    let timer = spawn("khelper-patience", move || {
        let _ = wait.recv_timeout(PATIENCE);
        closes.close();
    });
    if timer.is_err() {
        events.close();
    }
    let mut found = None;
    while found.is_none() {
        match events.recv() {
            Received::Event(event) => {
                found = match &event.kind {
                    EventKind::Finished(record) if is_of(record, question) => Some(record.clone()),
                    _ => None,
                };
            }
            Received::Missed(_) => {}
            Received::Closed => break,
        }
    }
    drop(done);
    found
}

/// Whether the helper is of this question. Where requesters are not known its name alone decides.
fn is_of(record: &Record, question: &Question) -> bool {
    let tid = record.kernel.as_ref().and_then(|kernel| kernel.tid);
    record.module.as_ref() == Some(&question.name) && tid.is_none_or(|tid| tid == question.tid)
}
