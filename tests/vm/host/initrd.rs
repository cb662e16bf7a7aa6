//! The file system of the machine: this executable, the program, their libraries, the scenarios.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{Archive, FILE, FOLDER, PROGRAM, libraries};

const FOLDERS: [&str; 11] = ["dev", "proc", "sys", "tmp", "vm", "vm/scenarios", "vm/modules", "h", "usr", "run", "etc"];

/// Without modules: they are of one kernel, see [`modules`].
pub fn build(to: &Path) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", to.display());
    let me = std::env::current_exe().map_err(wrong)?;
    let program = Path::new(env!("CARGO_BIN_EXE_khelper"));
    let mut archive = Archive::default();
    FOLDERS.iter().for_each(|f| archive.entry(f, FOLDER, b""));
    let mut needed = BTreeSet::new();
    for file in [me.as_path(), program] {
        needed.extend(libraries(file)?);
    }
    for library in needed {
        archive.parents(&library);
        archive.file(&library, &library, PROGRAM)?;
    }
    // Two copies of the executable on purpose: see `guest::OTHER`.
    archive.file(Path::new("/init"), &me, PROGRAM)?;
    archive.file(Path::new(crate::guest::OTHER), &me, PROGRAM)?;
    archive.file(Path::new(crate::guest::KHELPER), program, PROGRAM)?;
    archive.entry(crate::guest::HERE.trim_start_matches('/'), FILE, b"");
    let scenarios = super::source("tests/vm/scenarios");
    for file in fs::read_dir(&scenarios).map_err(wrong)?.filter_map(|e| Some(e.ok()?.path())) {
        let name = file.file_name().unwrap_or_default();
        archive.file(&Path::new(crate::guest::SCENARIOS).join(name), &file, FILE)?;
    }
    fs::write(to, archive.end()).map_err(wrong)
}

/// An archive of its own for a kernel's modules: Linux takes several, one behind the other.
pub fn modules(files: &[PathBuf]) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    for file in files {
        let name = file.file_name().unwrap_or_default();
        archive.file(&Path::new("/vm/modules").join(name), file, FILE)?;
    }
    Ok(archive.end())
}
