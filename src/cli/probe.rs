//! `khelper probe`: shows what a helper gets. Also the probe program itself.

use std::io::{self, Write};

use serde::Serialize;

use crate::abi::record::Record;
use crate::control::Command;
use crate::control::batch::Batch;
use crate::control::record_json::Entry;
use crate::control::text::outcome;
use crate::control::text::probe_report::{read, table};
use crate::sys::probe::Report;

use super::exit::Verdict;
use super::output::complain;
use super::request::Asker;

/// The JSON of `khelper probe`: the record, with the report under `probe`.
#[derive(Serialize)]
struct Probed<'a> {
    #[serde(flatten)]
    record: Entry<'a>,
    probe: Option<Report>,
}

/// Runs this program as the built-in probe: prints the report as one line of JSON. Returns the exit code.
pub fn report() -> u8 {
    let report = match Report::gather() {
        Ok(report) => report,
        Err(error) => {
            complain(&error);
            return 1;
        }
    };
    let text = serde_json::to_string(&report).map_err(io::Error::from);
    let written = text.and_then(|text| io::stdout().lock().write_all(format!("{text}\n").as_bytes()));
    u8::from(written.is_err())
}

impl Asker {
    /// `khelper probe`.
    pub(super) fn probe(&self, json: bool) -> Verdict {
        let probe = Batch::one(Command::Probe { bset: None, inheritable: None });
        self.ask(probe, move |asker, record| asker.report(record, json))
    }

    fn report(&self, record: &Record, json: bool) {
        let report = record.output.as_deref().and_then(|o| read(&o.stdout));
        match report {
            probe if json => {
                let source = self.source();
                self.json(&Probed { record: self.entry(record, &source), probe });
            }
            Some(report) => {
                self.answers.line(&table(&report, self.caller.target.info().known));
                self.answers.line(&outcome::line(record));
            }
            None => self.answer(record, false),
        }
    }
}
