//! The shim, which the program carries, is built here. And settings of the linker, for a build on the machine's own C library (glibc):
//! - GCC's unwinder is linked into the programs instead of loading libgcc_s.so.1 at each start: a short command such as
//!   `khelper get` starts in a tenth less time. Where GCC's static unwinder is not found, nothing is changed.
//! - Relocations are packed, which saves 120 kB of the program, if that library can read them: glibc 2.36 or newer. An
//!   older one refuses to start the program, which names `GLIBC_ABI_DT_RELR`. With `KHELPER_OLD_GLIBC=1` in the
//!   environment they are not packed, for a program that is to run on another machine with an older glibc.
//! - The tables for unwinding are left out of the release program, which ends at a panic and has no symbols for a backtrace:
//!   600 kB.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Set by who builds for older systems.
const OLD_GLIBC: &str = "KHELPER_OLD_GLIBC";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={OLD_GLIBC}");
    println!("cargo::rustc-check-cfg=cfg(khelper_shim)");
    shim();
    let cross = env::var_os("HOST") != env::var_os("TARGET");
    if cross || env::var("CARGO_CFG_TARGET_ENV").as_deref() != Ok("gnu") {
        return;
    }
    if env::var_os(OLD_GLIBC).is_none() && glibc().is_some_and(|version| version >= (2, 36)) {
        // A linker that does not know it warns, and goes on without.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let Some(out) = env::var_os("OUT_DIR") else { return };
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        no_unwinding(Path::new(&out));
    }
    if let Some(unwinder) = unwinder() {
        // std asks the linker for gcc_s; this linker script is found before the shared library.
        let script = format!("GROUP ( \"{}\" )\n", unwinder.display());
        if fs::write(Path::new(&out).join("libgcc_s.so"), script).is_ok() {
            println!("cargo::rustc-link-search=native={}", Path::new(&out).display());
        }
    }
}

/// Has the linker leave out the tables for unwinding: a linker script that is added to its own.
fn no_unwinding(out: &Path) {
    let script = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame.*) *(.gcc_except_table) *(.gcc_except_table.*) } }\n\
                  INSERT AFTER .text;\n";
    let path = out.join("no-unwinding.ld");
    if fs::write(&path, script).is_ok() {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", path.display());
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}

/// The static unwinder of the C compiler that links Rust programs.
fn unwinder() -> Option<PathBuf> {
    let answer = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim());
    // GCC prints the bare name of a file that it does not have.
    (path.is_absolute() && path.is_file()).then_some(path)
}

/// The version of this machine's glibc: getconf(1) prints `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let answer = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Builds the shim where the program can use it. Elsewhere it is absent, and `khelper shim install` says so.
fn shim() {
    println!("cargo::rerun-if-changed=shim");
    for part in ["compiled", "shim", "verdict", "wildcard"] {
        println!("cargo::rerun-if-changed=src/abi/{part}.rs");
    }
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let known = ["x86_64", "aarch64"].contains(&&*variable("CARGO_CFG_TARGET_ARCH"));
    // The documentation's builder shows the library alone.
    if !known || variable("CARGO_CFG_TARGET_OS") != "linux" || env::var_os("DOCS_RS").is_some() {
        return;
    }
    if env::var_os("CARGO_FEATURE_CONTROL").is_none() {
        return;
    }
    let (Some(rustc), Some(out)) = (env::var_os("RUSTC"), env::var_os("OUT_DIR")) else { return };
    let mut compiler = Command::new(rustc);
    compiler.args(["shim/main.rs", "--edition=2024", "--crate-name=khelper_shim", "--crate-type=bin"]);
    compiler.args(["--target", &variable("TARGET"), "-o"]).arg(Path::new(&out).join("shim"));
    // One object without position-independent code: there is nothing to relocate, and no page of it is written.
    let options =
        ["opt-level=z", "panic=abort", "relocation-model=static", "codegen-units=1", "lto=fat", "strip=symbols"];
    options.iter().for_each(|option| _ = compiler.args(["-C", option]));
    // musl's start files come with Rust, and the shim has its own start.
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        compiler.args(["-C", "link-self-contained=no"]);
    }
    let linker = env::var_os("RUSTC_LINKER");
    // A C compiler links, or the linker itself does, such as rust-lld for another architecture.
    let linking: &[&str] = match &linker {
        Some(linker) if linker.as_encoded_bytes().ends_with(b"ld") => {
            &["-static", "--build-id=none", "-znorelro", "-znoexecstack"]
        }
        _ => &["-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none,-z,norelro,-z,noexecstack"],
    };
    linking.iter().for_each(|argument| _ = compiler.arg(format!("-Clink-arg={argument}")));
    if let Some(linker) = linker {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        compiler.arg("-C").arg(option);
    }
    match compiler.status() {
        Ok(status) if status.success() => println!("cargo::rustc-cfg=khelper_shim"),
        other => println!("cargo::error=the shim cannot be built: {other:?}"),
    }
}
