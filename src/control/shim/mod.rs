//! The shim in the place of the kernel's modprobe: installed, taken away again, and what stands (RULES.md, "The shim").
//!
//! The program carries its settings, so the path that it replaced is known as long as the file is there.

mod outcome;
mod program;
mod refresh;
mod removal;
#[cfg(test)]
mod tests;
mod there;
mod words;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use rustix::event::Timespec;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
pub use crate::sys::linux::seqpacket::Presence;
use crate::sys::linux::seqpacket::presence;
use crate::sys::linux::trust::{Contents, Folder, Untrusted};

use super::ask::ask;
use super::command::{Command, KernelWrite, Reply};
use super::kernel_knobs::{self, KernelKnobs, Recorder, Unwatched};
pub use outcome::{Refreshed, Removed};
pub use program::{Release, Settings, is_carried, program};
use there::There;
pub use words::{refreshed, removed, status};

/// Outside of what a package manager owns: an upgrade must not remove it under a running kernel.
const FOLDER: &str = "/usr/local/lib/khelper";
const FILE: &str = "shim";
/// Where the compiled rules are.
pub const RULES: &str = "/run/khelper/rules.bin";
/// Where the daemon answers, if the operator names no other socket.
pub const SOCKET: &str = "/run/khelper/shim.sock";
/// How long the daemon may take, in milliseconds.
const PATIENCE: u16 = 200;
/// How long `shim status` waits for it: longer, so that a busy machine is no fault.
const ANSWERS_WITHIN: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// How often a new file that is still open for writing is tried again, and the time between.
const BUSY_TRIES: u32 = 500;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// The shim of a machine.
pub struct Shim {
    root: PathBuf,
    knobs: KernelKnobs,
    /// The same knobs behind the door that authorizes and records writes.
    kernel: Unwatched,
    actor: Actor,
}

/// What an operator asks of an installation.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The daemon's socket for verdicts.
    pub socket: PathBuf,
    /// Nothing may run where no daemon is.
    pub fails_closed: bool,
    /// The knob is kept for the next start of the machine.
    pub persist: bool,
}

/// What stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The settings of the installed file, and whether its program is the one that this khelper carries.
    pub installed: Option<(Settings, bool)>,
    /// What is in the place of the shim and is none that this khelper can read.
    pub other: Option<String>,
    /// `kernel.modprobe`.
    pub modprobe: Vec<u8>,
    /// The path of the shim.
    pub own: Vec<u8>,
    /// Who is behind the shim's socket; `None` where no shim is.
    pub daemon: Option<Presence>,
}

impl Status {
    /// Whether module requests pass the shim.
    pub fn is_in_force(&self) -> bool {
        self.installed.is_some() && self.modprobe == self.own
    }
}

impl Shim {
    /// The shim of this machine. Its changes of the knob are `actor`'s, and go to `record`.
    pub fn new(actor: Actor, record: Recorder) -> Self {
        Self::below("/", KernelKnobs::default(), actor, record)
    }

    /// The same below a root, with the knobs of that root: for tests, and for the tree of another machine.
    pub fn below(root: impl Into<PathBuf>, knobs: KernelKnobs, actor: Actor, record: Recorder) -> Self {
        let kernel = Unwatched::new(knobs.clone(), "no watcher: this command starts none").recorded(record);
        Self { root: root.into(), knobs, kernel, actor }
    }

    /// Every capability that the kernel knows.
    pub const fn known(&self) -> CapMask {
        self.knobs.known()
    }

    /// The path of the shim, which is the value of the knob.
    pub fn own() -> Vec<u8> {
        format!("{FOLDER}/{FILE}").into_bytes()
    }

    fn folder(&self) -> PathBuf {
        self.root.join(FOLDER.trim_start_matches('/'))
    }

    fn modprobe(&self) -> Result<Vec<u8>, ControlError> {
        match self.knobs.read(Key::Modprobe)? {
            KnobValue::Path(path) => Ok(path.to_vec()),
            other => Err(wrong(Errno::EIO, format!("`{}` is no path", other.text()), "read it again")),
        }
    }

    /// What stands.
    ///
    /// # Errors
    /// As for reading `kernel.modprobe` and the file.
    pub fn status(&self) -> Result<Status, ControlError> {
        let (installed, other) = match self.there()? {
            There::Nothing => (None, None),
            There::Other(what) => (None, Some(what)),
            There::Shim(settings, bytes) => {
                let is_current = program(&settings).is_some_and(|ours| ours == bytes);
                (Some((settings, is_current)), None)
            }
        };
        let daemon = installed.as_ref().map(|(settings, _)| self.behind(&settings.socket));
        let own = Self::own();
        Ok(Status { installed, other, modprobe: self.modprobe()?, own, daemon })
    }

    /// What is at the path of the shim.
    fn file(&self) -> Result<Option<Vec<u8>>, ControlError> {
        let Some(folder) = Folder::open(&self.folder()).map_err(|e| untrusted(&e))? else { return Ok(None) };
        match folder.read(OsStr::new(FILE)).map_err(|e| untrusted(&e))? {
            Contents::Bytes(bytes) => Ok(Some(bytes)),
            Contents::Missing | Contents::Masked => Ok(None),
        }
    }

    /// The khelper that wrote the installed shim, if that is newer than this one.
    ///
    /// # Errors
    /// `EPERM` if another user could change the file.
    pub fn newer(&self) -> Result<Option<Release>, ControlError> {
        let release = self.file()?.and_then(|bytes| program::release(&bytes));
        Ok(release.filter(|release| *release > Release::own()))
    }

    fn behind(&self, socket: &[u8]) -> Presence {
        let path = self.root.join(OsStr::from_bytes(socket.strip_prefix(b"/").unwrap_or(socket)));
        behind(&path)
    }

    /// Writes the shim, checks that the kernel would find and could execute it, and sets `kernel.modprobe` to it. An
    /// installed shim is replaced by rename, so that no request meets half a file.
    ///
    /// # Errors
    /// `EOPNOTSUPP` without a shim in this build, or in an initramfs; `ENOENT` if the knob is empty; `EXDEV` if the kernel
    /// would not find the file; `ENOEXEC` if it cannot be executed; else as for the file and the knob.
    pub fn install(&self, wanted: &Wanted) -> Result<Vec<Change>, ControlError> {
        let (before, own, old) = (self.modprobe()?, Self::own(), self.file()?);
        let (modprobe, kept) = match old.as_deref().and_then(program::settings) {
            Some(settings) if before == own => (settings.modprobe, settings.kept),
            None if before == own => {
                let there = old.as_deref().map(|bytes| words::unreadable(program::release(bytes)));
                return Err(words::lost(&own, there.as_deref().unwrap_or("no shim is there")));
            }
            _ => (before, false),
        };
        if modprobe.is_empty() {
            return Err(words::off());
        }
        if !is_carried() {
            return Err(words::no_shim());
        }
        if self.root.join("etc/initrd-release").exists() {
            return Err(words::initramfs());
        }
        let kept = kept || self.keeps(&modprobe, wanted)?;
        let settings = Settings {
            release: Release::own(),
            kept,
            fails_closed: wanted.fails_closed,
            patience: PATIENCE,
            modprobe,
            socket: wanted.socket.as_os_str().as_bytes().to_vec(),
            rules: RULES.into(),
        };
        let bytes = program(&settings).ok_or_else(|| words::too_long(&settings))?;
        self.put(&bytes, old.as_deref())?;
        self.write(Self::to(own, false, wanted.persist))
    }

    /// Whether our own file keeps this path for the next start, which an installation with `persist` is about to replace.
    fn keeps(&self, modprobe: &[u8], wanted: &Wanted) -> Result<bool, ControlError> {
        match self.knobs.kept(Key::Modprobe) {
            Some(KnobValue::Path(path)) if *path == *modprobe => Ok(true),
            Some(KnobValue::Path(path)) if wanted.persist && *path != *Self::own() => Err(words::keeps_another(&path)),
            _ => Ok(false),
        }
    }

    /// Writes the file and tries it. If the kernel would not find it, or if it cannot be executed, what was there before is
    /// there again.
    fn put(&self, bytes: &[u8], before: Option<&[u8]>) -> Result<(), ControlError> {
        let folder = Folder::make(&self.folder()).map_err(|e| untrusted(&e))?;
        folder.replace_program(OsStr::new(FILE), bytes).map_err(|e| untrusted(&e))?;
        self.check().inspect_err(|_| match before {
            Some(before) => drop(folder.replace_program(OsStr::new(FILE), before)),
            None => drop(self.remove()),
        })
    }

    fn to(path: Vec<u8>, force: bool, persist: bool) -> KernelWrite {
        let writes = vec![(Key::Modprobe, KnobValue::Path(path.into()))];
        KernelWrite { writes, until_reboot: false, force, persist }
    }

    /// Whether the kernel finds the file that this process has written, and whether it can be executed.
    fn check(&self) -> Result<(), ControlError> {
        let path = self.folder().join(FILE);
        // The kernel starts helpers in the root of its own first process, which is pid 1's on a machine.
        let (own, of_init) = (std::fs::metadata(&path), std::fs::metadata(format!("/proc/1/root{}", path.display())));
        if let (Ok(own), Ok(of_init)) = (own, of_init)
            && (own.dev(), own.ino()) != (of_init.dev(), of_init.ino())
        {
            return Err(words::elsewhere(&path));
        }
        let mut trial = Process::new(&path);
        trial.arg("--check").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut tried = trial.status();
        // Another thread has just forked: its child has the file open for writing until it executes its own program.
        for _ in 0..BUSY_TRIES {
            if !matches!(&tried, Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy) {
                break;
            }
            std::thread::sleep(BUSY_PAUSE);
            tried = trial.status();
        }
        match tried {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(words::fails(&path, Errno::ENOEXEC)),
            Err(e) => Err(words::fails(&path, Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))),
        }
    }

    fn write(&self, write: KernelWrite) -> Result<Vec<Change>, ControlError> {
        match ask(&self.kernel, &self.actor, Command::WriteKernel(write))? {
            Reply::Written(changes) => Ok(changes),
            // The reply to a write is always the changes.
            _ => Ok(Vec::new()),
        }
    }
}

/// Who is behind a socket for verdicts.
pub fn behind(socket: &Path) -> Presence {
    presence(socket, ANSWERS_WITHIN)
}

fn untrusted(error: &Untrusted) -> ControlError {
    kernel_knobs::untrusted(Key::Modprobe.name(), error)
}

fn wrong(errno: Errno, why: impl Into<String>, advice: &'static str) -> ControlError {
    kernel_knobs::wrong(Key::Modprobe, errno, why, advice)
}
