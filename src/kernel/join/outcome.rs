//! What is known of a helper at its end.

use crate::abi::wait::WaitStatus;
use crate::kernel::observation::{Doubts, Executed, Observation, Times, Unknown};

use super::Exit;
use super::tables::{Helper, KTHREADD, Tables};

impl Tables {
    /// Removes a helper and says what is known of it.
    pub(super) fn hand_out(
        &mut self,
        pid: i32,
        status: Result<WaitStatus, Unknown>,
        ended: Option<u64>,
    ) -> Option<Observation> {
        let helper = self.helpers.remove(&pid)?;
        Some(self.observed(pid, helper, status, ended))
    }

    /// What is known of a helper that runs.
    pub(super) fn so_far(&self, pid: i32) -> Option<Observation> {
        let helper = self.helpers.get(&pid)?.clone();
        Some(self.observed(pid, helper, Err(Unknown::StillRunning), None))
    }

    fn observed(
        &self,
        pid: i32,
        helper: Helper,
        status: Result<WaitStatus, Unknown>,
        ended: Option<u64>,
    ) -> Observation {
        let times = Times {
            queued: helper.asked.as_ref().ok().map(|asked| asked.queued),
            forked: helper.forked,
            executed: helper.executed.as_ref().map(|(time, _)| *time),
            ended,
        };
        let executed = match helper.executed {
            Some((_, (file, comm))) => Executed::Yes { file, comm },
            None => self.not_executed(helper.forked, ended, helper.asked.as_ref().err(), status.as_ref().err()),
        };
        let is_doubtful = helper.asked.as_ref().is_ok_and(|asked| asked.is_doubtful);
        let (requester, cause) = match helper.asked {
            Ok(asked) => (Ok(asked.requester), asked.cause),
            Err(why) => (Err(why), Err(why)),
        };
        Observation {
            pid,
            worker: helper.worker,
            requester,
            cause,
            executed,
            facts: helper.facts.ok_or(Unknown::Gone),
            status,
            times,
            doubts: Doubts { requester: is_doubtful, is_helper: false },
        }
    }

    /// What the lack of an execution means.
    fn not_executed(
        &self,
        forked: Option<u64>,
        ended: Option<u64>,
        asked: Option<&Unknown>,
        status: Option<&Unknown>,
    ) -> Executed {
        let Some(forked) = forked else {
            return Executed::Unknown(asked.copied().unwrap_or(Unknown::BeforeWatch));
        };
        match (self.forks.between(forked, ended.unwrap_or(u64::MAX)), ended) {
            (Some(why), _) => Executed::Unknown(why),
            (None, None) => Executed::Unknown(status.copied().unwrap_or(Unknown::ExitLost)),
            (None, Some(_)) => Executed::Failed,
        }
    }

    /// The end of a process that is a helper's or, where its parent is not known, may be one's.
    pub(super) fn without_partner(&self, time: u64, exit: Exit) -> Observation {
        let why = self.why_without_partner(time);
        Observation {
            pid: exit.pid,
            worker: (exit.parent > KTHREADD).then_some(exit.parent),
            requester: Err(why),
            cause: Err(why),
            executed: Executed::Unknown(why),
            facts: Err(Unknown::Gone),
            status: Ok(WaitStatus::from_raw(exit.status)),
            times: Times { ended: Some(time), ..Times::default() },
            // A kernel thread ends with 0 too, and has the same parent.
            doubts: Doubts {
                requester: false,
                is_helper: exit.parent == 0 || (exit.parent == KTHREADD && exit.status == 0),
            },
        }
    }

    fn why_without_partner(&self, time: u64) -> Unknown {
        if !self.sources.forks {
            return Unknown::NotTold;
        }
        self.forks.between(0, time).unwrap_or(Unknown::TraceLost)
    }
}
