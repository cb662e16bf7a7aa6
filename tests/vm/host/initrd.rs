//! The file system of the machine: this executable, the program, their libraries, the scenarios. No tool is needed for
//! it: the archive is cpio's `newc` (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDERS: [&str; 11] = ["dev", "proc", "sys", "tmp", "vm", "vm/scenarios", "vm/modules", "h", "usr", "run", "etc"];
const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// Without modules: they are of one kernel, see [`modules`].
pub fn build(to: &Path) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", to.display());
    let me = std::env::current_exe().map_err(wrong)?;
    let program = Path::new(env!("CARGO_BIN_EXE_khelper"));
    let mut archive = Archive::default();
    FOLDERS.iter().for_each(|f| archive.entry(f, FOLDER, b""));
    let mut libraries = BTreeSet::new();
    for file in [me.as_path(), program] {
        libraries.extend(of(file)?);
    }
    for library in libraries {
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

/// The libraries of a program, and what loads them.
fn of(program: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("ldd").arg(program).output().map_err(|e| format!("ldd: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(paths.collect())
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<PathBuf>,
}

impl Archive {
    fn file(&mut self, at: &Path, from: &Path, mode: u32) -> Result<(), String> {
        let content = fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
        self.entry(&at.to_string_lossy()[1..], mode, &content);
        Ok(())
    }

    fn parents(&mut self, of: &Path) {
        let mut above: Vec<PathBuf> = of.ancestors().skip(1).map(Path::to_path_buf).collect();
        above.reverse();
        for folder in above.into_iter().skip(1) {
            if self.folders.insert(folder.clone()) {
                self.entry(&folder.to_string_lossy()[1..], FOLDER, b"");
            }
        }
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        // inode, mode, uid, gid, links, time, size, device twice, rdevice twice, name's size, no checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, length(content.len()), 0, 0, 0, 0, length(name.len() + 1), 0];
        self.bytes.extend(b"070701");
        for field in fields {
            // Writing to memory cannot fail.
            let _ = write!(self.bytes, "{field:08x}");
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }
}
