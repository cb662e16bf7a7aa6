//! The ledger that `khelper rules test` and `rules learn` read.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::abi::record::Record;
use crate::ledger::line::{Brief, Item};
use crate::ledger::reader::filter::Filter;
use crate::verbs::when::When;

use super::exit::USAGE;
use super::log::{open, passed_over};
use super::output::say;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// A ledger, and what of it.
#[derive(Debug, clap::Args)]
pub(super) struct Ledger {
    /// The folder of the ledger; the same default as for `log`
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// From this time on; the same forms as for `log`
    #[arg(long, value_name = "T", value_parser = When::parse)]
    since: Option<When>,
    /// Before this time
    #[arg(long, value_name = "T", value_parser = When::parse)]
    until: Option<When>,
}

impl Ledger {
    /// Calls `each` with every request that is over, and the day on which that was recorded.
    pub(super) fn each(&self, each: &mut dyn FnMut(&Record, i64)) -> Result<(), u8> {
        let now = SystemTime::now();
        let at = |when: Option<When>| when.map(|when| when.wall(now, false)).transpose();
        let times = at(self.since).and_then(|since| Ok((since, at(self.until)?)));
        let (since, until) = times.map_err(|why| {
            say(&why);
            USAGE
        })?;
        let reader = open(self.ledger.as_deref())?;
        let mut brief = Brief::default();
        let counts = reader.scan(&Filter { since, until, ..Filter::default() }, &mut |found, counts| {
            let day = found.wall.div_euclid(DAY);
            if let Some(record) = found.brief(&mut brief) {
                each(record, day);
            } else if let Some(Item::Ended(record)) = found.read(counts).map(|line| line.item) {
                each(&record, day);
            }
            ControlFlow::Continue(())
        });
        passed_over(counts.newer, counts.unreadable);
        Ok(())
    }
}
