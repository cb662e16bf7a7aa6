//! Ends that the console's own keys do not bring about.

use std::io::Write;

use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::launch_spec::Rlimit;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::CallOptions;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use crate::pty::Pty;
use crate::steps::{leaves, on, opens, quits};
use crate::{Act, ESC, FIRST, HOME, HOW, SECOND, bset, everywhere, is_warning, machine, nothing, page_says};

fn info(argv: &[&str]) -> SubprocessInfo {
    SubprocessInfo::setup(Some(argv[0].into()), argv.iter().copied(), HELPER_ENV).unwrap()
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
    // Its row begins with the sign; the words behind its title are cut where there is no room for them.
    let (sign, _) = end.words.split_once(' ').unwrap();
    pty.until(end.words, |s| s.contents().lines().any(|line| line.contains(&id) && line.contains(sign)));
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
        let level = match end.level {
            "error" if !room => "err",
            level if !room => &level[..4],
            level => level,
        };
        pty.says(&format!("{level} #{} {}: {}", end.id, end.title, end.words));
    }
    pty.press("1", "[1 Overview]");
}

#[test]
fn what_an_init_hook_refuses_is_told() {
    let acts: &[Act] = &[
        |engine| drop(engine.call_usermodehelper(info(&["/bin/true"]).init(|_| Err(Errno::EACCES)), WaitMode::PROC)),
        |engine| drop(engine.call_usermodehelper(info(&["/bin/echo"]).init(|_| panic!("a bug")), WaitMode::PROC)),
    ];
    everywhere("ends::what_an_init_hook_refuses_is_told", nothing, acts, |pty, room| {
        pty.send(FIRST);
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "⊖ refused by the init hook (EACCES)",
                page: &[
                    "why the init hook refused to start the helper (EACCES); nothing was started: check the call's init hook",
                    "returned -13",
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
                page: &["why the init hook panicked (ECANCELED); nothing was started: check the call's init hook"],
                level: "warning",
            },
        );
        assert!(!pty.text().contains("a bug"));
        quits(pty);
        // What a panic says is printed once the terminal is given back.
        assert!(pty.text().contains("a bug"), "{}", pty.text());
    });
}

/// A machine that forbids capset(2), and a mask that cuts what the host would pass on.
#[test]
fn masks_that_cannot_be_enforced_are_told() {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: an ordinary user has nothing that a mask would have to cut\n",
        );
        return;
    }
    let acts: &[Act] = &[|engine| {
        let own = Some((CapMask::only(Capability::SYS_MODULE), CapMask::EMPTY).into());
        let options = CallOptions { own, ..CallOptions::default() };
        engine.call_usermodehelper_with(info(&["/bin/true"]), WaitMode::PROC, &options);
    }];
    everywhere("ends::masks_that_cannot_be_enforced_are_told", machine::forbid_capset, acts, |pty, room| {
        pty.send(FIRST);
        pty.shows(" #1: the masks could not be");
        if room {
            pty.shows(" #1: the masks could not be enforced, so nothing was started");
        }
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "⊠ refused, the masks cannot be enforced (EPERM)",
                page: &[
                    "why the masks can be enforced neither by narrowing the bounding set nor by no_new_privs (EPERM)",
                    "nothing was started: prctl(2), capset(2) or reading the sets back is forbidden here, most likely by a",
                    "returned -1,",
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
    everywhere(
        "ends::masks_that_are_enforced_by_no_new_privs_are_told",
        machine::give_up_setpcap,
        acts,
        |pty, room| {
            pty.send(FIRST);
            // The change of the mask is a warning too, and the later of the two goes first.
            let warnings = |text: &str| text.lines().filter(|row| is_warning(row)).count();
            let first = |text: &str| text.lines().find(|row| is_warning(row)).unwrap_or_default().to_owned();
            pty.until("both warnings", |s| {
                let text = s.contents();
                if room { warnings(&text) == 2 } else { first(&text).contains("(+1)") }
            });
            if !first(&pty.text()).contains(" #1 ") {
                pty.send(ESC);
                pty.until("the other warning alone", |s| first(&s.contents()).contains(" #1 "));
            }
            pty.shows(" #1 /bin/true: masks");
            if room {
                pty.says("#1 /bin/true: masks enforced by no_new_privs, but CapBnd is not narrowed");
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
        },
    );
}

/// A host program that ignores SIGCHLD, on a kernel that keeps no status with a pidfd.
#[test]
fn a_helper_that_is_lost_is_told() {
    let acts: &[Act] = &[|engine| {
        machine::ignore_sigchld();
        engine.call_usermodehelper(info(&["/bin/true"]), WaitMode::PROC);
    }];
    everywhere("ends::a_helper_that_is_lost_is_told", machine::keep_no_status, acts, |pty, room| {
        pty.send(FIRST);
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "? lost: how the helper ended is unknown (ECHILD)",
                page: &[
                    "why the helper has ended and its status was lost: the host program reaped it or ignores SIGCHLD (ECHILD)",
                    "do not reap the engine's children, and leave SIGCHLD at its default",
                    "returned -10",
                ],
                level: "error",
            },
        );
        quits(pty);
    });
}

/// A hook asks for a limit that the kernel does not take.
#[test]
fn a_process_that_cannot_be_made_is_told() {
    let acts: &[Act] = &[|engine| {
        let info = info(&["/bin/true"]).init(|birth| {
            birth.rlimits.push(Rlimit { resource: libc::RLIMIT_CORE, soft: 1, hard: 0 });
            Ok(())
        });
        engine.call_usermodehelper(info, WaitMode::PROC);
    }];
    everywhere("ends::a_process_that_cannot_be_made_is_told", nothing, acts, |pty, room| {
        pty.send(FIRST);
        told(
            pty,
            room,
            &End {
                id: 1,
                title: "/bin/true",
                words: "¡ cannot create a process (EINVAL)",
                page: &[
                    "why no process could be created: setrlimit in the helper: Invalid argument (EINVAL)",
                    "returned -22",
                    "enforced nothing was launched",
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
            let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
            birth.rlimits.push(Rlimit { resource: libc::RLIMIT_CORE, soft: hard, hard });
            Ok(())
        });
        engine.call_usermodehelper(info, WaitMode::PROC);
    }];
    let ours = machine::core_is_ours();
    if !ours {
        let _ = writeln!(
            std::io::stderr(),
            "left out: a core dump, which this machine would keep elsewhere, or not at all"
        );
    }
    everywhere("ends::a_core_dump_is_told", nothing, acts, |pty, room| {
        pty.send(FIRST);
        let (words, got) = if ours {
            ("‡ killed by SIGSEGV, core dumped (raw 139)", "returned 139")
        } else {
            ("† killed by SIGKILL (raw 9)", "returned 9")
        };
        told(pty, room, &End { id: 1, title: "/bin/sh", words, page: &[got], level: "info" });
        quits(pty);
    });
}
