//! `cargo bench --bench launch` measures a launch by the engine, with narrowed capabilities, captured output and a
//! record, and compares it with a bare vfork + execve + wait4 in C and with std's `Command::output`. Each subject is a
//! separate process, so that subjects share no memory and no descriptors. The subjects alternate, and the bench prints
//! ratios: first of pairs of short runs, engine to `Command` and engine to C, with the 95 % interval of the median;
//! then of whole rounds to the C program of the same round, with quartiles. Absolute times mean little on a machine
//! that does other work.
//!
//! `-- pairs` prints only the pairs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod drive;
mod subject;

use std::path::{Path, PathBuf};
use std::process::Command;

use drive::{Driven, Row, paired, ratio_rows};

/// The number of rounds, in each of which every subject runs.
const ROUNDS: usize = 15;
/// The number of pairs of runs.
const PAIRS: usize = 240;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--subject") {
        return subject::serve(&args[at + 1], &args[at + 2], &args[at + 3]);
    }
    let dir = std::env::temp_dir().join(format!("khelper-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (bare, tiny) = build(&dir);
    // An engine below a process of the same executable refuses (REQ-12), so the subjects run a copy.
    let subject = dir.join("subject");
    std::fs::copy(std::env::current_exe().unwrap(), &subject).unwrap();
    println!("{}", machine());
    for helper in [tiny.as_path(), Path::new("/bin/true")] {
        pairs(&bare, &subject, helper);
    }
    if args.iter().any(|a| a == "pairs") {
        std::fs::remove_dir_all(&dir).unwrap();
        return;
    }
    for helper in [tiny.as_path(), Path::new("/bin/true")] {
        let launches = if helper == tiny { 400 } else { 200 };
        compare(&bare, &subject, helper, launches);
    }
    flat(&subject, &tiny);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Compiles the reference and the tiny static helper with the C compiler of this machine.
fn build(dir: &Path) -> (PathBuf, PathBuf) {
    let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/launch").join(name);
    let cc = |out: &str, flags: &[&str], name: &str| {
        let out = dir.join(out);
        let built = Command::new("cc").args(flags).arg("-o").arg(&out).arg(source(name)).status();
        assert!(built.is_ok_and(|s| s.success()), "a C compiler is needed (cc)");
        out
    };
    let bare = cc("bare", &["-O2", "-pthread"], "bare.c");
    let tiny = cc("tiny", &["-O2", "-static", "-nostdlib", "-ffreestanding"], "tiny.c");
    (bare, tiny)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, Linux {}", kernel.trim())
}

/// The engine against `Command::output` and against C, one at a time and 50 outstanding.
fn pairs(bare: &Path, subject: &Path, helper: &Path) {
    let engine = Driven::subject(subject, "engine", helper, "plain");
    let others = [Driven::subject(subject, "command", helper, "plain"), Driven::bare(bare, helper)];
    // Enough launches at once that the first workers are reused for the last launches.
    for (outstanding, launches) in [(1, 20), (50, 600)] {
        let title = format!("{}, {outstanding} outstanding", helper.file_name().unwrap().to_string_lossy());
        for other in &others {
            paired(&title, &engine, other, launches, outstanding, PAIRS).print();
        }
    }
}

/// Compares with the reference: one launch at a time, and 50 outstanding.
fn compare(bare: &Path, subject: &Path, helper: &Path, launches: usize) {
    let yardstick = Driven::bare(bare, helper);
    let mut subjects = vec![Driven::bare_on_one_thread(bare, helper)];
    subjects.extend(["engine", "command", "pre_exec"].map(|kind| Driven::subject(subject, kind, helper, "plain")));
    for outstanding in [1, 50] {
        let launches = if outstanding > 1 { launches * 5 } else { launches };
        let title = format!("{}, {outstanding} outstanding", helper.file_name().unwrap().to_string_lossy());
        ratio_rows(&title, &yardstick, &subjects, launches, outstanding, ROUNDS).iter().for_each(Row::print);
    }
}

/// Compares the engine with 1 GiB of resident memory, and with 10,000 open files, with the engine without either.
fn flat(subject: &Path, tiny: &Path) {
    let small = Driven::subject(subject, "engine", tiny, "plain");
    let large = ["resident", "files"].map(|burden| Driven::subject(subject, "engine", tiny, burden));
    ratio_rows("tiny, 1 outstanding, to the small engine", &small, &large, 400, 1, ROUNDS).iter().for_each(Row::print);
}
