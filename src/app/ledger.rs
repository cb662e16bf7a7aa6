//! The ledger of an engine of this process: opened before the engine starts, closed when it has stopped.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::abi::error::Explain;
use crate::abi::sink::RecordSink;

use crate::cli;
use crate::control::kernel_knobs::Recorder;
use crate::control::local::Local;
use crate::control::text::log::losses;
use crate::engine::{Builder, Engine};
use crate::ledger::error::LedgerError;
use crate::ledger::folder::default_path;
use crate::ledger::line::KeepOutput;
use crate::ledger::view::Files;
use crate::ledger::writer::{Ledger, Options};
use crate::sys::linux::LinuxHost;
use crate::verbs::options::LedgerOutput;

/// The exit code if the ledger cannot be opened: nothing is run that would not be recorded.
const UNAVAILABLE: u8 = cli::exit::UNAVAILABLE;

/// An open ledger, or none, and the engine that writes it.
#[derive(Default)]
pub(super) struct Kept {
    ledger: Option<Arc<Ledger>>,
    folder: PathBuf,
    engine: OnceCell<Engine>,
}

impl Kept {
    /// Opens the ledger of `--ledger`. The error is the exit code; the cause is already on stderr.
    pub(super) fn open(wanted: Option<(&Path, Option<LedgerOutput>)>) -> Result<Self, u8> {
        let Some((folder, output)) = wanted else { return Ok(Self::default()) };
        match open(folder, "embedded", output) {
            Ok(ledger) => Ok(Self { ledger: Some(ledger), folder: folder.to_owned(), ..Self::default() }),
            Err(error) => {
                cli::complain(&error);
                Err(UNAVAILABLE)
            }
        }
    }

    /// Makes an engine write the ledger.
    pub(super) fn attach(&self, builder: Builder) -> Builder {
        match &self.ledger {
            None => builder,
            Some(ledger) => builder.record_sink(ledger.clone()).first_id(ledger.first_id()),
        }
    }

    /// The engine as a target, whose run is that of the ledger.
    pub(super) fn target(&self, engine: Engine) -> Local {
        let Some(ledger) = &self.ledger else { return Local::new(engine) };
        let local = Local::with_run(self.engine.get_or_init(|| engine).clone(), ledger.run());
        local.with_ledger(Arc::new(Files::new(self.folder.clone())))
    }

    /// Ends the ledger's segments, and says what they lack. Stop the engine first.
    pub(super) fn close(&self) {
        let Some(ledger) = &self.ledger else { return };
        ledger.close();
        let missed = self.engine.get().map_or(0, |engine| engine.snapshot().totals.records_lost);
        losses(missed, &ledger.stats()).iter().for_each(|line| cli::say(line));
    }
}

/// The ledger of the changes that this process makes to the kernel's knobs: the usual one, or that of `--ledger`. It is
/// opened by the first change.
#[derive(Clone, Default)]
pub(super) struct Changes(Arc<OnceLock<Option<Arc<Ledger>>>>);

impl Changes {
    /// Opens the ledger of `--ledger` at once. The error is the exit code; the cause is already on stderr.
    pub(super) fn open(&self, folder: &Path) -> Result<(), u8> {
        let ledger = open(folder, "kernel", None).map_err(|error| {
            cli::complain(&error);
            UNAVAILABLE
        })?;
        self.0.get_or_init(|| Some(ledger));
        Ok(())
    }

    /// Receives the changes.
    pub(super) fn recorder(&self) -> Recorder {
        let ledger = self.0.clone();
        Arc::new(move |change| ledger.get_or_init(usual).iter().for_each(|ledger| ledger.changed(change)))
    }

    /// Ends the segment, and says what it lacks.
    pub(super) fn close(&self) {
        for ledger in self.0.get().iter().copied().flatten() {
            ledger.close();
            losses(0, &ledger.stats()).iter().for_each(|line| cli::say(line));
        }
    }
}

/// The usual ledger, if it can be written: a change is made in any case, and that it is not recorded is said.
fn usual() -> Option<Arc<Ledger>> {
    let folder = default_path()?;
    open(&folder, "kernel", None).inspect_err(|error| cli::say(&format!("not recorded: {}", error.whole()))).ok()
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
