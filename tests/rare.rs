//! What an operator meets without having done it: what a library's caller does meanwhile, and what a machine seldom
//! does. The test runs this program again in a terminal, with `KHELPER_RARE` set: there it is the real console over a
//! real engine, in one process with that caller, who acts when a function key is pressed that nobody else hears.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/host.rs"]
mod host;
#[path = "rare/machine.rs"]
mod machine;
#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;
#[path = "pty/steps.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod steps;

use std::sync::{Arc, OnceLock};
use std::thread;

use crossterm::event::KeyCode;
use host::Odd;
use khelper::abi::birth::Rlimit;
use khelper::abi::mask::MaskExpr;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::abi::who::Origin;
use khelper::engine::{Engine, KnobWrite};
use khelper::policy::access::Globs;
use khelper::policy::gate::Depth;
use khelper::sys::signals::Signals;
use khelper::tui::model::Model;
use khelper::tui::msg::{Effect, Msg};
use khelper::tui::{self, Face, Options};
use nix::errno::Errno;
use pty::{Pty, Start};
use steps::{ESC, SIZES, TARGET, leaves, on, opens, quits};

const HOW: &str = "KHELPER_RARE";
/// The keys of the first thing that the library's caller does, and of the second.
const FIRST: &str = "\x1bOQ";
const SECOND: &str = "\x1bOR";
const HOME: &str = "\x1b[H";

/// What the caller does.
type Act = fn(&Engine);

static ENGINE: OnceLock<Engine> = OnceLock::new();
static ACTS: OnceLock<&[Act]> = OnceLock::new();

/// The console's own, but for the keys that are the caller's: F2 and those after it.
fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    if let Msg::Key(key) = &msg
        && let KeyCode::F(number @ 2..) = key.code
    {
        let act = ACTS.get().unwrap()[usize::from(number) - 2];
        thread::spawn(move || act(ENGINE.get().unwrap()));
        return Vec::new();
    }
    (Face::KHELPER.update)(model, msg)
}

/// The console of a thread that was made ready; ends the process.
fn console(ready: fn(), acts: &'static [Act]) -> ! {
    let signals = Signals::take(&tui::SIGNALS).unwrap();
    ready();
    let host = Arc::new(Odd::default());
    let engine = ENGINE.get_or_init(|| Engine::builder().fix_sigchld(true).host(host).start().unwrap());
    engine.write(&[KnobWrite::Modprobe(b"/bin/true"[..].into())], Origin::CommandLine).unwrap();
    ACTS.set(acts).unwrap();
    let options = Options { read_only: false, mouse: true };
    let face = Face { update, ..Face::KHELPER };
    std::process::exit(tui::run_with(engine, &signals, options, face).into())
}

/// In every size at the same time: the console of `test`, where `ready` was done first and a caller `acts`.
fn everywhere(test: &str, ready: fn(), acts: &'static [Act], journey: impl Fn(&mut Pty, bool) + Sync) {
    if std::env::var_os(HOW).is_some() {
        console(ready, acts);
    }
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            let journey = &journey;
            scope.spawn(move || {
                // Of its own: no history of anybody's, and no two cores in one place.
                let folder = tempfile::tempdir().unwrap();
                let start = Start::again(columns, rows, test).env(HOW, folder.path()).env("RUST_BACKTRACE", "0");
                let mut pty = start.env("XDG_STATE_HOME", folder.path()).start();
                pty.shows(TARGET);
                journey(&mut pty, columns >= 80);
            });
        }
    });
}

fn nothing() {}

fn info(argv: &[&str]) -> SubprocessInfo {
    SubprocessInfo::setup(Some(argv[0].into()), argv.iter().copied(), HELPER_ENV).unwrap()
}

fn write(engine: &Engine, writes: &[KnobWrite]) {
    engine.write(writes, Origin::Library).unwrap();
}

fn bset(engine: &Engine, text: &str) {
    write(engine, &[KnobWrite::Bset(MaskExpr::parse(text.as_bytes(), engine.snapshot().known).unwrap())]);
}

/// How a request ended: in all its words, and what its page says besides.
struct End<'a> {
    id: u32,
    title: &'a str,
    words: &'a str,
    page: &'a [&'a str],
    /// What the log calls it, if it speaks of it.
    level: &'a str,
}

/// On every screen that tells of ends. Goes back to the Overview.
fn told(pty: &mut Pty, room: bool, end: &End) {
    let id = format!("#{} ", end.id);
    let brief: String = end.words.split_inclusive(' ').take(2).collect();
    let brief = brief.trim_end();
    pty.until(end.words, |s| {
        // Where what runs stands beside it, the longest are cut.
        let says = if room { end.words.chars().take(30).collect() } else { brief.to_owned() };
        s.contents().lines().any(|line| line.contains(&id) && line.contains(&says))
    });
    pty.press("3", "[3 Activity]");
    // The newest.
    pty.send(HOME);
    on(pty, &format!("#{}", end.id));
    on(pty, brief);
    opens(pty);
    pty.shows(&format!("#{} helper {}", end.id, end.title));
    pty.says(end.words);
    for what in end.page {
        page_says(pty, what);
    }
    leaves(pty);
    pty.press("4", "[4 Log]");
    if !end.level.is_empty() {
        let level = if room { end.level } else { &end.level[..4] };
        pty.says(&format!("{level} #{} {}: {}", end.id, end.title, end.words));
    }
    pty.press("1", "[1 Overview]");
}

/// Scrolls a page from its beginning until it says so, however it breaks its lines.
fn page_says(pty: &mut Pty, what: &str) {
    pty.send(HOME);
    for _ in 0..20 {
        if pty.flat().contains(what) {
            return;
        }
        pty.frame_after(|pty| pty.send("\x1b[B"));
    }
    pty.says(what);
}

#[test]
fn what_an_init_hook_refuses_is_told() {
    let acts: &[Act] = &[
        |engine| drop(engine.call_usermodehelper(info(&["/bin/true"]).init(|_| Err(Errno::EACCES)), WaitMode::PROC)),
        |engine| drop(engine.call_usermodehelper(info(&["/bin/echo"]).init(|_| panic!("a bug")), WaitMode::PROC)),
    ];
    everywhere("what_an_init_hook_refuses_is_told", nothing, acts, |pty, room| {
        pty.send(FIRST);
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "⊖ refused by the init hook (EACCES)",
                page: &[
                    "why the init hook refused to start the helper (EACCES); nothing was started: ask whoever set the hook",
                    "the caller got -13",
                    "enforced nothing was launched",
                    "by the library",
                ],
                level: "warning",
            },
        );
        pty.send(SECOND);
        told(
            pty,
            room,
            &End {
                id: 2,
                title: "/bin/echo",
                words: "⊖ refused by the init hook (ECANCELED)",
                page: &["why the init hook panicked (ECANCELED); nothing was started: ask whoever set the hook"],
                level: "warning",
            },
        );
        assert!(!pty.text().contains("a bug"));
        quits(pty);
        // What a panic says is printed once the terminal is given back.
        assert!(pty.text().contains("a bug"), "{}", pty.text());
    });
}

/// A machine that forbids capset(2).
#[test]
fn masks_that_cannot_be_enforced_are_told() {
    let acts: &[Act] = &[|engine| drop(engine.call_usermodehelper(info(&["/bin/true"]), WaitMode::PROC))];
    everywhere("masks_that_cannot_be_enforced_are_told", machine::forbid_capset, acts, |pty, room| {
        pty.send(FIRST);
        pty.shows("! #1: the masks could not be");
        if room {
            pty.shows("! #1: the masks could not be enforced, so nothing was started");
        }
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "⊠ refused, the masks cannot be enforced (EPERM)",
                page: &[
                    "why the masks can be enforced neither by cutting the bounding set nor by no_new_privs (EPERM)",
                    "nothing was started: see what forbids capset(2) here, a seccomp filter most likely",
                    "the caller got -1,",
                    "enforced neither way: nothing was started",
                ],
                level: "error",
            },
        );
        quits(pty);
    });
}

/// A host without CAP_SETPCAP.
#[test]
fn masks_that_are_enforced_by_no_new_privs_are_told() {
    let acts: &[Act] = &[|engine| {
        bset(engine, "-cap_chown");
        engine.call_usermodehelper(info(&["/bin/true"]), WaitMode::PROC);
    }];
    everywhere("masks_that_are_enforced_by_no_new_privs_are_told", machine::give_up_setpcap, acts, |pty, room| {
        pty.send(FIRST);
        pty.shows("#1 /bin/true: masks enforced");
        if room {
            pty.shows("! #1 /bin/true: masks enforced by no_new_privs, its CapBnd still reads wide");
        }
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "✓ exit 0",
                page: &["bset all but cap_chown", "enforced by no_new_privs"],
                level: "",
            },
        );
        quits(pty);
    });
}

/// A host program that ignores SIGCHLD, on a kernel that keeps no status with a pidfd.
#[test]
fn a_helper_that_is_lost_is_told() {
    let acts: &[Act] = &[|engine| {
        machine::ignore_sigchld();
        engine.call_usermodehelper(info(&["/bin/true"]), WaitMode::PROC);
    }];
    everywhere("a_helper_that_is_lost_is_told", machine::keep_no_status, acts, |pty, room| {
        pty.send(FIRST);
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "? lost: the helper is gone and nobody knows how (ECHILD)",
                page: &[
                    "why the helper is gone and its status was lost: the host program reaped it or ignores SIGCHLD (ECHILD)",
                    "leave the engine's children to it, and SIGCHLD at its default",
                    "the caller got -10",
                ],
                level: "error",
            },
        );
        quits(pty);
    });
}

/// Where a core dump would be left behind the helper is killed without one.
#[test]
fn a_core_dump_is_told() {
    let acts: &[Act] = &[|engine| {
        let folder = std::env::var(HOW).unwrap();
        let signal = if machine::core_is_ours() { "SEGV" } else { "KILL" };
        let script = "cd \"$1\" && kill -s \"$2\" $$";
        let info = info(&["/bin/sh", "-c", script, "sh", &folder, signal]).init(|birth| {
            let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE)?;
            birth.rlimits.push(Rlimit { resource: libc::RLIMIT_CORE, soft: hard, hard });
            Ok(())
        });
        engine.call_usermodehelper(info, WaitMode::PROC);
    }];
    let ours = machine::core_is_ours();
    everywhere("a_core_dump_is_told", nothing, acts, |pty, room| {
        pty.send(FIRST);
        let (words, got) = if ours {
            ("‡ killed by SIGSEGV, core dumped (raw 139)", "the caller got 139")
        } else {
            ("† killed by SIGKILL (raw 9)", "the caller got 9")
        };
        told(pty, room, &End { id: 1, title: "/bin/sh", words, page: &[got], level: "info" });
        quits(pty);
    });
}

/// The field keeps what was typed; below it stands what is live now.
#[test]
fn a_knob_that_someone_else_writes_is_told_while_it_is_edited() {
    let acts: &[Act] = &[
        |engine| write(engine, &[KnobWrite::Modprobe(b"/bin/false"[..].into())]),
        |engine| write(engine, &[KnobWrite::Deny(Globs::parse(b"bad*").unwrap())]),
        |engine| engine.disable(Depth::Freezing).unwrap(),
    ];
    everywhere("a_knob_that_someone_else_writes_is_told_while_it_is_edited", nothing, acts, |pty, room| {
        pty.press("e", "─ Edit kernel.modprobe");
        pty.says("live: `/bin/true`");
        pty.send("\x15/bin/ec");
        pty.says("path /bin/ec");
        pty.send(FIRST);
        pty.says("live: `/bin/false`");
        pty.says("path /bin/ec");
        pty.send(ESC);
        pty.hides("─ Edit kernel.modprobe");
        pty.shows("! kernel.modprobe was changed by");
        if room {
            pty.shows("! kernel.modprobe was changed by someone else: `/bin/true` -> `/bin/false`");
        }
        // What is written now goes over it.
        pty.press("e", "─ Edit kernel.modprobe");
        pty.says("path /bin/false");
        pty.send("\x15/bin/echo\r");
        pty.hides("─ Edit kernel.modprobe");
        pty.says("kernel.modprobe: `/bin/false` -> `/bin/echo`");
        pty.send(SECOND);
        pty.shows("khelper.deny was chang");
        if room {
            pty.shows("! khelper.deny was changed by someone else: `` -> `bad*`");
            pty.shows("deny bad*");
        }
        pty.press("g", "─ The gate");
        pty.says("now enabled");
        pty.send("\x1bOS");
        pty.says("now freezing");
        pty.send(ESC);
        pty.hides("─ The gate");
        pty.shows("freezing");
        pty.press("4", "[4 Log]");
        for line in [
            "kernel.modprobe: `/bin/true` -> `/bin/false`, by the library",
            "kernel.modprobe: `/bin/false` -> `/bin/echo`, by the console",
            "khelper.deny: `` -> `bad*`, by the library",
            "khelper.gate: enabled -> freezing",
        ] {
            page_says(pty, line);
        }
        quits(pty);
    });
}

/// The draft goes on changing what it changes; a confirmation that is open asks again.
#[test]
fn a_mask_that_someone_else_writes_is_told_while_there_is_a_draft() {
    let acts: &[Act] = &[
        |engine| bset(engine, "-cap_chown"),
        |engine| bset(engine, "-cap_kill"),
        |engine| bset(engine, "-cap_sys_module"),
        |engine| write(engine, &[KnobWrite::ResetBset]),
    ];
    everywhere("a_mask_that_someone_else_writes_is_told_while_there_is_a_draft", nothing, acts, |pty, room| {
        let notice = |pty: &mut Pty, what: &str| {
            pty.press("1", "[1 Overview]");
            pty.shows("kernel.usermodehelper.bset was");
            if room {
                pty.shows(&format!("! kernel.usermodehelper.bset was changed by someone else: {what}"));
            }
            pty.press("2", "[2 Masks]");
        };
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "[■→·]");
        pty.send(FIRST);
        pty.shows("! kernel.usermodehelper.bset was");
        if room {
            pty.shows("it lost cap_chown; the");
            pty.shows("bset live -> draft: drops cap_sys_module");
        }
        pty.shows("[■→·]");
        notice(pty, "it lost cap_chown");
        // A confirmation, half typed.
        pty.press("w", "type `drop cap_sys_module`");
        pty.says("40 of 41 -> 39 of 41");
        pty.press("drop cap", "drop cap");
        pty.send(SECOND);
        pty.says_broken("✗ the live masks were changed by someone else: read again what is dropped now");
        pty.says("39 of 41 -> 38 of 41");
        pty.send("_sys_module\r");
        pty.says_broken("not done: type `drop cap_sys_module`");
        // Nothing is left to be confirmed.
        pty.send("\x1bOS");
        pty.hides("Apply the draft");
        pty.hides("draft open");
        pty.shows("[·]");
        notice(pty, "it lost cap_sys_modul");
        pty.send("\x1b[15~");
        pty.shows("[■]");
        notice(pty, "it got back cap_chown");
        pty.press("4", "[4 Log]");
        for line in [
            "lost cap_chown,",
            "lost cap_kill,",
            "lost cap_sys_module,",
            "got back cap_chown, cap_kill, cap_sys_module,",
        ] {
            page_says(pty, &format!("kernel.usermodehelper.bset: {line} by the library"));
        }
        quits(pty);
    });
}
