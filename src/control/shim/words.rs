//! What the shim's installation says.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::abi::error::{ControlError, io_words};
use crate::abi::escape::screen;

use super::program::Settings;
use super::{Removed, Status, wrong};

fn shown(path: &Path) -> String {
    screen(path.as_os_str().as_bytes()).to_string()
}

pub(super) fn lost(own: &[u8]) -> ControlError {
    wrong(
        Errno::ENOENT,
        format!("kernel.modprobe is {}, and no shim is there: what it replaced is not known", screen(own)),
        "name the program: `khelper -t kernel set kernel.modprobe=/sbin/modprobe`",
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
        let knob = match (status.modprobe == status.own, status.modprobe.is_empty()) {
            (true, _) => format!("kernel.modprobe is {own}, which is not there: no module is loaded on request"),
            (_, true) => "kernel.modprobe is empty: no module is loaded on request".to_owned(),
            _ => format!("kernel.modprobe is {modprobe}"),
        };
        return vec!["no shim is installed".to_owned(), knob];
    };
    let mut lines = vec![match status.is_in_force() {
        true => format!("in force: kernel.modprobe is {own}, which stands before {}", screen(&settings.modprobe)),
        false => format!("not in force: kernel.modprobe is {modprobe}; the shim is {own}"),
    }];
    let socket = screen(&settings.socket);
    lines.push(match (status.listens, settings.fails_closed) {
        (Some(true), _) => format!("a daemon listens on {socket}; it has {} ms for a verdict", settings.patience),
        (_, true) => format!("no daemon listens on {socket}: no helper runs (--fail-closed)"),
        (_, false) => format!("no daemon listens on {socket}: every helper runs, as without a shim"),
    });
    if !is_current {
        lines.push("its program is not this khelper's: `khelper shim install` replaces it".to_owned());
    }
    lines
}

/// What an uninstallation did, one line each.
pub fn removed(removed: &Removed) -> Vec<String> {
    let mut lines = Vec::new();
    for change in &removed.restored {
        lines.push(format!("kernel.modprobe is {} again", change.after.text()));
    }
    if let Some(foreign) = &removed.foreign {
        let now = if foreign.is_empty() { "empty".to_owned() } else { screen(foreign).to_string() };
        lines.push(format!("kernel.modprobe is {now}, which another has set: it was left as it is"));
    }
    lines.push(if removed.file { "the shim is removed" } else { "no shim is installed" }.to_owned());
    lines
}
