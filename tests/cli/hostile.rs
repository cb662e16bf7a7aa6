//! Hostile bytes: shown escaped, and reaching the helper byte for byte.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use khelper::abi::escape::unescape;
use proptest::prelude::*;

use crate::{Helpers, Ran, khelper, modprobe, run};

const HOSTILE: &[u8] = b"a\x1b[31m\n\t\\\xff\xe6\xbc\xa2e\xcc\x81\x9b;$(id) 'x";

fn os(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

/// Neither a control character nor an escape, but for the ends of lines.
fn harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control())
}

#[test]
fn a_name_reaches_the_helper_byte_for_byte() {
    let args = [os(b"--set"), os(b"kernel.modprobe=/bin/echo"), os(b"request"), os(b"--json"), os(HOSTILE)];
    let ran = run(args);
    let record = ran.exits(0).record();
    let mut wanted = b"-q -- ".to_vec();
    wanted.extend(HOSTILE);
    wanted.push(b'\n');
    assert_eq!(unescape(record["stdout"].as_str().unwrap()).unwrap(), wanted);
    assert_eq!(unescape(record["module"].as_str().unwrap()).unwrap(), HOSTILE);
    assert_eq!(unescape(record["argv"][3].as_str().unwrap()).unwrap(), HOSTILE);
    assert_eq!(ran.text().lines().count(), 1);
    assert!(harmless(ran.text()));
}

#[test]
fn in_text_the_name_is_escaped_and_the_output_passed_on_to_a_pipe() {
    let args = [os(b"--set"), os(b"kernel.modprobe=/bin/echo"), os(b"request"), os(HOSTILE)];
    let ran = run(args);
    let mut wanted = b"-q -- ".to_vec();
    wanted.extend(HOSTILE);
    wanted.extend(b"\na\\x1b[31m\\x0a\\x09\\\\\\xff\\xe6\\xbc\\xa2e\\xcc\\x81\\x9b;$(id) 'x: exit 0, ");
    assert!(ran.exits(0).stdout.starts_with(&wanted), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn a_terminal_is_sent_no_hostile_byte() {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut child = khelper();
    child.args(["-t", "embedded", "run", "--"]).arg("/usr/bin/printf").arg("%s\\n").arg(os(HOSTILE));
    child.stdout(Stdio::from(pty.slave.try_clone().unwrap())).stderr(Stdio::from(pty.slave));
    let mut spawned = child.spawn().unwrap();
    // The command holds the slave's ends: without it the master would never read an end.
    drop(child);
    let mut screen = Vec::new();
    // A master whose slave has been closed reads EIO.
    let _ = std::fs::File::from(pty.master).read_to_end(&mut screen);
    assert!(spawned.wait().unwrap().success());
    let screen = String::from_utf8(screen).unwrap().replace("\r\n", "\n");
    assert!(harmless(&screen), "{screen:?}");
    assert!(
        screen
            .starts_with("a\\x1b[31m\n\\x09\\\\\\xff\\xe6\\xbc\\xa2e\\xcc\\x81\\x9b;$(id) 'x\n/usr/bin/printf: exit 0"),
        "{screen}"
    );
}

#[test]
fn refusals_and_complaints_are_escaped() {
    let long = [HOSTILE, &[b'x'; 56]].concat();
    let deny = [b"khelper.deny=".as_slice(), b"a*"].concat();
    for args in [
        vec![os(b"request"), os(&long)],
        vec![os(b"--set"), os(&deny), os(b"request"), os(HOSTILE)],
        vec![os(b"run"), os(b"--"), os(&[b"/".as_slice(), HOSTILE].concat())],
        vec![os(b"run"), os(b"--"), os(HOSTILE)],
        vec![os(b"get"), os(HOSTILE)],
        vec![os(b"mask"), os(HOSTILE)],
        vec![os(b"--set"), os(HOSTILE), os(b"get"), os(b"-a")],
        vec![os(b"--set"), os(&[b"khelper.era=".as_slice(), HOSTILE].concat()), os(b"get"), os(b"-a")],
        vec![os(b"--set"), os(&[b"kernel.modprobe=".as_slice(), HOSTILE].concat()), os(b"get"), os(b"-a")],
        vec![os(b"--set"), os(&[b"kernel.usermodehelper.bset=".as_slice(), HOSTILE].concat()), os(b"get")],
        vec![os(HOSTILE)],
        vec![os(&[b"--".as_slice(), HOSTILE].concat())],
        vec![os(b"run"), os(b"--wait"), os(HOSTILE), os(b"--"), os(b"/bin/true")],
    ] {
        let ran = run(&args);
        assert!(![Some(0), Some(101), None].contains(&ran.code), "{args:?}: {:?} {}", ran.code, ran.stderr);
        assert!(harmless(&ran.stderr) && !ran.stderr.is_empty(), "{args:?}: {:?}", ran.stderr);
        assert!(harmless(&String::from_utf8_lossy(&ran.stdout)), "{args:?}");
    }
}

#[test]
fn every_malformed_mask_and_path_is_refused_with_a_sentence_and_changes_nothing() {
    let masks: [&[u8]; 13] = [
        b"",
        b"511",
        b"1 2 3",
        b"010 0",
        b"+1 0",
        b"-1 0",
        b"4294967296 0",
        b"0 4294967296",
        b"0x20000000000",
        b"cap_nonsense",
        b"0 512",
        b"1 x",
        b"0x",
    ];
    let long = [b"/".as_slice(), &[b'x'; 255]].concat();
    let paths: [&[u8]; 4] = [b"bin/modprobe", b"/a\nb", &long, b"/a\n\n"];
    let key = |key: &str, value: &[u8]| os(&[key.as_bytes(), b"=", value].concat());
    let settings = masks
        .iter()
        .map(|m| key("kernel.usermodehelper.bset", m))
        .chain(masks.iter().map(|m| key("kernel.usermodehelper.inheritable", m)))
        .chain(paths.iter().map(|p| key("kernel.modprobe", p)));
    for setting in settings {
        let ran = run([os(b"--set"), setting.clone(), os(b"get"), os(b"-a")]);
        assert!(ran.exits(64).stdout.is_empty(), "{setting:?}");
        assert!(ran.stderr.contains("(EINVAL); ") && ran.stderr.lines().count() == 1, "{setting:?}: {}", ran.stderr);
    }
    run([os(b"--set"), key("kernel.modprobe", b"/with a blank/\xff"), os(b"get"), os(b"kernel.modprobe")]).exits(0);
}

#[test]
fn a_path_of_hostile_bytes_is_executed() {
    let helpers = Helpers::new();
    let mut path = helpers.0.path().as_os_str().to_owned();
    path.push("/h ");
    path.push(os(b"\xff\x1b"));
    let script = helpers.script("plain", "echo \"$3\"");
    std::fs::hard_link(script, &path).unwrap();
    let mut setting = OsString::from("kernel.modprobe=");
    setting.push(&path);
    let ran = Ran::of(khelper().arg("--set").arg(setting).args(["request", "--json", "x"]).output().unwrap());
    let record = ran.exits(0).record();
    assert_eq!(unescape(record["path"].as_str().unwrap()).unwrap(), path.as_bytes());
    assert_eq!(record["stdout"], "x\n");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_reach_a_helper_and_come_back(
        name in proptest::collection::vec(1..=255u8, 1..=55),
        arg in proptest::collection::vec(1..=255u8, 0..200),
    ) {
        let helpers = std::path::Path::new("/usr/bin/printf");
        let ran = khelper().args(modprobe(helpers)).args(["request", "--json", "--"]).arg(os(&name)).output().unwrap();
        let record = Ran::of(ran).record();
        prop_assert_eq!(unescape(record["argv"][3].as_str().unwrap()), Some(name));
        let ran = khelper().args(["run", "--json", "--", "/usr/bin/printf", "%s"]).arg(os(&arg)).output().unwrap();
        let record = Ran::of(ran).record();
        prop_assert_eq!(unescape(record["stdout"].as_str().unwrap()), Some(arg));
    }
}
