//! The watch on this machine's kernel, at full speed: a private hierarchy of cgroups makes the kernel start helpers,
//! and what the watch says is compared with what the requesting threads and the helpers themselves recorded.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hierarchy;
mod watcher;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hierarchy::{Asked, Hierarchy};
use watcher::{Seen, Watcher};

/// One at a time: every watch sees the helpers of all tests.
static ALONE: Mutex<()> = Mutex::new(());

fn note(words: &str) {
    // In one write: the test runner writes its own lines in between.
    let _ = std::io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// A hierarchy and a watch, or says why there are none.
fn begin() -> Option<(MutexGuard<'static, ()>, Hierarchy, Watcher)> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let both = Hierarchy::new().and_then(|hierarchy| Ok((hierarchy, Watcher::start()?)));
    match both {
        Ok((hierarchy, watcher)) => Some((alone, hierarchy, watcher)),
        Err(why) => {
            note(&format!("skipped: {why}"));
            None
        }
    }
}

/// Not a test of its own: the other process of the tests below.
#[test]
fn watcher_process() {
    if std::env::var_os(watcher::PROCESS).is_some() {
        watcher::process();
    }
}

fn end_of(number: usize) -> (String, i32) {
    match number % 5 {
        0 => ("k9".to_owned(), 9),
        1 => ("e0".to_owned(), 0),
        _ => (format!("e{}", number % 251), i32::try_from(number % 251).unwrap() << 8),
    }
}

/// The observations of our agents, by pid; a pid that comes twice is checked by its order.
fn of_agent<'a>(seen: &'a [Seen], hierarchy: &Hierarchy) -> Vec<&'a Seen> {
    let agent = hierarchy.agent();
    seen.iter().filter(|seen| seen.file == agent.to_str().unwrap()).collect()
}

/// Compares every observation with the records. Returns how many requesters are known, and how many uids and arguments.
fn compare(seen: &[&Seen], noted: &[(i32, usize)], asked: &HashMap<usize, Asked>) -> [usize; 4] {
    let mut by_pid: HashMap<i32, Vec<usize>> = HashMap::new();
    noted.iter().for_each(|(pid, number)| by_pid.entry(*pid).or_default().push(*number));
    let mut counts = [0; 4];
    for seen in seen {
        let numbers = by_pid.get(&seen.pid).unwrap_or_else(|| panic!("no agent had this pid: {seen:?}"));
        let fits = |number: &usize| {
            let asked = asked[number];
            let (by, for_what) =
                (asked.tid == seen.tid, seen.cause == "release_agent" && seen.module == (0, "\"\"".to_owned()));
            asked.status == seen.status && (seen.tid == 0 || seen.doubtful || (by && for_what))
        };
        let at = numbers.iter().position(fits);
        let at = at.unwrap_or_else(|| {
            panic!("{seen:?} is none of {:?}", numbers.iter().map(|n| (n, asked[n])).collect::<Vec<_>>())
        });
        by_pid.get_mut(&seen.pid).unwrap().remove(at);
        counts[0] += usize::from(seen.tid != 0 && !seen.doubtful);
        counts[1] += usize::from(seen.uid == 0);
        counts[2] += usize::from(seen.argv);
        counts[3] += usize::from(seen.executed == "yes");
    }
    counts
}

#[test]
fn no_helper_is_missed_at_full_speed_and_every_status_and_requester_is_right() {
    const HELPERS: usize = 4000;
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let (before, began) = (watcher.costs(), Instant::now());
    let asked = hierarchy.start(0, HELPERS, 4, end_of);
    let took = began.elapsed();
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == HELPERS);
    let costs = watcher.costs();
    let counts = watcher.end(&mut seen, &mut lost);
    let ours = of_agent(&seen, &hierarchy);
    let [requesters, uids, arguments, executed] = compare(&ours, &hierarchy.noted(), &asked);
    let cpu = costs.0.saturating_sub(before.0);
    note(&format!(
        "{HELPERS} helpers, {:.0} a second: {} seen, requester {requesters}, uid {uids}, argv {arguments}; CPU {:.3} ms a helper, \
         resident {} KiB, at most {} KiB; {counts}",
        HELPERS as f64 / took.as_secs_f64(),
        ours.len(),
        cpu.as_secs_f64() * 1000.0 / HELPERS as f64,
        costs.1,
        costs.2,
    ));
    assert_eq!((ours.len(), requesters, executed, lost), (HELPERS, HELPERS, HELPERS, 0));
}

#[test]
fn an_idle_watch_costs_next_to_nothing() {
    let Some((_alone, _hierarchy, watcher)) = begin() else { return };
    let before = watcher.costs();
    // Time is what is measured here; nothing waits for it.
    std::thread::sleep(Duration::from_secs(10));
    let after = watcher.costs();
    note(&format!("idle for 10 s: {} ms of CPU, resident {} KiB", (after.0 - before.0).as_millis(), after.1));
}

/// The watcher is stopped until both kinds of buffers overrun.
#[test]
fn a_loss_is_told_exactly_and_every_end_still_appears() {
    const HELPERS: usize = 10_000;
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    // On one CPU, so that its buffer overruns however many there are. The threads below inherit this.
    let mut cpus = nix::sched::CpuSet::new();
    cpus.set(nix::sched::sched_getcpu().unwrap()).unwrap();
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &cpus).unwrap();
    let (mut seen, mut lost) = (Vec::new(), 0);
    let mut asked = hierarchy.start(0, 100, 4, end_of);
    watcher.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == 100);
    signal(watcher.pid(), nix::sys::signal::Signal::SIGSTOP);
    asked.extend(hierarchy.start(100, HELPERS, 24, end_of));
    // All agents have ended or are about to: each has noted its pid.
    until(|| hierarchy.noted().len() == HELPERS);
    signal(watcher.pid(), nix::sys::signal::Signal::SIGCONT);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= HELPERS);
    asked.extend(hierarchy.start(HELPERS, HELPERS + 100, 4, end_of));
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= HELPERS + 100);
    let counts = watcher.end(&mut seen, &mut lost);
    let noted = hierarchy.noted();
    let agents: Vec<&Seen> = seen.iter().filter(|seen| noted.iter().any(|(pid, _)| *pid == seen.pid)).collect();
    let [requesters, .., executed] = compare(&agents, &noted, &asked);
    let may_be_none = seen.iter().filter(|seen| seen.may_be_none).count();
    note(&format!(
        "{lost} events lost, {may_be_none} ends without a known parent, {} of {} requesters known, {executed} executions; {counts}",
        requesters,
        agents.len()
    ));
    assert_eq!((agents.len(), seen.len()), (HELPERS + 100, HELPERS + 100));
    let count = |name: &str| {
        counts.split_once(&format!(" {name}: ")).unwrap().1.split([',', ' ']).next().unwrap().parse::<u64>().unwrap()
    };
    // Each helper has six events of its two works.
    assert_eq!(count("works") + count("lost_works"), 6 * (HELPERS as u64 + 100));
    assert!(count("lost_works") > 0 && count("lost_works") + count("lost_forks") == lost);
    assert_eq!((count("lost_unknown"), count("exit_overruns"), count("foreign_forks")), (0, 0, 0));
}

fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Looks again until `done`; there is no event to wait for.
fn until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(120), "it has not come in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const EVIL: &str = "KHELPER_TEST_EVIL";
/// After so many forks that process says so.
const FORKS: u64 = 200;

/// Not a test of its own: a process of an ordinary user with the name of a kernel worker that forks until its standard
/// input ends. The kernel reaps every second one of its children by itself.
#[test]
fn evil_process() {
    if std::env::var_os(EVIL).is_none() {
        return;
    }
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ended = done.clone();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    std::fs::write("/proc/thread-self/comm", "kworker/evil").unwrap();
    let mut forks = 0u64;
    while !done.load(std::sync::atomic::Ordering::Relaxed) {
        let signal = if forks.is_multiple_of(2) { 0 } else { libc::SIGCHLD };
        // SAFETY: a fork without memory of its own for the parent to share; the child makes one system call, which does
        // not return, and takes no lock.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, signal, 0, 0, 0, 0);
            if pid == 0 {
                libc::syscall(libc::SYS_exit_group, 0);
            }
            libc::waitpid(i32::try_from(pid).unwrap(), std::ptr::null_mut(), libc::__WALL);
        }
        forks += 1;
        if forks.is_multiple_of(FORKS) {
            println!("\n> so far {forks}");
        }
    }
    println!("\n> forks {forks}");
}

#[test]
fn a_process_named_kworker_adds_no_helper_and_costs_no_loss() {
    const HELPERS: usize = 500;
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let mut evil = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "evil_process", "--nocapture", "--quiet"])
        .env(EVIL, "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let mut lines = std::io::BufReader::new(evil.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut seen, mut lost) = (Vec::new(), 0);
    let mut asked = HashMap::new();
    // Long enough for tens of thousands of forks, where there is a processor for them; the kernel's helpers come all the
    // while.
    for part in 0..10 {
        asked.extend(hierarchy.start(part * HELPERS / 10, (part + 1) * HELPERS / 10, 2, end_of));
        let wanted = (part + 1) * HELPERS / 10;
        watcher.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == wanted);
        std::thread::sleep(Duration::from_millis(200));
        assert!(lines.any(|line| line.starts_with("> so far ")), "the process forks no more");
    }
    drop(evil.stdin.take());
    let took = began.elapsed();
    let said = lines.find_map(|line| line.strip_prefix("> forks ").map(str::to_owned));
    let forks: u64 = said.expect("the process said how often it forked").parse().unwrap();
    evil.wait().unwrap();
    let counts = watcher.end(&mut seen, &mut lost);
    let ours = of_agent(&seen, &hierarchy);
    let [requesters, ..] = compare(&ours, &hierarchy.noted(), &asked);
    note(&format!("{forks} foreign forks, {:.0} a second; {counts}", forks as f64 / took.as_secs_f64()));
    assert!(forks >= 10 * FORKS);
    assert_eq!((ours.len(), seen.len(), requesters, lost), (HELPERS, HELPERS, HELPERS, 0));
    // Its forks do not even reach the buffers.
    assert!(counts.contains("exit_overruns: 0") && counts.contains("foreign_forks: 0"), "{counts}");
}

fn instances() -> Vec<String> {
    let names = khelper::sys::linux::tracefs::Tracefs::open().unwrap().instances().unwrap();
    names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
}

#[test]
fn the_next_start_removes_what_a_killed_watcher_left() {
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let of = |pid: i32| instances().into_iter().filter(|name| name.starts_with(&format!("khelper-{pid}-"))).count();
    let first = watcher.pid();
    assert_eq!(of(first), 2);
    signal(first, nix::sys::signal::Signal::SIGKILL);
    watcher.child.wait().unwrap();
    assert_eq!(of(first), 2, "the kernel keeps them");
    let mut next = Watcher::start().unwrap();
    assert_eq!((of(first), of(next.pid())), (0, 2));
    // The next one works, and one that ends removes its own.
    let (mut seen, mut lost) = (Vec::new(), 0);
    let asked = hierarchy.start(0, 20, 1, end_of);
    next.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == 20);
    compare(&of_agent(&seen, &hierarchy), &hierarchy.noted(), &asked);
    let pid = next.pid();
    next.end(&mut seen, &mut lost);
    assert_eq!(of(pid), 0);
}

#[test]
fn a_failed_execution_and_a_killed_and_a_running_helper_are_told_apart() {
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let (mut seen, mut lost) = (Vec::new(), 0);
    hierarchy.set_agent(std::path::Path::new("/no/such/agent"));
    let asked = hierarchy.start(0, 20, 1, end_of);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() == 20);
    for seen in &seen {
        assert_eq!((seen.executed.as_str(), seen.status, seen.tid), ("failed", 0, asked[&0].tid), "{seen:?}");
    }
    hierarchy.set_agent(&hierarchy.agent());
    let asked = hierarchy.start(20, 21, 1, |_| ("w1000".to_owned(), -1));
    until(|| !hierarchy.noted().is_empty());
    // Its arguments and its requester are read, since it lives.
    watcher.end(&mut seen, &mut lost);
    let running = seen.last().unwrap();
    signal(running.pid, nix::sys::signal::Signal::SIGKILL);
    assert_eq!((running.pid, running.tid, running.status), (hierarchy.noted()[0].0, asked[&20].tid, -1), "{running:?}");
    assert!(running.argv && running.executed == "yes", "{running:?}");
    until(|| procfs::process::Process::new(running.pid).is_err());
}

#[test]
fn an_ordinary_user_and_other_namespaces_are_told_what_is_missing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let said = |command: &mut std::process::Command| {
        command.env(watcher::PROCESS, "1").stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let own = std::env::current_exe().unwrap();
    let args = ["--exact", "watcher_process", "--nocapture", "--quiet"];
    if !nix::unistd::geteuid().is_root() {
        let text = said(std::process::Command::new(&own).args(args));
        assert!(text.contains("trace: Err(NotPermitted)"), "{text}");
        return;
    }
    let within = |with: &[&str]| said(std::process::Command::new("unshare").args(with).arg(&own).args(args));
    let net = within(&["--net"]);
    assert!(net.contains("exits: Err(NetworkNamespace)") && net.contains("trace: Ok("), "{net}");
    // Where the own end is never reported, ends of other processes must not prolong the wait for it.
    let ended = AtomicBool::new(false);
    let began = Instant::now();
    let pid = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(60) {
                std::process::Command::new("true").status().unwrap();
            }
            ended.load(Ordering::Relaxed)
        });
        let pid = within(&["--pid", "--fork", "--mount-proc"]);
        ended.store(true, Ordering::Relaxed);
        assert!(flood.join().unwrap(), "the other processes ended first: {pid}");
        pid
    });
    assert!(
        pid.contains("> no None") && pid.contains("trace: Err(PidNamespace)") && pid.contains("exits: Err(Silent)"),
        "{pid}"
    );
}

/// For a person who looks at the figures: `cargo test --test kernel -- --ignored --nocapture many`.
#[test]
#[ignore = "takes minutes and prints figures"]
fn many_helpers_leave_memory_and_descriptors_as_they_were() {
    const PART: usize = 5000;
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let (mut seen, mut lost) = (Vec::new(), 0);
    for part in 0..60 {
        let asked = hierarchy.start(part * PART, (part + 1) * PART, 4, end_of);
        watcher.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == PART);
        // Pids come again after a while, so each part is compared with its own notes.
        let noted = hierarchy.noted();
        let [requesters, ..] = compare(&of_agent(&seen, &hierarchy), &noted[part * PART..], &asked);
        assert_eq!((requesters, lost), (PART, 0));
        seen.clear();
        hierarchy.sweep();
        let fds = std::fs::read_dir(format!("/proc/{}/fd", watcher.pid())).unwrap().count();
        let (cpu, resident, most) = watcher.costs();
        note(&format!(
            "{} helpers: CPU {cpu:?}, resident {resident} KiB, at most {most} KiB, {fds} descriptors",
            (part + 1) * PART
        ));
    }
}
