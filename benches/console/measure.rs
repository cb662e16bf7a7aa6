//! One run of one program.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::pty::Program;

/// A burst of output ends after this long without output.
const SILENCE: Duration = Duration::from_millis(60);
/// A first frame has at least this many characters.
const FRAME_CELLS: usize = 200;
/// The number of keys pressed, a quarter of a second apart.
const KEYS: usize = 9;
/// How long the idle program is measured.
const IDLE: Duration = Duration::from_secs(3);

/// The results of one run.
#[derive(Clone, Debug)]
pub struct Figures {
    /// From exec to the end of the first burst that paints a screen.
    pub first_frame_ms: f64,
    /// From a key to the first byte of output after it: the median of the run.
    pub key_ms: f64,
    /// In percent of one core, children included.
    pub idle_cpu_percent: f64,
    pub idle_bytes_per_s: f64,
    pub rss_kib: f64,
    pub threads: f64,
}

pub fn measure(argv: &[OsString], home: &Path) -> Figures {
    let program = Program::start(argv, home);
    let first_frame_ms = first_frame(&program);
    program.watch(Duration::from_millis(700));
    let (rss_kib, threads) = (status(&program, "VmRSS:"), status(&program, "Threads:"));
    let key_ms = key(&program, argv[0] == env!("CARGO_BIN_EXE_khelper"));
    program.watch(Duration::from_millis(500));
    let (cpu, from) = (cpu_ns(&program), Instant::now());
    let bytes = program.watch(IDLE);
    let wall = from.elapsed().as_secs_f64();
    Figures {
        first_frame_ms,
        key_ms,
        idle_cpu_percent: (cpu_ns(&program) - cpu) / 1e7 / wall,
        idle_bytes_per_s: bytes as f64 / wall,
        rss_kib,
        threads,
    }
}

fn first_frame(program: &Program) -> f64 {
    let mut screen = vt100::Parser::new(40, 120, 0);
    loop {
        let (bytes, last) = program.settle(SILENCE, Duration::from_secs(1));
        screen.process(&bytes);
        if screen.screen().contents().chars().filter(|c| !c.is_whitespace()).count() >= FRAME_CELLS {
            return (last - program.started).as_secs_f64() * 1e3;
        }
        assert!(
            program.started.elapsed() < Duration::from_secs(10),
            "no frame in 10 s (is the program installed and in PATH?):\n{}",
            screen.screen().contents()
        );
    }
}

/// Presses down and up in turn, which work in every list, and measures the time to the first byte of output. For
/// khelper it presses tab, which draws a whole screen and so more.
fn key(program: &Program, tabs: bool) -> f64 {
    let keys: [&[u8]; 2] = if tabs { [b"\t"; 2] } else { [b"\x1b[B", b"\x1b[A"] };
    let mut times = Vec::new();
    for key in keys.iter().cycle().take(KEYS) {
        program.watch(Duration::from_millis(100));
        let from = Instant::now();
        program.write(key);
        // A key without output is not counted.
        if program.read(Duration::from_millis(1500)).is_some() {
            times.push(from.elapsed().as_secs_f64() * 1e3);
        }
        program.watch(Duration::from_millis(150));
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU time of the process, ended threads included, and of the children that it waited for, in nanoseconds.
fn cpu_ns(program: &Program) -> f64 {
    let clock = nix::time::clock_getcpuclockid(program.pid).unwrap();
    let own = clock.now().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.pid)).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // proc_pid_stat(5): cutime and cstime are fields 16 and 17, in ticks; the state is field 3.
    let children: f64 = fields.split_whitespace().skip(13).take(2).map(|n| n.parse::<f64>().unwrap()).sum();
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap();
    own.tv_sec() as f64 * 1e9 + own.tv_nsec() as f64 + children * 1e9 / ticks as f64
}

/// A number in /proc/PID/status, for example that of `VmRSS:`.
pub fn status(program: &Program, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid)).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
