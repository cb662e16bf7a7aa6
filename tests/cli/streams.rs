//! The two outputs of a helper: each is escaped if it goes to a terminal, and dropped bytes are reported.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::{khelper, run};

/// One hostile line to each output, with different letters.
const BOTH: [&str; 7] =
    ["-t", "embedded", "run", "--", "/bin/sh", "-c", "printf 'out\\033[31m\\n'; printf 'err\\033[32m\\n' >&2"];

/// Everything that is written to a terminal until its last writer has gone.
fn screen(master: OwnedFd) -> Vec<u8> {
    let mut screen = Vec::new();
    // A master whose slave has been closed reads EIO.
    let _ = File::from(master).read_to_end(&mut screen);
    String::from_utf8_lossy(&screen).replace("\r\n", "\n").into_bytes()
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    pipe.unwrap().read_to_end(&mut all).unwrap();
    all
}

/// Runs `BOTH` with one output on a terminal and the other in a pipe: what each of them got, stdout first.
fn one_terminal(stdout: bool) -> [Vec<u8>; 2] {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = khelper();
    command.args(BOTH);
    if stdout {
        command.stdout(Stdio::from(pty.slave)).stderr(Stdio::piped());
    } else {
        command.stdout(Stdio::piped()).stderr(Stdio::from(pty.slave));
    }
    let mut child: Child = command.spawn().unwrap();
    // The command holds the slave's end: without it the master would never read an end.
    drop(command);
    // Both are far shorter than what a pipe holds: one can be read after the other.
    let got = if stdout {
        let piped = read(child.stderr.take());
        [screen(pty.master), piped]
    } else {
        [read(child.stdout.take()), screen(pty.master)]
    };
    assert!(child.wait().unwrap().success());
    got
}

#[test]
fn each_output_is_escaped_if_it_goes_to_a_terminal_itself() {
    let [out, err] = one_terminal(true);
    assert!(out.starts_with(b"out\\x1b[31m\n/bin/sh: exit 0"), "{}", String::from_utf8_lossy(&out));
    assert_eq!(err, b"err\x1b[32m\n", "a pipe gets every byte, whatever stdout is");
    let [out, err] = one_terminal(false);
    assert!(out.starts_with(b"out\x1b[31m\n/bin/sh: exit 0"), "a pipe gets every byte, whatever stderr is");
    assert_eq!(err, b"err\\x1b[32m\n");
}

/// 70,000 bytes to stdout and 66,000 to stderr: 4,464 and 464 more than is kept of each.
const MUCH: &str = "head -c 70000 /dev/zero | tr '\\0' o; head -c 66000 /dev/zero | tr '\\0' e >&2";

#[test]
fn umh_13_bytes_that_were_not_kept_are_counted_and_said() {
    let ran = run(["-t", "embedded", "run", "--", "/bin/sh", "-c", MUCH]);
    let said = "khelper: /bin/sh: 4928 bytes of output were dropped; only the last 64 KiB are kept\n";
    assert!(ran.exits(0).stderr.ends_with(said), "{}", &ran.stderr[65_000..]);
    assert_eq!(ran.stderr.len(), 65_536 + 1 + said.len(), "the tail of stderr, a newline, the sentence");
    assert!(ran.text().starts_with(&"o".repeat(65_536)) && !ran.text().contains("not kept"));

    let json = run(["run", "--json", "--", "/bin/sh", "-c", MUCH]);
    let record = json.exits(0).record();
    assert_eq!(record["dropped_bytes"], json!(4928));
    assert_eq!(record["stdout"].as_str().unwrap(), "o".repeat(65_536));
    assert_eq!(record["stderr"].as_str().unwrap(), "e".repeat(65_536));

    let little = run(["-t", "embedded", "run", "--", "/bin/sh", "-c", "echo few"]);
    assert_eq!(little.exits(0).stderr, "");
}

/// What cannot be text is escaped in every string of the answer, the environment included.
#[test]
fn a_byte_that_is_no_text_is_escaped_in_json_wherever_it_stands() {
    use std::os::unix::ffi::OsStrExt;
    let os = |bytes: &'static [u8]| std::ffi::OsStr::from_bytes(bytes);
    let mut command = khelper();
    command.args(["run", "--json", "--env"]).arg(os(b"E=\xff\xfee")).arg("--").arg("/bin/sh");
    command.args(["-c", "printf 'o\\375'; printf 'e\\374' >&2"]).arg(os(b"a\xfb"));
    let record = crate::Ran::of(command.output().unwrap()).exits(0).record();
    assert_eq!(record["env"].as_array().unwrap().last(), Some(&json!("E=\\xff\\xfee")));
    assert_eq!(record["argv"].as_array().unwrap().last(), Some(&json!("a\\xfb")));
    assert_eq!((&record["stdout"], &record["stderr"]), (&json!("o\\xfd"), &json!("e\\xfc")));
}
