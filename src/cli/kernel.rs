//! `khelper watch --target kernel`: helpers of this machine's kernel as they end.

use std::os::fd::AsFd;
use std::time::SystemTime;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::control::kernel_json;
use crate::control::text::{self, kernel, watch};
use crate::kernel::knowledge::Knowledge;
use crate::kernel::watch::{Stopper, Told, Watch, wall};
use crate::sys::signals::Signals;

use super::exit;
use super::output::{Answers, complain, say};

/// Helpers that may wait for a slow reader before some are missed.
const QUEUE: usize = 4096;

/// Prints each helper until a signal comes or nobody reads the output any more. Returns the exit code.
pub fn watch(utc: bool, json: bool) -> u8 {
    // Taken before the first thread starts.
    let signals = match Signals::take(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => {
            complain(&error);
            return 126;
        }
    };
    let watch = match Watch::start(QUEUE) {
        Ok(watch) => watch,
        Err((knowledge, error)) => {
            if json {
                Answers::default().line(&kernel_json::states("", SystemTime::now(), &knowledge));
            } else {
                states(&knowledge);
            }
            error.iter().for_each(|error| complain(error));
            return exit::UNAVAILABLE;
        }
    };
    let stopper = watch.stopper();
    let listens = std::thread::Builder::new().name("signals".to_owned()).spawn(move || listen(&signals, &stopper));
    if let Err(error) = listens {
        say(&format!("cannot start the thread that waits for signals: {}", crate::abi::error::io_words(&error)));
        return 126;
    }
    print(&watch, utc, json)
}

fn print(watched: &Watch, utc: bool, json: bool) -> u8 {
    let (status, answers, mut seq) = (watched.status(), Answers::default(), 0u64);
    let run = format!("{:x}", status.since / 1000);
    if json {
        answers.line(&kernel_json::states(&run, SystemTime::now(), &status.knowledge));
    } else {
        states(&status.knowledge);
        say(&format!("watching this machine's kernel since {}", watch::time(wall(status.since), utc)));
    }
    while let Some(told) = watched.next() {
        seq += 1;
        let now = SystemTime::now();
        let line = match (&told, json) {
            (Told::Helper(helper), true) => kernel_json::helper(&run, seq, helper, now, wall),
            (Told::Lost(loss), true) => kernel_json::lost(&run, loss),
            (Told::Missed(count), true) => kernel_json::missed(&run, *count),
            (told, false) => {
                let (at, words) = match told {
                    Told::Helper(helper) => (helper.times.ended.map_or(now, wall), kernel::helper(helper)),
                    Told::Lost(loss) => (now, kernel::lost(loss)),
                    Told::Missed(count) => (now, kernel::missed(*count)),
                };
                format!("{seq} {} kernel {words}", watch::time(at, utc))
            }
        };
        answers.line(&line);
        if answers.is_over() {
            break;
        }
    }
    match watched.status().failed {
        Some(error) => {
            complain(&error);
            exit::UNAVAILABLE
        }
        None => answers.code(0),
    }
}

fn states(knowledge: &Knowledge) {
    knowledge.states().iter().for_each(|state| say(&format!("kernel: {}", text::kernel::state(state))));
}

/// Ends the watch at the first signal.
fn listen(signals: &Signals, stopper: &Stopper) {
    loop {
        let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
        if !matches!(signals.next(), Ok(None)) {
            stopper.stop();
            return;
        }
    }
}
