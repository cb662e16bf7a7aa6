//! Finds user-mode Linux.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::Machine;

/// How to get it.
const HOW: &str = "tests/uml/build makes it, once";

/// The kernel that tests/uml/build made, if it is the one that it says it made, from this configuration.
pub fn find() -> Result<Machine, String> {
    let folder = folder();
    let linux = folder.join("linux");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned());
    let Ok(wanted) = read("version") else {
        return Err(format!("no user-mode Linux in {}: {HOW}", folder.display()));
    };
    let said = Command::new(&linux).arg("--version").output().map_err(|e| format!("{}: {e}", linux.display()))?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if said != wanted {
        return Err(format!("{} is Linux {said}, and not {wanted}: remove its folder; {HOW}", linux.display()));
    }
    let fragment = include_str!("../config").trim();
    if read("config").ok().as_deref() != Some(fragment) {
        return Err(format!("{} was built from another tests/uml/config: {HOW}", linux.display()));
    }
    Ok(Machine::Uml { version: said, folder })
}

fn folder() -> PathBuf {
    let set = std::env::var_os("KHELPER_UML").filter(|value| !value.is_empty());
    // The tests' folder for temporary files is `tmp` of the build folder.
    set.map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("uml"), PathBuf::from)
}
