//! Helpers of four kinds, counted and compared with what the requesters and the helpers themselves recorded.

use std::collections::HashMap;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::asking::{self, Asked, Kind, noted, until_noted};
use super::init::Serial;
use crate::watcher::{Seen, Watcher};

/// How many helpers: user-mode Linux starts hundreds a second, an emulated machine tens.
fn helpers() -> usize {
    if is_uml() { 4000 } else { 600 }
}

pub fn is_uml() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("User Mode Linux"))
}

/// Compares every observation of a helper with the records: kind, requester, status, program. Returns how many
/// requesters and uids are known, how many arguments, and the addresses that asked for modules.
/// `file` says what is executed for each kind.
pub fn compare(seen: &[Seen], asked: &HashMap<usize, Asked>, file: fn(Kind) -> &'static str) -> ([usize; 3], Vec<u64>) {
    let (mut noted, mut counts, mut sites) = (noted(), [0; 3], Vec::new());
    for seen in seen {
        let numbers = noted.get_mut(&seen.pid).unwrap_or_else(|| panic!("no helper had this pid: {seen:?}"));
        let fits = |(kind, number): &(String, usize)| {
            let asked = asked[number];
            asked.kind.word() == kind && is_right(seen, asked, *number, file(asked.kind))
        };
        let at = numbers.iter().position(fits);
        let at = at.unwrap_or_else(|| {
            panic!("{seen:?} is none of {:?}", numbers.iter().map(|(_, n)| (n, asked[n])).collect::<Vec<_>>())
        });
        numbers.remove(at);
        counts[0] += usize::from(seen.tid != 0 && !seen.doubtful);
        counts[1] += usize::from(seen.uid == 0);
        counts[2] += usize::from(seen.argv);
        sites.extend((seen.module.0 != 0).then_some(seen.module.0));
    }
    sites.sort_unstable();
    sites.dedup();
    (counts, sites)
}

/// Whatever is said without a doubt is what was recorded.
fn is_right(seen: &Seen, asked: Asked, number: usize, file: &str) -> bool {
    let is_asked = seen.tid == asked.tid && seen.cause == asked.kind.cause();
    let module = seen.module.1.contains(&format!("\"fs-{number}-"));
    let is_known = ["module", "release_agent", "other"].contains(&seen.cause.as_str());
    seen.status == asked.status
        && (seen.executed != "yes" || seen.file == file || seen.file.starts_with("Some("))
        && (seen.tid == 0 || seen.doubtful || is_asked || !is_known)
        && ((asked.kind == Kind::Module) == module || seen.doubtful || !is_known)
}

/// The function of the kernel at an address.
fn symbol(address: u64) -> String {
    let all = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let parsed = all.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let at = u64::from_str_radix(words.next()?, 16).ok()?;
        Some((at, words.nth(1)?))
    });
    parsed.filter(|(at, _)| *at <= address).max_by_key(|(at, _)| *at).map_or_else(String::new, |(_, n)| n.to_owned())
}

pub fn four_kinds(serial: &mut Serial) {
    asking::prepare();
    let mut watcher = Watcher::start().expect("a watch as root");
    let helpers = helpers();
    let (before, began) = (watcher.costs(), Instant::now());
    let asked = asking::start(0, helpers);
    let took = began.elapsed();
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= helpers);
    let costs = watcher.costs();
    let counts = watcher.end(&mut seen, &mut lost);
    until_noted(helpers);
    let ([requesters, uids, arguments], sites) = compare(&seen, &asked, Kind::file);
    let sites: Vec<String> = sites.into_iter().map(symbol).collect();
    let cpu = costs.0.saturating_sub(before.0);
    serial.note(&format!(
        "{helpers} helpers, {:.0} a second: {} seen, requester {requesters}, uid {uids}, argv {arguments}; modules asked \
         for in {sites:?}; CPU {:.3} ms a helper, resident {} KiB; {counts}",
        helpers as f64 / took.as_secs_f64(),
        seen.len(),
        cpu.as_secs_f64() * 1000.0 / helpers as f64,
        costs.2,
    ));
    assert_eq!((seen.len(), requesters, lost), (helpers, helpers, 0));
    assert_eq!(sites, ["get_fs_type"]);
}

pub fn loss(serial: &mut Serial) {
    const HELPERS: usize = 5_500;
    asking::prepare();
    let mut watcher = Watcher::start().expect("a watch as root");
    let (mut seen, mut lost) = (Vec::new(), 0);
    let mut asked = asking::start(0, 100);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() == 100);
    let pid = Pid::from_raw(watcher.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    asked.extend(asking::start(100, HELPERS));
    until_noted(HELPERS);
    kill(pid, Signal::SIGCONT).unwrap();
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= HELPERS);
    asked.extend(asking::start(HELPERS, HELPERS + 100));
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= HELPERS + 100);
    let counts = watcher.end(&mut seen, &mut lost);
    let ([requesters, ..], _) = compare(&seen, &asked, Kind::file);
    serial.note(&format!("{lost} events lost, {requesters} of {} requesters known; {counts}", seen.len()));
    assert_eq!(seen.len(), HELPERS + 100);
    // Three events of the work of each helper; a release agent's has a work before it, a module a request.
    let kinds = (HELPERS + 100) as u64 / 4;
    let events = kinds * (4 + 3 + 3 + 6);
    let count = |name: &str| -> u64 {
        counts.split_once(&format!(" {name}: ")).unwrap().1.split([',', ' ']).next().unwrap().parse().unwrap()
    };
    assert!(count("lost_works") > 0 && count("lost_forks") > 0);
    assert_eq!(count("lost_works") + count("lost_forks"), lost);
    assert_eq!(count("works") + count("lost_works"), events);
    assert_eq!((count("lost_unknown"), count("exit_overruns")), (0, 0));
}

/// How often the threads of a process slept so far.
fn sleeps(pid: i32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let of = |task: std::fs::DirEntry| -> u64 {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    };
    tasks.map(of).sum()
}

/// Nothing happens in this machine but the test: what wakes the watch is its own.
pub fn idle(serial: &mut Serial) {
    const SECONDS: u64 = 40;
    asking::prepare();
    let mut watcher = Watcher::start().expect("a watch as root");
    let (mut seen, mut lost) = (Vec::new(), 0);
    asking::start(0, 20);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() == 20);
    let (before, slept) = (watcher.costs(), sleeps(watcher.pid()));
    // Time is what is measured here; nothing waits for it.
    std::thread::sleep(std::time::Duration::from_secs(SECONDS));
    let (after, slept) = (watcher.costs(), sleeps(watcher.pid()) - slept);
    let cpu = (after.0 - before.0).as_millis();
    serial.note(&format!("idle for {SECONDS} s: {slept} wake-ups, {cpu} ms of CPU, resident {} KiB", after.1));
    // Its lists are compared with /proc every 30 s; what follows the last helper may wake it too.
    assert!(slept <= 10, "{slept}");
    assert!(after.1 < 8192, "{} KiB", after.1);
}

fn instances() -> Vec<String> {
    let names = khelper::sys::linux::tracefs::Tracefs::open().unwrap().instances().unwrap();
    names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
}

pub fn killed(serial: &mut Serial) {
    asking::prepare();
    let mut first = Watcher::start().expect("a watch as root");
    let of = |pid: i32| instances().into_iter().filter(|name| name.starts_with(&format!("khelper-{pid}-"))).count();
    let pid = first.pid();
    assert_eq!(of(pid), 2);
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    first.child.wait().unwrap();
    assert_eq!(of(pid), 2, "the kernel keeps them");
    let mut next = Watcher::start().expect("a second watch");
    assert_eq!((of(pid), of(next.pid())), (0, 2));
    let (mut seen, mut lost) = (Vec::new(), 0);
    let asked = asking::start(0, 40);
    next.until(&mut seen, &mut lost, |seen| seen.len() == 40);
    let pid = next.pid();
    next.end(&mut seen, &mut lost);
    until_noted(40);
    let ([requesters, ..], _) = compare(&seen, &asked, Kind::file);
    serial.note(&format!("after it {requesters} of 40 requesters are known"));
    assert_eq!((of(pid), requesters, lost), (0, 40, 0));
}
