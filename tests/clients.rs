//! 200 clients at once, good and bad, beside 50 sleeping helpers: descriptors, threads and memory come back. The figures
//! are printed. `KHELPER_CLIENTS_SECONDS=30 cargo test --test clients -- --nocapture` is the long form.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/served.rs"]
mod daemon;

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::Dir;
use daemon::{Client, Daemon, message, run};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::json;

const CLIENTS: usize = 200;
const HELPERS: usize = 50;
/// The idle workers that an engine keeps.
const IDLE: usize = 8;

/// Between two acts of a client: on two processors, 200 clients without a pause would measure only themselves.
const PAUSE: Duration = Duration::from_millis(200);

/// What a client does once.
type Act = fn(&Path, &AtomicBool);

fn quick(socket: &Path, _: &AtomicBool) {
    let mut client = Client::new(socket);
    for _ in 0..20 {
        assert_eq!(client.get("khelper.era"), "3.4");
    }
}

fn slow(socket: &Path, _: &AtomicBool) {
    let mut client = Client::new(socket);
    let record = client.call("Run", run(&["/bin/sleep", "0.3"]))["record"].take();
    assert_eq!(record["outcome"], "exited");
    client.send_more("Run", run(&["/bin/sleep", "0.1"]));
    while client.values()["state"] != "ended" {}
}

fn watch(socket: &Path, over: &AtomicBool) {
    let mut client = Client::new(socket);
    client.send_more("Watch", json!({}));
    client.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut buffer = vec![0; 65536];
    while !over.load(Ordering::Acquire) {
        // An error is a pause without events.
        assert_ne!(client.stream.read(&mut buffer).ok(), Some(0), "the watch ended");
    }
}

fn deaf(socket: &Path, over: &AtomicBool) {
    let mut client = Client::new(socket);
    client.send_more("Watch", json!({}));
    while !over.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn malformed(socket: &Path, _: &AtomicBool) {
    for text in [&b"{\"method\":\0"[..], b"\xff\0", b"{\"method\":\"x.y\",\"parameters\":[]}\0", b"[[[[[[\0"] {
        let mut client = Client::new(socket);
        client.stream.write_all(text).unwrap();
        let _ = client.answer();
    }
    let mut client = Client::new(socket);
    let _ = client.stream.write_all(&vec![b'x'; (1 << 20) + 1]);
    assert_eq!(client.error().0, "Denied");
}

fn half_open(socket: &Path, _: &AtomicBool) {
    let mut streams: Vec<UnixStream> = (0..3).map(|_| UnixStream::connect(socket).unwrap()).collect();
    streams[0].write_all(b"{\"method\":\"io.khelper").unwrap();
    streams[1].shutdown(Shutdown::Write).unwrap();
    assert_eq!(streams[1].read(&mut [0]).unwrap(), 0, "nothing was asked");
    std::thread::sleep(Duration::from_millis(50));
}

fn vanishing(socket: &Path, _: &AtomicBool) {
    for call in [message("Run", run(&["/bin/sleep", "0.2"]), true), message("Watch", json!({}), true)] {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(&call).unwrap();
    }
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(&message("Get", json!({"key": "khelper.era"}), false)).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
}

fn with_files(socket: &Path, _: &AtomicBool) {
    let mut client = Client::new(socket);
    let file = std::fs::File::open("/dev/null").unwrap();
    let files = [file.as_fd(); 100];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&files));
    let call = message("Get", json!({"key": "khelper.era"}), false);
    sendmsg(&client.stream, &[IoSlice::new(&call)], &mut rights, SendFlags::empty()).unwrap();
    assert_eq!(client.values()["text"], "3.4");
}

/// Each kind of client, and how many of 200 it is.
const KINDS: [(Act, usize); 8] = [
    (quick, 60),
    (slow, 40),
    (watch, 30),
    (deaf, 5),
    (malformed, 20),
    (half_open, 15),
    (vanishing, 20),
    (with_files, 10),
];

fn clients(socket: &Path, over: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let kinds = KINDS.iter().flat_map(|(act, count)| std::iter::repeat_n(*act, *count));
    let start = |act: Act| {
        let (socket, over) = (PathBuf::from(socket), over.clone());
        let work = move || {
            while !over.load(Ordering::Acquire) {
                act(&socket, &over);
                std::thread::sleep(PAUSE);
            }
        };
        std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap()
    };
    kinds.map(start).collect()
}

/// Gets from one client while the others are at work: how long each took, sorted.
fn gets(daemon: &Daemon, time: Duration) -> Vec<Duration> {
    let (begun, mut client) = (Instant::now(), daemon.connect());
    let mut took = Vec::new();
    while begun.elapsed() < time {
        let begun = Instant::now();
        client.get("khelper.era");
        took.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    took.sort_unstable();
    took
}

fn load(daemon: &Daemon, time: Duration) -> Vec<Duration> {
    let over = Arc::new(AtomicBool::new(false));
    let threads = clients(&daemon.socket, &over);
    assert_eq!(threads.len(), CLIENTS);
    let took = gets(daemon, time);
    over.store(true, Ordering::Release);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    took
}

/// Waits until the daemon has as few descriptors and threads as before.
fn come_back(daemon: &Daemon, descriptors: usize, threads: usize) {
    let begun = Instant::now();
    while daemon.descriptors() > descriptors || daemon.status("Threads") > threads {
        let now = (daemon.descriptors(), daemon.status("Threads"));
        assert!(begun.elapsed() < Duration::from_secs(60), "{now:?}, before ({descriptors}, {threads})");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn two_hundred_clients_leave_nothing_behind() {
    let seconds = std::env::var("KHELPER_CLIENTS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let dir = Dir::new();
    // Its log is not read: that must not matter.
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let mut ids: Vec<u64> = (0..HELPERS + IDLE)
        .map(|_| {
            client.call("Run", json!({"path": "/bin/sleep", "args": ["1000"], "wait": "exec"}))["id"].as_u64().unwrap()
        })
        .collect();
    // As many idle workers as are kept.
    for id in ids.split_off(HELPERS) {
        client.call("Kill", json!({"id": id, "signal": 9}));
    }
    // Buffers and thread stacks grow to their usual size.
    load(&daemon, Duration::from_secs(1));
    while client.get("khelper.live") != HELPERS.to_string() {}
    // Idle workers end after a while; those of the sleeping helpers stay.
    let (descriptors, threads, memory) = (daemon.descriptors(), daemon.status("Threads"), daemon.status("VmRSS"));
    let took = load(&daemon, Duration::from_secs(seconds));
    while client.get("khelper.live") != HELPERS.to_string() {}
    come_back(&daemon, descriptors, threads);
    let grown = daemon.status("VmRSS").saturating_sub(memory);
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "{CLIENTS} clients, {HELPERS} helpers, {seconds} s: {} gets, median {:.2} ms, 99th percentile {:.2} ms, longest {:.2} \
         ms; {descriptors} descriptors and {threads} threads came back; {memory} KiB resident, {grown} KiB more after it",
        took.len(),
        at(50),
        at(99),
        at(100),
    );
    assert!(grown < 32 << 10, "{grown} KiB");
    for id in ids {
        client.call("Kill", json!({"id": id, "signal": 9}));
    }
    while client.get("khelper.live") != "0" {}
    daemon.stop();
}

#[test]
fn two_hundred_idle_watches_need_no_thread_and_little_memory() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    // One watch makes the subscription that all share.
    let watch = || {
        let mut watch = daemon.connect();
        watch.send_more("Watch", json!({}));
        watch.values();
        watch
    };
    let first = watch();
    client.set("khelper.deny", "x");
    let (threads, memory) = (daemon.status("Threads"), daemon.status("VmRSS"));
    let watches: Vec<Client> = (0..CLIENTS).map(|_| watch()).collect();
    assert_eq!(daemon.status("Threads"), threads);
    let each = daemon.status("VmRSS").saturating_sub(memory) / CLIENTS;
    println!("a watch: {each} KiB");
    assert!(each < 64, "{each} KiB");
    drop((first, watches));
}
