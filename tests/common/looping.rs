//! A daemon whose modprobe asks again through its socket: `assets/demo/asking`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use super::common::Dir;

/// A folder for a daemon with the demo `asking` as modprobe, which finds the program and the socket beside it.
pub fn folder(era: &str, limit: u32) -> Dir {
    let dir = Dir::new();
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/asking");
    let asking = dir.script("asking", &std::fs::read_to_string(demo).unwrap());
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_khelper"), dir.path().join("khelper")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("s"), dir.path().join("khelper.sock")).unwrap();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    let text = format!("kernel.modprobe = {asking}\nkhelper.max_concurrent = {limit}\nkhelper.era = {era}\n");
    std::fs::write(dir.path().join("config/10.conf"), text).unwrap();
    dir
}

/// `1-of-3 → 2-of-3 → 3-of-3 → 1-of-3`.
pub fn loop_of(length: usize) -> String {
    let names: Vec<String> = (0..=length).map(|at| format!("{}-of-{length}", at % length + 1)).collect();
    names.join(" → ")
}

/// How many processes have the folder in their arguments, the daemon not counted.
pub fn processes(dir: &Dir) -> usize {
    let mine = format!("{}/", dir.path().display()).into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        is_process && !line.windows(5).any(|w| w == b"serve") && line.windows(mine.len()).any(|w| w == mine)
    });
    processes.count()
}
