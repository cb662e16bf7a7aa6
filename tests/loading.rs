//! UMH-3: an image that the kernel rejects after it has destroyed the old one. The parent has seen exec succeed by then.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::sync::Arc;

use common::{Dir, finished, info, run};
use khelper::abi::record::{Outcome, Record};
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use nix::errno::Errno;

/// Ends with 0, and reads the address 0.
#[cfg(target_arch = "x86_64")]
const CODE: (u16, [u8; 9], [u8; 6]) =
    (62, [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05], [0x48, 0x31, 0xc0, 0x48, 0x8b, 0x00]);
#[cfg(target_arch = "aarch64")]
const CODE: (u16, [u8; 12], [u8; 8]) =
    (183, [0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4], [0, 0, 0x80, 0xd2, 0, 0, 0x40, 0xf9]);

const BASE: u64 = 0x40_0000;
const ENDS: u64 = BASE + 0x400;
const CRASHES: u64 = BASE + 0x600;

/// A static program with the code in its first segment; `second` is another one: address, size in the file and in memory,
/// offset.
fn program(dir: &Dir, name: &str, entry: u64, second: Option<[u64; 4]>) -> String {
    let (machine, ends, crashes) = CODE;
    let segments: Vec<[u64; 4]> = [[BASE, 0x1000, 0x1000, 0]].into_iter().chain(second).collect();
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2u16, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for word in [entry, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, segments.len().try_into().unwrap(), 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for [address, in_file, in_memory, offset] in segments {
        file.extend([1u32.to_le_bytes(), 5u32.to_le_bytes()].concat());
        for word in [offset, address, address, in_file, in_memory, 0x1000] {
            file.extend(word.to_le_bytes());
        }
    }
    file.resize(0x400, 0);
    file.extend(ends);
    file.resize(0x600, 0);
    file.extend(crashes);
    file.resize(0x1000, 0);
    let path = dir.path().join(name);
    common::program::write_program(&path, &file);
    path.to_str().unwrap().to_owned()
}

/// The caller's answer, and the record at the end.
fn call(engine: &Engine, path: &str, wait: WaitMode) -> (Option<i32>, Arc<Record>) {
    let events = engine.subscribe(64);
    let answer = engine.call_usermodehelper(info(&[path]), wait);
    let mut record = finished(&events);
    while record.id != answer.id {
        record = finished(&events);
    }
    (answer.result, record)
}

#[test]
fn umh_3_an_image_that_can_never_be_loaded_has_failed_to_exec() {
    let (dir, engine) = (Dir::new(), Engine::start().unwrap());
    let images = [
        ("kernel", ENDS, Some([0xffff_8000_0000_0000, 0x1000, 0x1000, 0])),
        ("wraps", ENDS, Some([0x7000_0000, 0x1000, u64::MAX - 0x1000, 0])),
        ("shrinks", ENDS, Some([0x7000_0000, 0x1000, 0x800, 0])),
        ("crooked", ENDS, Some([0x7000_0000, 0x800, 0x1000, 0x10])),
        ("outside", 0xffff_8000_0000_0000, None),
    ];
    for (name, entry, second) in images {
        let path = program(&dir, name, entry, second);
        for wait in [WaitMode::PROC, WaitMode::EXEC, WaitMode::NoWait] {
            let (answer, record) = call(&engine, &path, wait);
            assert_eq!((record.outcome, record.errno), (Outcome::ExecFailed, Some(Errno::ENOEXEC)), "{name} {wait:?}");
            if wait != WaitMode::NoWait {
                assert_eq!(answer, Some(-libc::ENOEXEC), "{name} {wait:?}");
            }
            let why = record.why().unwrap();
            assert!(why.contains("the kernel cannot load it"), "{name}: {why}");
        }
    }
}

/// Beyond the end of user memory, but not on every machine: nobody can tell it from a program that crashed at once.
#[test]
fn umh_3_an_image_that_may_not_have_been_loadable_is_never_a_plain_success() {
    let (dir, engine) = (Dir::new(), Engine::start().unwrap());
    let unloadable = program(&dir, "high", ENDS, Some([0x7fff_ffff_f000, 0x1000, 0x2000, 0]));
    let crashes = program(&dir, "crashes", CRASHES, None);
    for path in [&unloadable, &crashes] {
        for wait in [WaitMode::PROC, WaitMode::EXEC] {
            let is_noted = path == &unloadable || wait == WaitMode::PROC;
            // One that stands still between its load and its first instruction is seen to be loaded: it is started again.
            let mut calls = (0..20).map(|_| call(&engine, path, wait));
            let (answer, record) = calls.find(|(_, record)| !is_noted || record.why().is_some()).unwrap();
            assert_eq!((record.outcome, record.status.and_then(|s| s.signal())), (Outcome::Killed, Some(11)), "{path}");
            if wait == WaitMode::PROC {
                assert_eq!(answer.map(|result| result & 0x7f), Some(libc::SIGSEGV), "{path}");
            } else if path == &unloadable {
                assert_eq!(answer, Some(-libc::ENOEXEC));
            }
            if is_noted {
                let why = record.why().unwrap();
                assert!(why.contains("may not have been loadable"), "{path}: {why}");
            }
        }
    }
}

#[test]
fn umh_3_a_program_that_runs_is_not_doubted() {
    let (dir, engine) = (Dir::new(), Engine::start().unwrap());
    let ends = program(&dir, "ends", ENDS, None);
    for wait in [WaitMode::PROC, WaitMode::EXEC] {
        for path in [ends.as_str(), "/bin/true"] {
            let (answer, record) = call(&engine, path, wait);
            assert_eq!((answer, record.outcome, record.why()), (Some(0), Outcome::Exited, None), "{path} {wait:?}");
        }
    }
    // Its dynamic loader has run, which its page faults show, or it has written something.
    for script in ["kill -SEGV $$", "echo; kill -KILL $$"] {
        let record = run(&engine, &["/bin/sh", "-c", script]);
        assert_eq!((record.outcome, record.why()), (Outcome::Killed, None), "{script}");
    }
    let killed = dir.script("killed", "#!/bin/sh\nkill -SEGV $$\n");
    let (answer, record) = call(&engine, &killed, WaitMode::EXEC);
    assert_eq!((answer, record.outcome, record.why()), (Some(0), Outcome::Killed, None));
}
