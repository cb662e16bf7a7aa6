//! Rehearses masks on an engine of this process before the kernel gets them: a program is run under the new masks and
//! under those of now. Before a write it is the real modprobe, for a module that does not exist.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Origin;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::mask::MaskExpr;
use crate::abi::module::ModuleName;
use crate::abi::record::{Outcome, Record};
use crate::abi::safe_text::SafeText;
use crate::control::command::{Call, Command, Rehearse, Rehearsed, Reply};
use crate::control::dispatch::dispatch_as;
use crate::control::rehearsal::Run;
use crate::control::text::outcome::kind_of_ending;
use crate::control::text::rehearsal::differences;
use crate::engine::{Builder, Cancel, Engine};
use crate::sys::probe::PROBE_ARG;

use super::words;

/// A module that no machine has, so that nothing is loaded.
const SAFE: &str = "khelper-none";
/// How long each run of an operator's program may take.
const LONGEST: Duration = Duration::from_secs(60);
/// How long each run before a write may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the engine may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was found; the error if modprobe ends in another way under the new masks. `live` and `draft` are bset and
/// inheritable.
pub(super) fn rehearse(modprobe: &[u8], live: [CapMask; 2], draft: [CapMask; 2]) -> Result<String, String> {
    let run = match ModuleName::parse(SAFE) {
        Ok(name) if !modprobe.is_empty() => Run::modprobe(modprobe, &name, false),
        _ => return Ok("not rehearsed: kernel.modprobe is empty".to_owned()),
    };
    match runs(Engine::builder(), &run, [draft, live], TIMEOUT) {
        Err(why) => Ok(format!("not rehearsed: {why}")),
        Ok([draft, live]) => compare(&run.title(), &draft, &live),
    }
}

/// Rehearses any program under a draft of the kernel's masks and under its masks of now. The kernel itself runs nothing.
pub(super) fn both(
    live: [CapMask; 2],
    known: CapMask,
    wanted: &Rehearse,
    probe: Option<PathBuf>,
) -> Result<Reply, ControlError> {
    let resolve = |expr: Option<MaskExpr>, live: CapMask| expr.map_or(live, |expr| expr.resolve(live, known) & live);
    let draft = [resolve(wanted.bset, live[0]), resolve(wanted.inheritable, live[1])];
    let run = match &wanted.path {
        Some(path) => Run::Call(path.to_vec(), wanted.args.clone()),
        None => Run::Probe,
    };
    let builder = match probe {
        Some(path) => Engine::builder().probe(path, PROBE_ARG),
        None => Engine::builder(),
    };
    let [first, second] = runs(builder, &run, [draft, live], LONGEST)?;
    let differences = differences(&first, &second, matches!(run, Run::Probe));
    let differences = differences.into_iter().map(SafeText::from).collect();
    let both = Rehearsed { draft: first, live: Some(second), differences, as_live: draft == live };
    Ok(Reply::Rehearsed(Box::new(both)))
}

/// Runs it under both pairs of masks, one after the other, on an engine that lives only for this.
fn runs(
    builder: Builder,
    run: &Run,
    [draft, live]: [[CapMask; 2]; 2],
    timeout: Duration,
) -> Result<[Arc<Record>; 2], ControlError> {
    let engine = builder.start()?;
    let by = super::super::actor(Origin::Library);
    let one = |masks: [CapMask; 2]| {
        let command = match run.command(Some(masks)) {
            Command::Call(call) => Command::Call(Call { timeout: Some(timeout), ..call }),
            other => other,
        };
        match dispatch_as(&engine, by.clone(), command, &Cancel::new()) {
            Ok(Reply::Answered(record)) => Ok(record),
            Ok(_) => Err(ControlError::Unavailable("no record".to_owned())),
            Err(error) => Err(error),
        }
    };
    let runs = one(draft).and_then(|draft| Ok([draft, one(live)?]));
    // It ends in any case when the process does.
    let _ = dispatch_as(&engine, by.clone(), Command::Shutdown { patience: PATIENCE }, &Cancel::new());
    runs
}

fn compare(title: &str, draft: &Record, live: &Record) -> Result<String, String> {
    let same = (draft.outcome, draft.status, draft.errno) == (live.outcome, live.status, live.errno);
    let (under, now) = (kind_of_ending(draft), kind_of_ending(live));
    if !same {
        return Err(format!("rehearsed `{title}`: under the new masks {under}, under those of now {now}"));
    }
    let why = live.errno.map(|errno| format!(": {}", words::errno(errno))).unwrap_or_default();
    match live.outcome {
        Outcome::Refused | Outcome::Lost => Ok(format!("not rehearsed: {now}{why}")),
        _ => Ok(format!("rehearsed `{title}`: {now} under both masks, which proves only that modprobe still starts")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::Kind;
    use crate::abi::wait::{WaitMode, WaitStatus};
    use crate::control::testing::actor;
    use std::time::UNIX_EPOCH;

    fn exited(raw: i32) -> Record {
        let mut record = Record::new(Kind::Helper, WaitMode::PROC, actor().into(), (UNIX_EPOCH, 0));
        (record.outcome, record.status) = (Outcome::Exited, Some(WaitStatus::from_raw(raw)));
        record
    }

    #[test]
    fn a_modprobe_that_ends_in_another_way_under_the_new_masks_is_an_objection() {
        let said = compare("m", &exited(256), &exited(256)).unwrap();
        assert!(said.contains("exit 1") && said.contains("proves only that modprobe still starts"), "{said}");
        let differs = compare("m", &exited(512), &exited(256)).unwrap_err();
        assert!(differs.contains("under the new masks ✗ exit 2") && differs.contains("of now ✗ exit 1"), "{differs}");
        let refused = Record { outcome: Outcome::Refused, status: None, ..exited(0) };
        assert!(compare("m", &refused, &refused).unwrap().starts_with("not rehearsed"), "nothing was run");
    }

    #[test]
    fn an_empty_modprobe_is_not_rehearsed() {
        let masks = [CapMask::EMPTY; 2];
        assert!(rehearse(b"", masks, masks).unwrap().contains("is empty"));
    }
}
