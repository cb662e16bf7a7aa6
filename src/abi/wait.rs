//! How a caller waits, and the raw status of a process that ended (wait(2)).

use serde::{Deserialize, Serialize};

/// The kernel's wait modes. A NO_WAIT call that is killable cannot be expressed (UMH-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitMode {
    /// `UMH_NO_WAIT`: the call returns once queued.
    NoWait,
    /// `UMH_WAIT_EXEC`: the call returns when exec has succeeded or failed.
    Exec {
        /// `UMH_KILLABLE`: a cancelled caller stops waiting.
        killable: bool,
    },
    /// `UMH_WAIT_PROC`: the call returns when the helper has ended.
    Proc {
        /// `UMH_KILLABLE`: a cancelled caller stops waiting.
        killable: bool,
    },
}

impl Default for WaitMode {
    /// WAIT_PROC, killable.
    fn default() -> Self {
        Self::PROC
    }
}

impl WaitMode {
    /// WAIT_EXEC, killable.
    pub const EXEC: Self = Self::Exec { killable: true };
    /// WAIT_PROC, killable.
    pub const PROC: Self = Self::Proc { killable: true };

    /// `none`, `exec` or `proc`, as the command line and JSON spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoWait => "none",
            Self::Exec { .. } => "exec",
            Self::Proc { .. } => "proc",
        }
    }

    /// Whether a cancelled caller stops waiting.
    pub const fn killable(self) -> bool {
        matches!(self, Self::Exec { killable: true } | Self::Proc { killable: true })
    }
}

impl WaitMode {
    /// Every mode with its serialized name.
    const SERIALISED: [(Self, &'static str); 5] = [
        (Self::NoWait, "none"),
        (Self::EXEC, "exec"),
        (Self::PROC, "proc"),
        (Self::Exec { killable: false }, "exec_unkillable"),
        (Self::Proc { killable: false }, "proc_unkillable"),
    ];
}

impl Serialize for WaitMode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let name = Self::SERIALISED.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name);
        s.serialize_str(name)
    }
}
impl<'de> Deserialize<'de> for WaitMode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        let mode = Self::SERIALISED.iter().find(|(_, own)| *own == name).map(|(mode, _)| *mode);
        mode.ok_or_else(|| serde::de::Error::custom("unknown wait mode"))
    }
}

/// A raw wait status, kept as the kernel gave it (256 is "exit 1", 9 "killed by SIGKILL", 0x80 the core bit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WaitStatus(i32);

impl WaitStatus {
    /// From the raw value.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }
    /// From an exit code.
    pub const fn exited(code: u8) -> Self {
        Self((code as i32) << 8)
    }
    /// The raw value.
    pub const fn raw(self) -> i32 {
        self.0
    }
    /// The exit code, if the process exited.
    pub const fn exit_code(self) -> Option<u8> {
        if self.0 & 0x7f == 0 { Some(((self.0 >> 8) & 0xff) as u8) } else { None }
    }
    /// The signal that killed the process, if one did.
    pub const fn signal(self) -> Option<u8> {
        match self.0 & 0x7f {
            0 | 0x7f => None,
            n => Some(n as u8),
        }
    }
    /// Whether it left a core dump.
    pub const fn core(self) -> bool {
        self.signal().is_some() && self.0 & 0x80 != 0
    }
}

/// `SIGKILL` for 9; `signal 40` for a signal without a name.
pub fn signal_name(signal: u8) -> String {
    match nix::sys::signal::Signal::try_from(i32::from(signal)) {
        Ok(known) => known.as_str().to_owned(),
        Err(_) => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_3_each_mode_is_killable_as_it_says() {
        for killable in [false, true] {
            assert_eq!(WaitMode::Exec { killable }.killable(), killable);
            assert_eq!(WaitMode::Proc { killable }.killable(), killable);
        }
        assert!(!WaitMode::NoWait.killable() && WaitMode::EXEC.killable() && WaitMode::PROC.killable());
    }

    #[test]
    fn req_11_raw_statuses_keep_their_meaning() {
        let of = |raw| {
            let s = WaitStatus::from_raw(raw);
            (s.exit_code(), s.signal(), s.core())
        };
        assert_eq!(of(256), (Some(1), None, false));
        assert_eq!(of(65280), (Some(255), None, false));
        assert_eq!(of(9), (None, Some(9), false));
        assert_eq!(of(0x8b), (None, Some(11), true));
        assert_eq!(WaitStatus::exited(3).raw(), 768);
    }
}
