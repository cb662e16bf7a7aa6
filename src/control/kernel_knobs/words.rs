//! The sentences about reads and writes that fail.

use nix::errno::Errno;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::{ControlError, Explain, ParseError, errno_name};
use crate::abi::knob::Key;
use crate::sys::linux::kernel_knobs::WriteFault;

use super::wrong;

/// The path of a knob's file, for a person.
fn file(key: Key) -> String {
    format!("/proc/sys/{}", key.name().replace('.', "/"))
}

pub(super) fn engines(key: Key) -> ControlError {
    let why = "it is a knob of khelper's engines; the kernel does not have it";
    wrong(key, Errno::EOPNOTSUPP, why, "use `--target embedded` or `--target daemon`")
}

pub(super) fn absent(key: Key) -> ControlError {
    let why = format!("this kernel does not have it: {} does not exist", file(key));
    let advice = match key {
        Key::Modprobe | Key::ModulesDisabled => {
            "only a kernel that can load modules has it (CONFIG_MODULES); check that /proc is mounted"
        }
        _ => "check that /proc is mounted",
    };
    wrong(key, Errno::EOPNOTSUPP, why, advice)
}

/// Why a request to the kernel takes no profile.
pub(in crate::control) const NO_PROFILE: &str = "the kernel's modprobe gets the profile of its rule, by the shim \
    (`khelper shim install`): a request to the kernel cannot name one";

/// Whether this is [`absent`] or [`engines`].
pub(super) fn is_absent(error: &ControlError) -> bool {
    error.errno() == Errno::EOPNOTSUPP
}

pub(super) fn unreadable(key: Key, errno: Errno) -> ControlError {
    let why = format!("{} cannot be read: {}", file(key), errno.desc());
    let advice = match errno {
        Errno::EACCES => "only uid 0 may read it: run khelper as root",
        _ => "check that /proc is mounted and whole",
    };
    wrong(key, errno, why, advice)
}

pub(super) fn consent() -> ControlError {
    let why = "a write to the kernel needs the consent of its operator";
    let error = ParseError::invalid(why, "use `khelper --target kernel set`, which asks for it");
    ControlError::Value { key: "set".into(), error }
}

pub(super) fn reset(key: Key) -> ControlError {
    let why = "the kernel never gives back what a mask has lost";
    wrong(key, Errno::EPERM, why, "start the machine again: it begins with full masks")
}

/// A write that lasts until the machine starts again, without `until_reboot`.
pub(super) fn for_good(key: Key) -> ControlError {
    let why = match key {
        Key::ModulesDisabled => "no module can be loaded after it until the machine starts again; nothing was written",
        _ => "what this mask loses is lost until the machine starts again; nothing was written",
    };
    wrong(key, Errno::EINVAL, why, "add --until-reboot if that is what you want")
}

/// A write that failed. `text` is what was written, `held` the effective capabilities of this process.
pub(super) fn failed(key: Key, fault: WriteFault, length: usize, held: CapMask) -> ControlError {
    let file = file(key);
    match fault {
        WriteFault::Open(Errno::ENOENT) => absent(key),
        WriteFault::Open(Errno::EACCES) => {
            let why = format!("this process may not write {file}");
            wrong(key, Errno::EACCES, why, "only uid 0 may: run khelper as root")
        }
        WriteFault::Open(Errno::EROFS) => {
            let why = format!("{file} is on a file system that is mounted read-only");
            wrong(key, Errno::EROFS, why, "a container's /proc/sys is mounted so: write from the host")
        }
        WriteFault::Open(errno) => {
            wrong(key, errno, format!("{file} cannot be opened for writing: {}", errno.desc()), "check /proc/sys")
        }
        WriteFault::Write(Errno::EPERM) => not_permitted(key, held),
        WriteFault::Write(Errno::EINVAL) => {
            let why = format!("the kernel did not accept the value in {file}");
            wrong(key, Errno::EINVAL, why, "`khelper --target kernel get` shows what it holds")
        }
        WriteFault::Write(errno) => {
            let why = format!("the write to {file} failed: {}", errno.desc());
            wrong(key, errno, why, "`khelper --target kernel get` shows what it holds")
        }
        WriteFault::Short(written) => {
            let why = format!("short write: the kernel took {written} of {length} bytes");
            wrong(key, Errno::EIO, why, "the knob may have changed: `khelper --target kernel get` shows it")
        }
    }
}

/// EPERM names the capability.
fn not_permitted(key: Key, held: CapMask) -> ControlError {
    if !key.is_mask() {
        let why = "the kernel refused the write";
        return wrong(key, Errno::EPERM, why, "a security module or a lockdown may forbid it; see the kernel's log");
    }
    let needed = [Capability::SETPCAP, Capability::SYS_MODULE];
    let missing: Vec<String> = needed.into_iter().filter(|cap| !held.has(*cap)).map(Capability::name).collect();
    let why = match missing.is_empty() {
        true => "the kernel refused the write although this process has cap_setpcap and cap_sys_module".to_owned(),
        false => format!("the kernel refused the write: this process lacks {}", missing.join(" and ")),
    };
    let advice = "a mask is written by a process that has cap_setpcap and cap_sys_module in the first user namespace";
    wrong(key, Errno::EPERM, why, advice)
}

/// Read back, and not as expected.
pub(super) fn not_taken(key: Key, expected: &str, after: &str) -> ControlError {
    let why = format!("the kernel reported success, but reads back `{after}` and not `{expected}`");
    wrong(key, Errno::EIO, why, "another process may have written it at the same moment: read it again")
}

/// Knobs that had been written when a later one failed.
pub(super) fn after(written: &[Key], error: ControlError) -> ControlError {
    if written.is_empty() {
        return error;
    }
    let names: Vec<&str> = written.iter().map(|key| key.name()).collect();
    match error {
        ControlError::Value { key, error } => {
            let why = format!("{}; written before it: {}", error.why(), names.join(", "));
            ControlError::Value { key, error: ParseError::with(error.errno(), why, error.advice()) }
        }
        other => other,
    }
}

/// `Exec format error (ENOEXEC)`.
pub(super) fn errno(errno: Errno) -> String {
    format!("{} ({})", errno.desc(), errno_name(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_a_write_names_its_errno_and_what_is_missing() {
        let held = CapMask::only(Capability::SETPCAP);
        let of = |key, fault| failed(key, fault, 15, held).whole();
        for (said, words) in [
            (of(Key::Bset, WriteFault::Open(Errno::ENOENT)), "does not exist (EOPNOTSUPP)"),
            (of(Key::Bset, WriteFault::Open(Errno::EACCES)), "only uid 0 may"),
            (of(Key::Bset, WriteFault::Open(Errno::EROFS)), "mounted read-only (EROFS)"),
            (of(Key::Bset, WriteFault::Open(Errno::ELOOP)), "(ELOOP)"),
            (of(Key::Bset, WriteFault::Write(Errno::EPERM)), "this process lacks cap_sys_module (EPERM)"),
            (of(Key::Modprobe, WriteFault::Write(Errno::EPERM)), "the kernel refused the write (EPERM)"),
            (of(Key::Bset, WriteFault::Write(Errno::EINVAL)), "did not accept the value"),
            (of(Key::Bset, WriteFault::Write(Errno::ENOSPC)), "(ENOSPC)"),
            (of(Key::Bset, WriteFault::Short(4)), "took 4 of 15 bytes (EIO)"),
        ] {
            assert!(said.contains(words) && said.starts_with("kernel."), "{words}: {said}");
        }
        let whole = failed(Key::Bset, WriteFault::Write(Errno::EPERM), 15, !CapMask::EMPTY).whole();
        assert!(whole.contains("although this process has"), "{whole}");
    }
}
