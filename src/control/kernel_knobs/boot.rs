//! What the next start of the machine sets: the files of sysctl.d(5), and systemd's own bounding set
//! (systemd-system.conf(5)), which it writes to both masks before it reads any of those files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::abi::cap::{CapMask, Capability};
use crate::abi::knob::Key;
use crate::abi::knob_value::{KnobValue, Source};
use crate::abi::safe_text::SafeText;
use crate::control::config::files::File;
use crate::control::config::{Grammar, ReadValue, Set, resolve_as};
use crate::control::provenance::Setting;
use crate::sys::linux::whole_file;

use super::KernelKnobs;

/// The folders of sysctl.d(5): of two files with one name, that of the earlier folder counts.
const SYSCTL: [&str; 5] =
    ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"];
/// The folders of system.conf and system.conf.d, in the same order.
const SYSTEMD: [&str; 4] = ["etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"];
/// It is there where systemd is the init system (sd_booted(3)).
const SYSTEMD_RUNS: &str = "run/systemd/system";
/// sysctl.conf(5).
const CONF: &str = "/etc/sysctl.conf";
/// The largest file that is read.
const FILE_MAX: u64 = 1024 * 1024;

/// What the next start sets.
#[derive(Debug, Default)]
pub(super) struct Boot {
    settings: Vec<Setting>,
    /// Lines that name a knob of the kernel and that it would refuse.
    pub(super) faults: Vec<SafeText>,
    /// The files that set a knob.
    pub(super) files: Vec<PathBuf>,
    /// systemd's bounding set, and the last line that sets it.
    pub(super) systemd: Option<(CapMask, Source)>,
}

impl KernelKnobs {
    pub(super) fn boot(&self) -> Boot {
        self.boot_of(self.sysctl_files())
    }

    /// What these files of sysctl.d set at boot, and where systemd is not the init system sysctl.conf(5) after them.
    pub(super) fn boot_of(&self, mut files: Vec<File>) -> Boot {
        if !self.root.join(SYSTEMD_RUNS).is_dir() {
            files.extend(self.sysctl_conf());
        }
        self.set_by(&files)
    }

    /// What `sysctl --system` sets: the files of sysctl.d, then sysctl.conf(5), whose lines win.
    pub(super) fn by_hand(&self) -> Boot {
        let mut files = self.sysctl_files();
        files.extend(self.sysctl_conf());
        self.set_by(&files)
    }

    /// sysctl.conf(5), which systemd-sysctl(8) does not read, unless a link in sysctl.d leads to it.
    fn sysctl_conf(&self) -> Option<File> {
        let bytes = read(&self.root.join(CONF.trim_start_matches('/')))?;
        Some(File { path: CONF.into(), bytes })
    }

    /// What these files set, alone.
    pub(super) fn set_by(&self, files: &[File]) -> Boot {
        let set = settings(files, self.known);
        let faults = set.faults.iter().filter(|fault| !fault.unknown).map(|fault| fault.to_string().into()).collect();
        let sources = set.settings.iter().map(|setting| &setting.source.file);
        let named = |file: &&File| {
            let shown = SafeText::escape(file.path.as_os_str().as_bytes());
            sources.clone().any(|source| *source == shown)
        };
        let files = files.iter().filter(named).map(|file| file.path.clone()).collect();
        Boot { settings: set.settings, faults, files, systemd: self.systemd() }
    }

    /// The files of sysctl.d, in the order of their names.
    pub(super) fn sysctl_files(&self) -> Vec<File> {
        let mut all: BTreeMap<OsString, File> = BTreeMap::new();
        for folder in SYSCTL {
            for (name, path) in self.conf_files(folder) {
                if let Some(bytes) = read(&self.root.join(path.strip_prefix("/").unwrap_or(&path))) {
                    all.entry(name).or_insert(File { path, bytes });
                }
            }
        }
        all.into_values().collect()
    }

    /// The names and paths of `*.conf` in a folder. The path has no root before it.
    fn conf_files(&self, folder: &str) -> Vec<(OsString, PathBuf)> {
        let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name());
        let is_read = |name: &OsString| name.as_bytes().ends_with(b".conf") && !name.as_bytes().starts_with(b".");
        names.filter(is_read).map(|name| (name.clone(), Path::new("/").join(folder).join(name))).collect()
    }

    /// systemd's CapabilityBoundingSet=: system.conf first, then the files of system.conf.d by name.
    fn systemd(&self) -> Option<(CapMask, Source)> {
        let main = SYSTEMD.iter().map(|folder| Path::new("/").join(folder).join("system.conf"));
        let below = |path: &Path| self.root.join(path.strip_prefix("/").unwrap_or(path));
        let mut files: Vec<PathBuf> = main.filter(|path| below(path).is_file()).take(1).collect();
        let mut more: BTreeMap<OsString, PathBuf> = BTreeMap::new();
        for folder in SYSTEMD {
            for (name, path) in self.conf_files(&format!("{folder}/system.conf.d")) {
                more.entry(name).or_insert(path);
            }
        }
        files.extend(more.into_values());
        let mut found = None;
        for path in files {
            let bytes = read(&below(&path)).unwrap_or_default();
            for (line, text) in (1..).zip(bytes.split(|b| *b == b'\n')) {
                let Some(value) = text.trim_ascii().strip_prefix(b"CapabilityBoundingSet") else { continue };
                let Some(value) = value.trim_ascii_start().strip_prefix(b"=") else { continue };
                let source = Source { file: SafeText::escape(path.as_os_str().as_bytes()), line };
                let before = found.map(|(mask, _)| mask);
                found = Some((merged(before, &String::from_utf8_lossy(value), self.known), source));
            }
        }
        found
    }
}

impl Boot {
    /// The value after the next start, and the line that decides it; none for the kernel's own default.
    pub(super) fn configured(&self, key: Key, known: CapMask) -> (KnobValue, Option<Source>) {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        if !key.is_mask() {
            let default = match key {
                Key::Modprobe => KnobValue::Path(b"/sbin/modprobe"[..].into()),
                _ => 0u32.into(),
            };
            return setting.map_or((default, None), |s| (s.value.clone(), Some(s.source.clone())));
        }
        let (mut mask, mut source) = (known, None);
        let set = setting.and_then(|s| Some((s.value.mask()?, s.source.clone())));
        for (narrower, from) in self.systemd.iter().cloned().chain(set) {
            mask = mask & narrower;
            source = Some(from);
        }
        (mask.into(), source)
    }

    /// The line of sysctl.d that sets this knob.
    pub(super) fn line(&self, key: Key) -> Option<&Source> {
        self.settings.iter().find(|setting| setting.key == key).map(|setting| &setting.source)
    }

    /// The lines that lost.
    pub(super) fn others(&self, key: Key) -> Vec<Source> {
        self.settings.iter().find(|setting| setting.key == key).map_or_else(Vec::new, |s| s.others.clone())
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    whole_file::read(path, FILE_MAX).ok()
}

fn settings(files: &[File], known: CapMask) -> Set {
    let value = |key: Key, text: &[u8]| match key {
        key if key.is_mask() => {
            kernel_mask(text, known).ok_or_else(|| key.is_not(text, "two numbers, as the kernel reads"))
        }
        key => key.parse_value(text, known),
    };
    let value: &ReadValue<'_> = &value;
    resolve_as(files, &Grammar { keys: &Key::KERNEL, value })
}

/// A mask as the kernel reads it: one or two numbers, of which the lower 32 bits count. A second one that is missing
/// takes nothing away.
fn kernel_mask(text: &[u8], known: CapMask) -> Option<KnobValue> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace().map(number);
    let low = words.next()??;
    let high = match words.next() {
        Some(word) => word?,
        None => u64::from(u32::MAX),
    };
    let mask = CapMask::from_bits((low & 0xffff_ffff) | (high & 0xffff_ffff) << 32);
    words.next().is_none().then(|| (mask & known).into())
}

/// Decimal, `0x` or octal.
fn number(word: &str) -> Option<u64> {
    let (digits, radix) = match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if word.len() > 1 && word.starts_with('0') => (&word[1..], 8),
        None => (word, 10),
    };
    digits.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| u64::from_str_radix(digits, radix).ok())?
}

/// The set after one more line: the first list replaces the default, later ones are added; `~` removes what it names; an
/// empty text is the empty set and `~` alone the full one.
fn merged(before: Option<CapMask>, text: &str, known: CapMask) -> CapMask {
    let (invert, names) = match text.trim().strip_prefix('~') {
        Some(names) => (true, names),
        None => (false, text.trim()),
    };
    let named = names.split_ascii_whitespace().filter_map(|name| Capability::from_name(&name.to_ascii_lowercase()));
    let named = named.fold(CapMask::EMPTY, |all, cap| all | CapMask::only(cap));
    match (names.trim().is_empty(), invert) {
        (true, true) => known,
        (true, false) => CapMask::EMPTY,
        (false, true) => before.unwrap_or(known).minus(named),
        (false, false) => (before.filter(|mask| *mask != known).unwrap_or(CapMask::EMPTY) | named) & known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: CapMask = CapMask::up_to(40);

    #[test]
    fn a_mask_in_a_file_is_read_as_the_kernel_reads_it() {
        let of = |text: &str| kernel_mask(text.as_bytes(), KNOWN).and_then(|value| value.mask()).map(CapMask::bits);
        assert_eq!(of("4294967295 511"), Some(KNOWN.bits()));
        assert_eq!(of("0xff\t010"), Some(0xff | 8 << 32));
        assert_eq!(of("7"), Some(7 | 0x1ff << 32), "only the low word is narrowed");
        assert_eq!(of("4294967296 511"), Some(0x1ff << 32), "the low word is cut to 0");
        for bad in ["", "full", "-cap_kill", "1 2 3", "+1 2", "1,2"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_bounding_set_of_systemd_is_merged_as_it_merges_it() {
        let kill = CapMask::only(Capability::from_name("cap_kill").unwrap());
        let chown = CapMask::only(Capability::from_name("cap_chown").unwrap());
        assert_eq!(merged(None, "CAP_KILL", KNOWN), kill);
        assert_eq!(merged(Some(kill), " cap_chown ", KNOWN), kill | chown);
        assert_eq!(merged(None, "~CAP_KILL", KNOWN), KNOWN.minus(kill));
        assert_eq!(merged(Some(kill | chown), "~CAP_KILL", KNOWN), chown);
        assert_eq!((merged(Some(kill), "", KNOWN), merged(Some(kill), "~", KNOWN)), (CapMask::EMPTY, KNOWN));
    }
}
