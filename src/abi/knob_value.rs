//! The value of a knob, and the result of a write. Both stay typed until they are shown.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::cap::CapMask;
use super::depth::Depth;
use super::era::Era;
use super::error::{ControlError, ParseError};
use super::escape::screen;
use super::glob::Globs;
use super::knob::Key;
use super::mask::{MaskExpr, kernel_words};
use super::path::parse_modprobe;
use super::rules_mode::ModeFor;
use super::safe_text::SafeText;
use super::time::Micros;
use super::wire;

/// The value of a knob, read or requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnobValue {
    /// `kernel.modprobe`: hostile bytes.
    Path(#[serde(with = "wire::bytes")] Arc<[u8]>),
    /// A mask. A read gives [`MaskExpr::Exactly`]; a write may ask for a change of the current value (SYS-5).
    Mask(MaskExpr),
    /// `khelper.allow` or `khelper.deny`.
    Globs(Globs),
    /// `khelper.era`.
    Era(Era),
    /// `khelper.gate`.
    Depth(Depth),
    /// `khelper.max_concurrent` and the counters.
    Number(u64),
    /// `khelper.rules.mode`.
    Rules(ModeFor),
}

impl KnobValue {
    /// The mask, if this is a whole mask and not a change.
    pub fn mask(&self) -> Option<CapMask> {
        match self {
            Self::Mask(MaskExpr::Exactly(mask)) => Some(*mask),
            _ => None,
        }
    }

    /// The value as text; no other code converts values to text. A path is escaped. The only control character is the
    /// tab between the two words of a mask (SYS-2).
    pub fn text(&self) -> String {
        match self {
            Self::Path(path) => screen(path),
            Self::Mask(MaskExpr::Exactly(mask)) => kernel_words(*mask),
            Self::Mask(change) => change.to_string(),
            Self::Globs(globs) => SafeText::new(globs.text()).into(),
            Self::Era(era) => era.name().to_owned(),
            Self::Depth(depth) => depth.name().to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Rules(mode) => mode.to_string(),
        }
    }

    /// Whether this is that value, or the same mode with another time to go.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rules(one), Self::Rules(other)) => one.is_like(*other),
            _ => self == other,
        }
    }
}

impl fmt::Display for KnobValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
impl From<CapMask> for KnobValue {
    fn from(mask: CapMask) -> Self {
        Self::Mask(MaskExpr::Exactly(mask))
    }
}
impl From<Depth> for KnobValue {
    fn from(depth: Depth) -> Self {
        Self::Depth(depth)
    }
}
impl From<ModeFor> for KnobValue {
    fn from(mode: ModeFor) -> Self {
        Self::Rules(mode)
    }
}
impl From<u64> for KnobValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
impl From<u32> for KnobValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl Key {
    /// Reads a value that a person typed. `known` holds the capabilities that the running kernel knows.
    ///
    /// `EACCES` for a read-only knob; `EINVAL`, with the reason and advice, for a text that is not valid for this knob.
    pub fn parse_value(self, text: &[u8], known: CapMask) -> Result<KnobValue, ControlError> {
        let wrong = |error| ControlError::Value { key: self.name().to_owned(), error };
        match self {
            Self::Modprobe => parse_modprobe(text).map(KnobValue::Path).map_err(wrong),
            Self::Bset | Self::Inheritable => MaskExpr::parse(text, known).map(KnobValue::Mask).map_err(wrong),
            Self::Allow | Self::Deny => Globs::parse(text).map(KnobValue::Globs).map_err(wrong),
            Self::Era => {
                let era = Era::parse(self.utf8(text)?);
                era.map(KnobValue::Era).ok_or_else(|| self.is_not(text, "3.4 or current"))
            }
            Self::MaxConcurrent => {
                let digits = self.utf8(text)?;
                let number: Option<u32> = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
                number.map(KnobValue::from).ok_or_else(|| self.is_not(text, "a number from 1 to 50"))
            }
            Self::ModulesDisabled => match text.strip_suffix(b"\n").unwrap_or(text) {
                b"0" => Ok(0u32.into()),
                b"1" => Ok(1u32.into()),
                _ => Err(self.is_not(text, "0 or 1")),
            },
            Self::Gate => {
                let depth = Depth::parse(self.utf8(text)?);
                depth.map(KnobValue::Depth).ok_or_else(|| self.is_not(text, "enabled, freezing or disabled"))
            }
            Self::RulesMode => {
                let wanted = "off, learn, audit, enforce, or enforce and a time such as 10m";
                ModeFor::parse(self.utf8(text)?).map(KnobValue::Rules).ok_or_else(|| self.is_not(text, wanted))
            }
            Self::Concurrent
            | Self::Live
            | Self::LoopMessages
            | Self::Queued
            | Self::Refused
            | Self::RunningHelpers => Err(ControlError::ReadOnly(self.name().to_owned())),
        }
    }

    fn utf8(self, text: &[u8]) -> Result<&str, ControlError> {
        std::str::from_utf8(text).map(|t| t.strip_suffix('\n').unwrap_or(t)).map_err(|_| self.is_not(text, "text"))
    }

    /// `EINVAL`: the text is not valid for this knob.
    pub(crate) fn is_not(self, text: &[u8], wanted: &str) -> ControlError {
        let error = ParseError::invalid(format!("`{}` is not {wanted}", screen(text)), format!("give {wanted}"));
        ControlError::Value { key: self.name().to_owned(), error }
    }
}

/// A line of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file's path.
    pub file: SafeText,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Source {
    /// `/etc/khelper.d/10.conf:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The result of a write to one knob, read back afterwards (SYS-4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The knob.
    pub key: Key,
    /// Its value before.
    pub before: KnobValue,
    /// Its value now.
    pub after: KnobValue,
    /// Requested bits of a mask that were not granted.
    pub not_granted: CapMask,
    /// Advice about the new value (SYS-6).
    pub warnings: Vec<SafeText>,
    /// The line of a configuration file that asked for the write; `None` if an actor did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Change {
    /// A change with nothing withheld and no warnings.
    pub fn new(key: Key, before: impl Into<KnobValue>, after: impl Into<KnobValue>) -> Self {
        let (before, after) = (before.into(), after.into());
        Self { key, before, after, not_granted: CapMask::EMPTY, warnings: Vec::new(), source: None }
    }

    /// A mask before and after; `None` for other knobs.
    pub fn masks(&self) -> Option<(CapMask, CapMask)> {
        self.before.mask().zip(self.after.mask())
    }
}

/// The last change of a knob, the process that made it, and when (AUTH-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The knob, with its values before and after.
    pub change: Arc<Change>,
    /// The process that changed it.
    pub actor: Arc<Actor>,
    /// When, on the engine's clock.
    pub at: Micros,
    /// When, by the wall clock.
    pub wall: SystemTime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Explain;
    use nix::errno::Errno;

    const KNOWN: CapMask = CapMask::up_to(40);

    #[test]
    fn sys_1_what_is_typed_reads_back_as_it_was_meant() {
        for (key, typed, reads) in [
            (Key::Modprobe, "/bin/a b\n", "/bin/a b"),
            (Key::Bset, "cap_sys_module", "65536\t0"),
            (Key::Inheritable, "0x3", "3\t0"),
            (Key::Bset, "+cap_chown -cap_kill", "+cap_chown -cap_kill"),
            (Key::Inheritable, "full,-cap_kill", "full -cap_kill"),
            (Key::Allow, "a*,b\n", "a* b"),
            (Key::Deny, "", ""),
            (Key::Era, "current\n", "current"),
            (Key::MaxConcurrent, "7", "7"),
            (Key::Gate, "freezing", "freezing"),
            (Key::ModulesDisabled, "1\n", "1"),
            (Key::RulesMode, "audit\n", "audit"),
            (Key::RulesMode, "enforce 10m", "enforce 600s"),
        ] {
            let value = key.parse_value(typed.as_bytes(), KNOWN).unwrap();
            assert_eq!(value.text(), reads, "{key}");
            // The shown text parses to the same value.
            assert_eq!(key.parse_value(reads.as_bytes(), KNOWN).unwrap(), value, "{key}");
        }
    }

    #[test]
    fn sys_1_what_has_no_meaning_for_a_knob_is_refused_by_the_name_of_the_knob() {
        for (key, typed, errno) in [
            (Key::Modprobe, "relative", Errno::EINVAL),
            (Key::Bset, "7", Errno::EINVAL),
            (Key::Deny, "[", Errno::EINVAL),
            (Key::Era, "6.4", Errno::EINVAL),
            (Key::MaxConcurrent, "+7", Errno::EINVAL),
            (Key::MaxConcurrent, "4294967296", Errno::EINVAL),
            (Key::Gate, "open", Errno::EINVAL),
            (Key::ModulesDisabled, "2", Errno::EINVAL),
            (Key::RulesMode, "on", Errno::EINVAL),
            (Key::RulesMode, "audit 10m", Errno::EINVAL),
            (Key::Live, "1", Errno::EACCES),
        ] {
            let error = key.parse_value(typed.as_bytes(), KNOWN).unwrap_err();
            assert_eq!((error.key(), error.errno()), (Some(key.name()), errno), "{typed}");
            assert!(error.to_string().starts_with(key.name()), "{error}");
        }
    }

    #[test]
    fn a_hostile_path_is_shown_escaped() {
        assert_eq!(KnobValue::Path(b"/a\x1b\\"[..].into()).text(), "/a\\x1b\\\\");
    }
}
