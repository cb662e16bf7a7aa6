//! Submits a list of commands in order, some of them in parallel: `--parallel`, `--repeat`, and the console's series of
//! requests. A batch has one or more lanes; each lane submits its next command when the previous one is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::sorted::SortedSet;

use super::command::{Command, Reply};
use super::completion::{CallId, Completion};
use super::target::Target;

/// Called with each answer, on a thread of the target.
type Each = Box<dyn Fn(Result<Reply, ControlError>) + Send + Sync>;

/// The commands to submit.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The commands, in order; not empty.
    pub commands: Vec<Command>,
    /// The number of submissions; after the last command the list starts again.
    pub total: usize,
    /// The most commands in progress at the same time; at least 1.
    pub parallel: usize,
}

/// A batch in progress: a cheap handle, so that another thread can stop it.
#[derive(Clone)]
pub struct Running(Arc<Shared>);

struct Shared {
    target: Arc<dyn Target>,
    by: Actor,
    batch: Batch,
    each: Each,
    state: Mutex<State>,
    /// Notified when the last lane has ended.
    over: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of commands that were submitted.
    begun: usize,
    /// Commands to submit again, because the target was too busy for them.
    again: Vec<usize>,
    /// The number of lanes that have not ended.
    lanes: usize,
    /// No further command is submitted.
    stopped: bool,
    /// The commands in progress are cancelled too.
    cancelled: bool,
    in_flight: SortedSet<CallId>,
}

impl Batch {
    /// A batch of one command.
    pub fn one(command: Command) -> Self {
        Self { commands: vec![command], total: 1, parallel: 1 }
    }

    /// Starts the batch. `each` is called with the answer to each command; the lane submits its next command when it
    /// returns.
    pub fn run(
        self,
        target: Arc<dyn Target>,
        by: Actor,
        each: impl Fn(Result<Reply, ControlError>) + Send + Sync + 'static,
    ) -> Running {
        let lanes = if self.commands.is_empty() { 0 } else { self.parallel.clamp(1, self.total.max(1)) };
        let state = Mutex::new(State { lanes, ..State::default() });
        let shared = Arc::new(Shared { target, by, batch: self, each: Box::new(each), state, over: Condvar::new() });
        for _ in 0..lanes {
            Shared::go_on(&shared);
        }
        Running(shared)
    }
}

impl Running {
    /// Submits no further command; those in progress continue.
    pub fn stop(&self) {
        self.0.lock().stopped = true;
    }

    /// Submits no further command, and cancels those in progress.
    pub fn cancel(&self) {
        let in_flight: Vec<CallId> = {
            let mut state = self.0.lock();
            (state.stopped, state.cancelled) = (true, true);
            state.in_flight.keys().copied().collect()
        };
        in_flight.into_iter().for_each(|id| self.0.target.cancel(id));
    }

    /// Whether every submitted command is answered and no further one will be submitted.
    pub fn is_over(&self) -> bool {
        self.0.lock().lanes == 0
    }

    /// Blocks until [`Running::is_over`]. Returns whether all commands were submitted.
    pub fn wait(&self) -> bool {
        let mut state = self.0.lock();
        while state.lanes > 0 {
            state = self.0.over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.begun == self.0.batch.total && state.again.is_empty()
    }
}

/// Tells whether a command was answered before `submit` returned. If so, the lane continues in its loop and not in the
/// completion: otherwise thousands of immediate answers would nest on the stack.
#[derive(Default)]
struct Step(AtomicBool);

impl Step {
    /// Returns true to the second caller. The two callers are the completion and the lane's loop after `submit`.
    fn is_second(&self) -> bool {
        self.0.swap(true, Ordering::AcqRel)
    }
}

/// Ends the lane if `each` panics; otherwise [`Running::wait`] would never return.
struct EndOnPanic<'a>(&'a Shared);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end_lane(self.0.lock());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits the lane's next command, and further ones as long as they are answered immediately.
    fn go_on(self: &Arc<Self>) {
        while let Some((at, id)) = self.begin() {
            let command = self.batch.commands[at % self.batch.commands.len()].clone();
            let step = Arc::new(Step::default());
            let (shared, theirs) = (self.clone(), step.clone());
            let done = Completion::new(move |reply| {
                if shared.answered(at, id, reply) && theirs.is_second() {
                    shared.go_on();
                }
            });
            self.target.submit(&self.by, id, command, done);
            // `cancel` may have run before the target knew this command, so cancel it again.
            if self.lock().cancelled {
                self.target.cancel(id);
            }
            if !step.is_second() {
                return;
            }
        }
    }

    /// Takes the lane's next command; `None` if there is none and the lane has ended.
    fn begin(&self) -> Option<(usize, CallId)> {
        let mut state = self.lock();
        let next = if state.stopped { None } else { self.next(&mut state) };
        let Some(at) = next else {
            self.end_lane(state);
            return None;
        };
        let id = CallId::fresh();
        state.in_flight.add(id);
        Some((at, id))
    }

    fn next(&self, state: &mut State) -> Option<usize> {
        state.again.pop().or_else(|| {
            let at = state.begun;
            state.begun += usize::from(at < self.batch.total);
            (at < self.batch.total).then_some(at)
        })
    }

    fn end_lane(&self, mut state: MutexGuard<'_, State>) {
        state.lanes -= 1;
        drop(state);
        self.over.notify_all();
    }

    /// Handles an answer. Returns false if the target was too busy and the lane ended, because other lanes continue.
    fn answered(&self, at: usize, id: CallId, reply: Result<Reply, ControlError>) -> bool {
        let mut state = self.lock();
        state.in_flight.remove(&id);
        if matches!(reply, Err(ControlError::Busy(_))) && state.lanes > 1 && !state.stopped {
            state.again.push(at);
            self.end_lane(state);
            return false;
        }
        drop(state);
        let _guard = EndOnPanic(self);
        (self.each)(reply);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Origin;
    use crate::abi::event::EventKinds;
    use crate::control::target::{RunId, Seq, TargetInfo};
    use crate::control::watch::{Wake, Watch};
    use std::sync::atomic::AtomicUsize;

    /// What the scripted target does with a command.
    #[derive(Clone, Copy)]
    enum Does {
        Answers,
        /// Refuses commands while one is in progress.
        TakesOne,
        Keeps,
    }

    /// A target that answers at once, or keeps the completions.
    struct Scripted {
        does: Does,
        kept: Mutex<Vec<(CallId, Completion)>>,
        cancelled: Mutex<Vec<CallId>>,
    }

    impl Scripted {
        fn new(does: Does) -> Arc<Self> {
            Arc::new(Self { does, kept: Mutex::default(), cancelled: Mutex::default() })
        }

        fn answer(&self) -> bool {
            let kept = self.kept.lock().unwrap().pop();
            kept.map(|(_, done)| done.finish(Ok(Reply::Done))).is_some()
        }
    }

    impl Target for Scripted {
        fn info(&self) -> TargetInfo {
            unreachable!("not asked for by a batch")
        }
        fn submit(&self, _: &Actor, id: CallId, _: Command, done: Completion) {
            match self.does {
                Does::Answers => done.finish(Ok(Reply::Done)),
                Does::TakesOne if !self.kept.lock().unwrap().is_empty() => {
                    done.finish(Err(ControlError::Busy("busy".into())));
                }
                _ => self.kept.lock().unwrap().push((id, done)),
            }
        }
        fn cancel(&self, id: CallId) {
            self.cancelled.lock().unwrap().push(id);
        }
        fn watch(&self, _: EventKinds, _: Option<(RunId, Seq)>, _: usize, _: Wake) -> Watch {
            unreachable!("not asked for by a batch")
        }
    }

    fn run(target: &Arc<Scripted>, total: usize, parallel: usize) -> (Running, Arc<AtomicUsize>) {
        let answered = Arc::new(AtomicUsize::new(0));
        let count = answered.clone();
        let batch = Batch { commands: vec![Command::Status], total, parallel };
        let running = batch.run(target.clone(), crate::control::actor(Origin::Library), move |reply| {
            assert!(reply.is_ok(), "{reply:?}");
            count.fetch_add(1, Ordering::AcqRel);
        });
        (running, answered)
    }

    #[test]
    fn immediate_answers_do_not_nest_on_the_stack() {
        let (running, answered) = run(&Scripted::new(Does::Answers), 200_000, 3);
        assert!(running.wait());
        assert_eq!(answered.load(Ordering::Acquire), 200_000);
    }

    #[test]
    fn commands_refused_as_busy_are_submitted_again_by_fewer_lanes() {
        let target = Scripted::new(Does::TakesOne);
        let (running, answered) = run(&target, 10, 4);
        assert_eq!(target.kept.lock().unwrap().len(), 1);
        while target.answer() {}
        assert!(running.wait());
        assert_eq!(answered.load(Ordering::Acquire), 10, "none is lost, none is refused");
    }

    #[test]
    fn cancel_submits_no_more_and_cancels_those_in_progress() {
        let target = Scripted::new(Does::Keeps);
        let (running, answered) = run(&target, 10, 3);
        running.cancel();
        assert_eq!(target.cancelled.lock().unwrap().len(), 3);
        while target.answer() {}
        assert!(!running.wait(), "not all were submitted");
        assert_eq!(answered.load(Ordering::Acquire), 3);
        let (running, answered) = run(&target, 10, 3);
        running.stop();
        assert_eq!(target.cancelled.lock().unwrap().len(), 3, "no other is cancelled");
        while target.answer() {}
        assert!(!running.wait() && answered.load(Ordering::Acquire) == 3);
    }
}
