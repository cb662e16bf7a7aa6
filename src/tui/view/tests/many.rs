//! The time picker, the question before an undo, and acts on many requests, at every size.

use super::states::{refused, state, with_records};
use super::*;
use crate::abi::record::State;
use crate::control::{Change, Key};

/// A knob that this console has changed, and the question before the value of before is set again.
fn undo(m: &mut Model) {
    keys(m, ":set kernel.modprobe=/bin/echo\n");
    let path = |path: &str| crate::control::KnobValue::Path(path.as_bytes().into());
    let change = Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/bin/echo"));
    let ticket = m.last_ticket();
    m.snapshot.knobs.modprobe = Arc::from(&b"/bin/echo"[..]);
    update(m, Msg::Replied { ticket, reply: Ok(Reply::Written(vec![change])) });
    keys(m, "U");
}

#[test]
fn times_undo_and_acts_on_many() {
    state("times", &fixtures::busy(2), |m| keys(m, "3i"));
    state("times_refused", &fixtures::busy(2), |m| keys(m, "3isince 2026-13-01"));
    state("undo", &fixtures::snapshot(), undo);
    state("undo_refused", &fixtures::snapshot(), |m| {
        undo(m);
        keys(m, "\n");
        refused(m);
    });
    let running = |m: &mut Model, typed: &str| {
        let records: Vec<_> = (1..=9)
            .rev()
            .map(|id| fixtures::open(id, format!("stuck{id}").as_bytes(), State::Running, Some(5000 + id as i32)))
            .collect();
        with_records(m, &records, 0, "");
        m.activity.marked.extend(1..=9);
        keys(m, typed);
    };
    let mut busy = fixtures::busy(9);
    for live in &mut busy.running {
        live.title = format!("stuck{}", live.id).as_bytes().into();
    }
    state("abandon_many", &busy, |m| running(m, "x"));
    state("abandon_many_early", &busy, |m| running(m, "x9\n"));
    state("kill_many", &busy, |m| running(m, "k"));
}
