//! What an operator has ordered the rules to do: a file that the daemon follows, and that can be written without it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::abi::rules_mode::{Mode, ModeFor};
use crate::policy::rules::Compiled;
use crate::sys::linux::ticks;
use crate::sys::linux::trust::{Contents, Folder, Untrusted};
use crate::sys::process::boot_id;

/// The file, in the folder of the daemon's state.
const FILE: &str = "rules.mode";
/// The folder of the daemon of this machine.
const STATE: &str = "/var/lib/khelper";

/// The word for what the rules do without an order.
const USUAL: &str = "usual";
/// The line of the order in its file: below a comment.
pub const LINE: u32 = 2;

/// A time of this start of the machine: the wall clock may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// The start of the machine.
    boot: String,
    /// Seconds since then.
    at: u64,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What the rules do.
    pub mode: Mode,
    /// Until when, unless it is confirmed, and what they do then; `None`: what they do without an order.
    pub until: Option<(Until, Option<Mode>)>,
}

/// The moment that orders are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The start of the machine.
    boot: String,
    /// The time since then.
    at: Duration,
}

impl Now {
    /// This moment.
    pub fn read() -> Self {
        Self { boot: boot_id(), at: ticks::since_boot() }
    }

    /// This moment, of the same start of the machine.
    #[must_use]
    pub fn later(&self) -> Self {
        Self { boot: self.boot.clone(), at: ticks::since_boot() }
    }

    /// So many seconds later, or up to one more: nothing is tried for less time than was ordered.
    pub fn after(&self, seconds: u64) -> Until {
        let begun = u64::from(self.at.subsec_nanos() > 0);
        Until { boot: self.boot.clone(), at: self.at.as_secs().saturating_add(seconds).saturating_add(begun) }
    }

    /// How long it is until then, or `None` if that is over.
    pub fn until(&self, until: &Until) -> Option<Duration> {
        let left = Duration::from_secs(until.at).checked_sub(self.at).filter(|left| !left.is_zero());
        left.filter(|_| until.boot == self.boot)
    }
}

impl Order {
    /// The order for this mode. A trial leads back to what was before it: to what was before another trial, too.
    pub fn next(before: Option<&Self>, wanted: ModeFor, now: &Now) -> Self {
        let back = || {
            let before = before?;
            before.goes_back(now).map_or_else(|| before.at(now), |(_, back)| back)
        };
        Self { mode: wanted.mode, until: wanted.seconds.map(|seconds| (now.after(seconds.into()), back())) }
    }

    /// What the rules do now; `None`: what they do without an order. A machine that was started again has not been
    /// confirmed.
    pub fn at(&self, now: &Now) -> Option<Mode> {
        match &self.until {
            Some((_, back)) if self.is_over(now) => *back,
            _ => Some(self.mode),
        }
    }

    /// Whether it was to go back by itself, and has.
    pub fn is_over(&self, now: &Now) -> bool {
        self.until.as_ref().is_some_and(|(until, _)| now.until(until).is_none())
    }

    /// In how many whole seconds it goes back by itself (1 for less), and to what; `None` if it stays, or has gone back.
    pub fn goes_back(&self, now: &Now) -> Option<(u64, Option<Mode>)> {
        let (until, back) = self.until.as_ref()?;
        now.until(until).map(|left| (left.as_secs().max(1), *back))
    }

    fn text(&self) -> String {
        let head = "# What the rules of khelper do; written by `khelper rules`.\n";
        match &self.until {
            None => format!("{head}{}\n", self.mode.name()),
            Some((until, back)) => {
                let back = back.map_or(USUAL, Mode::name);
                format!("{head}{} until {} {} then {back}\n", self.mode.name(), until.boot, until.at)
            }
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let words: Vec<&str> = lines.next()?.split(' ').collect();
        let mode = |name: &str| Mode::parse(name.as_bytes());
        let order = match words[..] {
            [name] => Self { mode: mode(name)?, until: None },
            [name, "until", boot, at, "then", back] => {
                let until = Until { boot: boot.to_owned(), at: at.parse().ok()? };
                let back = if back == USUAL { None } else { Some(mode(back)?) };
                Self { mode: mode(name)?, until: Some((until, back)) }
            }
            _ => return None,
        };
        lines.next().is_none().then_some(order)
    }
}

/// The file of the order.
#[derive(Clone, Debug)]
pub struct OrderFile(PathBuf);

impl Default for OrderFile {
    /// That of the daemon of this machine.
    fn default() -> Self {
        Self::beside(Path::new(STATE))
    }
}

/// What tells one version of the file from another.
pub type Stamp = Option<(u64, i64, i64)>;

impl OrderFile {
    /// In this folder.
    pub fn beside(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// Its path, as it is shown.
    pub fn shown(&self) -> String {
        screen(self.0.as_os_str().as_encoded_bytes())
    }

    /// Its version; `None` if there is no file.
    pub fn stamp(&self) -> Stamp {
        fs::symlink_metadata(&self.0).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()))
    }

    fn folder(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("/"))
    }

    /// The order, if there is one.
    ///
    /// # Errors
    /// `EPERM` if another user than root and this one could change it; `EINVAL` if it is no order; else the errno of the
    /// call that failed.
    pub fn read(&self) -> Result<Option<Order>, ControlError> {
        let Some(folder) = Folder::open(self.folder()).map_err(|e| failed(&e))? else { return Ok(None) };
        match folder.read(OsStr::new(FILE)).map_err(|e| failed(&e))? {
            Contents::Missing | Contents::Masked => Ok(None),
            Contents::Bytes(bytes) => Order::parse(&bytes).map(Some).ok_or_else(|| {
                let advice = "give the order again: `khelper rules off`, `learn`, `audit` or `enforce`";
                ControlError::Value {
                    key: self.shown(),
                    error: ParseError::invalid("is no order for the rules", advice),
                }
            }),
        }
    }

    /// Writes the order, in place of the one before.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn write(&self, order: &Order) -> Result<(), ControlError> {
        let folder = Folder::make(self.folder()).map_err(|e| failed(&e))?;
        folder.replace(OsStr::new(FILE), order.text().as_bytes()).map_err(|e| failed(&e))
    }
}

/// Writes the compiled rules for the shim, in place of those before.
///
/// # Errors
/// `EPERM` if another user could change the file or its folder; else the errno of the call that failed.
pub fn publish(path: &Path, compiled: &Compiled) -> Result<(), ControlError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let folder = Folder::make(folder).map_err(|e| failed(&e))?;
    folder.replace(name, &compiled.bytes).map_err(|e| failed(&e))
}

fn failed(error: &Untrusted) -> ControlError {
    let advice = match error.errno {
        Errno::EPERM => "let root own it, and nobody else write it",
        Errno::EACCES => "run khelper as root",
        _ => "mend the folder, and try again",
    };
    let key = screen(error.path.as_os_str().as_encoded_bytes());
    ControlError::Value { key, error: ParseError::with(error.errno, error.why.clone(), advice) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Explain;

    fn at(boot: &str, at: u64) -> Now {
        Now { boot: boot.to_owned(), at: Duration::from_secs(at) }
    }

    #[test]
    fn an_order_goes_back_at_its_time_and_at_the_next_start_of_the_machine() {
        for back in [Some(Mode::Audit), None] {
            let order = Order { mode: Mode::Enforce, until: Some((at("a", 100).after(600), back)) };
            for (now, mode, left) in [
                (at("a", 100), Some(Mode::Enforce), Some((600, back))),
                (at("a", 699), Some(Mode::Enforce), Some((1, back))),
                (at("a", 700), back, None),
                (at("b", 100), back, None),
            ] {
                assert_eq!((order.at(&now), order.goes_back(&now)), (mode, left), "{now:?}");
            }
        }
        // It is not tried for less than that, however much of a second is over when it is ordered.
        let later = |seconds: u64, millis| Now { at: Duration::from_millis(seconds * 1000 + millis), ..at("a", 0) };
        let order = Order { mode: Mode::Enforce, until: Some((later(100, 400).after(2), None)) };
        for (now, left) in [
            (later(100, 400), Some(2)),
            (later(101, 0), Some(2)),
            (later(101, 1), Some(1)),
            (later(102, 999), Some(1)),
            (later(103, 0), None),
        ] {
            assert_eq!(order.goes_back(&now).map(|(left, _)| left), left, "{now:?}");
        }
        let stays = Order { mode: Mode::Enforce, until: None };
        assert_eq!((stays.at(&at("b", 9)), stays.goes_back(&at("b", 9))), (Some(Mode::Enforce), None));
    }

    #[test]
    fn a_trial_leads_back_to_what_was_before_it_and_a_second_one_does_too() {
        let tried = ModeFor { mode: Mode::Enforce, seconds: Some(60) };
        let back = |before: Option<&Order>, now| Order::next(before, tried, &at("a", now)).until.map(|(_, back)| back);
        assert_eq!(back(None, 1), Some(None), "what they do without an order");
        let audit = Order { mode: Mode::Audit, until: None };
        let first = Order::next(Some(&audit), tried, &at("a", 1));
        assert_eq!(first.goes_back(&at("a", 1)), Some((60, Some(Mode::Audit))));
        assert_eq!(back(Some(&first), 10), Some(Some(Mode::Audit)), "no trial ends in enforcing for good");
        assert_eq!(back(Some(&first), 61), Some(Some(Mode::Audit)), "it was over");
        let kept = Order::next(Some(&first), Mode::Enforce.into(), &at("a", 10));
        assert_eq!(kept, Order { mode: Mode::Enforce, until: None }, "confirmed");
        assert_eq!(back(Some(&kept), 10), Some(Some(Mode::Enforce)));
    }

    #[test]
    fn an_order_is_read_as_it_was_written_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = OrderFile::beside(dir.path());
        assert_eq!((file.read().unwrap(), file.stamp()), (None, None));
        let mut stamps = Vec::new();
        for mode in Mode::ALL {
            let until = |back| Some((at("4f1c", 7).after(1), back));
            for until in [None, until(Some(Mode::Audit)), until(None)] {
                let order = Order { mode, until };
                file.write(&order).unwrap();
                assert_eq!(file.read().unwrap(), Some(order));
                stamps.push(file.stamp());
            }
        }
        assert!(stamps.windows(2).all(|pair| pair[0] != pair[1]), "{stamps:?}");
        for text in [
            "",
            "enforce now\n",
            "enforce\noff\n",
            "enforce until x y then off\n",
            "enforced\n",
            "enforce until x 1 then\n",
        ] {
            fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(file.read().unwrap_err().errno(), Errno::EINVAL, "{text:?}");
        }
    }
}
