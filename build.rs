//! Links GCC's unwinder into the programs instead of loading libgcc_s.so.1 at each start: a short command such as
//! `khelper get` starts in a tenth less time. Where GCC's static unwinder is not found, nothing is changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let cross = env::var_os("HOST") != env::var_os("TARGET");
    if cross || env::var("CARGO_CFG_TARGET_ENV").as_deref() != Ok("gnu") {
        return;
    }
    if let (Some(unwinder), Some(out)) = (unwinder(), env::var_os("OUT_DIR")) {
        // std asks the linker for gcc_s; this linker script is found before the shared library.
        let script = format!("GROUP ( \"{}\" )\n", unwinder.display());
        if fs::write(Path::new(&out).join("libgcc_s.so"), script).is_ok() {
            println!("cargo::rustc-link-search=native={}", Path::new(&out).display());
        }
    }
}

/// The static unwinder of the C compiler that links Rust programs.
fn unwinder() -> Option<PathBuf> {
    let answer = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim());
    // GCC prints the bare name of a file that it does not have.
    (path.is_absolute() && path.is_file()).then_some(path)
}
