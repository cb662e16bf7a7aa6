//! The console while helpers end as fast as this machine allows: the time from a key to its screen, whether every count
//! is exact, and memory.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::measure::status;
use super::pty::Program;

/// The keys that are pressed in the flood, and before it.
const KEYS: usize = 1000;
const CALM: usize = 100;
/// How much longer the flood is made than the keys take at the rate that was measured before.
const LONGER: f64 = 1.5;
/// The default number of callers.
const CALLERS: u64 = 50;
/// The first requests, which measure this machine's rate and fill the list of kept records.
const FIRST: u64 = 20_000;
/// The time between two keys; a fast typist takes three times as long.
const BETWEEN: Duration = Duration::from_millis(40);
/// The keys pressed in turn, and the text that the screen then shows.
const SCREENS: [(&str, &str); 4] = [("1", "[1 Overview]"), ("3", "[3 Activity]"), ("4", "[4 Log]"), ("2", "[2 Masks]")];

pub fn flood(home: &Path, callers: Option<u64>) {
    let callers = callers.unwrap_or(CALLERS);
    let tiny = tiny(home);
    let mut modprobe = OsString::from("kernel.modprobe=");
    modprobe.push(&tiny);
    let mut console = Watched::start(&[env!("CARGO_BIN_EXE_khelper").into(), "--set".into(), modprobe], home);
    let (calm, _) = console.keys(CALM);
    let first = FIRST / callers * callers;
    console.ask(callers, first);
    let began = Instant::now();
    console.shows(&said(first));
    let rate = first as f64 / began.elapsed().as_secs_f64();
    let asked = (rate * LONGER * BETWEEN.as_secs_f64() * KEYS as f64) as u64 / callers * callers;
    let before = status(&console.program, "VmRSS:");
    console.ask(callers, asked);
    let began = Instant::now();
    let (keys, echoes) = console.keys(KEYS);
    let lasted = began.elapsed().as_secs_f64();
    console.show("3", "[3 Activity]");
    let is_over = console.has(&said(first + asked));
    console.shows(&said(first + asked));
    let took = began.elapsed().as_secs_f64();
    println!("the tiny static helper, {callers} at a time, the console in a terminal of 120 by 40:");
    println!("{asked} asked, {asked} ended and counted, in {took:.1} s: {:.0} a second", asked as f64 / took);
    println!("a key to its screen, ms: {}; before it: {}", spread(keys), spread(calm));
    println!("a line to its answer by cat(1) in another terminal at the same time, ms: {}", spread(echoes));
    if is_over {
        println!("the flood ended before the last key, which came after {lasted:.1} s: the keys were not all in it");
    }
    let (after, peak) = (status(&console.program, "VmRSS:"), status(&console.program, "VmHWM:"));
    println!("resident KiB: with {first} asked {before:.0}, after all {after:.0}, at most {peak:.0}");
    println!("the screen says: {}", console.line(&said(first + asked)));
}

/// The line on the Activity screen when `all` requests were made and have ended.
fn said(all: u64) -> String {
    format!("{all} requests so far, 0 still running")
}

fn spread(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{} keys, median {:.1}, p99 {:.1}, at most {:.1}", times.len(), at(50), at(99), at(100))
}

/// Compiles the tiny helper with the C compiler of this machine.
fn tiny(home: &Path) -> PathBuf {
    let (source, program) = (home.join("tiny.c"), home.join("tiny"));
    fs::write(&source, include_str!("../launch/tiny.c")).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-o"]).args([&program, &source]);
    assert!(cc.status().unwrap().success(), "cc");
    program
}

/// The time from a line to cat's answer, which follows the terminal's own echo.
fn answered(cat: &Program) -> Duration {
    let began = Instant::now();
    cat.write(b"x\n");
    let mut seen = 0;
    while seen < 2 {
        let bytes = cat.read(Duration::from_secs(60)).unwrap_or_else(|| panic!("cat does not answer"));
        seen += bytes.iter().filter(|byte| **byte == b'x').count();
    }
    began.elapsed()
}

/// The console, and the screen of its terminal.
pub(super) struct Watched {
    pub(super) program: Program,
    screen: vt100::Parser,
}

impl Watched {
    pub(super) fn start(argv: &[OsString], home: &Path) -> Self {
        let mut console = Self { program: Program::start(argv, home), screen: vt100::Parser::new(40, 120, 0) };
        console.shows("[1 Overview]");
        console
    }

    pub(super) fn shows(&mut self, what: &str) {
        while !self.has(what) {
            let Some(bytes) = self.program.read(Duration::from_secs(60)) else {
                panic!("waited for `{what}`; the screen:\n{}", self.screen.screen().contents())
            };
            self.screen.process(&bytes);
        }
    }

    fn has(&self, what: &str) -> bool {
        self.screen.screen().contents().contains(what)
    }

    pub(super) fn show(&mut self, key: &str, what: &str) {
        self.program.write(key.as_bytes());
        self.shows(what);
    }

    /// Makes `requests` module requests with the console's command line: one command for each caller, which makes its
    /// requests one after another.
    fn ask(&mut self, callers: u64, requests: u64) {
        self.show("3", "[3 Activity]");
        for _ in 0..callers {
            self.program.write(format!(":request --repeat {} flood\r", requests / callers).as_bytes());
        }
    }

    /// The time from each key to its screen, in milliseconds, and what cat(1) takes in turn: terminals, pipes and threads
    /// wait for the machine too.
    fn keys(&mut self, count: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut times, mut echoes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let cat = Program::start(&["cat".into()], Path::new("/"));
        for (key, what) in SCREENS.iter().cycle().take(count) {
            let pressed = Instant::now();
            self.show(key, what);
            times.push(pressed.elapsed().as_secs_f64() * 1e3);
            echoes.push(answered(&cat).as_secs_f64() * 1e3);
            while let Some(left) = BETWEEN.checked_sub(pressed.elapsed()) {
                let Some(bytes) = self.program.read(left) else { break };
                self.screen.process(&bytes);
            }
        }
        (times, echoes)
    }

    fn line(&self, with: &str) -> String {
        self.screen.screen().contents().lines().find(|line| line.contains(with)).unwrap_or_default().trim().to_owned()
    }
}
