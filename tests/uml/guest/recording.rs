//! Records what a real kernel says of some helpers, byte by byte: pages of its ring buffers, the formats of its events,
//! ends of processes; and beside it what the requesters and the helpers recorded. `src/kernel/join` replays it.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use khelper::kernel::event::Kind;
use khelper::sys::linux::proc_connector::{Parents, ProcConnector, Received};
use khelper::sys::linux::tasks;
use khelper::sys::linux::tracefs::{Instance, Tracefs, read_page};
use serde_json::{Value, json};

use super::asking;
use super::init::Serial;

const HELPERS: usize = 32;
const FUNCTIONS: [&str; 2] = ["call_usermodehelper_exec_work", "cgroup1_release_agent"];

/// Enables an event, as the watch does, and returns its format.
fn enable(instance: &Instance, kind: Kind, filter: Option<String>) -> Option<Value> {
    let folder = format!("events/{}", kind.folder());
    let format = instance.read(&format!("{folder}/format")).ok()?;
    if let Some(filter) = filter {
        instance.write(&format!("{folder}/filter"), filter.as_bytes()).ok()?;
    }
    instance.write(&format!("{folder}/enable"), b"1").unwrap();
    Some(json!([kind.folder(), String::from_utf8(format).unwrap()]))
}

/// The filter by name where the kernel takes it, else by address.
fn works(instance: &Instance, kind: Kind) -> Option<Value> {
    let by_name = FUNCTIONS.map(|name| format!("function.function == {name}")).join(" || ");
    enable(instance, kind, Some(by_name)).or_else(|| {
        let found: Vec<_> = tasks::addresses(&FUNCTIONS).iter().map(|at| format!("function == {at:#x}")).collect();
        enable(instance, kind, Some(found.join(" || ")))
    })
}

/// The pages of all buffers, without what lies behind the data, in hexadecimal digits.
fn pages(instance: &Instance) -> Vec<String> {
    let (mut all, mut page) = (Vec::new(), vec![0; 4096]);
    for (_, buffer) in instance.buffers().unwrap() {
        while let Ok(read @ 1..) = read_page(buffer.as_fd(), &mut page) {
            let length = u64::from_ne_bytes(page[8..16].try_into().unwrap()) as usize & 0xffff;
            all.push(page[..read.min(16 + length)].iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    all
}

pub fn record(serial: &mut Serial) {
    asking::prepare();
    let tracefs = Tracefs::open().unwrap();
    let [first, second] = ["works", "forks"].map(|name| tracefs.make_instance(name).unwrap());
    [&first, &second].iter().for_each(|instance| instance.write("trace_clock", b"mono").unwrap());
    second.write("options/event-fork", b"1").unwrap();
    let workers = tasks::all().into_iter().filter(tasks::Task::is_worker).map(|task| task.pid.to_string());
    second.write("set_event_pid", workers.chain(["2".to_owned()]).collect::<Vec<_>>().join(" ").as_bytes()).unwrap();
    let own_and_new = "parent_comm ~ \"kworker/*\" || parent_pid == 2".to_owned();
    let mut formats = vec![enable(&second, Kind::Fork, Some(own_and_new)).unwrap()];
    let exec = enable(&second, Kind::Exec, Some("comm ~ \"kworker/*\"".to_owned()));
    formats.push(exec.or_else(|| enable(&second, Kind::Rename, Some("oldcomm ~ \"kworker/*\"".to_owned()))).unwrap());
    formats.extend([Kind::Queue, Kind::Start, Kind::End].map(|kind| works(&first, kind).unwrap()));
    formats.push(enable(&first, Kind::Module, None).unwrap());
    // Every parent passes.
    let connector = ProcConnector::subscribe(&Parents::default()).unwrap();
    let threads: Vec<i32> = tasks::all().into_iter().filter(|task| task.is_kernel).map(|task| task.pid).collect();
    let asked = asking::start(0, HELPERS);
    asking::until_noted(HELPERS);
    let noted = asking::noted();
    let (mut ends, began) = (Vec::new(), Instant::now());
    while noted.keys().any(|pid| !ends.iter().any(|end: &[i64; 4]| end[1] == i64::from(*pid))) {
        assert!(began.elapsed() < Duration::from_secs(60), "not every end was told");
        let received = connector.receive(|exit| {
            let time = i64::try_from(exit.time).unwrap();
            ends.push([time, exit.pid.into(), exit.parent.into(), exit.status.into()]);
        });
        assert_ne!(received, Ok(Received::Overrun));
    }
    let truth: Vec<Value> = noted
        .iter()
        .flat_map(|(pid, numbers)| numbers.iter().map(move |(_, number)| (pid, number)))
        .map(|(pid, number)| {
            let asked = asked[number];
            json!({"pid": pid, "tid": asked.tid, "status": asked.status, "kind": asked.kind.word(), "number": number})
        })
        .collect();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let page = String::from_utf8(tracefs.read("events/header_page").unwrap()).unwrap();
    serial.record(&json!({
        "release": release.trim(), "page": page, "formats": formats, "works": pages(&first), "forks": pages(&second),
        "ends": ends, "threads": threads, "truth": truth,
    }));
}
