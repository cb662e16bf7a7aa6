//! The first file system of a machine. No tool is needed for it: the archive is cpio's `newc`
//! (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const FOLDER: u32 = 0o040_755;
pub const PROGRAM: u32 = 0o100_755;
pub const FILE: u32 = 0o100_644;

/// The libraries of a program, and what loads them.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("ldd").arg(program).output().map_err(|e| format!("ldd: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(paths.collect())
}

/// An archive that grows in memory.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<PathBuf>,
}

impl Archive {
    pub fn file(&mut self, at: &Path, from: &Path, mode: u32) -> Result<(), String> {
        let content = fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
        self.entry(&at.to_string_lossy()[1..], mode, &content);
        Ok(())
    }

    pub fn parents(&mut self, of: &Path) {
        let mut above: Vec<PathBuf> = of.ancestors().skip(1).map(Path::to_path_buf).collect();
        above.reverse();
        for folder in above.into_iter().skip(1) {
            if self.folders.insert(folder.clone()) {
                self.entry(&folder.to_string_lossy()[1..], FOLDER, b"");
            }
        }
    }

    pub fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
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

    pub fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }
}
