//! Reads of a target that take more than one answer. A target may be another process, so none of them relies on what it
//! answers to come to an end.

use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;

use super::ask::ask;
use super::command::{Command, Reply};
use super::target::Target;

/// The most requests in one answer.
pub const PAGE: usize = 256;
/// The most requests that have not ended. No engine has so many.
const MOST: usize = 1 << 20;

fn wrong(what: &str) -> ControlError {
    ControlError::Version(format!("the target's answer is wrong: {what}"))
}

/// The requests that have not ended, oldest first.
///
/// # Errors
/// That of the command; `EPROTO` if the target's answers are not in order, or do not end.
pub fn live(target: &dyn Target, by: &Actor) -> Result<Vec<Live>, ControlError> {
    let mut all: Vec<Live> = Vec::new();
    loop {
        let after = all.last().map_or(0, |live| live.id);
        let page = match ask(target, by, Command::Live { after, most: PAGE })? {
            Reply::Live(page) if !page.is_empty() => page,
            _ => return Ok(all),
        };
        let ids = std::iter::once(after).chain(page.iter().map(|live| live.id));
        if !ids.is_sorted_by(|one, next| one < next) {
            return Err(wrong("requests that are not in order"));
        }
        if all.len() + page.len() > MOST {
            return Err(wrong("too many requests"));
        }
        all.extend(page);
    }
}

/// The records with the first of these ids, as many as one answer has, and how many of the ids are done with. Records
/// that do not exist any more are left out.
///
/// # Errors
/// That of the command; `EPROTO` for records that were not asked for.
pub fn some(target: &dyn Target, by: &Actor, ids: &[u64]) -> Result<(Vec<Arc<Record>>, usize), ControlError> {
    let asked = &ids[..ids.len().min(PAGE)];
    let records = match ask(target, by, Command::Records(asked.to_vec()))? {
        Reply::Records(records) if records.len() <= asked.len() => records,
        _ => return Err(wrong("more records than were asked for")),
    };
    // What comes after the last one did not fit, or does not exist.
    let Some(last) = records.last() else { return Ok((records, asked.len())) };
    match asked.iter().rposition(|id| *id == last.id) {
        Some(at) => Ok((records, at + 1)),
        None => Err(wrong("a record that was not asked for")),
    }
}

/// The records with these ids, in this order, without those that do not exist any more.
///
/// # Errors
/// As for [`some`].
pub fn records(target: &dyn Target, by: &Actor, mut ids: &[u64]) -> Result<Vec<Arc<Record>>, ControlError> {
    let mut all = Vec::new();
    while !ids.is_empty() {
        let (records, done) = some(target, by, ids)?;
        all.extend(records);
        ids = &ids[done..];
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::event::EventKinds;
    use crate::abi::record::Output;
    use crate::control::completion::{CallId, Completion};
    use crate::control::local::Local;
    use crate::control::target::{RunId, Seq, TargetInfo};
    use crate::control::testing::{self, actor, live as request};
    use crate::control::watch::{Wake, Watch};
    use crate::engine::Engine;
    use crate::sys::fake::{FakeHost, Script};

    /// A target that answers whatever it likes.
    struct Hostile<F>(F);

    impl<F: Fn(Command) -> Reply + Send + Sync> Target for Hostile<F> {
        fn info(&self) -> TargetInfo {
            unreachable!("it is not asked")
        }
        fn submit(&self, _: &Actor, _: CallId, command: Command, done: Completion) {
            done.finish(Ok((self.0)(command)));
        }
        fn cancel(&self, _: CallId) {}
        fn watch(&self, _: EventKinds, _: Option<(RunId, Seq)>, _: usize, _: Wake) -> Watch {
            unreachable!("it is not watched")
        }
    }

    #[test]
    fn a_hostile_target_cannot_make_a_read_go_on_for_ever() {
        let ids = |ids: &[u64]| Reply::Live(ids.iter().map(|id| request(*id, b"x", 0)).collect());
        for answer in [&[7][..], &[7, 7], &[8, 7], &[0]] {
            let error = live(&Hostile(|_| ids(answer)), &actor()).unwrap_err();
            assert!(error.to_string().contains("not in order"), "{error}");
        }
        let growing = Hostile(|command| match command {
            Command::Live { after, .. } => Reply::Live((1..=4096).map(|n| request(after + n, b"x", 0)).collect()),
            _ => Reply::Done,
        });
        assert!(live(&growing, &actor()).unwrap_err().to_string().contains("too many"));
        let record = |id| Arc::new(testing::record(id, b"x", 0));
        let all = (1..=300).collect::<Vec<u64>>();
        for (answer, why) in [(vec![record(9999)], "not asked for"), (vec![record(1); 257], "more records")] {
            let error = records(&Hostile(|_| Reply::Records(answer.clone())), &actor(), &all).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(records(&Hostile(|_| Reply::Records(Vec::new())), &actor(), &all), Ok(Vec::new()));
    }

    /// 300 records with 64 KiB of output each, of which one answer has only some.
    #[test]
    fn records_with_much_output_come_in_several_answers() {
        let host = FakeHost::new();
        let stdout = vec![b'\x1b'; 64 << 10];
        host.script("/sbin/modprobe", Script { stdout: stdout.clone(), ..Script::default() });
        let engine = Engine::builder().host(host).text_budget(64 << 20).start().unwrap();
        (0..300).for_each(|_| _ = engine.request_module("dummy", true));
        let target = Local::shared(&engine);
        let ids: Vec<u64> = (1..=301).collect();
        let (first, done) = some(&*target, &actor(), &ids).unwrap();
        let bytes: usize = first.iter().map(|r| r.output.as_deref().map_or(0, |o: &Output| o.stdout.len())).sum();
        assert!((1 << 20..2 << 20).contains(&bytes) && done == first.len(), "{bytes}: {done}");
        let all = records(&*target, &actor(), &ids).unwrap();
        assert!(all.iter().map(|record| record.id).eq(1..=300), "each once, in order");
        assert!(all.iter().all(|record| record.output.as_deref().is_some_and(|output| output.stdout == stdout)));
    }
}
