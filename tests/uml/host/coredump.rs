//! The handler of cores that Debian's machines have, systemd-coredump(8), by apt into the cache of kernels.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kernels::{cache, run};
use super::tree::{downloaded, empty};
use crate::archive::libraries;

/// The library that belongs to it; where it looks for it.
const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/systemd";

/// Its files, each where a machine has it and where it is here.
pub fn get() -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let folder = cache()?.join("systemd-coredump");
    if !folder.exists() {
        let (scratch, new) = (folder.with_extension("package"), folder.with_extension("new"));
        empty(&new)?;
        for package in ["systemd-coredump", "libsystemd-shared"] {
            empty(&scratch)?;
            run(Command::new("dpkg-deb").arg("-x").arg(downloaded(&scratch, package)?).arg(&new))?;
        }
        fs::remove_dir_all(&scratch)
            .and_then(|()| fs::rename(&new, &folder))
            .map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let program = ["usr/lib/systemd", "lib/systemd"].map(|at| folder.join(at).join("systemd-coredump"));
    let program = program.into_iter().find(|file| file.is_file()).ok_or("systemd-coredump is not where it was")?;
    let mut own = Vec::new();
    for entry in fs::read_dir(folder.join(LIBRARY)).map_err(|e| format!("{LIBRARY}: {e}"))?.flatten() {
        own.push((Path::new("/").join(LIBRARY).join(entry.file_name()), entry.path()));
    }
    // Without those of this machine's systemd, which may be of another version.
    let mut others = BTreeSet::new();
    for file in own.iter().map(|(_, file)| file).chain([&program]) {
        others.extend(
            libraries(file)?.into_iter().filter(|library| !library.to_string_lossy().contains("libsystemd-shared")),
        );
    }
    own.push((Path::new("/usr/lib/systemd/systemd-coredump").to_owned(), program));
    own.extend(others.into_iter().map(|library| (library.clone(), library)));
    Ok(own)
}
