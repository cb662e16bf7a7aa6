//! The ledger of an engine of this process: opened before the engine starts, closed when it has stopped.

use std::path::Path;
use std::sync::Arc;

use crate::cli;
use crate::control::local::Local;
use crate::engine::{Builder, Engine};
use crate::ledger::error::LedgerError;
use crate::ledger::line::KeepOutput;
use crate::ledger::writer::{Ledger, Options};
use crate::sys::linux::LinuxHost;
use crate::verbs::options::LedgerOutput;

/// The exit code if the ledger cannot be opened: nothing is run that would not be recorded.
const UNAVAILABLE: u8 = cli::exit::UNAVAILABLE;

/// An open ledger, or none.
pub(super) struct Kept(Option<Arc<Ledger>>);

impl Kept {
    /// Opens the ledger of `--ledger`. The error is the exit code; the cause is already on stderr.
    pub(super) fn open(wanted: Option<(&Path, Option<LedgerOutput>)>) -> Result<Self, u8> {
        let Some((folder, output)) = wanted else { return Ok(Self(None)) };
        open(folder, "embedded", output).map(|ledger| Self(Some(ledger))).map_err(|error| {
            cli::complain(&error);
            UNAVAILABLE
        })
    }

    /// Makes an engine write the ledger.
    pub(super) fn attach(&self, builder: Builder) -> Builder {
        match &self.0 {
            None => builder,
            Some(ledger) => builder.record_sink(ledger.clone()).first_id(ledger.first_id()),
        }
    }

    /// The engine as a target, whose run is that of the ledger.
    pub(super) fn target(&self, engine: Engine) -> Local {
        match &self.0 {
            None => Local::new(engine),
            Some(ledger) => Local::with_run(engine, ledger.run()),
        }
    }

    /// Ends the ledger's segments, and says what could not be written. Stop the engine first.
    pub(super) fn close(&self) {
        let Some(ledger) = &self.0 else { return };
        ledger.close();
        let state = ledger.stats();
        if state.lost > 0 {
            cli::say(&format!("the ledger: {} lines could not be written", state.lost));
        }
        state.error.iter().for_each(|error| cli::say(error));
    }
}

/// Opens a ledger for a new engine of this process, whose lines have this target.
///
/// # Errors
/// As for [`Ledger::open`].
pub(super) fn open(
    folder: &Path,
    target: &'static str,
    output: Option<LedgerOutput>,
) -> Result<Arc<Ledger>, LedgerError> {
    let output = match output {
        Some(LedgerOutput::None) => KeepOutput::None,
        Some(LedgerOutput::All) => KeepOutput::All,
        Some(LedgerOutput::Failures) | None => KeepOutput::Failures,
    };
    Ledger::open(Options { output, ..Options::new(folder, target) }, &LinuxHost::new())
}
