//! Makes what would give too long a line shorter.

use std::sync::Arc;

use crate::abi::event::{Event, EventKind};
use crate::abi::glob::Globs;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::record::{Args, Record};

use super::{Item, Running};

/// The item with at most `short` bytes of arguments, of environment and of each value; `None` if it has none of them.
pub(super) fn shorter(item: &Item, short: usize) -> Option<Item> {
    let running = |h: &Running| Running { record: Arc::new(shortened(&h.record, short)), start_time: h.start_time };
    Some(match item {
        Item::Ended(r) => Item::Ended(Arc::new(shortened(r, short))),
        Item::Started(h) => Item::Started(running(h)),
        Item::Open(h) => Item::Open(running(h)),
        Item::StillRunning(h) => Item::StillRunning(running(h)),
        Item::Changed(event) => Item::Changed(Event { kind: shorter_change(&event.kind, short)?, ..*event }),
        _ => return None,
    })
}

/// A change with at most `short` bytes of each value, or as many requests; `None` if it is short in any case.
fn shorter_change(kind: &EventKind, short: usize) -> Option<EventKind> {
    let value = |value: &KnobValue| match value {
        KnobValue::Globs(globs) => KnobValue::Globs(shorter_list(globs, short)),
        other => other.clone(),
    };
    match kind {
        EventKind::KnobChanged { change, actor } => {
            let (before, after) = (value(&change.before), value(&change.after));
            let change = Change { before, after, ..Change::clone(change) }.into();
            Some(EventKind::KnobChanged { change, actor: actor.clone() })
        }
        EventKind::DrainFailed { holdouts, actor } => {
            let holdouts = holdouts.iter().take(short / 20).copied().collect();
            Some(EventKind::DrainFailed { holdouts, actor: actor.clone() })
        }
        _ => None,
    }
}

/// The first globs of a list, and three dots for the others.
fn shorter_list(globs: &Globs, short: usize) -> Globs {
    let text = globs.text();
    if text.len() <= short {
        return globs.clone();
    }
    let ends = text.match_indices(' ').map(|(at, _)| at).take_while(|at| *at <= short);
    let kept = ends.last().map_or("", |end| &text[..end]);
    // A part of a list is a list.
    Globs::parse(format!("{kept} ...").as_bytes()).unwrap_or_default()
}

/// The record with the first arguments and variables alone.
fn shortened(r: &Record, most: usize) -> Record {
    let short = |list: &[Box<[u8]>]| {
        let mut left = most;
        let kept = list.iter().take_while(|bytes| {
            let fits = bytes.len() < left;
            left = left.saturating_sub(bytes.len() + 1);
            fits
        });
        kept.cloned().collect::<Arc<[_]>>()
    };
    let args = match &r.args {
        Args::Module => Args::Module,
        Args::List(list) => Args::List(short(list)),
    };
    let said = r.said.as_deref().map(|said| said.chars().take(1024).collect());
    let chain = r.chain.iter().take(64).cloned().collect();
    Record { args, env: short(&r.env), output: None, said, chain, ..r.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::knob::Key;
    use crate::ledger::line::decode;
    use crate::ledger::line::tests::head;
    use crate::ledger::line::{KeepOutput, MAX_LINE, encode};

    fn read_back(kind: EventKind) -> EventKind {
        let item = Item::Changed(Event { seq: 3, at: 4, kind });
        let line = encode(&head(), (head().wall, 7, None), &item, KeepOutput::All);
        assert!(line.len() <= MAX_LINE, "{}", line.len());
        match decode(Some(&head()), line.strip_suffix(b"\n").unwrap()).unwrap().item {
            Item::Changed(event) => event.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_with_long_values_is_cut_with_a_mark_and_can_be_read_back() {
        let list = |names: &[String]| KnobValue::Globs(Globs::parse(names.join(" ").as_bytes()).unwrap());
        let many: Vec<String> = (0..20_000).map(|n| format!("mod-{n}-*")).collect();
        for after in [list(&many), list(&["x".repeat(100_000)]), list(&many[..3])] {
            let change = Change::new(Key::Deny, list(&many), after.clone());
            let EventKind::KnobChanged { change, actor } =
                read_back(EventKind::KnobChanged { change: change.into(), actor: head().actor })
            else {
                panic!()
            };
            let text = change.before.text();
            assert!(text.starts_with("mod-0-* mod-1-* ") && text.ends_with("-* ..."), "{}", text.len());
            let short = after.text().len() < 100;
            assert!(if short { change.after == after } else { change.after.text().ends_with("...") });
            assert_eq!(*actor, *head().actor);
        }
        let holdouts: Vec<u64> = (0..30_000).collect();
        let kind = read_back(EventKind::DrainFailed { holdouts: holdouts.clone(), actor: head().actor });
        let EventKind::DrainFailed { holdouts: read, .. } = kind else { panic!() };
        assert!(read.len() > 100 && holdouts.starts_with(&read));
    }
}
