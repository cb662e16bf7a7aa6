//! What a daemon reads from files, at its start and again on SIGHUP: knobs, rules, profiles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{ControlError, Explain};
use crate::abi::escape::screen;
use crate::abi::event::Level;
use crate::control;
use crate::control::config::{self, Applied, Config};
use crate::control::local::Local;
use crate::control::profiles::Live as Profiles;
use crate::control::rules::text::counted;
use crate::control::rules::{Live, Refused};
use crate::daemon::journal::Journal;
use crate::daemon::mailbox::Reloaded;
use crate::policy::rules::Mode;

use super::verdict;

/// The last good configuration is beside the ledger.
pub(super) fn last_good(ledger: &Path) -> PathBuf {
    let ledger = std::path::absolute(ledger).unwrap_or_else(|_| ledger.to_owned());
    ledger.parent().map_or_else(|| PathBuf::from(config::last_good::PATH), |state| state.join("last-good"))
}

/// The configuration files, and the engine that they are for.
pub(super) struct Configuration {
    target: Arc<Local>,
    config: Arc<Config>,
    last: PathBuf,
    rules: Arc<Live>,
    pub(super) profiles: Arc<Profiles>,
    /// The answers to the shim, which a reload counts.
    pub(super) verdicts: Option<Arc<verdict::Answering>>,
}

impl Configuration {
    pub(super) fn new(
        target: Arc<Local>,
        config: Arc<Config>,
        last: PathBuf,
        rules: Arc<Live>,
        profiles: Arc<Profiles>,
    ) -> Self {
        Self { target, config, last, rules, profiles, verdicts: None }
    }

    fn by() -> Actor {
        control::actor(Origin::Library)
    }

    /// Applies the files before the first request. Masks never start full because a file has an error.
    pub(super) fn start(&self, journal: &Journal) -> Result<(), ControlError> {
        let started = config::start(&*self.target, &Self::by(), &self.config, &self.last)?;
        if let Some(error) = &started.instead {
            let why = format!("{}; the last good configuration is used ({})", error.whole(), shown(&self.last));
            journal.line(Level::Error, &why);
        }
        for line in report(&started.applied) {
            journal.line(Level::Warning, &line);
        }
        Ok(())
    }

    /// Reads all of them again; each kind is taken as a whole or not at all.
    pub(super) fn reload(&self) -> Reloaded {
        let mut reloaded = self.reload_knobs();
        match self.rules.reload() {
            Ok(_) if self.rules.mode() == Mode::Off => {}
            Ok(count) => reloaded.lines.push(format!("{} read again", counted(count, "rule"))),
            Err(Refused(faults)) => {
                let (lines, state) = (faults, "rules refused: kept the old ones");
                reloaded.lines.splice(0..0, lines);
                (reloaded.level, reloaded.state) = (Level::Error, state);
            }
        }
        verdict::reload_profiles(&self.profiles, &self.rules, &mut reloaded);
        reloaded.lines.extend(self.verdicts.iter().filter_map(|verdicts| verdicts.report()));
        reloaded
    }

    fn reload_knobs(&self) -> Reloaded {
        match config::reload(&*self.target, &Self::by(), &self.config, &self.last) {
            Ok(applied) => {
                let failed = applied.failed.iter().map(|error| format!("not applied: {}", error.whole())).collect();
                Reloaded::applied(report(&applied), failed)
            }
            Err(error) => Reloaded::refused(error.whole()),
        }
    }
}

fn shown(path: &Path) -> String {
    screen(path.as_os_str().as_encoded_bytes())
}

/// What an operator must know about a configuration that was applied.
fn report(applied: &Applied) -> Vec<String> {
    let restart = applied.needs_restart.iter().map(|key| format!("{key}: the new value needs a restart"));
    let stored =
        applied.not_stored.iter().map(|error| format!("not kept as the last good configuration: {}", error.whole()));
    applied.warnings.iter().map(ToString::to_string).chain(restart).chain(stored).collect()
}
