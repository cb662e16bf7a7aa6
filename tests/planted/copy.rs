//! The private copy of the sources: made once, patched and restored for each fault.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders that a build does not need: build results and history.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// A copy of the crate's sources.
pub struct Copy {
    from: PathBuf,
    to: PathBuf,
}

impl Copy {
    /// Makes `to` equal to the sources in `from`. A file that is already equal keeps its modification time, so that a
    /// kept folder is not built again. A file that is not in `from` is removed.
    pub fn make(from: &Path, to: &Path) -> Result<Self, String> {
        let wanted = files(from).map_err(|e| format!("{}: {e}", from.display()))?;
        fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
        let there = files(to).map_err(|e| format!("{}: {e}", to.display()))?;
        let copy = Self { from: from.to_owned(), to: to.to_owned() };
        for file in &wanted {
            copy.restore(file)?;
        }
        for gone in there.difference(&wanted) {
            let path = to.join(gone);
            fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(copy)
    }

    /// The root folder of the copy.
    pub fn root(&self) -> &Path {
        &self.to
    }

    /// Applies a patch. Returns the files that it changed, relative to the root; pass them to `restore` afterwards. If
    /// the patch does not apply, nothing changes.
    pub fn apply(&self, patch: &str) -> Result<Vec<PathBuf>, String> {
        let path = self.from.join(patch);
        // First without a change: a patch of several files that fails at the second would leave the first one changed.
        let changed = dry_run(&path, &self.to)?;
        run_patch(&path, &self.to, &[])?;
        Ok(changed)
    }

    /// Restores one file from the sources.
    pub fn restore(&self, file: &Path) -> Result<(), String> {
        let (from, to) = (self.from.join(file), self.to.join(file));
        let put_back = || -> io::Result<()> {
            if fs::read(&to).is_ok_and(|have| fs::read(&from).is_ok_and(|want| want == have)) {
                return Ok(());
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(&from, &to).map(drop)
        };
        put_back().map_err(|e| format!("{}: {e}", to.display()))
    }
}

/// Whether the patch in `path` applies to the sources in `root`, which are not changed; the files that it would change.
pub fn dry_run(path: &Path, root: &Path) -> Result<Vec<PathBuf>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let changed: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.strip_prefix("+++ b/"))
        .map(|file| PathBuf::from(file.split('\t').next().unwrap_or(file)))
        .collect();
    if changed.is_empty() {
        return Err(format!("{} names no file: it is made by `diff -u a/FILE b/FILE` or git diff", path.display()));
    }
    run_patch(path, root, &["--dry-run"])?;
    Ok(changed)
}

fn run_patch(path: &Path, root: &Path, mode: &[&str]) -> Result<(), String> {
    let patch = Command::new("patch")
        .args(["-p1", "--forward", "--batch", "--fuzz=2", "--no-backup-if-mismatch", "--reject-file=-"])
        .args(mode)
        .arg("--input")
        .arg(path)
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("patch(1) cannot be started: {e}"))?;
    if patch.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&patch.stdout).trim().to_owned()) }
}

/// Every file below `root`, by its path from there.
fn files(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if LEFT_OUT.iter().any(|name| path == Path::new(name)) {
                continue;
            }
            // Symbolic links are followed: the copy has only regular files.
            if fs::metadata(entry.path())?.is_dir() {
                folders.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}
