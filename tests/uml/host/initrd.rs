//! The first file system of a machine: this executable, the program, their libraries, the helper.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::Machine;
use crate::archive::{Archive, FILE, FOLDER, PROGRAM, libraries};
use crate::guest::stub::settings;
use crate::guest::{HELPER, KHELPER, OWN, TOOLS};

/// Where `khelper shim install` puts it.
const SHIM: &str = "/usr/local/lib/khelper/shim";
const FOLDERS: [&str; 10] = ["dev", "proc", "sys", "tmp", "vm", "sbin", "cg", "usr", "run", "etc"];
/// The kernel looks for these two by themselves.
const BY_DEFAULT: [&str; 2] = ["/sbin/modprobe", "/sbin/request-key"];

pub fn build(to: &Path, scratch: &Path, machine: &Machine, more: &[(PathBuf, PathBuf)]) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", to.display());
    let helper = scratch.join("helper");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/uml/helper.c");
    let built = Command::new("cc").args(["-O1", "-static", "-Wall", "-o"]).arg(&helper).arg(source).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("cc could not build the helper".to_owned());
    }
    let own = small(&std::env::current_exe().map_err(wrong)?, scratch, "own");
    let program = small(Path::new(env!("CARGO_BIN_EXE_khelper")), scratch, "khelper");
    let mut archive = Archive::default();
    FOLDERS.iter().for_each(|folder| archive.entry(folder, FOLDER, b""));
    let mut needed = BTreeSet::new();
    let tools = machine.tools();
    for file in [&own, &program].into_iter().chain(&tools) {
        needed.extend(libraries(file)?);
    }
    let mut programs: BTreeMap<PathBuf, PathBuf> =
        needed.into_iter().map(|file: PathBuf| (file.clone(), file)).collect();
    programs.extend(more.iter().cloned());
    for (at, file) in programs {
        archive.parents(&at);
        archive.file(&at, &file, PROGRAM)?;
    }
    // The kernel looks for `/init`; the link to it is what else is started.
    archive.file(Path::new(OWN), &own, PROGRAM)?;
    archive.file(Path::new(KHELPER), &program, PROGRAM)?;
    for at in BY_DEFAULT.iter().chain([&HELPER]) {
        archive.file(Path::new(at), &helper, PROGRAM)?;
    }
    let in_tools = |file: &PathBuf| Path::new(TOOLS).join(file.file_name().unwrap_or_default());
    let tools = tools.into_iter().map(|file| (in_tools(&file), file, PROGRAM));
    let modules = machine.modules()?.into_iter().map(|(at, file)| (at, file, FILE));
    for (at, file, mode) in tools.chain(modules) {
        archive.parents(&at);
        archive.file(&at, &file, mode)?;
    }
    // For machines that start with it. A build without a shim has none of them.
    if let Some(shim) = khelper::control::shim::program(&settings(false)) {
        archive.parents(Path::new(SHIM));
        archive.entry(&SHIM[1..], PROGRAM, &shim);
    }
    std::fs::write(to, archive.end()).map_err(wrong)
}

/// A copy without what only a debugger needs, where strip(1) is at hand: a machine starts sooner with it.
fn small(program: &Path, scratch: &Path, name: &str) -> PathBuf {
    let copy = scratch.join(name);
    let stripped = Command::new("strip").arg("-o").arg(&copy).arg(program).status();
    if stripped.is_ok_and(|status| status.success()) { copy } else { program.to_owned() }
}
