//! The shim as a program: what it executes, for which answer, and what the helper gets (RULES.md, "The shim").
//!
//! The daemon's side is a socket of the test, so that every answer can be given, wrong ones too.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use khelper::abi::verdict::{ALLOW, ANSWER, Answer, IDS, LANDLOCK, NO_NEW_PRIVS, SETS, VERSION};
use khelper::control::shim::{Release, Settings, is_carried, program};
use program::write_program;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, accept_with, bind, listen, recv, send, sendmsg, socket_with,
};

/// What the daemon may take at most, in milliseconds, where it answers: a busy machine changes nothing.
const PATIENCE: u16 = 60_000;
/// The same where it does not answer.
const SHORT: u16 = 200;

/// Says why a test could not run. To the handle itself: the test runner captures `eprintln!`.
fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

struct Place {
    dir: tempfile::TempDir,
    /// See [`PATIENCE`].
    patience: u16,
}

impl Place {
    /// `None` where this build has no shim.
    fn new() -> Option<Self> {
        if !is_carried() {
            skipped("this machine has no shim");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Some(Self { dir, patience: PATIENCE })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a shim that stands before `modprobe`.
    fn shim(&self, modprobe: &str, fails_closed: bool) -> PathBuf {
        let bytes = |name| self.path(name).into_os_string().into_encoded_bytes();
        let settings = Settings {
            release: Release::own(),
            kept: false,
            fails_closed,
            patience: self.patience,
            modprobe: modprobe.into(),
            socket: bytes("socket"),
            rules: bytes("rules.bin"),
        };
        let path = self.path("shim");
        write_program(&path, program(&settings).unwrap());
        path
    }

    fn run(&self, modprobe: &str, args: &[&str]) -> Output {
        run(Command::new(self.shim(modprobe, false)).args(args))
    }

    fn listen(&self) -> OwnedFd {
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let path = self.path("socket");
        let _ = fs::remove_file(&path);
        bind(&fd, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&fd, 0).unwrap();
        fd
    }

    /// Runs the shim against a daemon that gives this answer. Returns the question too.
    fn answered(&self, modprobe: &str, args: &[&str], answer: &[u8]) -> (Output, Vec<u8>) {
        self.answered_with(modprobe, args, answer, None)
    }

    fn answered_with(
        &self,
        modprobe: &str,
        args: &[&str],
        answer: &[u8],
        ruleset: Option<&OwnedFd>,
    ) -> (Output, Vec<u8>) {
        let listener = self.listen();
        thread::scope(|scope| {
            let daemon = scope.spawn(|| {
                let fd = accepted(&listener);
                let question = received(&fd);
                let rights = ruleset.map(|ruleset| [ruleset.as_fd()]);
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if let Some(rights) = &rights {
                    assert!(control.push(SendAncillaryMessage::ScmRights(rights)));
                }
                sendmsg(&fd, &[IoSlice::new(answer)], &mut control, SendFlags::empty()).unwrap();
                question
            });
            let output = self.run(modprobe, args);
            (output, daemon.join().unwrap())
        })
    }
}

/// Takes a connection. It is long in coming only where something failed: a test that waited for it would hide what.
fn accepted(listener: &OwnedFd) -> OwnedFd {
    readable(listener);
    // Helpers of other tests get no descriptor of it.
    accept_with(listener, SocketFlags::CLOEXEC).unwrap()
}

fn readable(fd: &OwnedFd) {
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&limit)), Ok(1), "nothing came");
}

fn received(fd: &OwnedFd) -> Vec<u8> {
    readable(fd);
    let mut packet = vec![0; 65_536];
    let (length, _) = recv(fd, &mut packet[..], RecvFlags::empty()).unwrap();
    packet.truncate(length);
    packet
}

fn run(command: &mut Command) -> Output {
    command.env_clear().env("HOME", "/").stdin(Stdio::null()).output().unwrap()
}

const fn answer(flags: u8) -> Answer {
    Answer { flags, uid: 0, gid: 0, bounding: 0, inheritable: 0, permitted: 0, ambient: 0 }
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn without_a_daemon_the_helper_runs_as_the_kernel_started_it() {
    let Some(place) = Place::new() else { return };
    let ran = place.run("/bin/echo", &["-q", "--", "dummy"]);
    assert_eq!((ran.status.code(), out(&ran)), (Some(0), "-q -- dummy\n"));
    // A daemon that was killed leaves its socket: its rules stay, if there are any.
    drop(place.listen());
    assert_eq!(out(&place.run("/bin/echo", &["x"])), "x\n");
    fs::write(place.path("rules.bin"), b"khrules1\x01n\x05dummy").unwrap();
    let denied = place.run("/bin/echo", &["-q", "--", "dummy"]);
    assert_eq!((denied.status.code(), out(&denied)), (Some(1), ""));
    assert_eq!(out(&place.run("/bin/echo", &["-q", "--", "other"])), "-q -- other\n");
    let closed = run(Command::new(place.shim("/bin/echo", true)).args(["-q", "--", "other"]));
    assert_eq!((closed.status.code(), out(&closed)), (Some(1), ""));
    fs::remove_file(place.path("socket")).unwrap();
    assert_eq!(out(&place.run("/bin/echo", &["-q", "--", "dummy"])), "-q -- dummy\n");
    // argv[0] is the program's: kmod's look at it. The exit code and the signal are its own.
    let ran = place.run("/bin/sh", &["-c", "tr '\\0' ' ' </proc/$$/cmdline; env; exit 7"]);
    assert!(out(&ran).starts_with("/bin/sh -c ") && out(&ran).contains("HOME=/\n"), "{ran:?}");
    assert_eq!(ran.status.code(), Some(7));
    assert_eq!(place.run("/bin/sh", &["-c", "kill -9 $$"]).status.signal(), Some(9));
    assert_eq!(place.run("/does/not/exist", &["x"]).status.code(), Some(127));
    assert_eq!(place.run("/", &["x"]).status.code(), Some(126));
    let closed = run(Command::new(place.shim("/bin/echo", true)).arg("x"));
    assert_eq!((closed.status.code(), out(&closed)), (Some(1), ""));
    assert_eq!(run(Command::new(place.shim("/does/not/exist", true)).arg("--check")).status.code(), Some(0));
}

#[test]
fn the_wanted_program_is_argv_0_where_every_helper_goes_to_one_path() {
    let Some(place) = Place::new() else { return };
    let shim = place.shim("/does/not/exist", false);
    let ran = run(Command::new(&shim).arg0("/bin/echo").args(["a", "b"]));
    assert_eq!((ran.status.code(), out(&ran)), (Some(0), "a b\n"));
    // Under whatever name it was executed, it does not execute itself for ever.
    let other = place.path("other");
    std::os::unix::fs::symlink(&shim, &other).unwrap();
    assert_eq!(run(Command::new(other).arg("x")).status.code(), Some(127));
}

#[test]
fn the_daemon_s_verdict_holds() {
    let Some(place) = Place::new() else { return };
    let (ran, question) = place.answered("/bin/echo", &["-q", "--", "dummy"], &answer(ALLOW).packet());
    assert_eq!(out(&ran), "-q -- dummy\n");
    let words: &[u8] = b"/bin/echo\0-q\0--\0dummy\0HOME=/\0";
    assert_eq!(question, [&[VERSION, 0, 4, 0, 1, 0][..], words].concat());
    let (ran, _) = place.answered("/bin/echo", &["x"], &answer(0).packet());
    assert_eq!((ran.status.code(), out(&ran)), (Some(1), ""));
    // Arguments that do not fit are left out, and the daemon is told.
    let long = "y".repeat(20_000);
    let (ran, question) = place.answered("/bin/echo", &[&long], &answer(ALLOW).packet());
    assert_eq!((out(&ran).len(), &question[..2]), (20_001, &[VERSION, 1][..]));
}

#[test]
fn an_answer_that_is_not_understood_is_none_and_the_compiled_rules_decide() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("rules.bin"), b"khrules1\x01n\x01*").unwrap();
    let good = answer(ALLOW).packet();
    let wrong: [(&str, Vec<u8>); 6] = [
        ("an unknown flag", answer(ALLOW | 128).packet().to_vec()),
        ("another version", [&[VERSION + 1], &good[1..]].concat()),
        ("too long", [&good[..], b"x"].concat()),
        ("too short", good[..ANSWER - 1].to_vec()),
        ("empty", Vec::new()),
        ("a ruleset that is not there", answer(ALLOW | LANDLOCK).packet().to_vec()),
    ];
    for (what, packet) in wrong {
        assert_eq!(place.answered("/bin/echo", &["-q", "--", "dummy"], &packet).0.status.code(), Some(1), "{what}");
    }
    assert_eq!(place.answered("/bin/echo", &["-q", "--", "dummy"], &good).0.status.code(), Some(0));
}

#[test]
fn a_daemon_that_does_not_answer_is_waited_for_no_longer_than_its_limit() {
    let Some(place) = Place::new().map(|place| Place { patience: SHORT, ..place }) else { return };
    // Nobody accepts: the connection is made, and no answer comes; later ones find the backlog full.
    let _stopped = place.listen();
    let rules: [(Option<&[u8]>, i32); 8] = [
        (None, 0),
        (Some(b"khrules1"), 0),
        (Some(b"khrules1\x01n\x05du?my\x00n\x01*"), 1),
        (Some(b"khrules1\x00n\x03d*y\x01n\x01*"), 0),
        (Some(b"khrules1\x01n\x07dum-y_x\x01n\x01x"), 0),
        (Some(b"khrules1\x01h\x09/bin/echo"), 1),
        // Damaged.
        (Some(b"khrules1\x01n\x99x"), 1),
        (Some(b"khrules2"), 1),
    ];
    for (bytes, code) in rules {
        match bytes {
            Some(bytes) => fs::write(place.path("rules.bin"), bytes).unwrap(),
            None => assert!(!place.path("rules.bin").exists()),
        }
        let began = Instant::now();
        let ran = place.run("/bin/echo", &["-q", "--", "dummy"]);
        assert_eq!(ran.status.code(), Some(code), "{:?}", bytes.map(String::from_utf8_lossy));
        assert!(began.elapsed() >= Duration::from_millis(SHORT.into()), "it did not wait");
    }
    // Where every helper goes to one path, a request for a module is known by its arguments.
    fs::write(place.path("rules.bin"), b"khrules1\x01n\x05dummy").unwrap();
    let shim = place.shim("/does/not/exist", false);
    for (args, code) in [(&["-q", "--", "dummy"][..], 1), (&["-q", "--", "other"], 0), (&["--", "dummy"], 0)] {
        assert_eq!(run(Command::new(&shim).arg0("/bin/echo").args(args)).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn the_helper_gets_no_descriptor_of_the_shim_s() {
    let Some(place) = Place::new() else { return };
    let (ran, _) = place.answered("/bin/ls", &["/proc/self/fd"], &answer(ALLOW).packet());
    let bare = run(Command::new("/bin/ls").arg("/proc/self/fd"));
    assert_eq!(out(&ran), out(&bare));
    // The kernel starts helpers without any, and so does the shim.
    let listing = place.path("listing");
    let mut command = Command::new(place.shim("/bin/sh", false));
    command.args(["-c", "exec ls /proc/self/fd >\"$0\"", listing.to_str().unwrap()]);
    // SAFETY: the closure makes system calls only.
    unsafe {
        command.pre_exec(|| {
            (0..3).for_each(|fd| _ = libc::close(fd));
            Ok(())
        });
    }
    assert!(command.status().is_ok());
    let open = fs::read_to_string(listing).unwrap();
    assert!(!open.lines().any(|fd| fd == "2"), "{open}");
}

#[test]
fn the_powers_of_an_answer_are_those_of_the_helper() {
    let Some(place) = Place::new() else { return };
    let status = |answer: &Answer| {
        let (ran, _) = place.answered("/bin/cat", &["/proc/self/status"], &answer.packet());
        let value = |name: &str| {
            let line = out(&ran).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
            line.map(str::to_owned)
        };
        ["Uid", "Groups", "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(value)
    };
    assert_eq!(status(&answer(ALLOW | NO_NEW_PRIVS))[2].as_deref(), Some("1"));
    if !nix::unistd::geteuid().is_root() {
        // Without the right to narrow, nothing runs.
        let narrow = Answer { bounding: 1 << 16, ..answer(ALLOW | SETS) };
        assert_eq!(place.answered("/bin/echo", &["x"], &narrow.packet()).0.status.code(), Some(1));
        return;
    }
    let (chown, kill) = (1, 1 << 5);
    let all = ALLOW | NO_NEW_PRIVS | IDS | SETS;
    let as_user = Answer {
        uid: 65534,
        gid: 65533,
        bounding: chown | kill,
        inheritable: 0,
        permitted: kill,
        ambient: kill,
        ..answer(all)
    };
    let [uid, groups, nnp, inheritable, permitted, effective, bounding, ambient] = status(&as_user);
    assert_eq!(uid.as_deref(), Some("65534\t65534\t65534\t65534"));
    assert_eq!((groups.as_deref().map(str::trim), nnp.as_deref()), (Some(""), Some("1")));
    let hex = |set: u64| Some(format!("{set:016x}"));
    assert_eq!([inheritable, permitted, effective, ambient], [kill; 4].map(hex));
    assert_eq!(bounding, hex(chown | kill));
    // Uid 0 regains at execve(2) what the bounding set holds, and no more.
    let root = Answer { bounding: chown | kill, permitted: chown | kill, ..answer(ALLOW | SETS) };
    let [uid, _, nnp, inheritable, permitted, effective, bounding, ambient] = status(&root);
    assert_eq!((uid.as_deref(), nnp.as_deref()), (Some("0\t0\t0\t0"), Some("0")));
    assert_eq!([permitted, effective, bounding], [chown | kill; 3].map(hex));
    assert_eq!([inheritable, ambient], [0; 2].map(hex));
}

#[test]
fn a_landlock_ruleset_that_comes_with_the_answer_is_enforced() {
    let Some(place) = Place::new() else { return };
    // struct landlock_ruleset_attr with LANDLOCK_ACCESS_FS_WRITE_FILE: without a rule no file may be written.
    let handled: u64 = 1 << 1;
    // SAFETY: the attribute lives until the call returns, which gives a descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, 8usize, 0) };
    if fd < 0 {
        skipped(&format!("Landlock: {}", std::io::Error::last_os_error()));
        return;
    }
    // SAFETY: the descriptor is new and nobody else's.
    let ruleset: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(i32::try_from(fd).unwrap()) };
    let file = place.path("file");
    fs::write(&file, "").unwrap();
    let script = ["-c", "echo x >\"$0\"; echo done", file.to_str().unwrap()];
    let confined = answer(ALLOW | NO_NEW_PRIVS | LANDLOCK).packet();
    let (ran, _) = place.answered_with("/bin/sh", &script, &confined, Some(&ruleset));
    assert_eq!((out(&ran), fs::read(&file).unwrap().len()), ("done\n", 0), "{ran:?}");
    let (ran, _) = place.answered("/bin/sh", &script, &answer(ALLOW).packet());
    assert_eq!((out(&ran), fs::read(&file).unwrap().len()), ("done\n", 2));
    // A ruleset without the flag: the daemon means something else.
    fs::write(place.path("rules.bin"), b"khrules1\x01h\x01*").unwrap();
    let (ran, _) = place.answered_with("/bin/sh", &script, &answer(ALLOW).packet(), Some(&ruleset));
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn it_is_small_and_no_page_of_its_code_can_be_written() {
    let Some(place) = Place::new() else { return };
    let bytes = fs::read(place.shim("/bin/true", false)).unwrap();
    assert!(bytes.len() <= 64 * 1024, "{} bytes", bytes.len());
    // Elf64_Ehdr: e_phoff at 32, e_phentsize at 54, e_phnum at 56. Elf64_Phdr: p_type, p_flags.
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (start, size, count) = (number(32), number(54), number(56));
    let headers = (0..count).map(|n| &bytes[start + n * size..][..8]);
    let loaded: Vec<u8> = headers.filter(|header| header[0] == 1).map(|header| header[4]).collect();
    assert!(loaded.len() >= 2 && loaded.iter().all(|flags| flags & 3 != 3), "{loaded:?}");
}

#[test]
fn a_question_is_one_packet() {
    let Some(place) = Place::new() else { return };
    let listener = place.listen();
    let shim = place.shim("/bin/echo", false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let fd = accepted(&listener);
            assert!(received(&fd).len() > 6);
            send(&fd, &answer(ALLOW).packet(), SendFlags::empty()).unwrap();
            // Nothing more comes, and the shim is gone before its helper has begun.
            assert!(received(&fd).is_empty());
        });
        assert_eq!(out(&run(Command::new(&shim).arg("x"))), "x\n");
    });
}
