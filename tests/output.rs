//! What helpers write, and when they are gone (UMH-13, UMH-14, UMH-3), on the real machine.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::time::{Duration, Instant};

use common::{Dir, finished, info, run, stdout};
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;

#[test]
fn umh_13_a_chatty_helper_is_never_blocked_and_its_last_64_kib_are_kept() {
    let engine = Engine::start().unwrap();
    // 3 MiB on each stream, far more than a pipe holds.
    let text = "i=0; while [ $i -lt 3 ]; do head -c 1048576 /dev/zero | tr '\\0' x; \
                head -c 1048576 /dev/zero | tr '\\0' y >&2; i=$((i+1)); done; echo last";
    let record = run(&engine, &["/bin/sh", "-c", text]);
    assert_eq!((record.outcome, record.result), (Outcome::Exited, Some(0)));
    let output = record.output.as_ref().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (65536, 65536));
    assert!(output.stdout.ends_with(b"xxlast\n") && output.stderr.iter().all(|b| *b == b'y'));
    assert_eq!(output.dropped, 6 * 1048576 + 5 - 2 * 65536);
}

#[test]
fn umh_13_the_helper_is_gone_when_its_process_has_ended() {
    let engine = Engine::start().unwrap();
    let before = Instant::now();
    let record = run(&engine, &["/bin/sh", "-c", "echo early; sleep 30 & exit 3"]);
    assert!(before.elapsed() < Duration::from_secs(20), "its grandchild holds the pipes and nobody waits for it");
    assert_eq!((record.result, stdout(&record).as_str()), (Some(3 << 8), "early\n"));
    let _ =
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(record.pid.unwrap()), nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn umh_13_a_grandchild_that_writes_later_gets_epipe() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let told = dir.path().join("told");
    nix::unistd::mkfifo(&told, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The grandchild outlives its parent for sure: it waits for a reader of the pipe that this test opens afterwards.
    let text =
        format!("( trap '' PIPE; exec 3>{0}; echo late 2>/dev/null; echo $? >&3 ) & exit 0", told.to_str().unwrap());
    assert_eq!(run(&engine, &["/bin/sh", "-c", &text]).result, Some(0));
    assert_ne!(std::fs::read_to_string(&told).unwrap().trim(), "0", "its write failed");
}

#[test]
fn umh_13_the_texts_of_ended_records_share_one_budget() {
    let engine = Engine::builder().text_budget(100_000).start().unwrap();
    let text = "head -c 30000 /dev/zero";
    let ids: Vec<u64> = (0..5).map(|_| run(&engine, &["/bin/sh", "-c", text]).id).collect();
    let kept: Vec<bool> = ids.iter().map(|id| engine.record(*id).unwrap().output.is_some()).collect();
    assert_eq!(kept, [false, false, true, true, true], "the oldest text goes first");
    assert_eq!(engine.snapshot().totals.text_dropped, 60_000);
}

#[test]
fn umh_14_a_helper_that_nobody_waits_for_writes_to_dev_null() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(100);
    for wait in [WaitMode::NoWait, WaitMode::EXEC] {
        let dir = Dir::new();
        let out = dir.path().join("fds");
        let text = format!("a=$(readlink /proc/$$/fd/1); b=$(readlink /proc/$$/fd/2); echo $a $b >{}", out.display());
        let answer = engine.call_usermodehelper(info(&["/bin/sh", "-c", &text]), wait);
        assert_eq!((answer.outcome, answer.result), (Outcome::Running, Some(0)), "UMH-3: it carries no exit status");
        let record = finished(&events);
        assert_eq!(record.outcome, Outcome::Exited);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "/dev/null /dev/null\n");
    }
}

#[test]
fn umh_3_exec_errors_by_stage() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let cases = [
        ("/nowhere/at/all".to_owned(), libc::ENOENT),
        (dir.path().to_str().unwrap().to_owned(), libc::EACCES),
        (dir.file("plain", "#!/bin/sh\n", 0o644), libc::EACCES),
        (dir.script("text", "no interpreter is named here\n"), libc::ENOEXEC),
        (dir.script("interpreter", "#!/nowhere/at/all\n"), libc::ENOENT),
        (format!("{}/plain/below", dir.path().display()), libc::ENOTDIR),
    ];
    for (path, errno) in cases {
        for wait in [WaitMode::PROC, WaitMode::EXEC] {
            let record = engine.call_usermodehelper(info(&[&path]), wait);
            assert_eq!((record.outcome, record.result), (Outcome::ExecFailed, Some(-errno)), "{path}");
            assert_eq!((record.status, record.pid), (None, None), "the child's status is never looked at");
        }
    }
    let exec = engine.call_usermodehelper(info(&["/bin/false"]), WaitMode::EXEC);
    assert_eq!((exec.outcome, exec.result), (Outcome::Running, Some(0)));
}

#[test]
fn umh_1_the_environment_is_the_callers_list_and_nothing_else() {
    let engine = Engine::start().unwrap();
    let env = [&b"A=1"[..], b"ODD", b"BYTES=\xff\x1b[31m"];
    let info = khelper::abi::subprocess::SubprocessInfo::setup(
        Some(b"/bin/cat".to_vec()),
        ["another argv0", "/proc/self/environ", "/proc/self/cmdline"],
        env.map(<[u8]>::to_vec),
    );
    let record = engine.call_usermodehelper(info.unwrap(), WaitMode::PROC);
    let all = &record.output.as_ref().unwrap().stdout;
    let expected = b"A=1\0ODD\0BYTES=\xff\x1b[31m\0another argv0\0/proc/self/environ\0/proc/self/cmdline\0";
    assert_eq!(all, expected);
}

#[test]
fn umh_6_the_init_hook_sets_stdin_and_limits_and_narrows() {
    use khelper::abi::cap::CapMask;
    use khelper::abi::launch_spec::{Rlimit, Stdin};
    let engine = Engine::start().unwrap();
    let data: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let sent = data.clone();
    let hooked = info(&["/bin/sh", "-c", "cksum; ulimit -c; ulimit -n"]).init(move |birth| {
        birth.stdin = Stdin::Data(sent);
        birth.rlimits = vec![
            Rlimit { resource: libc::RLIMIT_CORE, soft: 0, hard: 0 },
            Rlimit { resource: libc::RLIMIT_NOFILE, soft: 64, hard: 64 },
        ];
        birth.narrow_bounding(CapMask::EMPTY);
        Ok(())
    });
    let record = engine.call_usermodehelper(hooked, WaitMode::PROC);
    assert_eq!((record.result, record.caps.as_ref().map(|c| c.permitted)), (Some(0), Some(CapMask::EMPTY)));
    let out = stdout(&record);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with(" 200000") && lines[1..] == ["0", "64"], "{lines:?}");

    let record =
        engine.call_usermodehelper(info(&["/bin/true"]).init(|_| Err(nix::errno::Errno::EBADMSG)), WaitMode::PROC);
    assert_eq!((record.outcome, record.result), (Outcome::Refused, Some(-libc::EBADMSG)));
    let record = engine.call_usermodehelper(info(&["/bin/true"]).init(|_| panic!("a hook panics")), WaitMode::PROC);
    assert_eq!((record.outcome, record.result, record.pid), (Outcome::Refused, Some(-libc::ECANCELED), None));
    // The next is none the worse for it.
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
}

#[test]
fn umh_12_times_and_costs_are_in_the_record() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(100);
    // It is looked at once, 5 ms after its start: where the machine is so slow that it has ended by then, it gets more
    // time.
    let text = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; read x </proc/self/stat; sleep";
    let ran = |seconds: f64| run(&engine, &["/bin/sh", "-c", &format!("{text} {seconds}")]);
    let record = [0.05, 0.2, 1.0, 5.0].into_iter().map(ran).find(|record| record.caps_started.is_some()).unwrap();
    let (queued, began, ended) = (record.queued_us.unwrap(), record.started_us.unwrap(), record.ended_us.unwrap());
    assert!(queued <= began && began < ended && ended >= 50_000, "{queued} {began} {ended}");
    assert!(record.cpu_us > 0 && record.max_rss_kib > 0);
    let (started, ended) = (record.caps_started.as_ref().unwrap(), record.caps.as_ref().unwrap());
    assert_eq!(started.permitted, ended.permitted);
    assert_eq!(common::started(&events).0, 1);
}

/// Files that the closures of a call own are the caller's, whichever thread runs the hooks, and are closed when the
/// hooks are done.
#[test]
fn umh_5_hooks_own_files_of_the_caller() {
    use std::io::{Read, Write};
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(64);
    for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
        for _ in 0..8 {
            let (mut ours, theirs) = std::io::pipe().unwrap();
            let mut also_theirs = theirs.try_clone().unwrap();
            let mut theirs = theirs;
            let info = info(&["/bin/true"])
                .init(move |_| also_theirs.write_all(b"init ").map_err(|_| nix::errno::Errno::EIO))
                .cleanup(move |_| theirs.write_all(b"cleanup").unwrap());
            engine.call_usermodehelper(info, wait);
            let mut told = String::new();
            ours.read_to_string(&mut told).unwrap();
            assert_eq!(told, "init cleanup", "{wait:?}");
            assert_eq!(finished(&events).outcome, Outcome::Exited);
        }
    }
}
