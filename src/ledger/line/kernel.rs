//! What a line has of a helper of the kernel. Version 2 of the lines leaves out what follows from the rest of the line;
//! version 1 left out nothing of it. The writer and the reader use the same [`usual`] value.

use serde::{Deserialize, Serialize};

use crate::abi::kernel_helper::{Cause, Doubts, Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::place::{Attribution, Place};
use crate::abi::record::{Args, Kind, Outcome, Record};

use super::Usual;
use super::fields::{Malformed, value};

/// Where the kernel's text begins on 64-bit machines: the upper half of every call site.
const TEXT: u64 = 0xffff_ffff_0000_0000;

/// A field that is there differs from the usual value. A list has the value, or nothing: then it is not known.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Short {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Vec<Cause>>,
    /// The lower half of an address of the kernel's text, else the whole one.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<Vec<i32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Vec<Attribution>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubts: Option<Doubts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<Vec<Missing>>,
}

/// The value that differs from its usual one.
fn differing<T: PartialEq + Clone>(value: &T, usual: &T) -> Option<T> {
    (value != usual).then(|| value.clone())
}

/// The same, of a value that may be not known.
fn differing_list<T: PartialEq + Clone>(value: &Option<T>, usual: &Option<T>) -> Option<Vec<T>> {
    differing(value, usual).map(|value| value.into_iter().collect())
}

/// What a line leaves out, by the rest of the record: its module, requester, capabilities and outcome. `unit` is the
/// believed unit of the requester.
fn usual(r: &Record, unit: Option<&[u8]>) -> KernelHelper {
    let tid = (r.actor.pid != 0).then_some(r.actor.pid);
    let mut unknown = Vec::new();
    let place = match unit {
        _ if !r.actor.is_known() => {
            unknown.extend(tid.map(|_| Missing { what: Fact::Process, why: Unknown::Gone }));
            None
        }
        Some(unit) => Some(Attribution { place: Place::Unit(unit.into()), is_believed: true }),
        None => Some(Attribution { place: Place::None, is_believed: true }),
    };
    if r.caps.is_none() && r.outcome != Outcome::ExecFailed {
        unknown.push(Missing { what: Fact::Arguments, why: Unknown::Gone });
    }
    if r.outcome == Outcome::Running {
        unknown.push(Missing { what: Fact::Status, why: Unknown::StillRunning });
    }
    let cause = r.module.as_ref().map(|_| Cause::Module);
    KernelHelper { cause, tid, place, unknown, ..KernelHelper::default() }
}

/// The arguments of a helper of the kernel that a line leaves out: none if they could not be read.
pub(super) fn args(usual: &Usual, r: &Record) -> Args {
    match r.kind {
        Kind::Module if r.caps.is_some() => Args::Module,
        Kind::Module | Kind::Helper => Args::List(usual.empty.clone()),
    }
}

/// The time in the queue that a line leaves out.
pub(super) fn queued(kernel: &KernelHelper) -> Option<u64> {
    kernel.tid.map(|_| 0)
}

/// The value of `kernel` in a line of version 2.
pub(super) fn short(r: &Record, kernel: &KernelHelper) -> impl Serialize + use<> {
    let unit = kernel.place.as_ref().and_then(|place| place.name(true).0);
    let usual = usual(r, unit.as_deref());
    let site = |SiteAddress(site): &SiteAddress| match site.checked_sub(TEXT) {
        Some(low) => format!("{low:x}"),
        None => format!("{site:#x}"),
    };
    Short {
        cause: differing_list(&kernel.cause, &usual.cause),
        call_site: kernel.call_site.as_ref().map(site),
        worker: kernel.worker,
        tid: differing_list(&kernel.tid, &usual.tid),
        inner_pid: kernel.inner_pid,
        place: differing_list(&kernel.place, &usual.place),
        doubts: differing(&kernel.doubts, &usual.doubts),
        unknown: differing(&kernel.unknown, &usual.unknown),
    }
}

/// The whole value, by the record without it and the believed unit of the requester.
pub(super) fn whole(raw: &[u8], r: &Record, unit: Option<&[u8]>) -> Result<KernelHelper, Malformed> {
    let (short, usual): (Short, _) = (value(raw)?, usual(r, unit));
    let site = |text: String| {
        let (digits, from) = text.strip_prefix("0x").map_or((&*text, TEXT), |digits| (digits, 0));
        u64::from_str_radix(digits, 16).ok()?.checked_add(from).map(SiteAddress)
    };
    Ok(KernelHelper {
        cause: short.cause.map_or(usual.cause, |list| list.into_iter().next()),
        call_site: short.call_site.map(|text| site(text).ok_or(Malformed)).transpose()?,
        worker: short.worker,
        tid: short.tid.map_or(usual.tid, |list| list.into_iter().next()),
        inner_pid: short.inner_pid,
        place: short.place.map_or(usual.place, |list| list.into_iter().next()),
        doubts: short.doubts.unwrap_or_default(),
        unknown: short.unknown.unwrap_or(usual.unknown),
    })
}
