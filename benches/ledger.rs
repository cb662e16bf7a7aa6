//! Queries over a ledger of 1,000,000 lines, each by `khelper log` as a whole process, with a warm cache: how long it
//! takes, how many lines it prints, and how much memory it needs. `cargo bench --bench ledger`; the lines are written
//! below $KHELPER_LEDGER_BENCH or the folder of temporary files, and kept only in the former.
#![expect(clippy::unwrap_used, reason = "a bench may end at the first failure")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use khelper::abi::actor::{Actor, ChainLink, Comm, Origin};
use khelper::abi::cap::CapMask;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::{Outcome, Output, Record};
use khelper::abi::sink::{Changed, RecordSink};
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::{WaitMode, WaitStatus};
use khelper::engine::{Engine, KnobWrite};
use khelper::ledger::clocks::Clocks;
use khelper::ledger::line::Wall;
use khelper::ledger::rotate::Limits;
use khelper::ledger::writer::{Ledger, Options};
use khelper::sys::linux::LinuxHost;
use nix::sys::resource::{UsageWho, getrusage};

/// Each request has a line for its start, if it has a helper, and one for its end.
const LINES: u64 = 1_000_000;
/// About so many requests have so many lines.
const REQUESTS: u64 = LINES * 20 / 37;
const RUNS: usize = 7;
/// Makes this program run a command and print how long it took and how much memory it needed.
const MEASURE: &str = "--measure";

/// A clock that the bench sets.
struct BenchClocks(AtomicI64);

impl Clocks for BenchClocks {
    fn wall(&self) -> Wall {
        self.0.load(Ordering::Relaxed)
    }
    fn monotonic(&self) -> u64 {
        0
    }
}

/// Sends on each record.
struct Forward(Mutex<Sender<Arc<Record>>>);

impl RecordSink for Forward {
    fn started(&self, record: &Arc<Record>) {
        self.finished(record);
    }
    fn finished(&self, record: &Arc<Record>) {
        let _ = self.0.lock().unwrap().send(record.clone());
    }
    fn changed(&self, _: &Changed) {}
}

/// Records of a real engine: a start and an end of helpers that exit with 0 and 1 and that are killed, a program that does
/// not exist, and a module that is denied.
fn seeds() -> Vec<Vec<Record>> {
    let (to, records) = channel();
    let engine = Engine::builder().fix_sigchld(true).record_sink(Arc::new(Forward(Mutex::new(to)))).start().unwrap();
    let request = |path: &str, name: &str| {
        let path = KnobWrite::Modprobe(parse_modprobe(path.as_bytes()).unwrap());
        engine.write(&[path], Origin::Library).unwrap();
        engine.request_module(name, true).id
    };
    let deny = KnobWrite::Deny(khelper::abi::glob::Globs::parse(b"denied").unwrap());
    engine.write(&[deny], Origin::Library).unwrap();
    let kill = SubprocessInfo::setup(Some("/bin/sh".into()), ["/bin/sh", "-c", "kill -9 $$"], HELPER_ENV).unwrap();
    let ids = [
        request("/bin/true", "good"),
        request("/bin/false", "bad"),
        engine.call_usermodehelper(kill, WaitMode::PROC).id,
        request("/no/such", "missing"),
        request("/bin/true", "denied"),
    ];
    engine.shutdown(Duration::from_secs(5));
    drop(engine);
    let records: Vec<Arc<Record>> = records.iter().collect();
    let of = |id: u64| records.iter().filter(|r| r.id == id).map(|r| Record::clone(r)).collect();
    ids.map(of).into()
}

/// A linear congruential generator: the same ledger each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Processes that ask: services of root, and users with a shell.
fn requesters() -> Vec<(Arc<Actor>, Box<[ChainLink]>)> {
    let link = |pid, comm: &[u8]| ChainLink { pid, comm: Comm::new(comm), known: true, helper_of: None };
    let process = |at: i32| {
        let uid = [0, 0, 0, 1000, 1001, 65_534][at as usize % 6];
        let comm = [&b"mount"[..], b"ip", b"iptables", b"bash", b"systemd-udevd", b"cryptsetup"][at as usize % 6];
        let pid = 20_000 + at * 7;
        let effective = if uid == 0 { CapMask::up_to(40) } else { CapMask::EMPTY };
        let actor = Actor {
            effective,
            start_time: Some(8_000_000),
            loginuid: (uid >= 1000).then_some(uid),
            ..Actor::new(Origin::Outside, pid, uid, uid, comm)
        };
        let mut chain = vec![link(pid, comm)];
        if uid >= 1000 {
            chain.extend([link(812, b"sshd-session"), link(700, b"sshd")]);
        }
        chain.push(link(1, b"systemd"));
        (Arc::new(actor), chain.into())
    };
    (0..60).map(process).collect()
}

/// A record like the seed, of another request.
fn varied(seed: &Record, id: u64, wall: Wall, random: &mut Random, asks: &[(Arc<Actor>, Box<[ChainLink]>)]) -> Record {
    let mut r = seed.clone();
    let (actor, chain) = &asks[random.below(asks.len() as u64) as usize];
    (r.id, r.actor) = (id, actor.clone());
    r.wall = UNIX_EPOCH + Duration::from_micros(wall as u64);
    r.at = wall as u64 % 1_000_000_000_000;
    if r.module.is_some() {
        let names = [
            "nf_conntrack",
            "dccp",
            "usb-storage",
            "net-pf-38",
            "fs-xfs",
            "snd-hda-intel",
            "crypto-sha512",
            "binfmt-464c",
        ];
        let name = format!(
            "{}{}",
            names[random.below(8) as usize],
            if random.below(3) > 0 { String::new() } else { random.below(90).to_string() }
        );
        (r.module, r.path) = (Some(name.into_bytes().into()), b"/sbin/modprobe"[..].into());
    }
    r.chain = chain.clone();
    r.pid = r.pid.map(|_| 2_000 + i32::try_from(id % 60_000).unwrap());
    let magnitude = random.below(24);
    let took = 500 + random.below(1 << magnitude);
    (r.queued_us, r.started_us) =
        (r.queued_us.map(|_| 10 + random.below(90)), r.started_us.map(|_| 200 + random.below(300)));
    r.ended_us = r.ended_us.map(|_| took);
    if r.cpu_us > 0 {
        (r.cpu_us, r.max_rss_kib) = (600 + random.below(900), 1_400 + random.below(900));
    }
    if r.status == Some(WaitStatus::exited(1)) {
        let stderr = b"modprobe: FATAL: Module not found in directory /lib/modules/6.18.0".to_vec();
        r.output = Some(Arc::new(Output { stderr, ..Output::default() }));
    }
    r
}

/// Writes the ledger by the real writer. Returns how long a line took.
fn write(folder: &Path) -> Duration {
    let (seeds, asks, mut random) = (seeds(), requesters(), Random(1));
    let endless = Limits { bytes: u64::MAX, age: Wall::MAX / 2, ..Limits::ALL };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as Wall;
    // The requests are spread over a month, up to now.
    let (span, step) = (30 * 86_400 * 1_000_000, 30 * 86_400 * 1_000_000 / REQUESTS as Wall);
    let clocks = Arc::new(BenchClocks(AtomicI64::new(now - span)));
    let (mut wall, mut last) = (now - span, now - span);
    let options = Options { all: endless, failures: endless, clocks: clocks.clone(), ..Options::new(folder, "daemon") };
    let ledger = Ledger::open(options, &LinuxHost::new()).unwrap();
    let (mut lines, mut id, mut time) = (0, 0, Duration::ZERO);
    while lines < LINES {
        id += 1;
        let seed = &seeds[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 4][random.below(20) as usize]];
        wall += random.below(2 * step as u64) as Wall;
        let ended = Arc::new(varied(seed.last().unwrap(), id, wall, &mut random, &asks));
        let at = |us: Option<u64>| wall + us.unwrap_or(0) as Wall + 40;
        let start = match &seed[..] {
            // The same request as its end, in the state of the start.
            [start, _] => {
                let mut r = Record::clone(&ended);
                (r.state, r.outcome, r.status, r.result) = (start.state, start.outcome, None, None);
                (r.stage, r.errno, r.caps, r.ended_us, r.output) = (None, None, None, None, None);
                (r.cpu_us, r.max_rss_kib) = (0, 0);
                Some(Arc::new(r))
            }
            _ => None,
        };
        let begin = Instant::now();
        if let Some(start) = &start {
            clocks.0.store(last.max(at(start.started_us)), Ordering::Relaxed);
            ledger.started(start);
        }
        last = last.max(at(ended.ended_us));
        clocks.0.store(last, Ordering::Relaxed);
        ledger.finished(&ended);
        time += begin.elapsed();
        lines += 1 + u64::from(start.is_some());
    }
    ledger.close();
    assert_eq!(ledger.stats().lost, 0);
    time / u32::try_from(lines).unwrap()
}

fn sizes(folder: &Path) -> (Vec<usize>, u64, usize) {
    let (mut lines, mut bytes, mut segments) = (Vec::new(), 0, 0);
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_file()) {
        let text = fs::read(entry.path()).unwrap();
        lines.extend(text.split_inclusive(|b| *b == b'\n').map(<[u8]>::len));
        bytes += entry.metadata().unwrap().size();
        segments += 1;
    }
    lines.sort_unstable();
    (lines, bytes, segments)
}

/// Runs the rest of the arguments, and prints microseconds, KiB, lines, the exit code and microseconds of CPU time. The process that waits is small: of a child,
/// wait4(2) also counts the memory of the process that it was forked from.
fn measure(args: &[OsString]) {
    let mut child = Command::new(&args[0]).args(&args[1..]).stdout(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let mut out = child.stdout.take().unwrap();
    let (mut lines, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let read = std::io::Read::read(&mut out, &mut buffer).unwrap();
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|b| **b == b'\n').count();
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    // This process has no other child.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let cpu = us(usage.user_time()) + us(usage.system_time());
    println!("{} {} {lines} {code} {cpu}", begin.elapsed().as_micros(), usage.max_rss());
}

fn query(folder: &Path, name: &str, args: &[&str]) {
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    let (mut rss, mut lines) = (0, String::new());
    for _ in 0..RUNS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg(MEASURE)
            .arg(env!("CARGO_BIN_EXE_khelper"))
            .args(["log", "--utc", "--ledger"])
            .arg(folder)
            .args(args);
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let parts: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(parts[3], "0", "{name}: {text}");
        times.push(parts[0].parse::<u64>().unwrap());
        cpu.push(parts[4].parse::<u64>().unwrap());
        rss = rss.max(parts[1].parse::<u64>().unwrap());
        lines = parts[2].to_owned();
    }
    times.sort_unstable();
    cpu.sort_unstable();
    let ms = |us: u64| us as f64 / 1000.0;
    let (low, middle, high) = (times[RUNS / 4], times[RUNS / 2], times[RUNS - 1 - RUNS / 4]);
    let cpu = ms(cpu[RUNS / 2]);
    println!("| {name} | {:.1} ({:.1} to {:.1}) | {cpu:.1} | {lines} | {rss} |", ms(middle), ms(low), ms(high));
}

fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|first| first == MEASURE) {
        return measure(&args[2..]);
    }
    let (kept, temporary);
    let base = match std::env::var_os("KHELPER_LEDGER_BENCH") {
        Some(base) => {
            kept = PathBuf::from(base);
            kept.as_path()
        }
        None => {
            temporary = tempfile::tempdir().unwrap();
            temporary.path()
        }
    };
    let folder = base.join("ledger");
    if !folder.exists() {
        let each = write(&folder);
        println!("append: {:.2} us a line", each.as_nanos() as f64 / 1000.0);
    }
    let (lines, bytes, segments) = sizes(&folder);
    let failures = sizes(&folder.join("failures"));
    println!(
        "{} lines in {segments} segments, {} MB, and {} failures, {} MB; a line has {} bytes (median), {} (90 %), {} (most)",
        lines.len(),
        bytes / 1_000_000,
        failures.0.len(),
        failures.1 / 1_000_000,
        lines[lines.len() / 2],
        lines[lines.len() * 9 / 10],
        lines[lines.len() - 1]
    );
    println!(
        "\n| khelper log | ms, median of {RUNS} (quartiles) | CPU, ms | lines printed | KiB at most |\n|---|---|---|---|---|"
    );
    let last = format!("{}m", 30 * 24 * 60 / 100);
    for (name, args) in [
        ("--since, the last 1 %", &["--since", &last][..]),
        ("--since, nothing", &["--since", "now"]),
        ("--until, the first 1 %", &["--until", &until(&folder)]),
        ("--outcome killed", &["--outcome", Outcome::Killed.name()]),
        ("--outcome refused", &["--outcome", Outcome::Refused.name()]),
        ("--outcome lost (none)", &["--outcome", Outcome::Lost.name()]),
        ("--module dccp7", &["--module", "dccp7"]),
        ("--module 'usb-*7'", &["--module", "usb-*7"]),
        ("--uid 65534", &["--uid", "65534"]),
        ("--uid 12 (none)", &["--uid", "12"]),
        ("--unit x.service (none)", &["--unit", "x.service"]),
        ("--outcome exited", &["--outcome", Outcome::Exited.name()]),
        ("everything", &[]),
    ] {
        query(&folder, name, args);
    }
}

/// The time of the first 1 % of the lines.
fn until(folder: &Path) -> String {
    let names = fs::read_dir(folder).unwrap().filter_map(|e| e.unwrap().file_name().into_string().ok());
    let first: Wall = names.filter_map(|name| name.split_once('-')?.0.parse().ok()).min().unwrap();
    khelper::abi::time::rfc3339(UNIX_EPOCH + Duration::from_micros((first + 30 * 86_400 * 10_000) as u64))
}
