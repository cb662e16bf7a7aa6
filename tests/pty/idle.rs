//! When nothing happens nothing is done: every thread sits in a call without a time-out.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::pty::Start;

/// Whether the thread sleeps in `poll` or `futex` with no end to it; `None` if this machine does not tell.
fn sleeps_for_good(task: &Path) -> Option<bool> {
    let call = match fs::read_to_string(task.join("syscall")) {
        Ok(call) => call,
        // The kernel does not have the file, or not for us; a thread that has just ended has no folder any more.
        Err(_) if task.exists() => return None,
        Err(_) => return Some(false),
    };
    // `running`, or the number of the call and its arguments in hexadecimal.
    let mut words = call.split_whitespace();
    let Some(number) = words.next().and_then(|n| n.parse::<libc::c_long>().ok()) else { return Some(false) };
    let arguments: Vec<u64> = words.filter_map(|w| u64::from_str_radix(w.strip_prefix("0x")?, 16).ok()).collect();
    // futex: the address of a time is the fourth; poll: milliseconds are the third, and an int.
    let waits = match number {
        libc::SYS_futex => arguments.get(3) == Some(&0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => arguments.get(2).is_some_and(|ms| *ms as u32 == u32::MAX),
        // Where there is only ppoll the address of a time is the third.
        libc::SYS_ppoll => arguments.get(2) == Some(&0),
        _ => false,
    };
    Some(waits)
}

#[test]
fn an_idle_console_only_sleeps() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows("embedded engine (pid ");
    let tasks = format!("/proc/{}/task", pty.pid());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let all: Vec<_> = fs::read_dir(&tasks).unwrap().map(|t| sleeps_for_good(&t.unwrap().path())).collect();
        if all.contains(&None) {
            writeln!(std::io::stderr(), "skipped: the kernel does not tell what a thread waits in").unwrap();
            return;
        }
        if all.len() > 1 && all.iter().all(|t| *t == Some(true)) {
            break;
        }
        assert!(Instant::now() < deadline, "some thread goes on waking up");
        thread::yield_now();
    }
    pty.send("q");
    assert_eq!(pty.ends(), 0);
}
