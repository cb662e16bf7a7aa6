//! What readers do not get (AUTH-4): argv, environment and output.

use std::sync::Arc;

use crate::abi::event::{Event, EventKind};
use crate::abi::record::{Args, Record};

use super::activity::page::RecordPage;
use super::command::{Rehearsed, Reply};
use super::ledger_view::{Recorded, What};

/// The record without its helper's argv, environment and output.
pub fn record(record: &Arc<Record>) -> Arc<Record> {
    let args = Args::List(Arc::from([]));
    Arc::new(Record { args, env: Arc::from([]), output: None, ..Record::clone(record) })
}

/// The event as a reader gets it.
pub fn event(event: &Arc<Event>) -> Arc<Event> {
    match &event.kind {
        EventKind::Finished(ended) => {
            Arc::new(Event { kind: EventKind::Finished(record(ended)), ..Event::clone(event) })
        }
        EventKind::ModuleRequest { .. }
        | EventKind::Waiting { .. }
        | EventKind::Queued { .. }
        | EventKind::Started { .. }
        | EventKind::Released { .. }
        | EventKind::Abandoned { .. }
        | EventKind::Signalled { .. }
        | EventKind::KnobChanged { .. }
        | EventKind::GateChanged { .. }
        | EventKind::DrainFailed { .. }
        | EventKind::Unpersisted { .. }
        | EventKind::Denied { .. }
        | EventKind::Lost { .. }
        | EventKind::Log(_) => event.clone(),
    }
}

/// The reply as a reader gets it.
pub(super) fn reply(reply: Reply) -> Reply {
    match reply {
        Reply::Answered(one) => Reply::Answered(record(&one)),
        Reply::Rehearsed(both) => {
            let Rehearsed { draft, live, differences, as_live } = *both;
            let (draft, live) = (record(&draft), live.as_ref().map(record));
            Reply::Rehearsed(Box::new(Rehearsed { draft, live, differences, as_live }))
        }
        Reply::Record(one) => Reply::Record(one.as_ref().map(record)),
        Reply::Records(all) => Reply::Records(all.iter().map(record).collect()),
        Reply::Status(mut snapshot) => {
            snapshot.last = snapshot.last.iter().map(record).collect();
            Reply::Status(snapshot)
        }
        Reply::Activity(page) => Reply::Activity(Box::new(activity(*page))),
        Reply::Log(mut page) => {
            page.lines.iter_mut().for_each(recorded);
            Reply::Log(page)
        }
        Reply::Why(mut told) => {
            told.line.iter_mut().for_each(|line| recorded(line));
            told.acts.iter_mut().for_each(recorded);
            Reply::Why(told)
        }
        Reply::Value(_)
        | Reply::Written(_)
        | Reply::Done
        | Reply::Chain(_)
        | Reply::Warnings(_)
        | Reply::Live(_)
        | Reply::Matching(_)
        | Reply::Knobs(_)
        | Reply::Diff(_)
        | Reply::ChainEnded(_)
        | Reply::Rules(_)
        | Reply::Left(_) => reply,
    }
}

/// The line of a ledger as a reader gets it.
fn recorded(line: &mut Recorded) {
    match &mut line.what {
        What::Ended(one) => *one = record(one),
        What::Started(running) | What::StillRunning(running) => running.record = record(&running.record),
        What::Changed(change) => {
            if let EventKind::Finished(one) = &mut change.kind {
                *one = record(one);
            }
        }
        What::Lost { .. } => {}
    }
}

fn activity(mut page: RecordPage) -> RecordPage {
    for row in &mut page.rows {
        row.record = row.record.as_ref().map(record);
    }
    if let Some(detail) = &mut page.detail {
        detail.record = record(&detail.record);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;
    use crate::abi::record::Output;
    use crate::control::activity::page::{RecordDetail, RecordSummary};
    use crate::control::ledger_view::{LogPage, Running, Told};
    use crate::control::target_info::RunId;
    use crate::control::testing as fixtures;

    /// A word that is in argv, in the environment and in the output, and nowhere else.
    const SECRET: &str = "hunter2";

    fn secret() -> Arc<Record> {
        let bytes = || SECRET.as_bytes().to_vec();
        Arc::new(Record {
            args: Args::List(vec![bytes().into_boxed_slice()].into()),
            env: vec![bytes().into_boxed_slice()].into(),
            output: Some(Arc::new(Output { stdout: bytes(), stderr: bytes(), dropped: 1 })),
            ..Record::clone(&fixtures::record(7, b"x", 0))
        })
    }

    #[test]
    fn auth_4_no_reply_shows_a_reader_argv_environment_or_output() {
        let mut status = fixtures::snapshot();
        status.last = vec![secret()];
        let page = RecordPage {
            rows: vec![RecordSummary { id: 7, record: Some(secret()), fold: None, branch: None, apart: None }],
            detail: Some(Box::new(RecordDetail { record: secret(), chain: Vec::new(), chain_now: false })),
            ..RecordPage::default()
        };
        let recorded = |what| Recorded {
            at: 1,
            n: 2,
            run: RunId { started: 3, pid: 4 },
            target: "daemon".into(),
            known: CapMask::EMPTY,
            what,
        };
        let running = || Running { record: secret(), start_time: None };
        let lines = [What::Ended(secret()), What::Started(running()), What::StillRunning(running())].map(recorded);
        let told = Told { line: Some(Box::new(lines[0].clone())), ..Told::default() };
        for full in [
            Reply::Log(Box::new(LogPage { lines: vec![lines[0].clone()], ..LogPage::default() })),
            Reply::Log(Box::new(LogPage { lines: vec![lines[1].clone()], ..LogPage::default() })),
            Reply::Log(Box::new(LogPage { lines: vec![lines[2].clone()], ..LogPage::default() })),
            Reply::Why(Box::new(told)),
            Reply::Answered(secret()),
            Reply::Rehearsed(Box::new(Rehearsed {
                draft: secret(),
                live: Some(secret()),
                differences: Vec::new(),
                as_live: false,
            })),
            Reply::Record(Some(secret())),
            Reply::Records(vec![secret()]),
            Reply::Status(Box::new(status)),
            Reply::Activity(Box::new(page)),
        ] {
            let text = |reply: &Reply| serde_json::to_string(reply).unwrap();
            assert!(text(&full).contains(SECRET), "{full:?}");
            let kept = reply(full.clone());
            assert!(!text(&kept).contains(SECRET), "{kept:?}");
            assert_eq!(std::mem::discriminant(&kept), std::mem::discriminant(&full));
        }
        let finished = Arc::new(Event { seq: 1, at: 2, kind: EventKind::Finished(secret()) });
        let shown = serde_json::to_string(&*event(&finished)).unwrap();
        assert!(!shown.contains(SECRET) && shown.contains("\"seq\":1"), "{shown}");
    }
}
