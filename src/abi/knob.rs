//! The tree of knobs (SYS-1).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::abi::error::ControlError;

/// One knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `kernel.modprobe`.
    Modprobe,
    /// `kernel.usermodehelper.bset`.
    Bset,
    /// `kernel.usermodehelper.inheritable`.
    Inheritable,
    /// `khelper.allow`.
    Allow,
    /// `khelper.concurrent`, read-only.
    Concurrent,
    /// `khelper.deny`.
    Deny,
    /// `khelper.era`.
    Era,
    /// `khelper.gate`.
    Gate,
    /// `khelper.live`, read-only.
    Live,
    /// `khelper.loop_messages`, read-only.
    LoopMessages,
    /// `khelper.max_concurrent`.
    MaxConcurrent,
    /// `khelper.queued`, read-only.
    Queued,
    /// `khelper.refused`, read-only.
    Refused,
    /// `khelper.running_helpers`, read-only.
    RunningHelpers,
    /// `khelper.rules.mode`: a knob of an engine that asks rules, as a daemon's does.
    RulesMode,
    /// `kernel.modules_disabled`: a knob of this machine's kernel; engines have none.
    ModulesDisabled,
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Key {
    /// Its name with dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Key {
    /// Every knob, by name; an engine without rules does not have that of rules.
    pub const WITH_RULES: [Self; 15] = [
        Self::Modprobe,
        Self::Bset,
        Self::Inheritable,
        Self::Allow,
        Self::Concurrent,
        Self::Deny,
        Self::Era,
        Self::Gate,
        Self::Live,
        Self::LoopMessages,
        Self::MaxConcurrent,
        Self::Queued,
        Self::Refused,
        Self::RulesMode,
        Self::RunningHelpers,
    ];
    /// Every knob of every engine: the same without that of rules.
    pub const ALL: [Self; 14] = {
        let (mut all, mut from, mut to) = ([Self::Modprobe; 14], 0, 0);
        while from < Self::WITH_RULES.len() {
            if !matches!(Self::WITH_RULES[from], Self::RulesMode) {
                all[to] = Self::WITH_RULES[from];
                to += 1;
            }
            from += 1;
        }
        all
    };
    /// The knobs of this machine's kernel, in the order in which they are shown.
    pub const KERNEL: [Self; 4] = [Self::Modprobe, Self::Bset, Self::Inheritable, Self::ModulesDisabled];

    /// Its name with dots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modprobe => "kernel.modprobe",
            Self::Bset => "kernel.usermodehelper.bset",
            Self::Inheritable => "kernel.usermodehelper.inheritable",
            Self::Allow => "khelper.allow",
            Self::Concurrent => "khelper.concurrent",
            Self::Deny => "khelper.deny",
            Self::Era => "khelper.era",
            Self::Gate => "khelper.gate",
            Self::Live => "khelper.live",
            Self::LoopMessages => "khelper.loop_messages",
            Self::MaxConcurrent => "khelper.max_concurrent",
            Self::Queued => "khelper.queued",
            Self::Refused => "khelper.refused",
            Self::RunningHelpers => "khelper.running_helpers",
            Self::RulesMode => "khelper.rules.mode",
            Self::ModulesDisabled => "kernel.modules_disabled",
        }
    }

    /// By name; `.` and `/` are interchangeable, as in sysctl(8).
    pub fn parse(name: &str) -> Result<Self, ControlError> {
        let dotted = name.replace('/', ".");
        let mut all = Self::ALL.into_iter().chain([Self::RulesMode, Self::ModulesDisabled]);
        all.find(|k| k.name() == dotted).ok_or_else(|| ControlError::UnknownKey(name.to_owned()))
    }

    /// Whether it can be written.
    pub const fn writable(self) -> bool {
        matches!(
            self,
            Self::Modprobe
                | Self::Bset
                | Self::Inheritable
                | Self::Allow
                | Self::Deny
                | Self::Era
                | Self::Gate
                | Self::MaxConcurrent
                | Self::RulesMode
                | Self::ModulesDisabled
        )
    }

    /// Whether every engine has it.
    pub const fn is_engines(self) -> bool {
        !matches!(self, Self::ModulesDisabled | Self::RulesMode)
    }

    /// Whether this machine's kernel has it.
    pub const fn is_kernels(self) -> bool {
        matches!(self, Self::Modprobe | Self::Bset | Self::Inheritable | Self::ModulesDisabled)
    }

    /// Whether it is a mask.
    pub const fn is_mask(self) -> bool {
        matches!(self, Self::Bset | Self::Inheritable)
    }
}

/// The two masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskKnob {
    /// `kernel.usermodehelper.bset`.
    Bset,
    /// `kernel.usermodehelper.inheritable`.
    Inheritable,
}

impl MaskKnob {
    /// The mask's knob.
    pub const fn key(self) -> Key {
        match self {
            Self::Bset => Key::Bset,
            Self::Inheritable => Key::Inheritable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_1_every_knob_is_found_by_its_name_with_dots_and_with_slashes() {
        for key in Key::ALL.into_iter().chain(Key::KERNEL).chain([Key::RulesMode]) {
            assert_eq!(key.is_kernels(), Key::KERNEL.contains(&key));
            assert_eq!(key.is_engines(), Key::ALL.contains(&key));
            assert_eq!(key.is_engines() || key == Key::RulesMode, Key::WITH_RULES.contains(&key));
            assert_eq!(Key::parse(key.name()).unwrap(), key);
            assert_eq!(Key::parse(&key.name().replace('.', "/")).unwrap(), key);
        }
        assert_eq!(Key::parse("kernel/usermodehelper.bset").unwrap(), Key::Bset);
        for stranger in ["", "kernel", "kernel.modprobe.", ".kernel.modprobe", "kernel modprobe", "KERNEL.MODPROBE"] {
            assert!(matches!(Key::parse(stranger), Err(ControlError::UnknownKey(name)) if name == stranger));
        }
    }

    #[test]
    fn sys_3_both_masks_are_masks_and_nothing_else_is() {
        let masks: Vec<_> = Key::ALL.into_iter().filter(|k| k.is_mask()).collect();
        assert_eq!(masks, [Key::Bset, Key::Inheritable]);
    }

    #[test]
    fn sys_1_six_knobs_are_read_only() {
        let fixed: Vec<_> = Key::ALL.into_iter().filter(|k| !k.writable()).map(Key::name).collect();
        let counts = ["concurrent", "live", "loop_messages", "queued", "refused", "running_helpers"];
        assert_eq!(fixed, counts.map(|name| format!("khelper.{name}")));
    }
}
