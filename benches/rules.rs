//! How long rules take. 1,000 rules of several kinds decide about names of a real system, by the index and by trying one
//! rule after the other, in turn, in the same run; then `khelper rules test` over a ledger of 100,000 requests, as a whole
//! process. `cargo bench --bench rules`.
#![expect(clippy::unwrap_used, reason = "a bench may end at the first failure")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use khelper::abi::actor::{Actor, Origin};
use khelper::abi::error::Stage;
use khelper::abi::place::{Attribution, Place};
use khelper::abi::record::{Outcome, Record, State};
use khelper::abi::sink::RecordSink;
use khelper::abi::wait::WaitStatus;
use khelper::engine::Engine;
use khelper::ledger::rotate::Limits;
use khelper::ledger::writer::{Ledger, Options};
use khelper::policy::resolution::Reach;
use khelper::policy::rules::{Asked, Requester, Resolved, Rules, Source};
use khelper::sys::linux::LinuxHost;

const RULES: usize = 1_000;
const REQUESTS: u64 = 100_000;
const ROUNDS: usize = 200;

/// Words that names of modules have.
const WORDS: [&str; 16] = [
    "nf", "snd", "usb", "net-pf", "fs", "crypto", "xt", "dm", "i2c", "rtl", "ath", "drm", "hid", "scsi", "nft-expr",
    "ipt",
];

fn rules(kind: &str) -> String {
    let mut text = String::new();
    for n in 0..RULES {
        let (word, other) = (WORDS[n % 16], WORDS[n * 7 % 16]);
        let pattern = match (kind, n % 5) {
            ("literals", _) => format!("{word}-{other}-{n}"),
            ("prefixes", _) => format!("{word}-{other}{n}*"),
            ("one prefix", _) => format!("snd-{n}*x"),
            ("suffixes", _) => format!("*-{other}{n}"),
            ("wild", _) => format!("*{word}{n}*"),
            ("conditions", _) => "snd*".to_owned(),
            ("pieces", _) => format!("snd?{other}*{n}?"),
            ("nested", _) => format!("*{}*", &"snd_snd_snd_snd_snd_snd_snd_snd_"[n % 16..n % 32 + 1]),
            (_, 0 | 1) => format!("{word}-{other}-{n}"),
            (_, 2) => format!("{word}-{other}{n}*"),
            (_, 3) => format!("*_{other}{n}"),
            _ => format!("*{word}{n}*"),
        };
        let action = if n % 3 == 0 { "allow" } else { "deny" };
        let object = if n % 2 == 0 { "module" } else { "name" };
        let condition = match kind {
            "conditions" => format!(" unit={word}-{n}.service"),
            _ => ["", " uid>=1000", " unit=udisks2.service", " container=*"][n / 3 % 4].to_owned(),
        };
        writeln!(text, "{action} {object} {pattern}{condition}").unwrap();
    }
    text + "deny name *zzz\nallow *\n"
}

fn asked() -> Vec<(Vec<u8>, Reach)> {
    let names = |all: &[String]| all.iter().map(|name| name.clone().into_bytes()).collect::<Vec<_>>();
    (0..64)
        .map(|n| {
            let name = format!("{}-{}-{}", WORDS[n % 16], WORDS[n * 3 % 16], n * 37 % 1100);
            let modules = names(&[format!("{}_{n}", WORDS[n % 16]), format!("snd_{}_generic", n * 5)][..1 + n % 2]);
            let needed: Vec<String> = (0..n % 9).map(|d| format!("{}_core_{d}", WORDS[(n + d) % 16])).collect();
            (name.into_bytes(), Reach { modules, dependencies: names(&needed), soft: Vec::new() })
        })
        .collect()
}

/// The median over the rounds of the slowest name, and of the mean over all names, in microseconds.
fn measured(judge: &dyn Fn(&[u8], &Reach), asked: &[(Vec<u8>, Reach)]) -> (f64, f64) {
    let mut all: Vec<Vec<Duration>> = vec![Vec::with_capacity(ROUNDS); asked.len()];
    for _ in 0..ROUNDS {
        for (at, (name, reach)) in asked.iter().enumerate() {
            let begin = Instant::now();
            judge(name, reach);
            all[at].push(begin.elapsed());
        }
    }
    let medians: Vec<f64> = all
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[ROUNDS / 2].as_nanos() as f64 / 1000.0
        })
        .collect();
    (medians.iter().copied().fold(0.0, f64::max), medians.iter().sum::<f64>() / medians.len() as f64)
}

fn decide() {
    println!("{RULES} rules, {} names, microseconds: worst name, mean over the names", asked().len());
    println!("{:<12} {:>16} {:>18}", "rules", "index", "one by one");
    let unit = Attribution { place: Place::Unit(b"cron.service"[..].into()), is_believed: true };
    let by = Requester { uid: Some(1000), gid: Some(1000), place: Some(&unit), ..Requester::default() };
    for kind in ["literals", "prefixes", "one prefix", "suffixes", "wild", "pieces", "nested", "conditions", "mixed"] {
        let source = Source { path: "bench.rules".into(), text: rules(kind).into_bytes() };
        let rules = Rules::parse(&[source]).unwrap();
        let of = |name: &'static str| {
            let rules = &rules;
            move |asked: &[u8], reach: &Reach| {
                let asked = Asked::Module { name: asked, resolved: Resolved::To(reach) };
                let verdict =
                    if name == "index" { rules.judge(&asked, &by) } else { rules.judge_linearly(&asked, &by) };
                black_box(&verdict);
            }
        };
        let asked = asked();
        let (index, linear) = (measured(&of("index"), &asked), measured(&of("linear"), &asked));
        println!("{kind:<12} {:>7.2} {:>8.2} {:>9.1} {:>8.1}", index.0, index.1, linear.0, linear.1);
    }
}

/// A ledger of requests: two names in a hundred were denied.
fn write(folder: &Path) {
    let endless = Limits { bytes: u64::MAX, ..Limits::ALL };
    let options = Options { all: endless, failures: endless, ..Options::new(folder, "daemon") };
    let ledger = Ledger::open(options, &LinuxHost::new()).unwrap();
    // Every record is made of one of an engine.
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let seed = engine.request_module("seed", true);
    for id in 1..=REQUESTS {
        let uid = if id % 3 == 0 { 1000 } else { 0 };
        let actor = Arc::new(Actor { start_time: Some(id), ..Actor::new(Origin::Outside, 700, uid, uid, b"mount") });
        let mut record = Record::clone(&seed);
        (record.id, record.actor, record.at) = (id, actor, id);
        record.module = Some(format!("{}-{}", WORDS[id as usize % 16], id % 100).into_bytes().into());
        record.path = b"/sbin/modprobe"[..].into();
        record.state = State::Ended;
        record.ended_us = Some(900);
        if id % 100 < 2 {
            record.outcome = Outcome::Refused;
            (record.stage, record.errno) = (Some(Stage::Hook), Some(nix::errno::Errno::EPERM));
        } else {
            record.outcome = Outcome::Exited;
            record.status = Some(WaitStatus::exited(0));
            record.pid = Some(2_000 + (id % 30_000) as i32);
        }
        ledger.finished(&Arc::new(record));
    }
    ledger.close();
    assert_eq!(ledger.stats().lost, 0);
}

fn replay() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    write(&ledger);
    let file = dir.path().join("new.rules");
    // Of every hundred: 0 and 1 were denied; 1, 2 and 3 would be.
    std::fs::write(
        &file,
        format!("{}deny name *-1 *-2 *-3\n", rules("mixed").replace("deny name *zzz\nallow *\n", "")),
    )
    .unwrap();
    let mut times = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let mut khelper = Command::new(env!("CARGO_BIN_EXE_khelper"));
        let output = khelper.args(["rules", "test", "--json", "--ledger"]).arg(&ledger).arg(&file).output().unwrap();
        times.push(begin.elapsed());
        let text = String::from_utf8(output.stdout).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let counts =
            ["requests", "allowed", "denied", "now_denied", "now_allowed"].map(|key| first[key].as_u64().unwrap());
        println!("requests, allowed, denied, would be denied, would be allowed: {counts:?}");
    }
    times.sort_unstable();
    println!(
        "rules test over {REQUESTS} requests with {} rules: {:.2?} median, {:.2?} longest",
        RULES + 1,
        times[2],
        times[4]
    );
}

fn main() {
    decide();
    replay();
}
