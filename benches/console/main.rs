//! `cargo bench --bench console [-- PROGRAM [ARG]... [, PROGRAM [ARG]...]...]` measures the console and other terminal
//! programs in turn: the time to the first frame and from a key to the screen, CPU and output while idle, memory, and the
//! size of the program. A comma as a separate argument separates the programs. Without arguments it measures the console
//! only. Then it measures the memory of the console with 10,000 records, and presses 1,000 keys in it while 50 callers
//! start helpers as fast as they can; `-- --flood [CALLERS]` does the last alone.
//!
//! Each program runs in a pseudo-terminal of 120 by 40, which answers queries as xterm does.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod flood;
mod measure;
mod pty;
mod records;

use std::ffi::{OsStr, OsString};

use measure::{Figures, measure};

/// How often each program is measured.
const RUNS: usize = 7;

fn main() {
    let given: Vec<OsString> = std::env::args_os().skip(1).filter(|a| a != "--bench").collect();
    let home = tempfile::tempdir().unwrap();
    if given.first().is_some_and(|first| first == "--flood") {
        return flood::flood(home.path(), given.get(1).and_then(|n| n.to_str()?.parse().ok()));
    }
    let mut programs: Vec<Vec<OsString>> = vec![vec![env!("CARGO_BIN_EXE_khelper").into()]];
    programs.extend(given.split(|a| a == ",").filter(|p| !p.is_empty()).map(<[OsString]>::to_vec));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!("{cores} cores, Linux {}; medians of {RUNS} runs, (low quartile to high quartile)", kernel.trim());
    println!(
        "{:<18} {:>22} {:>22} {:>10} {:>12} {:>22} {:>8} {:>10}",
        "program", "first frame ms", "key ms", "idle CPU %", "idle bytes/s", "RSS KiB at start", "threads", "bytes"
    );
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); programs.len()];
    for _ in 0..RUNS {
        for (figures, program) in all.iter_mut().zip(&programs) {
            figures.push(measure(program, home.path()));
        }
    }
    for (program, figures) in programs.iter().zip(&all) {
        let name = std::path::Path::new(&program[0]).file_name().unwrap_or_default().to_string_lossy().into_owned();
        print_row(&name, figures, size(&program[0]));
    }
    records::records(home.path());
    flood::flood(home.path(), None);
}

/// The size of a program's file; NaN if it is not found.
fn size(program: &OsStr) -> f64 {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
    files.find_map(|file| Some(std::fs::metadata(file).ok()?.len() as f64)).unwrap_or(f64::NAN)
}

fn print_row(name: &str, figures: &[Figures], bytes: f64) {
    let of = |what: fn(&Figures) -> f64| quartiles(figures.iter().map(what).collect());
    let spread = |[low, median, high]: [f64; 3]| format!("{median:.2} ({low:.2} to {high:.2})");
    let whole = |[low, median, high]: [f64; 3]| format!("{median:.0} ({low:.0} to {high:.0})");
    println!(
        "{name:<18} {:>22} {:>22} {:>10.3} {:>12.1} {:>22} {:>8.0} {bytes:>10.0}",
        spread(of(|f| f.first_frame_ms)),
        spread(of(|f| f.key_ms)),
        of(|f| f.idle_cpu_percent)[1],
        of(|f| f.idle_bytes_per_s)[1],
        whole(of(|f| f.rss_kib)),
        of(|f| f.threads)[1],
    );
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|q| values[(values.len() - 1) * q / 4])
}
