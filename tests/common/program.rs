//! Programs that a test writes and executes.
//!
//! Another process writes them: a child that another thread starts meanwhile would inherit a descriptor that is open for
//! writing until its execve(2), and executing the file would fail with ETXTBSY. To rename the file does not help.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a new file that can be executed, with the mode 0755.
pub fn write_program(path: &Path, bytes: impl AsRef<[u8]>) {
    // The old one may still be executed.
    let _ = std::fs::remove_file(path);
    let mut tee = Command::new("/usr/bin/tee");
    let mut tee = tee.arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    tee.stdin.take().unwrap().write_all(bytes.as_ref()).unwrap();
    assert!(tee.wait().unwrap().success());
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}
