//! Events of the engine, in words.

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::abi::counted::{counted, plural};
use crate::abi::depth::Depth;
use crate::abi::error::Stage;
use crate::abi::escape::screen_again;
use crate::abi::event::{EventKind, EventKinds, Level};
use crate::abi::knob::Key;
use crate::abi::record::{Outcome, Record};
use crate::abi::wait::signal_name;

use super::kernel::lost;
use super::mask::list;
use super::outcome::{ended_in_words, title, value};
use super::pieces::by as process;
use super::ps::requester;

/// The events that a log needs: all except the steps of a request that succeeds.
pub const NEWS: EventKinds = EventKinds::FAILED
    .or(EventKinds::FAILED_NO_WAIT)
    .or(EventKinds::ABANDONED)
    .or(EventKinds::SIGNALLED)
    .or(EventKinds::KNOB_CHANGED)
    .or(EventKinds::GATE_CHANGED)
    .or(EventKinds::DRAIN_FAILED)
    .or(EventKinds::LOST)
    .or(EventKinds::UNPERSISTED)
    .or(EventKinds::DENIED)
    .or(EventKinds::LOG);

/// The log level of the end of a request; `None` for success.
pub fn level(r: &Record) -> Option<Level> {
    match r.outcome {
        Outcome::Exited if r.status.and_then(|s| s.exit_code()) == Some(0) && !r.timed_out => None,
        Outcome::Running => None,
        Outcome::Exited | Outcome::Killed | Outcome::Noop => Some(Level::Info),
        Outcome::Refused if r.stage == Some(Stage::Enforce) => Some(Level::Error),
        Outcome::Refused | Outcome::Abandoned => Some(Level::Warning),
        Outcome::ExecFailed | Outcome::Lost => Some(Level::Error),
    }
}

/// An event in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventText {
    /// Its log level.
    pub level: Level,
    /// The request, if the event is about one.
    pub id: Option<u64>,
    /// The sentence, escaped; it does not contain the request's id.
    pub text: String,
}

/// Puts an event into one sentence; the text is empty if the event is not one of [`NEWS`].
pub fn event(kind: &EventKind) -> EventText {
    let plain = |level, text: String| (level, None, text);
    let (level, id, text) = match kind {
        EventKind::Finished(r) => {
            let text = format!("{}: {}", title(r), ended_in_words(r).text());
            (level(r).unwrap_or(Level::Info), Some(r.id), text)
        }
        EventKind::Abandoned { id, .. } => {
            (Level::Info, Some(*id), "the caller stopped waiting; its helper, if started, keeps running".to_owned())
        }
        EventKind::Signalled { id, pid, signal, actor } => {
            let name = u8::try_from(*signal).map_or_else(|_| format!("signal {signal}"), signal_name);
            (Level::Info, Some(*id), format!("{name} was sent to the helper (pid {pid}), {}", by(actor)))
        }
        EventKind::KnobChanged { change, actor } => {
            let by = change.source.as_ref().map_or_else(|| by(actor), |source| format!("by {source}"));
            let key = change.key;
            let what = match change.masks() {
                Some((before, after)) => masks(before, after),
                None => format!("{} -> {}", value(&change.before.text()), value(&change.after.text())),
            };
            plain(Level::Info, format!("{key}: {what}, {by}"))
        }
        EventKind::GateChanged { from, to, actor } => {
            let level = if *to == Depth::Enabled { Level::Info } else { Level::Warning };
            plain(level, format!("khelper.gate: {} -> {}, {}", from.name(), to.name(), by(actor)))
        }
        EventKind::Lost { source, count } => plain(Level::Warning, lost(*source, *count)),
        EventKind::DrainFailed { holdouts, .. } => {
            let ids: Vec<String> = holdouts.iter().map(|id| format!("#{id}")).collect();
            let text = format!(
                "khelper.gate: the drain timed out after 5 s and the gate is open again; still running: {}",
                ids.join(", ")
            );
            plain(Level::Error, text)
        }
        EventKind::Unpersisted { keys, actor } => {
            plain(Level::Info, format!("{}, {}", no_longer_kept(keys), by(actor)))
        }
        EventKind::Denied { actor, .. } => plain(Level::Warning, denied(kind, &requester(actor))),
        EventKind::Log(kind) => plain(kind.level(), kind.text().into()),
        EventKind::ModuleRequest { .. }
        | EventKind::Waiting { .. }
        | EventKind::Queued { .. }
        | EventKind::Started { .. }
        | EventKind::Released { .. } => plain(Level::Info, String::new()),
    };
    EventText { level, id, text: screen_again(&text) }
}

/// `no longer kept for the next start: khelper.deny, khelper.era`.
pub(super) fn no_longer_kept(keys: &[Key]) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name()).collect();
    format!("no longer kept for the next start: {}", names.join(", "))
}

/// `denied Kill: this needs uid 0, by ...; 3 more were denied before it`.
pub(super) fn denied(event: &EventKind, by: &str) -> String {
    let EventKind::Denied { method, why, more, .. } = event else { return String::new() };
    let before = if *more > 0 {
        format!("; {more} more {} denied before it", plural(more, "was", "were"))
    } else {
        String::new()
    };
    format!("denied {method}: {why}, by {by}{before}")
}

/// The log line that takes the place of missed events.
pub fn missed(count: u64) -> String {
    let (lines, are) = (counted(count, "line"), plural(&count, "is", "are"));
    format!("{lines} {are} missing here: the log fell behind (the Overview's counts are not affected)")
}

/// How an operator's command reached the engine: `by the console`, or from which process outside.
fn by(actor: &Actor) -> String {
    match actor.origin {
        Origin::Outside => format!("{} from outside", process(actor)),
        own => format!("by the {}", own.name()),
    }
}

/// The result of a write to a mask.
fn masks(before: CapMask, after: CapMask) -> String {
    let (lost, back) = (before.minus(after), after.minus(before));
    match (lost.is_empty(), back.is_empty()) {
        (true, true) => "written, nothing changed".to_owned(),
        (false, true) => format!("lost {}", list(lost)),
        (true, false) => format!("regained {}", list(back)),
        (false, false) => format!("lost {}; regained {}", list(lost), list(back)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::glob::Globs;
    use crate::abi::knob_value::{Change, KnobValue, Source};
    use crate::control::testing as fixtures;
    use nix::errno::Errno;

    fn by(origin: Origin) -> Arc<Actor> {
        Actor::new(origin, 1, 0, 0, b"x").into()
    }

    #[test]
    fn every_event_of_the_log_has_a_sentence() {
        let of = |kind: EventKind| {
            let EventText { level, id, text } = event(&kind);
            NEWS.has(&kind).then_some((level, id, text))
        };
        let end = |record| of(EventKind::Finished(Arc::new(record)));
        assert_eq!(end(fixtures::record(1, b"x", 0)), None);
        assert_eq!(of(EventKind::Queued { id: 1 }), None);
        let said = |level, id, text: &str| Some((level, Some(id), text.to_owned()));
        assert_eq!(end(fixtures::record(2, b"x\n", 256)), said(Level::Info, 2, "x\\x0a: ✗ exit 1 (raw 256)"));
        let refused = fixtures::refused(3, b"x", Stage::Limit, Errno::ENOMEM, "why");
        assert_eq!(end(refused), said(Level::Warning, 3, "x: ∞ refused by the limit (ENOMEM)"));
        let refused = fixtures::refused(3, b"x", Stage::Enforce, Errno::EPERM, "why");
        assert_eq!(end(refused).unwrap().0, Level::Error);
        let words = |kind| of(kind).unwrap().2;
        let lists = |text: &str| KnobValue::Globs(Globs::from(text));
        assert_eq!(
            words(EventKind::KnobChanged {
                change: Change::new(Key::Bset, CapMask::from_bits(3), CapMask::from_bits(2)).into(),
                actor: by(Origin::CommandLine)
            }),
            "kernel.usermodehelper.bset: lost cap_chown, by the command line"
        );
        assert_eq!(
            words(EventKind::KnobChanged {
                change: Change::new(Key::Deny, lists(""), lists("x\u{1b}")).into(),
                actor: by(Origin::Console)
            }),
            "khelper.deny: (empty) -> `x\\x1b`, by the console"
        );
        let mut change = Change::new(Key::Deny, lists(""), lists("x"));
        change.source = Some(Source { file: "/etc/khelper.d/10.conf".into(), line: 3 });
        assert_eq!(
            words(EventKind::KnobChanged { change: change.into(), actor: by(Origin::Library) }),
            "khelper.deny: (empty) -> `x`, by /etc/khelper.d/10.conf:3"
        );
        assert_eq!(
            words(EventKind::DrainFailed { holdouts: vec![3, 4], actor: by(Origin::Library) }).matches('#').count(),
            2
        );
        assert_eq!(
            words(EventKind::GateChanged { from: Depth::Enabled, to: Depth::Freezing, actor: by(Origin::Library) }),
            "khelper.gate: enabled -> freezing, by the library"
        );
        assert_eq!(
            words(EventKind::Signalled { id: 6, pid: 77, signal: 15, actor: by(Origin::Console) }),
            "SIGTERM was sent to the helper (pid 77), by the console"
        );
        assert!(words(EventKind::Abandoned { id: 5, actor: by(Origin::Library) }).starts_with("the caller"));
    }
}
