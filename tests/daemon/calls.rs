//! Calls: their order, their limits, and peers that vanish.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::Dir;
use crate::daemon::{Client, Daemon, Opener, message, run};

#[test]
fn knobs_are_read_and_written_and_helpers_run() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    assert_eq!(client.get("kernel.modprobe"), "/sbin/modprobe");
    client.set("kernel.modprobe", "/bin/echo");
    assert_eq!(daemon.connect().get("kernel.modprobe"), "/bin/echo");
    let record = client.call("Request", json!({"name": "dummy", "wait": true}))["record"].take();
    assert_eq!((&record["outcome"], &record["output"]["stdout"]), (&json!("exited"), &json!("-q -- dummy\n")));
    // The record names the sender, as the kernel knows it (AUTH-5).
    let actor = &record["actor"];
    assert_eq!((&actor["origin"], &actor["pid"]), (&json!("outside"), &json!(std::process::id())));
    assert!(actor["start_time"].as_u64().is_some(), "{actor}");
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn auth_3_a_reset_and_a_shutdown_never_come_over_the_socket() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    for (method, parameters) in [
        ("Reset", json!({"mask": "bset"})),
        ("ResetLoopMessages", json!({})),
        ("Shutdown", json!({"patience": {"secs": 0, "nanos": 0}})),
    ] {
        let (name, why) = client.refused(method, parameters);
        assert_eq!(name, "Denied", "{method}: {why}");
        assert!(why.starts_with("this is never done over a socket"), "{why}");
    }
}

#[test]
fn answers_come_in_the_order_of_the_calls_and_a_half_close_is_answered() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    client.stream.write_all(&message("Run", run(&["/bin/sleep", "0.2"]), false)).unwrap();
    for _ in 0..20 {
        client.send("Get", json!({"key": "khelper.era"}));
    }
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.values()["record"]["outcome"], "exited");
    for _ in 0..20 {
        assert_eq!(client.values()["text"], "3.4");
    }
    assert!(client.answer().is_none(), "the daemon closes its side too");
}

#[test]
fn a_message_in_many_pieces_is_one_message() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    for byte in message("Get", json!({"key": "khelper.era"}), false) {
        client.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.values()["text"], "3.4");
}

#[test]
fn auth_2_the_parts_of_a_message_have_one_sender() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let whole = message("Get", json!({"key": "khelper.era"}), false);
    let (one, other) = whole.split_at(20);
    client.stream.write_all(one).unwrap();
    // Another process writes the rest to the same connection.
    let mut cat = std::process::Command::new("/bin/cat");
    let mut cat = cat.stdin(std::process::Stdio::piped());
    cat = cat.stdout(std::os::fd::OwnedFd::from(client.stream.try_clone().unwrap()));
    let mut cat = cat.spawn().unwrap();
    cat.stdin.take().unwrap().write_all(other).unwrap();
    cat.wait().unwrap();
    let (name, why) = client.error();
    assert_eq!((&*name, &*why), ("Denied", "the parts of the message were sent by different processes"));
    assert!(client.answer().is_none());
}

#[test]
fn what_is_no_call_ends_the_connection_and_nothing_else() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    for nonsense in [&b"\0"[..], b"{}\0", b"[1]\0", b"\xff\xfe\0", b"{\"method\":1}\0", b"GET / HTTP/1.1\r\n\r\n\0"] {
        let mut client = daemon.connect();
        client.stream.write_all(nonsense).unwrap();
        assert!(client.answer().is_none(), "{nonsense:?}");
    }
    let mut client = daemon.connect();
    let long = vec![b' '; (1 << 20) + 4096];
    // The daemon may close before it has read everything.
    let _ = client.stream.write_all(&long);
    let (name, why) = client.error();
    assert_eq!((&*name, &*why), ("Denied", "the message is longer than this user may send (1 MiB; a reader 16 KiB)"));
    assert!(client.answer().is_none());
    // Exactly as long as it may be.
    let mut client = daemon.connect();
    let mut fits = message("Get", json!({"key": "khelper.era"}), false);
    fits.pop();
    fits.resize(1 << 20, b' ');
    fits.push(0);
    client.stream.write_all(&fits).unwrap();
    assert_eq!(client.values()["text"], "3.4");
    assert_eq!(client.refused("NoSuchMethod", json!({})).0, "MethodNotFound");
    assert_eq!(client.refused("Get", json!({"key": "x"})).0, "UnknownKnob");
    assert_eq!(client.get("khelper.era"), "3.4", "the connection goes on after an error");
}

#[test]
fn a_request_outlives_the_connection_that_made_it() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let fifo = dir.fifo("end");
    let mut watch = daemon.connect();
    watch.send_more("Watch", json!({"kinds": ["started", "finished"]}));
    watch.values();
    let mut client = daemon.connect();
    client.send("Run", run(&["/bin/cat", &fifo]));
    let started = watch.values()["event"]["kind"]["started"].take();
    drop(client);
    // The daemon has noticed: the connection is closed while the helper runs.
    let id = started["id"].as_u64().unwrap();
    let mut other = daemon.connect();
    assert_eq!(other.call("Record", json!({"id": id}))["record"]["state"], "running");
    std::fs::write(&fifo, "done").unwrap();
    let finished = watch.values()["event"]["kind"]["finished"].take();
    assert_eq!((&finished["id"], &finished["outcome"]), (&json!(id), &json!("exited")));
    let record = other.call("Record", json!({"id": id}))["record"].take();
    assert_eq!((&record["output"]["stdout"], &record["abandoned"]), (&json!("done"), &json!(false)));
}

#[test]
fn a_request_with_more_reports_its_progress() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    for _ in 0..20 {
        client.send_more("Run", run(&["/bin/echo", "x"]));
        let states: Vec<_> = (0..3).map(|_| client.values()).collect();
        let names: Vec<_> = states.iter().map(|state| state["state"].as_str().unwrap()).collect();
        assert_eq!(names, ["queued", "started", "ended"]);
        assert!(states.iter().all(|state| state["id"] == states[0]["id"]), "{states:?}");
        assert_eq!(states[1]["pid"], states[2]["record"]["pid"]);
    }
}

#[test]
fn a_call_that_wants_no_answer_gets_none() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let call = json!({"method": "io.khelper.Control.Set", "oneway": true,
        "parameters": {"writes": [{"key": "khelper.deny", "text": "x"}]}});
    client.stream.write_all(&[serde_json::to_vec(&call).unwrap(), vec![0]].concat()).unwrap();
    assert_eq!(client.get("khelper.deny"), "x", "the next answer is that of the next call");
    let upgrade = json!({"method": "io.khelper.Control.Get", "upgrade": true, "parameters": {"key": "khelper.era"}});
    client.stream.write_all(&[serde_json::to_vec(&upgrade).unwrap(), vec![0]].concat()).unwrap();
    assert_eq!(client.error().0, "InvalidParameter");
}

#[test]
fn a_slow_call_holds_up_nobody() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let fifo = dir.fifo("end");
    let mut slow: Vec<Client> = (0..20).map(|_| daemon.connect()).collect();
    for client in &mut slow {
        client.send("Run", run(&["/bin/cat", &fifo]));
    }
    let mut quick = daemon.connect();
    let live = |client: &mut Client| client.get("khelper.live").parse::<usize>().unwrap();
    while live(&mut quick) < slow.len() {}
    quick.set("khelper.deny", "x");
    // A drain of the gate waits for the helpers, for 5 s, and holds up nobody either.
    let mut draining = daemon.connect();
    draining.send("Set", json!({"writes": [{"key": "khelper.gate", "text": "disabled"}]}));
    while quick.call("Status", json!({}))["state"]["draining"] != true {}
    assert_eq!(quick.get("khelper.deny"), "x");
    let _open = Opener::new(&fifo);
    for client in &mut slow {
        assert_eq!(client.values()["record"]["outcome"], "exited");
    }
    assert_eq!(draining.values()["changes"][0]["after"]["depth"], "disabled");
}

#[test]
fn the_bridge_is_the_socket() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut bridge = std::process::Command::new(env!("CARGO_BIN_EXE_khelper"));
    bridge.arg("bridge").arg("--socket").arg(&daemon.socket);
    let bridge = bridge.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut bridge = bridge.spawn().unwrap();
    let mut stdin = bridge.stdin.take().unwrap();
    stdin.write_all(&message("Get", json!({"key": "khelper.era"}), false)).unwrap();
    drop(stdin);
    let mut answer = Vec::new();
    bridge.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"\0") && String::from_utf8_lossy(&answer).contains("\"text\":\"3.4\""));
    assert!(bridge.wait().unwrap().success());
    daemon.signal(Signal::SIGTERM);
    let gone = std::process::Command::new(env!("CARGO_BIN_EXE_khelper"))
        .args(["bridge", "--socket", "/nonexistent/s"])
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(69), "{gone:?}");
}

#[test]
fn the_connection_itself_is_left_open() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let silent: Vec<UnixStream> = (0..50).map(|_| UnixStream::connect(&daemon.socket).unwrap()).collect();
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
    drop(silent);
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
}

/// A call that wants no answer may end while the next one on its connection still waits.
#[test]
fn the_end_of_a_call_without_an_answer_leaves_the_progress_of_the_next_one() {
    let dir = Dir::new();
    let go = dir.fifo("go");
    let modprobe = dir.script("modprobe", "#!/bin/sh\ncase $* in *first*) read -r line <\"${0%/*}/go\" ;; esac\n");
    let daemon = Daemon::start(&dir);
    let mut other = daemon.connect();
    for (key, value) in [("kernel.modprobe", &*modprobe), ("khelper.era", "current"), ("khelper.max_concurrent", "1")] {
        other.set(key, value);
    }
    let mut watch = daemon.connect();
    watch.send_more("Watch", json!({"kinds": ["waiting"]}));
    assert!(watch.values()["run"].is_object());
    let mut client = daemon.connect();
    let first = json!({"method": "io.khelper.Control.Request", "oneway": true, "parameters": {"name": "first"}});
    client.stream.write_all(&[first.to_string().as_bytes(), b"\0"].concat()).unwrap();
    while other.get("khelper.live") != "1" {}
    client.send_more("Request", json!({"name": "second"}));
    assert_eq!(watch.values()["event"]["kind"]["waiting"]["id"], 2);
    std::fs::write(go, "go\n").unwrap();
    let mut states = Vec::new();
    while states.last().is_none_or(|last| last != "ended") {
        states.push(client.values()["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["queued", "started", "ended"]);
}
