//! Rehearses masks on an engine of this process before the kernel gets them: the real modprobe is run for a module that
//! does not exist, under the new masks and under those of now.

use std::time::Duration;

use crate::abi::actor::Origin;
use crate::abi::cap::CapMask;
use crate::abi::module::ModuleName;
use crate::abi::record::{Outcome, Record};
use crate::control::command::{Command, Reply};
use crate::control::dispatch::dispatch_as;
use crate::control::rehearsal::Run;
use crate::control::text::outcome::kind_of_ending;
use crate::engine::{Cancel, Engine};

use super::words;

/// A module that no machine has, so that nothing is loaded.
const SAFE: &str = "khelper-none";
/// How long each run may take.
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
    let engine = match Engine::builder().start() {
        Ok(engine) => engine,
        Err(error) => return Ok(format!("not rehearsed: {error}")),
    };
    let by = super::super::actor(Origin::Library);
    let one = |masks: [CapMask; 2]| {
        let command = match run.command(Some(masks)) {
            Command::Call(call) => Command::Call(super::super::Call { timeout: Some(TIMEOUT), ..call }),
            other => other,
        };
        match dispatch_as(&engine, by.clone(), command, &Cancel::new()) {
            Ok(Reply::Answered(record)) => Ok(record),
            Ok(_) => Err("no record".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let runs = one(draft).and_then(|draft| Ok((draft, one(live)?)));
    // It ends in any case when the process does.
    let _ = dispatch_as(&engine, by.clone(), Command::Shutdown { patience: PATIENCE }, &Cancel::new());
    match runs {
        Err(why) => Ok(format!("not rehearsed: {why}")),
        Ok((draft, live)) => compare(&run.title(), &draft, &live),
    }
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
