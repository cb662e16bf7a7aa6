//! `khelper watch`: events as they happen.

use crate::abi::event::EventKinds;
use crate::control::event_json::{self, Clock};
use crate::control::kernel_json;
use crate::control::target::TargetKind;
use crate::control::text::target::object;
use crate::control::text::{kernel, watch};
use crate::control::watch::{Wake, Watched};

use super::exit::Verdict;
use super::operate::snapshot;
use super::output::say;
use super::request::{Asker, fail};

/// Events that may wait for a slow reader before some are missed.
const QUEUE: usize = 65_536;

impl Asker {
    /// Prints events until a signal comes, the target ends, or nobody reads the output any more.
    pub(super) fn watch(&self, utc: bool, json: bool) -> Verdict {
        let target = &self.caller.target;
        // Subscribe first, so that no event falls between the state and the watch.
        let events = target.watch(EventKinds::ALL, None, QUEUE, Wake::none());
        self.ending.closes(&events);
        let state = match snapshot(&self.caller) {
            Ok(state) => state,
            Err(error) => return fail(&error),
        };
        let (info, source, clock) = (target.info(), self.source(), Clock::of(&state));
        let name = info.short_name();
        match (&state.kernel, json) {
            // A daemon's watch of the kernel is another target.
            _ if info.kind != TargetKind::Kernel => {}
            (Some(watch), true) => self.answers.line(&kernel_json::watching(&source, state.wall, watch)),
            (Some(watch), false) => {
                watch.states.iter().for_each(|state| say(&format!("kernel: {}", kernel::state(state))));
                let since = watch::time(watch.since.unwrap_or(state.wall), utc);
                say(&format!("watching {} since {since}", object(&info)));
            }
            (None, _) => {}
        }
        while !self.answers.is_over() {
            let line = match (events.wait(), json) {
                (Watched::Event(event), true) => event_json::event(&source, clock, &event),
                (Watched::Event(event), false) => watch::line(name, &event, &watch::time(clock.wall(event.at), utc)),
                (Watched::Missed(count), true) => event_json::missed(&source, count),
                (Watched::Missed(count), false) => watch::missed(name, count),
                (Watched::Closed { .. }, _) if self.ending.is_interrupted() => return Verdict::Interrupted,
                (Watched::Closed { why: None }, _) => break,
                (Watched::Closed { why: Some(why) }, _) => {
                    say(&format!("no further events: {why}"));
                    return Verdict::Unavailable;
                }
            };
            self.answers.line(&line);
        }
        Verdict::Own(0)
    }
}
