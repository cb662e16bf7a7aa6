//! A daemon of another version.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::khelper;

/// Answers each message as `answer` says: a daemon that does not know what this version knows.
fn serve(socket: &Path, answer: impl Fn(&str) -> String + Clone + Send + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        while let Ok((connection, _)) = listener.accept() {
            let answer = answer.clone();
            thread::spawn(move || talk(connection, &answer));
        }
    });
}

fn talk(mut connection: UnixStream, answer: &dyn Fn(&str) -> String) {
    let (mut message, mut byte) = (Vec::new(), [0]);
    while connection.read(&mut byte).is_ok_and(|length| length == 1) {
        if byte[0] != 0 {
            message.push(byte[0]);
            continue;
        }
        let text = answer(&String::from_utf8(std::mem::take(&mut message)).unwrap());
        if connection.write_all(format!("{text}\0").as_bytes()).is_err() {
            return;
        }
    }
}

const INFO: &str = r#"{"parameters":{"version":"0.0.9","pid":7,"uid":0,"run":{"started":5,"pid":7},
    "known":{"hex":"0x000001ffffffffff"},"later":1}}"#;

#[test]
fn what_an_older_daemon_does_not_know_is_exit_76_and_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    serve(&socket, |call| match call {
        call if call.contains("Control.Info\"") => INFO.to_owned(),
        call => {
            let method = call.split('"').nth(3).unwrap();
            format!(r#"{{"error":"org.varlink.service.MethodNotFound","parameters":{{"method":"{method}"}}}}"#)
        }
    });
    let target = format!("unix:{}", socket.display());
    for (args, method) in [
        (&["get", "khelper.era"][..], "Get"),
        (&["status"], "Status"),
        (&["kill", "3"], "Kill"),
        (&["request", "x"], "Request"),
        (&["watch"], "Status"),
    ] {
        let ran = khelper(&target, args);
        let said = format!("khelper: this daemon (0.0.9) does not know {method}; restart it\n");
        assert_eq!((ran.exits(76).err.as_str(), ran.out.as_str()), (said.as_str(), ""), "{args:?}");
    }
}

/// One that describes itself in another form is not asked anything, and nothing else is used in its place.
#[test]
fn a_daemon_that_describes_itself_in_another_form_is_exit_76_for_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    serve(&socket, |_| r#"{"parameters":{"colour":"red"}}"#.to_owned());
    let target = format!("unix:{}", socket.display());
    for args in [&["request", "x"][..], &["run", "--", "/bin/true"], &["probe"], &["watch"], &["rehearse"], &["log"]] {
        let ran = khelper(&target, args);
        assert!(ran.exits(76).err.contains("does not understand the answer of this daemon"), "{args:?}: {}", ran.err);
    }
}

#[test]
fn an_answer_of_another_form_is_exit_76() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    serve(&socket, |call| match call {
        call if call.contains("Control.Info\"") => INFO.to_owned(),
        _ => r#"{"parameters":{"value":{"colour":"red"}}}"#.to_owned(),
    });
    let ran = khelper(&format!("unix:{}", socket.display()), &["get", "khelper.era"]);
    let said = ran.exits(76).err.as_str();
    assert!(said.contains("does not understand the answer of this daemon (0.0.9) to Get"), "{said}");
    assert!(said.contains("colour") && said.ends_with("; restart it\n"), "{said}");
}

#[test]
fn a_socket_without_a_daemon_is_no_panic_and_no_wait() {
    let folder = tempfile::tempdir().unwrap();
    for (name, answer) in [("junk", "no JSON"), ("list", "[]"), ("empty", "{}"), ("error", r#"{"error":"x.y"}"#)] {
        let socket = folder.path().join(name);
        serve(&socket, |_| answer.to_owned());
        for args in [&["get", "khelper.era"][..], &["request", "x"], &["watch"]] {
            let ran = khelper(&format!("unix:{}", socket.display()), args);
            assert!(matches!(ran.code, Some(69 | 76)) && ran.err.lines().count() == 1, "{name}: {}", ran.err);
        }
    }
    // It accepts and closes.
    let socket = folder.path().join("closes");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || while listener.accept().is_ok() {});
    let ran = khelper(&format!("unix:{}", socket.display()), &["get", "khelper.era"]);
    assert!(ran.exits(69).err.contains("lost the daemon at "), "{}", ran.err);
}

/// The command must not wait forever before it can be interrupted.
#[test]
fn a_daemon_that_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let _silent = UnixListener::bind(&socket).unwrap();
    let ran = khelper(&format!("unix:{}", socket.display()), &["request", "x"]);
    assert!(ran.exits(69).err.contains("it does not answer"), "{}", ran.err);
}
