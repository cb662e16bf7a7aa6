//! Keeps values for the next start of the machine: lines of `zz-khelper.conf` in sysctl.d(5).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::abi::error::{ControlError, Explain, ParseError, io_words};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue, Source};
use crate::abi::safe_text::SafeText;
use crate::control::config::edit;
use crate::control::config::files::File;
use crate::sys::linux::trust::{Contents, Folder, Untrusted};

use super::{KernelKnobs, untrusted, wrong};

const FOLDER: &str = "/etc/sysctl.d";
const FILE: &str = "zz-khelper.conf";
/// The first line of a new file.
const HEAD: &[u8] = b"# Written by `khelper --target kernel set --persist`; `set --unpersist KEY` removes a line.\n";

/// The folder of the file, and the lines to be kept in it.
pub(super) struct Keeping {
    folder: Folder,
    lines: Vec<(Key, Vec<u8>)>,
}

impl Keeping {
    /// The text of the file with these lines. It may be used to write the file as long as the folder is locked.
    fn text(&self) -> Result<Vec<u8>, ControlError> {
        let text = read(&self.folder)?;
        Ok(self.lines.iter().fold(text, |text, (key, line)| edit::with(&text, *key, line, HEAD)))
    }
}

impl KernelKnobs {
    /// The file with these values, not yet written.
    ///
    /// # Errors
    /// `EPERM` if another user could change the file; `EEXIST` if a line of another file would win.
    pub(super) fn would_keep(&self, values: impl Iterator<Item = (Key, KnobValue)>) -> Result<Keeping, ControlError> {
        let folder = Folder::make(&self.kept_in()).map_err(|e| untrusted(FILE, &e))?;
        let lines =
            values.map(|(key, value)| Ok((key, line(key, &value, self)?))).collect::<Result<_, ControlError>>()?;
        let keeping = Keeping { folder, lines };
        let mut files = self.sysctl_files();
        let path = Path::new(FOLDER).join(FILE);
        files.retain(|file| file.path != path);
        let place = files.iter().position(|file| file.path.file_name() > Some(OsStr::new(FILE))).unwrap_or(files.len());
        files.insert(place, File { path: path.clone(), bytes: keeping.text()? });
        let boot = self.boot_of(files);
        let ours = SafeText::from(path.to_string_lossy().into_owned());
        for (key, _) in &keeping.lines {
            let key = *key;
            let winner = boot.line(key).filter(|line| line.file != ours);
            if let Some(winner) = winner {
                let why = format!("nothing was written: {winner} would win over {FOLDER}/{FILE}");
                return Err(wrong(key, Errno::EEXIST, why, "remove that line, or change the value there"));
            }
        }
        Ok(keeping)
    }

    /// Writes the file as it is now with the new lines, and names its line in each change, with what systemd does with
    /// it. The lock is held from the reading to the writing, so that of two writers none loses a line.
    pub(super) fn keep(&self, keeping: &Keeping, changes: &mut [Change]) -> Result<(), ControlError> {
        let write = || {
            let _lock = keeping.folder.lock().map_err(|e| untrusted(FILE, &e))?;
            let text = keeping.text()?;
            keeping.folder.replace(OsStr::new(FILE), &text).map_err(|e| untrusted(FILE, &e))?;
            Ok(text)
        };
        let text = write().map_err(|error: ControlError| {
            let names: Vec<&str> = changes.iter().map(|change| change.key.name()).collect();
            let why = format!("changed, but not kept for the next start of the machine: {error}");
            ControlError::Value {
                key: names.join(" and "),
                error: ParseError::with(error.errno(), why, error.advice()),
            }
        })?;
        let boot = self.boot();
        for change in changes {
            let number = edit::lines(&text, change.key).pop();
            change.source = number.map(|line| Source { file: format!("{FOLDER}/{FILE}").into(), line });
            change.warnings.push(at_boot(change.key).into());
            if let Some((_, source)) = boot.systemd.as_ref().filter(|_| change.key.is_mask()) {
                let why = format!("systemd writes both masks before that, from {source}: only what both allow is left");
                change.warnings.push(why.into());
            }
        }
        Ok(())
    }

    /// Removes the lines of these knobs, and the file with the last of them. What the kernel holds does not change.
    ///
    /// # Errors
    /// `ENOENT` for a knob that the file does not set; nothing is removed then.
    pub(super) fn unpersist(&self, keys: &[Key]) -> Result<(), ControlError> {
        let folder = Folder::open(&self.kept_in()).map_err(|e| untrusted(FILE, &e))?;
        let _lock = folder.as_ref().map(Folder::lock).transpose().map_err(|e| untrusted(FILE, &e))?;
        let mut text = folder.as_ref().map(read).transpose()?.unwrap_or_default();
        for key in keys {
            let (rest, found) = edit::without(&text, *key);
            if !found {
                let why = format!("{FOLDER}/{FILE} does not set it");
                return Err(wrong(
                    *key,
                    Errno::ENOENT,
                    why,
                    "`khelper -t kernel get --where` names the file that does",
                ));
            }
            text = rest;
        }
        let Some(folder) = folder else { return Ok(()) };
        if text.is_empty() || text == HEAD {
            // Nothing is left of what was written here.
            let path = folder.path_of(OsStr::new(FILE));
            return std::fs::remove_file(&path).map_err(|e| {
                let errno = Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
                untrusted(FILE, &Untrusted { path, why: io_words(&e), errno })
            });
        }
        folder.replace(OsStr::new(FILE), &text).map_err(|e| untrusted(FILE, &e))
    }

    /// Writes one line of the file, whatever the kernel holds.
    ///
    /// # Errors
    /// `EPERM` if another user could change the file; `EEXIST` if a line of another file would win.
    pub fn keep_alone(&self, key: Key, value: &KnobValue) -> Result<(), ControlError> {
        let keeping = self.would_keep([(key, value.clone())].into_iter())?;
        self.keep(&keeping, &mut [])
    }

    /// What our own file keeps of this knob for the next start.
    pub fn kept(&self, key: Key) -> Option<KnobValue> {
        let path = Path::new(FOLDER).join(FILE);
        let files: Vec<File> = self.sysctl_files().into_iter().filter(|file| file.path == path).collect();
        let boot = self.set_by(&files);
        boot.line(key).map(|_| boot.configured(key, self.known).0)
    }

    /// What sets this knob to this value at the next start, or when sysctl(8) reads every file.
    pub fn set_at_boot(&self, key: Key, value: &KnobValue) -> Option<Source> {
        [self.boot(), self.by_hand()].into_iter().find_map(|boot| {
            let (configured, source) = boot.configured(key, self.known);
            source.filter(|_| configured == *value)
        })
    }

    fn kept_in(&self) -> PathBuf {
        self.root.join(FOLDER.trim_start_matches('/'))
    }
}

/// What happens with the line at the next start.
const fn at_boot(key: Key) -> &'static str {
    match key {
        Key::ModulesDisabled => {
            "at boot systemd-sysctl writes 1: a module that is needed later is then missing, the machine may not come up"
        }
        Key::Modprobe => {
            "at boot systemd-sysctl writes it; modules that are asked for before that use the kernel's own path"
        }
        _ => "at boot systemd-sysctl writes it; helpers that run before that have the full mask",
    }
}

fn read(folder: &Folder) -> Result<Vec<u8>, ControlError> {
    match folder.read(OsStr::new(FILE)).map_err(|e| untrusted(FILE, &e))? {
        Contents::Bytes(text) => Ok(text),
        Contents::Missing => Ok(Vec::new()),
        Contents::Masked => Err(untrusted(
            FILE,
            &Untrusted {
                path: folder.path_of(OsStr::new(FILE)),
                why: "is a link to /dev/null".into(),
                errno: Errno::EEXIST,
            },
        )),
    }
}

fn line(key: Key, value: &KnobValue, knobs: &KernelKnobs) -> Result<Vec<u8>, ControlError> {
    match value.mask() {
        // The only form that the kernel and every reader of these files take.
        Some(mask) => {
            let bits = mask.bits();
            Ok(format!("{key} = {} {}", bits & 0xffff_ffff, bits >> 32).into_bytes())
        }
        None => edit::line(key, value, knobs.known),
    }
}
