//! What fork(2) and execve(2) pass on and the built-in probe does not print: read here by direct system calls, and set
//! for a caller that differs. Both are kept beside each other, one file a subject.

mod control;
mod keyring;
mod memory;
mod privileges;
mod scheduling;

use std::collections::BTreeMap;

use khelper::abi::error::errno_name;
use nix::errno::Errno;

use crate::compared::StartField;
use crate::scenario::Caller;

/// Values by the names of their fields.
pub type Attributes = BTreeMap<String, String>;

/// Reads all of them. To read some changes them: that of a process with no session keyring gives it its user's, and the
/// default timer slack shows only when it is taken. So it is called once in a process, and what comes after it cannot
/// rely on either.
pub fn gather() -> Attributes {
    StartField::ALL.iter().filter_map(|field| Some((field.name().to_owned(), read(*field)?))).collect()
}

/// None of a field that comes from elsewhere.
fn read(field: StartField) -> Option<String> {
    Some(match field {
        StartField::AutogroupNice => scheduling::autogroup_nice(),
        StartField::RealTimePriority => scheduling::attribute(|a| a.priority.to_string()),
        StartField::ResetOnFork => scheduling::attribute(scheduling::Attribute::resets_on_fork),
        StartField::TimeSlice => scheduling::attribute(|a| a.runtime.to_string()),
        StartField::Utilization => scheduling::attribute(|a| format!("{} to {}", a.util_min, a.util_max)),
        StartField::IoPriority => scheduling::io_priority(),
        StartField::TimerSlack => scheduling::timer_slack(),
        StartField::NumaPolicy => memory::numa_policy(),
        StartField::ThpDisable => memory::thp_disable(),
        StartField::KsmMerge => memory::ksm_merge(),
        StartField::WriteExecute => memory::deny_write_execute(),
        StartField::CoreFilter => memory::core_filter(),
        StartField::Dumpable => memory::dumpable(),
        StartField::Personality => control::personality(),
        StartField::ParentDeathSignal => control::parent_death_signal(),
        StartField::Subreaper => control::subreaper(),
        StartField::Speculation => control::speculation(),
        StartField::MceKill => control::mce_kill(),
        StartField::IoFlusher => control::io_flusher(),
        StartField::Tsc => control::tsc(),
        StartField::Securebits => privileges::securebits(),
        StartField::KeepCaps => privileges::keep_caps(),
        StartField::Seccomp => privileges::seccomp(),
        StartField::Landlock => privileges::landlock(),
        StartField::LsmLabel => privileges::lsm_label(),
        StartField::LoginUid => privileges::login_uid(),
        StartField::IoPorts => privileges::io_ports(),
        StartField::SessionKeyring => keyring::session(),
        StartField::RequestKeyDefault => keyring::request_key_default(),
        _ => return None,
    })
}

/// Sets what the scenario names, on a process that still has its privileges.
pub fn set(caller: &Caller) {
    scheduling::set(caller);
    memory::set(caller);
    control::set(caller);
    keyring::set(caller);
    privileges::set(caller);
}

/// Sets what takes effect on, or would be lost by, a change of user; so it comes last.
pub fn set_last(caller: &Caller) {
    privileges::set_last(caller);
    memory::set_last(caller);
}

/// The number, or the error's name.
fn number(result: Result<i64, Errno>) -> String {
    result.map_or_else(|e| errno_name(e).to_string(), |n| n.to_string())
}

/// A file of one line, or the error's name.
fn file(path: &str) -> String {
    let text = std::fs::read_to_string(path).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)));
    text.map_or_else(|e| errno_name(e).to_string(), |t| t.trim_end_matches(['\n', '\0']).to_owned())
}

/// A prctl(2) with one argument.
fn prctl(option: i32, argument: u64) -> Result<i64, Errno> {
    // SAFETY: every option of this suite that comes here takes an integer, and wants the rest to be 0.
    Errno::result(unsafe { libc::prctl(option, argument, 0u64, 0u64, 0u64) }).map(i64::from)
}

/// A prctl(2) that writes an int.
fn prctl_int(option: i32) -> String {
    let mut value = 0i32;
    // SAFETY: the options that come here write an int, which lives on this stack.
    let done = Errno::result(unsafe { libc::prctl(option, &raw mut value, 0u64, 0u64, 0u64) });
    number(done.map(|_| i64::from(value)))
}
