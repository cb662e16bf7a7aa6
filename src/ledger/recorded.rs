//! A line as a target shows it to others, and back.

use std::sync::Arc;

use nix::errno::Errno;

use crate::control::ledger_view::{Recorded, Running, What};

use super::line::{self, Item, Line};

/// A line as it is shown; `None` for one that only the ledger needs.
pub fn recorded(line: Line, known: crate::abi::cap::CapMask) -> Option<Recorded> {
    let running = |helper: line::Running| Running { record: helper.record, start_time: helper.start_time };
    let what = match line.item {
        Item::Ended(record) => What::Ended(record),
        Item::Started(helper) => What::Started(running(helper)),
        Item::StillRunning(helper) => What::StillRunning(running(helper)),
        Item::Changed(event) => What::Changed(event),
        Item::Lost { count, errno } => What::Lost { count, errno: errno.map(|errno| errno as i32) },
        Item::Segment(_) | Item::Open(_) | Item::End { .. } => return None,
    };
    Some(Recorded { at: line.wall, n: line.n, run: line.run, target: (&*line.target).into(), known, what })
}

/// The line of the ledger that was shown.
pub fn line(recorded: Recorded) -> Line {
    let running = |helper: Running| line::Running { record: helper.record, start_time: helper.start_time };
    let item = match recorded.what {
        What::Ended(record) => Item::Ended(record),
        What::Started(helper) => Item::Started(running(helper)),
        What::StillRunning(helper) => Item::StillRunning(running(helper)),
        What::Changed(event) => Item::Changed(event),
        What::Lost { count, errno } => Item::Lost { count, errno: errno.map(Errno::from_raw) },
    };
    Line { wall: recorded.at, n: recorded.n, run: recorded.run, target: Arc::from(recorded.target.as_str()), item }
}
