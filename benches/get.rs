//! `cargo bench --bench get` measures reading one knob as a whole process: `khelper get` of a daemon, beside
//! `sysctl(8)` of one key and a program that does nothing, in turn. The goal is at most 1.25 times sysctl.
#![expect(clippy::expect_used, reason = "a bench that cannot go on ends")]

#[path = "../tests/common/daemon.rs"]
mod daemon;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each program is run.
const RUNS: usize = 500;

fn main() {
    let daemon = daemon::Daemon::start();
    let target = daemon.target();
    let programs: [&[&str]; 3] = [
        &[env!("CARGO_BIN_EXE_khelper"), "--target", &target, "get", "khelper.era"],
        &["/usr/sbin/sysctl", "kernel.ostype"],
        &["/bin/true"],
    ];
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..RUNS {
        for (times, program) in times.iter_mut().zip(programs) {
            times.push(run(program));
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!(
        "{cores} cores, Linux {}; {RUNS} runs each of khelper get, sysctl and true, in turn; ms: low quartile, median, high quartile",
        kernel.trim()
    );
    let medians = times.map(|mut times| {
        times.sort();
        let at = |quarter: usize| times[times.len() * quarter / 4].as_secs_f64() * 1e3;
        println!("{:.2} {:.2} {:.2}", at(1), at(2), at(3));
        at(2)
    });
    println!("the ratio of khelper get to sysctl: {:.2}", medians[0] / medians[1]);
}

/// The time from the start of a program to its end.
fn run(program: &[&str]) -> Duration {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let status = command.status().expect("the program starts");
    let took = begin.elapsed();
    assert!(status.success(), "{program:?}");
    took
}
