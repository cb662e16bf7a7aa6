//! The files by which modprobe(8) finds modules: those of depmod(8) for one kernel, and modprobe.d(5). They are read once
//! and again when one of them has changed: depmod renames new files into place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;

use crate::abi::error::errno_name;
use crate::abi::safe_text::SafeText;
use crate::policy::resolution::{Config, Index, Tree};
use crate::sys::linux::whole_file::{Stamp, read};

use super::modules::running_tree;

/// modprobe's folders; a name that is in several is read from the first.
const FOLDERS: [&str; 5] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];
/// The most bytes of an index, and of a file of modprobe.d. A distribution's largest index has 3 MiB.
const INDEX: u64 = 64 << 20;
const CONFIG: u64 = 1 << 20;

/// Why the files cannot be used: what a name stands for is not known then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", SafeText::escape(self.path.as_os_str().as_bytes()), self.why)
    }
}

/// Where the files are, and what was read last.
#[derive(Debug)]
pub struct ModuleTree {
    tree: PathBuf,
    folders: Vec<PathBuf>,
    command_line: Option<PathBuf>,
    read: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    stamps: Vec<Option<Stamp>>,
    tree: Result<Arc<Tree>, Unusable>,
}

/// The index files, in the order of [`Tree`]'s fields.
const INDEXES: [&str; 5] =
    ["modules.dep.bin", "modules.alias.bin", "modules.symbols.bin", "modules.builtin.bin", "modules.builtin.alias.bin"];
const SOFTDEP: &str = "modules.softdep";

impl Default for ModuleTree {
    /// The modules of the running kernel.
    fn default() -> Self {
        let folders = FOLDERS.iter().map(PathBuf::from).collect();
        Self { command_line: Some("/proc/cmdline".into()), ..Self::new(running_tree(), folders) }
    }
}

impl ModuleTree {
    /// Another kernel's: the folder with `modules.dep.bin`, and the folders of modprobe.d.
    pub fn new(tree: PathBuf, folders: Vec<PathBuf>) -> Self {
        Self { tree, folders, command_line: None, read: Mutex::default() }
    }

    /// The files as they are now.
    ///
    /// # Errors
    /// [`Unusable`] if a file exists and cannot be read. A file that does not exist has no names.
    pub fn get(&self) -> Result<Arc<Tree>, Unusable> {
        let config = self.config_files();
        let indexes: Vec<PathBuf> = INDEXES.iter().chain([&SOFTDEP]).map(|name| self.tree.join(name)).collect();
        let stamps: Vec<_> = indexes.iter().chain(&config).map(|path| Stamp::of(path)).collect();
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.stamps == stamps) {
            return known.tree.clone();
        }
        let tree = self.load(&indexes, &config).map(Arc::new);
        known.insert(Known { stamps, tree }).tree.clone()
    }

    /// The files of modprobe.d, by their names.
    fn config_files(&self) -> Vec<PathBuf> {
        let mut all: BTreeMap<OsString, PathBuf> = BTreeMap::new();
        for folder in &self.folders {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let bytes = name.as_bytes();
                let is_config = bytes.ends_with(b".conf") || bytes.ends_with(b".alias");
                if is_config && !bytes.starts_with(b".") {
                    all.entry(name).or_insert_with(|| entry.path());
                }
            }
        }
        all.into_values().collect()
    }

    fn load(&self, indexes: &[PathBuf], config: &[PathBuf]) -> Result<Tree, Unusable> {
        let index = |at: usize| -> Result<Option<Index>, Unusable> {
            let path: &PathBuf = &indexes[at];
            let Some(bytes) = maybe(path, INDEX)? else { return Ok(None) };
            Index::parse(bytes).map(Some).map_err(|e| Unusable { path: path.clone(), why: e.to_string() })
        };
        let mut all = Config::default();
        for path in config {
            // A link to /dev/null is an empty file.
            if let Some(text) = maybe(path, CONFIG)? {
                all.add(&text);
            }
        }
        if let Some(text) = maybe(&self.tree.join(SOFTDEP), CONFIG)? {
            all.add(&text);
        }
        if let Some(text) = self.command_line.as_ref().and_then(|path| std::fs::read(path).ok()) {
            all.add_command_line(&text);
        }
        Ok(Tree {
            dep: index(0)?,
            alias: index(1)?,
            symbols: index(2)?,
            builtin: index(3)?,
            builtin_alias: index(4)?,
            config: all,
        })
    }
}

/// A file's bytes; `None` if it does not exist, or is no regular file.
fn maybe(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Unusable> {
    match read(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EINVAL) => Ok(None),
        Err(errno) => Err(Unusable { path: path.to_owned(), why: format!("{} ({})", errno.desc(), errno_name(errno)) }),
    }
}
