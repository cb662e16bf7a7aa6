//! The console while its daemon is killed, comes back and is used by others.

use khelper::control::{Command, Key};

use crate::daemon::Relay;
use crate::over::{Engine, engine};
use crate::pty::{Pty, Start};
use crate::steps::{ESC, QUICK, ask, command, quits};

#[test]
fn the_header_names_the_daemon_and_its_engine_outlives_the_console() {
    let (Engine(daemon), options) = &engine(QUICK, &[]);
    let mut pty = Start::khelper(120, 40).args(options).start();
    pty.says(&format!("daemon {} (pid {}): an engine in another process", daemon.target(), daemon.pid()));
    ask(&mut pty, "foo", 1);
    pty.shows("#1 foo");
    quits(&mut pty);
    // Another console sees what the first one did, and what others do meanwhile.
    let mut pty = Start::khelper(120, 40).args(options).start();
    pty.shows("#1 foo");
    daemon.ask(&Command::RequestModule { name: b"bar".to_vec(), wait: true, profile: None });
    pty.shows("#2 bar");
    daemon.set(Key::Deny, b"evil*");
    pty.says("khelper.deny was changed by another writer");
    command(&mut pty, "get khelper.deny");
    pty.says("khelper.deny = evil*");
    pty.send(ESC);
    pty.hides("khelper.deny = evil*");
    quits(&mut pty);
}

#[test]
fn a_mask_is_never_reset_over_a_socket() {
    let (_daemon, options) = engine(QUICK, &[]);
    let mut pty = Start::khelper(120, 40).args(options).start();
    pty.shows("enabled");
    line_refused(&mut pty, "reset loop-messages", "this is never done over a socket");
    quits(&mut pty);
}

#[test]
fn a_daemon_that_is_killed_and_started_again_is_lost_and_back() {
    let (mut engine, options) = engine(QUICK, &[]);
    let daemon = &mut engine.0;
    let mut pty = Start::khelper(120, 40).args(options).start();
    ask(&mut pty, "foo", 3);
    pty.shows("×3 foo");
    // A later message would replace the one about the connection.
    pty.says("3 of 3 answered");
    daemon.kill();
    pty.says("lost the connection to the daemon unix:");
    pty.says("connection lost, state of");
    pty.says("the screen shows old state");
    assert!(pty.text().contains("×3 foo"), "the last state stays: {}", pty.text());
    // A command is refused with the reason; keys work.
    line_refused(&mut pty, "set khelper.deny=x", "nothing was sent");
    pty.press("4", "[4 Log]");
    pty.says("lost the connection: ");
    pty.press("1", "[1 Overview]");
    daemon.again();
    pty.says("was restarted: its records and numbers start again");
    pty.unsays("connection lost");
    // It works as before.
    daemon.set(Key::Modprobe, QUICK.as_bytes());
    ask(&mut pty, "bar", 1);
    pty.shows(" bar");
    pty.shows("✓ exit 0");
    quits(&mut pty);
}

#[test]
fn what_was_missed_while_the_connection_was_lost_is_in_the_log() {
    let (engine, _) = engine(QUICK, &[]);
    let daemon = &engine.0;
    let relay = Relay::new(daemon);
    let target = format!("unix:{}", relay.path().display());
    let mut pty = Start::khelper(120, 40).args(["--target", &target]).start();
    pty.shows("enabled");
    pty.press("4", "[4 Log]");
    daemon.set(Key::Deny, b"seen");
    pty.says("khelper.deny: (empty) -> `seen`");
    relay.cut();
    pty.says("connection lost, state of");
    for value in [&b"a"[..], b"b", b"c"] {
        daemon.set(Key::Deny, value);
    }
    relay.join();
    pty.unsays("connection lost, state of");
    pty.says("the connection is back; events missed meanwhile: 3");
    daemon.set(Key::Deny, b"last");
    pty.says("khelper.deny: `c` -> `last`");
    quits(&mut pty);
}

#[test]
fn what_is_typed_is_kept_while_the_connection_is_lost() {
    let (engine, _) = engine(QUICK, &[]);
    let daemon = &engine.0;
    for (columns, rows) in [(120, 40), (80, 24)] {
        let relay = Relay::new(daemon);
        let target = format!("unix:{}", relay.path().display());
        let mut pty = Start::khelper(columns, rows).args(["--target", &target]).start();
        pty.shows("enabled");
        pty.press("m", "Ask for a module");
        pty.send("\x15foo");
        pty.says("> name foo");
        relay.cut();
        pty.shows("CONNECTION LOST");
        // Reading works, acting says why not, and the name stays.
        pty.send("\r");
        pty.says("nothing was sent");
        pty.says("> name foo");
        relay.join();
        pty.hides("CONNECTION LOST");
        pty.send("\r");
        // What was not read yet comes first.
        pty.says("is back");
        pty.send(ESC);
        pty.says("foo: ✓ exit 0");
        quits(&mut pty);
    }
}

/// Types a line that is refused with these words.
fn line_refused(pty: &mut Pty, line: &str, why: &str) {
    pty.press(":", "─ Command");
    pty.send(format!("{line}\r"));
    pty.says(why);
    pty.send(ESC);
    pty.hides("─ Command");
}
