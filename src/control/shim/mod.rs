//! The shim in the place of the kernel's modprobe: installed, taken away again, and what stands (RULES.md, "The shim").
//!
//! The program carries its settings, so the path that it replaced is known as long as the file is there.

mod program;
#[cfg(test)]
mod tests;
mod words;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
use crate::sys::linux::seqpacket;
use crate::sys::linux::trust::{Contents, Folder, Untrusted};

use super::ask::ask;
use super::command::{Command, KernelWrite, Reply};
use super::kernel_knobs::{self, KernelKnobs, Recorder, Unwatched};
pub use program::{Settings, is_carried, program};
pub use words::{removed, status};

/// Outside of what a package manager owns: an upgrade must not remove it under a running kernel.
const FOLDER: &str = "/usr/local/lib/khelper";
const FILE: &str = "shim";
/// Where the compiled rules are.
pub const RULES: &str = "/run/khelper/rules.bin";
/// Where the daemon answers, if the operator names no other socket.
pub const SOCKET: &str = "/run/khelper/shim.sock";
/// How long the daemon may take, in milliseconds.
const PATIENCE: u16 = 200;

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
    /// `kernel.modprobe`.
    pub modprobe: Vec<u8>,
    /// The path of the shim.
    pub own: Vec<u8>,
    /// Whether a daemon listens on the shim's socket; `None` where no shim is.
    pub listens: Option<bool>,
}

impl Status {
    /// Whether module requests pass the shim.
    pub fn is_in_force(&self) -> bool {
        self.installed.is_some() && self.modprobe == self.own
    }
}

/// What an uninstallation found and did.
#[derive(Debug)]
pub struct Removed {
    /// The change of the knob, if it still had our value.
    pub restored: Vec<Change>,
    /// The knob's value, which another has set.
    pub foreign: Option<Vec<u8>>,
    /// Whether there was a file, which is gone now.
    pub file: bool,
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
    /// As for reading `kernel.modprobe`; `EPERM` if another user could change the file.
    pub fn status(&self) -> Result<Status, ControlError> {
        let installed = self.installed()?;
        let same = |settings: &Settings, bytes: &[u8]| program(settings).is_some_and(|ours| ours == bytes);
        let installed = installed.map(|(settings, bytes)| {
            let is_current = same(&settings, &bytes);
            (settings, is_current)
        });
        let listens = installed.as_ref().map(|(settings, _)| self.listens(&settings.socket));
        let own = Self::own();
        Ok(Status { installed, modprobe: self.modprobe()?, own, listens })
    }

    /// The file, if there is a shim.
    fn installed(&self) -> Result<Option<(Settings, Vec<u8>)>, ControlError> {
        let Some(folder) = Folder::open(&self.folder()).map_err(|e| untrusted(&e))? else { return Ok(None) };
        match folder.read(OsStr::new(FILE)).map_err(|e| untrusted(&e))? {
            Contents::Bytes(bytes) => Ok(program::settings(&bytes).map(|settings| (settings, bytes))),
            Contents::Missing | Contents::Masked => Ok(None),
        }
    }

    fn listens(&self, socket: &[u8]) -> bool {
        let path = self.root.join(OsStr::from_bytes(socket.strip_prefix(b"/").unwrap_or(socket)));
        seqpacket::listens(&path)
    }

    /// Writes the shim, checks that the kernel would find and could execute it, and sets `kernel.modprobe` to it. An
    /// installed shim is replaced by rename, so that no request meets half a file.
    ///
    /// # Errors
    /// `EOPNOTSUPP` without a shim in this build, or in an initramfs; `ENOENT` if the knob is empty; `EXDEV` if the kernel
    /// would not find the file; `ENOEXEC` if it cannot be executed; else as for the file and the knob.
    pub fn install(&self, wanted: &Wanted) -> Result<Vec<Change>, ControlError> {
        let before = self.modprobe()?;
        let own = Self::own();
        let modprobe = match self.installed()? {
            Some((settings, _)) if before == own => settings.modprobe,
            None if before == own => return Err(words::lost(&own)),
            _ => before,
        };
        if modprobe.is_empty() {
            return Err(words::off());
        }
        if !is_carried() {
            return Err(ControlError::Unsupported(
                "this build of khelper has no shim: x86_64 and aarch64 have one".into(),
            ));
        }
        if self.root.join("etc/initrd-release").exists() {
            return Err(words::initramfs());
        }
        let settings = Settings {
            fails_closed: wanted.fails_closed,
            patience: PATIENCE,
            modprobe,
            socket: wanted.socket.as_os_str().as_bytes().to_vec(),
            rules: RULES.into(),
        };
        let bytes = program(&settings).ok_or_else(|| words::too_long(&settings))?;
        let folder = Folder::make(&self.folder()).map_err(|e| untrusted(&e))?;
        folder.replace_program(OsStr::new(FILE), &bytes).map_err(|e| untrusted(&e))?;
        self.check().inspect_err(|_| {
            // As it was: the knob does not name the file.
            if self.modprobe().is_ok_and(|now| now != own) {
                let _ = self.remove();
            }
        })?;
        self.write(Self::to(own, false, wanted.persist))
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
        let tried =
            trial.arg("--check").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
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

    /// Puts the knob back, if it still names the shim, and then removes the file.
    ///
    /// # Errors
    /// `ENOENT` if the knob names a shim whose file is lost: what it replaced is not known. Else as for the knob and the
    /// file; the file stays as long as the knob names it.
    pub fn uninstall(&self) -> Result<Removed, ControlError> {
        let own = Self::own();
        let (installed, before) = (self.installed()?, self.modprobe()?);
        let mut removed = Removed { restored: Vec::new(), foreign: None, file: false };
        if before == own {
            let Some((settings, _)) = &installed else { return Err(words::lost(&own)) };
            // Forced: the program that it replaced may be gone by now, which is a warning.
            removed.restored = self.write(Self::to(settings.modprobe.clone(), true, false))?;
            // There may be no such line.
            drop(ask(&self.kernel, &self.actor, Command::Unpersist(vec![Key::Modprobe])));
        } else if installed.is_some() {
            removed.foreign = Some(before);
        }
        if installed.is_some() {
            self.remove()?;
            removed.file = true;
        }
        Ok(removed)
    }

    fn remove(&self) -> Result<(), ControlError> {
        let folder = self.folder();
        std::fs::remove_file(folder.join(FILE)).map_err(|e| words::stays(&folder.join(FILE), &e))?;
        // Another file of an administrator's may be in it.
        let _ = std::fs::remove_dir(&folder);
        Ok(())
    }
}

fn untrusted(error: &Untrusted) -> ControlError {
    kernel_knobs::untrusted(Key::Modprobe.name(), error)
}

fn wrong(errno: Errno, why: impl Into<String>, advice: &'static str) -> ControlError {
    kernel_knobs::wrong(Key::Modprobe, errno, why, advice)
}
