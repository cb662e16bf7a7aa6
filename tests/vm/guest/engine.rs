//! The process that runs the engine: asks it what the kernel was asked, as the same odd caller. Each caller is a thread.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;

use khelper::abi::actor::Origin;
use khelper::abi::era::Era;
use khelper::abi::error::Explain;
use khelper::abi::event::EventKind;
use khelper::abi::mask::MaskExpr;
use khelper::abi::mutation::Mutation;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Record;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{self, Cancel, Engine, KnobWrite, Received};

use super::talk::{Answer, Do, Door, Job, Outcome};
use super::trace::Marker;
use crate::scenario::{Call, Scenario, Text, bytes};

struct Caller {
    group: usize,
    cancel: Cancel,
    killed: Option<u64>,
    thread: JoinHandle<Outcome>,
}

pub fn main() -> ExitCode {
    let (job, mut door) = Door::new();
    choose(job.mutation.as_deref());
    let marker = Marker::open();
    super::caller::become_(&job.scenario.caller);
    // Before the engine makes threads.
    let caller = Some(super::helper::Facts::of_a_child());
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let log = follow(&engine);
    set(&engine, &job);
    let (mut callers, mut outcomes, mut group) = (Vec::new(), Vec::new(), 0);
    loop {
        match door.next() {
            Do::Ask(count) => {
                callers.extend((0..count).map(|_| one(&engine, &job.scenario, group, &marker)));
                group += 1;
            }
            Do::Kill(whom) => {
                for caller in callers.iter_mut().filter(|c: &&mut Caller| c.group == whom) {
                    caller.killed = Some(super::now());
                    caller.cancel.cancel();
                }
                let (gone, stay): (Vec<_>, Vec<_>) = callers.into_iter().partition(|c| c.group == whom);
                callers = stay;
                outcomes.extend(gone.into_iter().map(join));
            }
            Do::Join => outcomes.extend(std::mem::take(&mut callers).into_iter().map(join)),
            Do::Settle(count) => settle(&engine, count),
            Do::Finish => break,
        }
        door.done();
    }
    outcomes.extend(callers.into_iter().map(join));
    let snapshot = engine.snapshot();
    let words = |mask| khelper::abi::mask::kernel_words(mask);
    let (bset, inheritable) = (words(snapshot.knobs.bset), words(snapshot.knobs.inheritable));
    let texts = job.scenario.texts.iter().zip(&job.before).map(|(text, before)| judge(text, before)).collect();
    engine.shutdown(std::time::Duration::ZERO);
    drop(engine);
    let log = log.join().unwrap();
    door.answer(&Answer { caller, outcomes, log, bset, inheritable, texts });
    ExitCode::SUCCESS
}

#[cfg(khelper_mutations)]
fn choose(mutation: Option<&str>) {
    if let Some(name) = mutation {
        khelper::abi::mutation::choose(Mutation::parse(name).unwrap());
    }
}

#[cfg(not(khelper_mutations))]
fn choose(mutation: Option<&str>) {
    assert_eq!(mutation.and_then(Mutation::parse), None, "this build cannot make mistakes");
}

/// Collects what the engine logs, until it ends.
fn follow(engine: &Engine) -> JoinHandle<Vec<String>> {
    let events = engine.subscribe(100_000);
    std::thread::spawn(move || {
        let mut lines = Vec::new();
        loop {
            match events.recv() {
                Received::Event(event) => {
                    if let EventKind::Log(kind) = &event.kind {
                        lines.push(kind.to_string());
                    }
                }
                Received::Missed(n) => lines.push(format!("{n} events were missed")),
                Received::Closed => return lines,
            }
        }
    })
}

fn mask(engine: &Engine, text: &str) -> MaskExpr {
    MaskExpr::parse(text.as_bytes(), engine.snapshot().known).unwrap()
}

fn write(engine: &Engine, write: KnobWrite) {
    engine.write(&[write], Origin::Library).unwrap();
}

/// As the kernel was before the scenario, then what it sets.
fn set(engine: &Engine, job: &Job) {
    write(engine, KnobWrite::Era(Era::Current));
    write(engine, KnobWrite::Modprobe(parse_modprobe(&bytes(&job.scenario.modprobe)).unwrap()));
    for text in std::iter::once(&job.bset).chain(&job.scenario.bset) {
        write(engine, KnobWrite::Bset(mask(engine, text)));
    }
    for text in std::iter::once(&job.inheritable).chain(&job.scenario.inheritable) {
        write(engine, KnobWrite::Inheritable(mask(engine, text)));
    }
}

fn one(engine: &Engine, scenario: &Scenario, group: usize, marker: &Marker) -> Caller {
    let (engine, scenario, marker, cancel) = (engine.clone(), scenario.clone(), marker.clone(), Cancel::new());
    let ask = engine::Caller { cancel: cancel.clone(), ..engine::Caller::default() };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    let thread = thread.spawn(move || {
        let start = super::now();
        let records: Vec<Arc<Record>> = match &scenario.call {
            Some(call) => vec![self::call(&engine, call)],
            None => scenario.names.iter().map(|name| engine.request_module_as(bytes(name), true, &ask)).collect(),
        };
        let results = records.iter().map(|r| r.result.unwrap()).collect();
        let end = super::now();
        marker.back(group);
        Outcome { group, pid: 0, start, end, killed: None, results }
    });
    Caller { group, cancel, killed: None, thread: thread.unwrap() }
}

fn call(engine: &Engine, call: &Call) -> Arc<Record> {
    let argv: Vec<Vec<u8>> = call.argv.iter().map(|a| bytes(a)).collect();
    let info = SubprocessInfo::setup(argv.first().cloned(), argv, call.env.iter().map(|e| bytes(e))).unwrap();
    let wait = match call.wait.as_str() {
        "none" => WaitMode::NoWait,
        "exec" => WaitMode::Exec { killable: false },
        "proc" => WaitMode::Proc { killable: false },
        other => panic!("no way to wait is called {other}"),
    };
    engine.call_usermodehelper(info, wait)
}

fn join(caller: Caller) -> Outcome {
    Outcome { killed: caller.killed, ..caller.thread.join().unwrap() }
}

/// Looks again and again: no event tells of a request that begins to wait.
fn settle(engine: &Engine, count: usize) {
    let enough = |engine: &Engine| {
        let slots = engine.snapshot().slots;
        (slots.concurrent + slots.waiting) as usize >= count
    };
    while !enough(engine) {
        std::thread::yield_now();
    }
}

/// What a fresh engine, its mask as the kernel's was, makes of a text.
fn judge(text: &Text, before: &str) -> String {
    let engine = Engine::start().unwrap();
    let known = engine.snapshot().known;
    let raw = bytes(&text.text);
    let parsed = match text.knob.as_str() {
        "modprobe" => parse_modprobe(&raw).map(KnobWrite::Modprobe),
        "bset" => MaskExpr::parse(&raw, known).map(KnobWrite::Bset),
        "inheritable" => MaskExpr::parse(&raw, known).map(KnobWrite::Inheritable),
        other => panic!("no knob is called {other}"),
    };
    let as_before = match text.knob.as_str() {
        "modprobe" => KnobWrite::Modprobe(parse_modprobe(before.as_bytes()).unwrap()),
        "bset" => KnobWrite::Bset(mask(&engine, before)),
        _ => KnobWrite::Inheritable(mask(&engine, before)),
    };
    write(&engine, as_before);
    let verdict = match parsed {
        Ok(parsed) => engine.write(&[parsed], Origin::Library).map(drop).map_err(|(_, e)| e),
        Err(e) => Err(e),
    };
    let knobs = engine.snapshot().knobs;
    let reads = match text.knob.as_str() {
        "modprobe" => knobs.modprobe.to_vec(),
        "bset" => khelper::abi::mask::kernel_words(knobs.bset).into_bytes(),
        _ => khelper::abi::mask::kernel_words(knobs.inheritable).into_bytes(),
    };
    super::knobs::verdict(verdict.map(|()| raw.len()).map_err(|e| e.errno()), raw.len(), &reads)
}
