//! What the shim's installation says.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::abi::error::{ControlError, io_words};
use crate::abi::escape::screen;
use crate::abi::knob_value::Source;

use super::outcome::{Refreshed, Removed};
use super::program::{Release, Settings};
use super::{FOLDER, Presence, Status, Untrusted, wrong};

fn shown(path: &Path) -> String {
    screen(path.as_os_str().as_bytes()).to_string()
}

/// The knob names the shim, and in its place is what `there` says.
pub(super) fn lost(own: &[u8], there: &str) -> ControlError {
    wrong(
        Errno::ENOENT,
        format!("it is {}, and {there}: what it replaced is not known", screen(own)),
        "name the program: `khelper -t kernel set kernel.modprobe=/sbin/modprobe`",
    )
}

/// A file whose settings cannot be read, of this khelper if any.
pub(super) fn unreadable(of: Option<Release>) -> String {
    match of {
        Some(of) => format!("the shim there is khelper {of}'s, whose settings this khelper cannot read"),
        None => "the file there is no shim of khelper's".to_owned(),
    }
}

/// A file that is not to be trusted, or no file.
pub(super) fn refused(why: &Untrusted) -> String {
    let colon = if why.errno == Errno::EPERM { "" } else { ":" };
    format!("{}{colon} {}", shown(&why.path), why.why)
}

pub(super) fn no_shim() -> ControlError {
    ControlError::Unsupported("this build of khelper has no shim: x86_64 and aarch64 have one".into())
}

pub(super) fn keeps_another(path: &[u8]) -> ControlError {
    wrong(
        Errno::EEXIST,
        format!(
            "/etc/sysctl.d/zz-khelper.conf keeps {} for the next start, and the kernel has another now",
            screen(path)
        ),
        "remove it first: `khelper -t kernel set --unpersist kernel.modprobe`",
    )
}

pub(super) fn named_at_boot(line: &Source) -> ControlError {
    wrong(
        Errno::EBUSY,
        format!(
            "the shim stays: {line} sets kernel.modprobe to it at the next start, and then no module would be loaded"
        ),
        "remove that line, and run this again",
    )
}

pub(super) fn off() -> ControlError {
    wrong(
        Errno::ENOENT,
        "it is empty, so the kernel runs no modprobe: there is nothing that a shim could stand before",
        "name a program first: `khelper -t kernel set kernel.modprobe=/sbin/modprobe`",
    )
}

pub(super) fn initramfs() -> ControlError {
    wrong(
        Errno::EXDEV,
        "this is an initramfs, and after switch_root the shim would not be there: no module would be loaded",
        "install it on the machine that was started",
    )
}

pub(super) fn elsewhere(path: &Path) -> ControlError {
    wrong(
        Errno::EXDEV,
        format!("the kernel would find another file or none as {}: this process has another root", shown(path)),
        "install it outside of containers and of chroot(1)",
    )
}

pub(super) fn fails(path: &Path, errno: Errno) -> ControlError {
    wrong(
        errno,
        format!("{} cannot be executed: {}", shown(path), errno.desc()),
        "look at the mount options of its file system, and at security modules",
    )
}

pub(super) fn too_long(settings: &Settings) -> ControlError {
    let why = format!("`{}` or `{}` is too long for a shim", screen(&settings.socket), screen(&settings.modprobe));
    wrong(Errno::ENAMETOOLONG, why, "a socket's path has at most 107 bytes, a program's at most 255")
}

pub(super) fn stays(path: &Path, error: &io::Error) -> ControlError {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    wrong(errno, format!("{} stays: {}", shown(path), io_words(error)), "remove it by hand")
}

/// What stands, one line each.
pub fn status(status: &Status) -> Vec<String> {
    let (own, modprobe) = (screen(&status.own), screen(&status.modprobe));
    let Some((settings, is_current)) = &status.installed else {
        let in_its_place = status.other.as_deref();
        let knob = match (status.modprobe == status.own, status.modprobe.is_empty()) {
            (true, _) if in_its_place.is_some() => {
                format!("kernel.modprobe is {own}: what is there decides which modules are loaded on request")
            }
            (true, _) => format!("kernel.modprobe is {own}, which is not there: no module is loaded on request"),
            (_, true) => "kernel.modprobe is empty: no module is loaded on request".to_owned(),
            _ => format!("kernel.modprobe is {modprobe}"),
        };
        let none = "no shim is installed".to_owned();
        return vec![in_its_place.map_or(none, |what| format!("no shim of this khelper's is installed: {what}")), knob];
    };
    let mut lines = vec![match status.is_in_force() {
        true => format!("in force: kernel.modprobe is {own}, which stands before {}", screen(&settings.modprobe)),
        false => format!("not in force: kernel.modprobe is {modprobe}; the shim is {own}"),
    }];
    let socket = screen(&settings.socket);
    let closed = settings.fails_closed;
    lines.push(match status.daemon.unwrap_or(Presence::Absent) {
        Presence::Alive => format!("a daemon listens on {socket}; it has {} ms for a verdict", settings.patience),
        Presence::Silent => format!(
            "a daemon listens on {socket} and does not answer: after {} ms the compiled rules decide",
            settings.patience
        ),
        Presence::Hidden => {
            format!("whether a daemon listens on {socket} is not known: connecting to it is not permitted")
        }
        Presence::Left if !closed => {
            format!(
                "the daemon of {socket} has ended without closing it: the compiled rules decide until one is started"
            )
        }
        Presence::Left | Presence::Absent if closed => {
            format!("no daemon listens on {socket}: no helper runs (--fail-closed)")
        }
        Presence::Left | Presence::Absent => {
            format!("no daemon listens on {socket}: every helper runs, as without a shim")
        }
    });
    if !is_current {
        let (of, own) = (settings.release, Release::own());
        let whose = if of == own { "not this khelper's".to_owned() } else { format!("khelper {of}'s, not {own}'s") };
        lines.push(format!("its program is {whose}: `khelper shim install --refresh` replaces one that is not newer"));
    }
    lines
}

/// What became of the installed shim, in one line.
pub fn refreshed(refreshed: Refreshed) -> String {
    let own = Release::own();
    match refreshed {
        Refreshed::Absent => "no shim is installed".to_owned(),
        Refreshed::Current => format!("the shim is khelper {own}'s already"),
        Refreshed::Replaced(of) if of == own => format!("the shim is replaced by that of this khelper {own}"),
        Refreshed::Replaced(of) => format!("the shim of khelper {of} is replaced by that of {own}"),
        Refreshed::Newer(of) => format!(
            "the shim is khelper {of}'s, which is newer than {own}: it was left as it is; `khelper shim install` replaces it"
        ),
        Refreshed::Foreign => {
            "the file in the place of the shim is no shim of khelper's: it was left as it is".to_owned()
        }
    }
}

/// What an uninstallation did, one line each; `whole` if it came to its end.
pub fn removed(removed: &Removed, whole: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for change in &removed.restored {
        lines.push(format!("kernel.modprobe is {} again", change.after.text()));
    }
    let value = |path: &[u8]| if path.is_empty() { "empty".to_owned() } else { screen(path).to_string() };
    if let Some(before) = &removed.as_before {
        lines.push(format!("kernel.modprobe is {} already, as before the shim", value(before)));
    }
    if let Some(foreign) = &removed.foreign {
        lines.push(format!("kernel.modprobe is {}, which another has set: it was left as it is", value(foreign)));
    }
    if removed.no_longer_kept {
        lines.push("the shim is no longer kept for the next start of the machine".to_owned());
    }
    if let Some(kept) = &removed.kept_by_another {
        lines.push(format!("{} is kept for the next start, which another has set: it was left as it is", value(kept)));
    }
    match (removed.file, &removed.other_file) {
        (true, _) => lines.push("the shim is removed".to_owned()),
        (_, Some(what)) => lines.push(format!("{what}: it was left as it is")),
        (..) if whole => lines.push("no shim is installed".to_owned()),
        (..) => {}
    }
    if !removed.beside.is_empty() {
        let names: Vec<String> = removed.beside.iter().map(|name| screen(name.as_bytes()).to_string()).collect();
        lines.push(format!("{FOLDER} stays, because of what else is in it: {}", names.join(", ")));
    }
    lines
}
