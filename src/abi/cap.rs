//! Capabilities: one table (name, bit, meaning), sets of them as 64-bit masks (capabilities(7)).

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use serde::Serialize;

/// One row of the table; its index is its bit.
#[derive(Clone, Copy, Debug)]
pub struct CapabilityInfo {
    /// `cap_sys_module`.
    pub name: &'static str,
    /// What it allows, in one line.
    pub meaning: &'static str,
    /// What breaks in a usermode helper without it, in one line.
    pub without: &'static str,
}

const fn row(name: &'static str, meaning: &'static str, without: &'static str) -> CapabilityInfo {
    CapabilityInfo { name, meaning, without }
}

/// Every capability this program has a name for, by bit.
pub const CAPABILITIES: [CapabilityInfo; 41] = [
    row("cap_chown", "", ""),
    row("cap_dac_override", "", ""),
    row("cap_dac_read_search", "", ""),
    row("cap_fowner", "", ""),
    row("cap_fsetid", "", ""),
    row("cap_kill", "", ""),
    row("cap_setgid", "", ""),
    row("cap_setuid", "", ""),
    row("cap_setpcap", "", ""),
    row("cap_linux_immutable", "", ""),
    row("cap_net_bind_service", "", ""),
    row("cap_net_broadcast", "", ""),
    row("cap_net_admin", "", ""),
    row("cap_net_raw", "", ""),
    row("cap_ipc_lock", "", ""),
    row("cap_ipc_owner", "", ""),
    row("cap_sys_module", "", ""),
    row("cap_sys_rawio", "", ""),
    row("cap_sys_chroot", "", ""),
    row("cap_sys_ptrace", "", ""),
    row("cap_sys_pacct", "", ""),
    row("cap_sys_admin", "", ""),
    row("cap_sys_boot", "", ""),
    row("cap_sys_nice", "", ""),
    row("cap_sys_resource", "", ""),
    row("cap_sys_time", "", ""),
    row("cap_sys_tty_config", "", ""),
    row("cap_mknod", "", ""),
    row("cap_lease", "", ""),
    row("cap_audit_write", "", ""),
    row("cap_audit_control", "", ""),
    row("cap_setfcap", "", ""),
    row("cap_mac_override", "", ""),
    row("cap_mac_admin", "", ""),
    row("cap_syslog", "", ""),
    row("cap_wake_alarm", "", ""),
    row("cap_block_suspend", "", ""),
    row("cap_audit_read", "", ""),
    row("cap_perfmon", "", ""),
    row("cap_bpf", "", ""),
    row("cap_checkpoint_restore", "", ""),
];

/// A capability by its bit, 0 to 63; bits past the table are shown as `cap_41` and on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

impl Capability {
    /// CAP_SETPCAP.
    pub const SETPCAP: Self = Self(8);
    /// CAP_SYS_MODULE.
    pub const SYS_MODULE: Self = Self(16);

    /// The capability of that bit; `None` from 64 on.
    pub const fn from_bit(bit: u8) -> Option<Self> {
        if bit < 64 { Some(Self(bit)) } else { None }
    }
    /// By name, with or without `cap_`, any case; or `cap_41` and on.
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let bare = lower.strip_prefix("cap_").unwrap_or(&lower);
        let at = CAPABILITIES.iter().position(|c| &c.name[4..] == bare)?;
        u8::try_from(at).ok().map(Self)
    }
    /// Its bit.
    pub const fn bit(self) -> u8 {
        self.0
    }
    /// `cap_sys_module`.
    pub fn name(self) -> String {
        self.info().map_or_else(|| format!("cap_{}", self.0), |i| i.name.to_owned())
    }
    /// Its row in the table, where it has one.
    pub fn info(self) -> Option<&'static CapabilityInfo> {
        CAPABILITIES.get(usize::from(self.0))
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapMask(u64);

impl CapMask {
    /// No capability.
    pub const EMPTY: Self = Self(0);

    /// From the bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    /// Every capability up to `cap_last_cap` (/proc/sys/kernel/cap_last_cap), 63 at the most.
    pub const fn up_to(last: u8) -> Self {
        if last >= 63 { Self(u64::MAX) } else { Self((1 << (last + 1)) - 1) }
    }
    /// Just this one.
    pub const fn only(cap: Capability) -> Self {
        Self(1 << cap.0)
    }
    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }
    /// Whether it holds `cap`.
    pub const fn has(self, cap: Capability) -> bool {
        self.0 & (1 << cap.0) != 0
    }
    /// Whether every capability of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// What is in it and not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// With `cap`, or without it if it is there.
    #[must_use]
    pub const fn toggled(self, cap: Capability) -> Self {
        Self(self.0 ^ (1 << cap.0))
    }
    /// Whether it holds none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// How many it holds.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }
    /// Its members by bit.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        (0..64).map(Capability).filter(move |c| self.has(*c))
    }
}

impl BitAnd for CapMask {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
impl BitOr for CapMask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl Not for CapMask {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
impl FromIterator<Capability> for CapMask {
    fn from_iter<I: IntoIterator<Item = Capability>>(caps: I) -> Self {
        caps.into_iter().fold(Self::EMPTY, |m, c| m | Self::only(c))
    }
}
impl fmt::Debug for CapMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
impl Serialize for CapMask {
    /// `"0x000001ffffffffff"`.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{:#018x}", self.0))
    }
}

/// The five capability sets of a thread or process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize)]
pub struct CapSets {
    /// CapInh.
    pub inheritable: CapMask,
    /// CapPrm.
    pub permitted: CapMask,
    /// CapEff.
    pub effective: CapMask,
    /// CapBnd.
    pub bounding: CapMask,
    /// CapAmb.
    pub ambient: CapMask,
}
