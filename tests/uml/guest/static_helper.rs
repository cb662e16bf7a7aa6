//! The shim where the kernel runs one program in place of every helper, with the wanted program as argv[0]
//! (CONFIG_STATIC_USERMODEHELPER).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use khelper::abi::verdict::ALLOW;
use khelper::control::shim::program;

use super::asking::{self, KINDS, LOG, crash, empty_cgroup, module, request_key};
use super::init::Serial;
use super::stub::{Stub, settings};
use super::{counts, stub};
use crate::watcher::Watcher;

/// CONFIG_STATIC_USERMODEHELPER_PATH of tests/uml/build.
const PATH: &str = "/sbin/usermode-helper";
const HELPERS: usize = 400;

pub fn place(fails_closed: bool) {
    let new = format!("{PATH}.new");
    fs::write(&new, program(&settings(fails_closed)).unwrap()).unwrap();
    fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
    fs::rename(new, PATH).unwrap();
}

/// Helpers of the four kinds. Every end is the helper's own, as the kernel tells it to a watch.
fn all_kinds(from: usize) {
    fs::write(LOG, "").unwrap();
    let mut watcher = Watcher::start().expect("a watch as root");
    let asked = asking::start(from, from + HELPERS);
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= HELPERS);
    watcher.end(&mut seen, &mut lost);
    asking::until_noted(HELPERS);
    let ([requesters, ..], _) = counts::compare(&seen, &asked, |_| PATH);
    assert_eq!((seen.len(), requesters, lost), (HELPERS, HELPERS, 0));
}

/// A key is instantiated by its helper, and a core arrives whole.
fn key_and_core(name: &str) {
    let key = format!("give-{name}-e0");
    assert_eq!(request_key(&key), Some(format!("of {key}")));
    let _ = fs::remove_file("/tmp/core");
    fs::write(LOG, "").unwrap();
    crash("whole-e0");
    asking::until_noted(1);
    core_is_whole("/tmp/core");
}

/// The core of a process whose name begins with `whole`.
pub fn core_is_whole(path: &str) {
    let core = fs::read(path).unwrap();
    assert_eq!(core.len(), length(&core), "the core's length is that of its segments");
    let pattern: Vec<u8> = (0..1u32 << 20).flat_map(|n| n.wrapping_mul(2_654_435_761).to_ne_bytes()).collect();
    let at = core.windows(64).position(|piece| *piece == pattern[64..128]).expect("the pattern's second piece");
    assert_eq!(core[at - 64..][..pattern.len()], pattern);
}

/// The end of the last segment, from the program headers of elf(5).
fn length(core: &[u8]) -> usize {
    let number = |at: usize| usize::try_from(u64::from_ne_bytes(core[at..][..8].try_into().unwrap())).unwrap();
    let short = |at: usize| usize::from(u16::from_ne_bytes([core[at], core[at + 1]]));
    let (start, size, count) = (number(32), short(54), short(56));
    // p_offset and p_filesz
    (0..count).map(|n| start + n * size).map(|header| number(header + 8) + number(header + 32)).max().unwrap()
}

/// One helper of each kind is asked for. Returns which of them ran, and what the kernel told a watch of their ends.
fn one_of_each(name: &str) -> (Vec<String>, Vec<(String, i32)>) {
    fs::write(LOG, "").unwrap();
    let mut watcher = Watcher::start().expect("a watch as root");
    let word = format!("{name}-e0");
    module(&word);
    request_key(&word);
    crash(&word);
    empty_cgroup(&word);
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= KINDS.len());
    watcher.end(&mut seen, &mut lost);
    let log = fs::read_to_string(LOG).unwrap();
    let mut ran: Vec<String> = log.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    ran.sort_unstable();
    (ran, seen.into_iter().map(|seen| (seen.executed, seen.status)).collect())
}

fn none_ran((ran, ends): (Vec<String>, Vec<(String, i32)>), executed: &str, status: i32) {
    assert_eq!(ran, [""; 0], "{ends:?}");
    assert_eq!(ends, vec![(executed.to_owned(), status); KINDS.len()]);
}

const ALL: [&str; 4] = ["agent", "core", "key", "module"];

pub fn four_kinds(serial: &mut Serial) {
    asking::prepare();
    // The program of every helper is not there.
    none_ran(one_of_each("missing"), "failed", 0);
    place(false);
    assert_eq!(one_of_each("alone").0, ALL);
    all_kinds(0);
    key_and_core("alone");
    let stub = Stub::answer(|_| ALLOW);
    assert_eq!(one_of_each("allowed").0, ALL);
    all_kinds(HELPERS);
    key_and_core("allowed");
    let questions = stub.end();
    for kind in KINDS {
        assert!(questions.iter().any(|words| words[0] == kind.file()), "{kind:?}: {questions:?}");
    }
    let stub = Stub::answer(|_| 0);
    none_ran(one_of_each("denied"), "yes", 1 << 8);
    stub.end();
    // A daemon that does not answer: the compiled rules know the module's name and the helper's path.
    let stub = Stub::silent();
    fs::write(stub::RULES, b"khrules1\x01n\x0dfs_compiled-*\x01h\x0f/sbin/request-*").unwrap();
    assert_eq!(one_of_each("compiled").0, ["agent", "core"]);
    assert_eq!(one_of_each("other").0, ["agent", "core", "module"]);
    stub.end();
    place(true);
    none_ran(one_of_each("closed"), "yes", 1 << 8);
    serial.note(&format!("{} helpers of four kinds through one program, {} asked", 2 * HELPERS, questions.len()));
}
