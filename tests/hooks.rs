//! What the hooks of a call see and may set on the real machine (UMH-6), and the examples that are built on them.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

#[path = "../examples/core_handler.rs"]
mod core_handler;
#[path = "../examples/request_key.rs"]
mod request_key;

use std::io::{Read, Seek, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;

use common::{Dir, info, stdout};
use khelper::abi::Errno;
use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::launch_spec::{SessionKeyring, Stdin};
use khelper::abi::record::Outcome;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use nix::poll::{PollFd, PollFlags, poll};
use request_key::{Key, Keys};

fn engine() -> Engine {
    Engine::builder().fix_sigchld(true).start().unwrap()
}

#[test]
fn umh_6_stdin_is_an_open_file_of_the_caller() {
    let engine = engine();
    std::thread::scope(|scope| {
        // At the same time, so that one's file can come to another's helper if anything is mixed up.
        for n in 0..40 {
            let engine = &engine;
            scope.spawn(move || {
                let (reader, mut writer) = pipe().unwrap();
                let call = info(&["/bin/sh", "-c", "cat; readlink /proc/$$/fd/3"]).init(move |birth| {
                    birth.stdin = Stdin::file(reader);
                    Ok(())
                });
                let fed = scope.spawn(move || {
                    writer.write_all(format!("{n} ").as_bytes()).unwrap();
                    // More than the pipe holds: it is read while the helper runs.
                    writer.write_all(&vec![b'x'; 200_000]).unwrap();
                    writer.write_all(b" end").unwrap();
                });
                let record = engine.call_usermodehelper(call, WaitMode::PROC);
                fed.join().unwrap();
                // The last 64 KiB of it; nothing stands behind it: the helper has no descriptor 3.
                assert!(stdout(&record).ends_with("xx end"), "{n}: {:?}", record.why());
                assert_eq!(
                    record.output.as_ref().unwrap().dropped,
                    200_000 + 4 + format!("{n} ").len() as u64 - 65_536
                );
            });
        }
    });
}

#[test]
fn umh_6_the_file_itself_is_passed_and_closed_here() {
    let engine = engine();
    // A regular file: the helper reads on from its offset, and moves it.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"first\nsecond\n").unwrap();
    file.seek(std::io::SeekFrom::Start(6)).unwrap();
    let shared = file.try_clone().unwrap();
    let call = info(&["/bin/cat"]).init(move |birth| {
        birth.stdin = Stdin::file(shared);
        Ok(())
    });
    assert_eq!(stdout(&engine.call_usermodehelper(call, WaitMode::PROC)), "second\n");
    assert_eq!(file.stream_position().unwrap(), 13);
    // A socket, which could not be opened again by a path.
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(b"by a socket").unwrap();
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    let call = info(&["/bin/cat"]).init(move |birth| {
        birth.stdin = Stdin::file(theirs);
        Ok(())
    });
    assert_eq!(stdout(&engine.call_usermodehelper(call, WaitMode::PROC)), "by a socket");
    // Its last owner is gone with the helper: the end of the stream.
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
}

/// The engine keeps no reading end: once the helper has ended a write fails, whether the hook refused or not.
#[test]
fn umh_6_no_reading_end_is_left_open() {
    let engine = engine();
    for (refuses, path) in [(false, "/bin/true"), (true, "/bin/true"), (false, "/no/such")] {
        let (reader, mut writer) = pipe().unwrap();
        let call = info(&[path]).init(move |birth| {
            birth.stdin = Stdin::file(reader);
            if refuses { Err(Errno::EPERM) } else { Ok(()) }
        });
        engine.call_usermodehelper(call, WaitMode::PROC);
        // A worker or a child that another test starts has a copy of this process's files for a moment. One that the
        // engine keeps stays: POLLERR, which is always asked for, never comes.
        let mut fds = [PollFd::new(writer.as_fd(), PollFlags::empty())];
        assert_eq!(poll(&mut fds, 60_000u16), Ok(1), "{refuses} {path}: a reading end is open");
        let error = writer.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{refuses} {path}");
    }
    let before = open_files();
    for _ in 0..20 {
        let (reader, _writer) = pipe().unwrap();
        let call = info(&["/bin/true"]).init(move |birth| {
            birth.stdin = Stdin::file(reader);
            Ok(())
        });
        assert_eq!(engine.call_usermodehelper(call, WaitMode::PROC).result, Some(0));
    }
    // Other tests open and close theirs meanwhile: twenty of one kind would be seen.
    assert!(open_files() < before + 15, "{before} {}", open_files());
}

fn open_files() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    fds.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))).count()
}

#[test]
fn umh_6_init_sees_the_program_and_what_it_will_get() {
    let engine = engine();
    let (tell, told) = channel();
    let argv = [b"other name".to_vec(), b"b\xff".to_vec()];
    let call = SubprocessInfo::setup(Some(b"/bin/echo".to_vec()), argv, ["A=1"]).unwrap();
    let own = khelper::abi::mask::Masks::default();
    let options = khelper::engine::CallOptions { own: Some(own), ..Default::default() };
    let call = call.init(move |birth| {
        let strings = |all: &[std::ffi::CString]| all.iter().map(|s| s.as_bytes().to_vec()).collect::<Vec<_>>();
        let seen = (birth.path().as_bytes().to_vec(), strings(birth.argv()), strings(&birth.envp));
        tell.send((seen, birth.bounding(), birth.stdin.clone(), birth.rlimits.len(), birth.session_keyring.clone()))
            .unwrap();
        Ok(())
    });
    assert_eq!(engine.call_usermodehelper_with(call, WaitMode::PROC, &options).result, Some(0));
    let (seen, bounding, stdin, limits, keyring) = told.recv().unwrap();
    assert_eq!(seen.0, b"/bin/echo");
    assert_eq!(seen.1, [b"other name".to_vec(), b"b\xff".to_vec()]);
    assert_eq!(seen.2, [b"A=1".to_vec()]);
    assert_eq!((bounding, stdin, limits, keyring), (CapMask::EMPTY, Stdin::Null, 0, SessionKeyring::New));
}

#[test]
fn umh_6_cleanup_sees_how_the_call_ended() {
    let engine = engine();
    let dir = Dir::new();
    let plain = dir.file("plain", "no program", 0o755);
    let ended = |argv: &[&str], wait: WaitMode| {
        let (tell, told) = channel();
        let call = info(argv).cleanup(move |record| {
            let seen = record.map(|r| (r.outcome, r.result, r.errno, r.output.as_ref().map(|o| o.stdout.clone())));
            tell.send(seen).unwrap();
        });
        engine.call_usermodehelper(call, wait);
        told.recv().unwrap()
    };
    let exited = (Outcome::Exited, Some(0x700), None, Some(b"out\n".to_vec()));
    assert_eq!(ended(&["/bin/sh", "-c", "echo out; exit 7"], WaitMode::PROC), Some(exited));
    let killed = (Outcome::Killed, Some(9), None, None);
    assert_eq!(ended(&["/bin/sh", "-c", "kill -9 $$"], WaitMode::PROC), Some(killed));
    let failed = (Outcome::ExecFailed, Some(-libc::ENOEXEC), Some(Errno::ENOEXEC), None);
    assert_eq!(ended(&[&plain], WaitMode::PROC), Some(failed.clone()));
    assert_eq!(ended(&[&plain], WaitMode::EXEC), Some(failed));
    assert_eq!(ended(&["/bin/true"], WaitMode::EXEC), Some((Outcome::Running, Some(0), None, None)));
    let unwaited = ended(&["/bin/true"], WaitMode::NoWait).unwrap();
    assert_eq!((unwaited.0, unwaited.2), (Outcome::Running, None));
    engine.set_depth(Depth::Disabled).unwrap();
    let refused = (Outcome::Refused, Some(-libc::EBUSY), Some(Errno::EBUSY), None);
    assert_eq!(ended(&["/bin/true"], WaitMode::PROC), Some(refused));
    // Never executed.
    let (tell, told) = channel();
    drop(info(&["/bin/true"]).cleanup(move |record| tell.send(record.is_none()).unwrap()));
    assert!(told.recv().unwrap());
}

#[test]
fn the_example_of_a_core_handler_works() {
    let engine = engine();
    let handler = ["/bin/sh", "-c", "echo \"core of pid $1\"; ulimit -c; wc -c", "handler", "4242"];
    let said = core_handler::dump(&engine, &handler, &vec![0x7f; 1 << 20]).unwrap();
    let said = String::from_utf8(said).unwrap();
    let mut lines = said.lines().map(str::trim);
    assert_eq!((lines.next(), lines.nth(1)), (Some("core of pid 4242"), Some("1048576")), "{said}");
    // A handler that does not read, and one that is not there.
    assert!(core_handler::dump(&engine, &["/bin/true"], &vec![0; 1 << 20]).is_err());
    let missing = core_handler::dump(&engine, &["/no/handler"], b"core").unwrap_err().to_string();
    assert!(missing.contains("/no/handler") && missing.contains("ENOENT"), "{missing}");
}

#[test]
fn the_example_of_a_key_that_a_helper_constructs_works() {
    let engine = engine();
    let keys = Keys::default();
    let payload = b"create user:a 0 0 0 0 0\n".to_vec();
    assert_eq!(keys.request(&engine, "/bin/echo", "user:a", None).unwrap(), Key::Instantiated(payload.clone()));
    assert_eq!(keys.request(&engine, "/bin/false", "user:a", None).unwrap(), Key::Instantiated(payload), "known");
    assert_eq!(keys.request(&engine, "/bin/false", "user:b", None).unwrap(), Key::Negative(Errno::ENOKEY));
    assert_eq!(keys.request(&engine, "/no/such", "user:c", None).unwrap(), Key::Negative(Errno::ENOENT));
    engine.set_depth(Depth::Disabled).unwrap();
    assert_eq!(keys.request(&engine, "/bin/echo", "user:d", None).unwrap(), Key::Negative(Errno::EBUSY));
    assert_eq!(keys.get("user:d"), Some(Key::Negative(Errno::EBUSY)), "none is left under construction");
}
