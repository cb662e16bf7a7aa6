//! A flood of ends while the console is shown: keys are heard, no count is lost, memory stays what it is. It counts its
//! own memory, so it is a process of its own: the test runs this program again in a terminal, with `KHELPER_FLOOD` set.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::control::local::Local;
use khelper::engine::{Engine, Received};
use khelper::sys::signals::Signals;
use khelper::tui::{self, Options};
use nix::sys::signal::Signal;
use pty::{Pty, Start};

const HOW: &str = "KHELPER_FLOOD";
/// Requests that are over at once, and helpers that really run.
const REQUESTS: u64 = 10_000;
const HELPERS: u64 = 600;
const ALL: u64 = REQUESTS + HELPERS;
const KEPT: u64 = 10_000;

/// Anonymous memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("Linux 4.5 or newer");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The console over an engine that is flooded as soon as somebody asks for a module (which is refused: the engine runs
/// below a process of the same program, REQ-12).
fn console() -> u8 {
    let signals = Signals::take(&[Signal::SIGWINCH, Signal::SIGTERM]).unwrap();
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let events = engine.subscribe(1_000);
    let (begun, most) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
    let most_seen = most.clone();
    let flooded = engine.clone();
    thread::spawn(move || {
        while !matches!(events.recv(), Received::Closed) {
            if !begun.swap(true, Ordering::Relaxed) {
                flood(&flooded);
            }
            most_seen.fetch_max(memory(), Ordering::Relaxed);
        }
    });
    let code = tui::run(
        &Local::shared(&engine),
        &signals,
        Options { read_only: false, mouse: false, ascii: false, theme: None },
    );
    println!("anonymous memory {} KiB", most.load(Ordering::Relaxed).max(memory()));
    code
}

fn flood(engine: &Engine) {
    for n in 0..4 {
        let engine = engine.clone();
        thread::spawn(move || {
            for request in 0..(ALL - 1) / 4 + u64::from((ALL - 1) % 4 > n) {
                // Spread over the whole of it.
                if request * HELPERS / ALL != (request + 1) * HELPERS / ALL {
                    let info = SubprocessInfo::setup(Some("/bin/true".into()), ["/bin/true"], HELPER_ENV).unwrap();
                    engine.call_usermodehelper(info, WaitMode::PROC);
                } else {
                    // An empty path: over at once.
                    let args = [format!("m{request}")];
                    let info = SubprocessInfo::setup(Some("".into()), args, HELPER_ENV).unwrap();
                    engine.call_usermodehelper(info, WaitMode::PROC);
                }
            }
        });
    }
}

fn again(columns: u16, rows: u16) -> Pty {
    let test = "keys_are_heard_in_a_flood_and_no_count_is_lost";
    Start::again(columns, rows, test).env(HOW, "1").start()
}

#[test]
fn keys_are_heard_in_a_flood_and_no_count_is_lost() {
    if std::env::var_os(HOW).is_some() {
        let code = console();
        std::process::exit(i32::from(code));
    }
    for (columns, rows) in [(120, 40), (80, 24)] {
        let mut pty = again(columns, rows);
        pty.shows("[engine]");
        pty.press("3", "no requests yet");
        pty.press("m", "Ask for a module");
        pty.send("flood\r");
        pty.hides("Ask for a module");
        // In the midst of it: filters, the cursor, other screens.
        pty.press("/", "/ ");
        pty.press("m1", "/ m1");
        pty.press("\r", "filter m1");
        pty.press("\x1b[B", "not following");
        pty.press("1", "[1 Overview]");
        pty.press("4", "[4 Log]");
        pty.press("3", "[3 Activity]");
        pty.send("/\x1b");
        pty.hides("filter m1");
        let gone = ALL - KEPT;
        let said = [
            format!("{ALL} requests so far, 0 still running, {gone} oldest dropped"),
            format!("{gone} of {ALL} dropped"),
        ];
        pty.until(&said[1], |s| said.iter().any(|words| s.contents().contains(words)));
        pty.shows(&format!("of {KEPT} "));
        // What is kept is all there, by outcome.
        pty.press("o", "every outcome");
        pty.shows(&format!(" {KEPT} "));
        let text = pty.text();
        let counts = text.lines().filter(|line| line.contains("[ ] ")).filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.iter().rev().find_map(|word| word.parse::<u64>().ok())
        });
        let counts: Vec<u64> = counts.collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (13, KEPT), "{text}");
        pty.send("\x1b");
        pty.hides("Show outcomes");
        // The log has every one of the no-ops, folded or told as missing; it says so, and is bounded.
        pty.press("4", "lines");
        pty.send("q");
        assert_eq!(pty.ends(), 0, "{}", pty.text());
        let text = pty.text();
        let (_, rest) = text.split_once("anonymous memory ").expect(&text);
        let memory: u64 = rest.split_whitespace().next().unwrap().parse().unwrap();
        writeln!(std::io::stderr(), "{columns}x{rows}: at most {memory} KiB of anonymous memory").unwrap();
        assert!(memory < 16 * 1024, "{memory} KiB");
    }
}
