//! `log`, `why` and `rehearse` through the socket: the daemon reads its own ledger and makes both runs.

use khelper::abi::record::Outcome;
use khelper::control::ledger_view::{LogRequest, What, Which, WhyRequest};
use khelper::control::{Command, Key, Reply};
use serde_json::json;

use crate::daemon::Daemon;
use crate::{Ran, khelper};

/// The same verb through the socket and on the files.
fn both(daemon: &Daemon, args: &[&str]) -> (Ran, Ran) {
    let ledger = daemon.folder().join("ledger");
    let on_files = [&args[..1], &["--ledger", ledger.to_str().unwrap()], &args[1..]].concat();
    (khelper(&daemon.target(), args), khelper("", &on_files))
}

/// Waits until the ledger has the end of this request: a line is written at most a second after its event.
fn written(daemon: &Daemon, id: u64) {
    loop {
        let Reply::Why(told) = daemon.ask(&Command::Why(WhyRequest { which: Which::Id(id), of: None })) else {
            panic!()
        };
        if told.line.is_some_and(|line| matches!(line.what, What::Ended(_))) {
            return;
        }
    }
}

#[test]
fn the_daemon_tells_what_the_files_tell() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/false");
    daemon.set(Key::Deny, b"evil*");
    khelper(&daemon.target(), &["request", "bad\u{1b}", "evil", "other"]).exits(77);
    khelper(&daemon.target(), &["run", "--", "/bin/sh", "-c", "echo oops >&2; kill -9 $$"]).exits(137);
    written(&daemon, 4);
    let pid = format!("pid:{}", std::process::id());
    for (args, lines) in [
        (&["log", "--utc"][..], 7),
        (&["log", "--utc", "--json"], 7),
        (&["log", "--utc", "--outcome", "killed"], 1),
        (&["log", "--utc", "--outcome", "running"], 3),
        (&["log", "--utc", "--module", "o* bad*"], 2),
        (&["log", "--utc", "--uid", "4294967294"], 0),
        (&["log", "--utc", "--unit", "no.service"], 0),
        (&["log", "--utc", "--since", "1h"], 7),
        (&["log", "--utc", "--until", "1h"], 0),
        (&["why", "--utc", "other"], 3),
        (&["why", "--utc", "#4"], 5),
        (&["why", "--utc", "no-such"], 0),
        (&["why", "--utc", &pid], 0),
    ] {
        let (asked, read) = both(&daemon, args);
        assert_eq!((&asked.out, &asked.err, asked.code), (&read.out, &read.err, read.code), "{args:?}");
        let count = asked.out.lines().count();
        let more = lines > 0 && args[0] == "why" && count > lines;
        assert!(count == lines || more, "{args:?}: {}", asked.out);
    }
    let target = daemon.target();
    assert!(khelper(&target, &["log", "--ledger", "/tmp"]).exits(64).err.contains("a daemon has its own"));
    assert!(khelper(&target, &["why", "--ledger", "/tmp", "x"]).exits(64).err.contains("a daemon has its own"));
}

#[test]
fn a_long_ledger_comes_in_pages() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/true");
    khelper(&daemon.target(), &["request", "--parallel", "4", "--repeat", "150", "--json", "a", "b"]).exits(0);
    (1..=300).for_each(|id| written(&daemon, id));
    let (asked, read) = both(&daemon, &["log", "--utc", "--module", "a b"]);
    assert!(asked.out == read.out, "the same lines");
    assert_eq!((asked.out.lines().count(), asked.err.as_str()), (300, ""));
    let mut question = LogRequest { most: 7, outcome: Some(Outcome::Exited), ..LogRequest::default() };
    let mut seen = Vec::new();
    loop {
        let Reply::Log(page) = daemon.ask(&Command::Log(Box::new(question.clone()))) else { panic!() };
        assert!(page.lines.len() == 7 || page.next.is_none(), "{}", page.lines.len());
        seen.extend(page.lines.into_iter().map(|line| line.n));
        question.from = page.next;
        if question.from.is_none() {
            break;
        }
    }
    let mut once = seen.clone();
    once.dedup();
    assert_eq!((seen.len(), once.len(), seen.is_sorted()), (300, 300, true), "each line once, in order");
    // What no page gave is refused.
    question.from = Some("1:2:3".to_owned());
    let connection = khelper::remote::Direct::connect(&daemon.address()).unwrap();
    let error = connection.ask(&Command::Log(Box::new(question))).unwrap_err();
    assert!(error.to_string().contains("not where a page ended (EINVAL)"), "{error}");
}

#[test]
fn a_start_without_an_end_is_told_with_what_runs() {
    let daemon = Daemon::start();
    let which = Which::Name(b"sleep".to_vec());
    let none = daemon.ask(&Command::Why(WhyRequest { which: which.clone(), of: None }));
    assert!(matches!(&none, Reply::Why(told) if told.line.is_none()), "{none:?}");
    let id = khelper(&daemon.target(), &["run", "--wait", "exec", "--json", "--", "/bin/sleep", "1000"]).record()["id"]
        .clone();
    let told = loop {
        // The ledger has the start at most a second later.
        let Reply::Why(told) = daemon.ask(&Command::Why(WhyRequest { which: which.clone(), of: None })) else {
            panic!()
        };
        if told.line.is_some() {
            break told;
        }
    };
    assert!(
        matches!(&told.line.unwrap().what, What::Started(running) if running.record.id == id)
            && told.alive == Some(true)
    );
    let why = khelper(&daemon.target(), &["why", "sleep"]);
    assert!(why.exits(0).out.contains("It still runs, pid "), "{}", why.out);
    khelper(&daemon.target(), &["kill", "-s", "KILL", &id.to_string()]).exits(0);
}

#[test]
fn a_rehearsal_is_one_call_and_the_daemon_makes_both_runs() {
    let daemon = Daemon::start();
    let text = khelper(
        &daemon.target(),
        &["rehearse", "--bset", "-cap_chown", "--", "/bin/grep", "CapBnd", "/proc/self/status"],
    );
    let root = nix::unistd::geteuid().is_root();
    if root {
        assert!(text.exits(0).out.contains("bounding lack cap_chown\n"), "{}", text.out);
    }
    let json = khelper(&daemon.target(), &["rehearse", "--json", "--", "/bin/sh", "-c", "exit 4"]);
    let both = json.exits(4).record();
    assert_eq!((&both["draft"]["id"], &both["live"]["id"], &both["differences"]), (&json!(3), &json!(4), &json!([])));
    assert_eq!(both["draft"]["requester"]["pid"], both["live"]["requester"]["pid"]);
    let same = khelper(&daemon.target(), &["rehearse", "--", "/bin/true"]);
    assert!(same.exits(0).out.contains("the draft is the live masks, so this proves nothing"), "{}", same.out);
    khelper(&daemon.target(), &["rehearse", "--", "relative"]).exits(64);
}
