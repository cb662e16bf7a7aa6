//! A daemon that is out of descriptors refuses, and recovers.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use serde_json::json;

use crate::common::Dir;
use crate::daemon::{Client, Daemon, Opener, command, run};

fn limited(dir: &Dir, descriptors: u64) -> Daemon {
    let mut command = command(dir);
    let set = move || {
        let limit = libc::rlimit { rlim_cur: descriptors, rlim_max: descriptors };
        // SAFETY: it reads one struct, which lives on this stack.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: setrlimit is one system call.
    unsafe { command.pre_exec(set) };
    Daemon::of(dir, &mut command)
}

#[test]
fn more_connections_than_it_may_have_are_refused() {
    let dir = Dir::new();
    let daemon = limited(&dir, 80);
    // The ledger's first segment is open.
    daemon.connect().set("khelper.deny", "x");
    let before = daemon.descriptors();
    let mut open = Vec::new();
    let refused = loop {
        let mut client = daemon.connect();
        client.send("Get", json!({"key": "khelper.era"}));
        let answer = client.answer().unwrap();
        match answer["error"].as_str() {
            None => open.push(client),
            Some(name) => {
                assert_eq!(name, "io.khelper.Control.Busy");
                break answer;
            }
        }
    };
    let why = refused["parameters"]["reason"].as_str().unwrap();
    assert!(why.contains("connections, and accepts no more"), "{why}");
    assert_eq!(open.len(), 20, "half of the descriptors, two for each");
    assert_eq!(open[0].get("khelper.era"), "3.4", "those that are open go on");
    drop(open);
    while daemon.descriptors() > before {
        std::thread::yield_now();
    }
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
}

/// Messages that never end hold a pidfd each, and helpers hold pipes: the limit is met in spite of the count.
#[test]
fn without_any_descriptor_left_it_refuses_sleeps_and_recovers() {
    let dir = Dir::new();
    let fifo = dir.fifo("end");
    let daemon = limited(&dir, 64);
    let mut slow: Vec<Client> = Vec::new();
    // Each running helper takes pipes of the daemon.
    for _ in 0..12 {
        let mut client = daemon.connect();
        client.send("Run", run(&["/bin/cat", &fifo]));
        slow.push(client);
    }
    // Connections until one is refused or gets no answer because the daemon cannot accept it.
    let mut half: Vec<UnixStream> = Vec::new();
    loop {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        std::io::Write::write_all(&mut stream, b"{\"method\":").unwrap();
        half.push(stream);
        if half.len() >= 30 {
            break;
        }
    }
    drop(half);
    let _open = Opener::new(&fifo);
    for client in &mut slow {
        // It ran, or could not be started: either way it is answered.
        assert!(client.answer().is_some());
    }
    drop(slow);
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
    let record = daemon.connect().call("Run", run(&["/bin/echo", "again"]))["record"].take();
    assert_eq!(record["output"]["stdout"], "again\n");
}
