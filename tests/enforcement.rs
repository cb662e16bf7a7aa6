//! Masks on hosts that refuse, fake or hide what enforcing them needs (UMH-10, UMH-11): what a record claims is what
//! the kernel enforces. Filters and capability sets belong to threads, so each case has its own.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;
#[path = "common/sandbox.rs"]
mod sandbox;

use std::fs::File;
use std::sync::Arc;

use common::{am_root, field, info, skipped};
use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, ReadSet};
use khelper::abi::launch_spec::Enforcement;
use khelper::abi::mask::MaskExpr;
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use rustix::thread::{CapabilitySet, CapabilitySets};
use sandbox::{AMBIENT, BSET_DROP, BSET_READ, CAPGET, CAPSET, Call, PRCTL, hide_proc, inherit_all, refuse};

/// cap_chown and cap_setpcap: what the masks leave.
const LEFT: CapMask = CapMask::from_bits(1 | 1 << 8);

/// A helper that was started under `LEFT`, as the kernel shows it while it runs.
struct Seen {
    record: Arc<Record>,
    /// /proc/PID/status; `None` if nothing was started.
    status: Option<String>,
}

impl Seen {
    fn set(&self, name: &str) -> CapMask {
        CapMask::from_bits(u64::from_str_radix(field(self.status.as_ref().unwrap(), name), 16).unwrap())
    }

    /// Nothing is claimed that does not hold.
    fn is_honest(&self, case: &str) {
        let Some(status) = &self.status else {
            assert_eq!(
                (self.record.outcome, self.record.result),
                (Outcome::Refused, Some(-(Errno::EPERM as i32))),
                "{case}"
            );
            assert_eq!(self.record.pid, None, "{case}");
            return;
        };
        for set in ["CapPrm", "CapEff", "CapInh"] {
            assert!(LEFT.contains(self.set(set)), "{case}: {set} is outside the mask:\n{status}");
        }
        assert!(self.set("CapAmb").is_empty(), "{case}: {status}");
        match self.record.enforced {
            Some(Enforcement::Masks) => assert!(LEFT.contains(self.set("CapBnd")), "{case}: {status}"),
            Some(Enforcement::NoNewPrivs) => assert_eq!(field(status, "NoNewPrivs"), "1", "{case}"),
            other => panic!("{case}: started, and enforced {other:?}"),
        }
    }
}

/// Prepares a thread as `host` says, starts an engine on it, and looks at a helper of that thread's. The helper says
/// through a FIFO that it runs: while exec is under way, /proc still shows the sets of before.
fn on_a_host(host: impl FnOnce() + Send + 'static) -> Seen {
    let proc = File::open("/proc").unwrap();
    let dir = common::Dir::new();
    let fifo = dir.fifo("up");
    let script = format!("echo up > {fifo}; read x < {fifo}");
    let thread = std::thread::spawn(move || {
        host();
        let engine = Engine::start().unwrap();
        engine.write(&[KnobWrite::Bset(MaskExpr::Exactly(LEFT))], Origin::Library).unwrap();
        let record = engine.call_usermodehelper(info(&["/bin/sh", "-c", &script]), WaitMode::EXEC);
        let status = record.pid.map(|pid| {
            assert_eq!(std::fs::read_to_string(&fifo).unwrap(), "up\n");
            sandbox::status(&proc, pid)
        });
        if status.is_some() {
            engine.kill(record.id, libc::SIGKILL).unwrap();
        }
        Seen { record, status }
    });
    thread.join().unwrap()
}

fn needs_root() -> bool {
    let root = am_root();
    if !root {
        skipped("only root can install a filter without no_new_privs, and has capabilities to cut");
    }
    root
}

/// A case: which calls fail, with which errno (0: success is faked), and how the masks can be enforced then.
type Case = (&'static [Call], i32, Enforcement);

fn check(cases: &[Case], hide: bool) {
    for (calls, errno, enforced) in cases.iter().copied() {
        let case = format!("{calls:?} fail with {errno}, /proc hidden: {hide}");
        let seen = on_a_host(move || {
            inherit_all();
            if hide {
                hide_proc();
            }
            refuse(calls, errno);
        });
        seen.is_honest(&case);
        assert_eq!(seen.record.enforced, Some(enforced), "{case}");
    }
}

#[test]
fn umh_11_calls_that_are_refused_or_faked_are_not_believed() {
    use Enforcement::{Masks, NoNewPrivs, Refused};
    if !needs_root() {
        return;
    }
    let cases: &[Case] = &[
        (&[BSET_READ], libc::EPERM, Masks),
        (&[BSET_READ], libc::EINVAL, Masks),
        (&[BSET_READ], 0, Masks),
        (&[CAPGET], libc::EPERM, Masks),
        (&[CAPGET], 0, Masks),
        (&[BSET_READ, CAPGET, AMBIENT], libc::EPERM, Masks),
        (&[BSET_DROP], libc::EPERM, NoNewPrivs),
        (&[BSET_DROP], libc::EINVAL, NoNewPrivs),
        (&[BSET_DROP], 0, NoNewPrivs),
        // The inheritable set, which exec adds to the bounding set, cannot be cut.
        (&[CAPSET], libc::EPERM, Refused),
        (&[CAPSET], 0, Refused),
        (&[PRCTL], libc::EPERM, Refused),
        (&[PRCTL], 0, Refused),
        (&[BSET_DROP, CAPSET], 0, Refused),
    ];
    check(cases, false);
}

#[test]
fn umh_11_without_proc_the_calls_are_read_back_and_nothing_is_assumed() {
    use Enforcement::{Masks, NoNewPrivs, Refused};
    if !needs_root() {
        return;
    }
    let cases: &[Case] = &[
        (&[], libc::EPERM, Masks),
        (&[BSET_READ], libc::EPERM, NoNewPrivs),
        (&[BSET_READ], 0, NoNewPrivs),
        (&[BSET_DROP], libc::EPERM, NoNewPrivs),
        (&[CAPGET], libc::EPERM, Refused),
        (&[CAPGET], 0, Refused),
        (&[CAPSET], 0, Refused),
        (&[PRCTL], libc::EPERM, Refused),
        (&[PRCTL], 0, Refused),
    ];
    check(cases, true);
}

/// With an empty inheritable set there is nothing that only capset(2) could cut.
#[test]
fn umh_11_a_refused_capset_that_is_not_needed_is_no_obstacle() {
    if !needs_root() {
        return;
    }
    let seen = on_a_host(|| {
        sandbox::change_caps(|sets| sets.inheritable = CapabilitySet::empty());
        refuse(&[CAPSET], libc::EPERM);
    });
    seen.is_honest("capset refused");
    assert_eq!(seen.record.enforced, Some(Enforcement::Masks));
}

/// /proc/sys/kernel/cap_last_cap says less than the kernel knows, and the kernel does not answer itself.
#[test]
fn umh_10_a_mask_cuts_what_the_kernel_knows_whatever_cap_last_cap_says() {
    if !needs_root() {
        return;
    }
    let dir = common::Dir::new();
    let wrong = dir.file("cap_last_cap", "9\n", 0o644);
    let seen = on_a_host(move || {
        sandbox::own_mounts();
        mount(Some(wrong.as_str()), "/proc/sys/kernel/cap_last_cap", None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .unwrap();
        refuse(&[BSET_READ], libc::EPERM);
    });
    seen.is_honest("cap_last_cap is 9");
    assert_eq!((seen.record.enforced, seen.set("CapBnd")), (Some(Enforcement::Masks), LEFT));
}

/// A folder of a test with a mount in it is left as it is: to remove it would empty what is mounted there.
#[test]
fn a_folder_with_a_mount_in_it_is_not_removed() {
    if !needs_root() {
        return;
    }
    // A name that mountinfo escapes, and one that leads there by a symbolic link.
    let outer = common::Dir::new();
    let parent = outer.path().join("with blanks and \\");
    std::fs::create_dir(&parent).unwrap();
    let link = outer.path().join("link");
    std::os::unix::fs::symlink(&parent, &link).unwrap();
    for within in [parent, link] {
        std::thread::spawn(move || {
            let dir = common::Dir::within(&within);
            let (empty, kept) = (dir.path().to_owned(), dir.path().join("mounted"));
            sandbox::own_mounts();
            std::fs::create_dir(&kept).unwrap();
            mount(Some("tmpfs"), &kept, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
            // No file: a child that another test starts might have its descriptor, and the mount would be busy.
            std::fs::create_dir(kept.join("folder")).unwrap();
            drop(dir);
            assert!(kept.join("folder").exists(), "{}", kept.display());
            nix::mount::umount(&kept).unwrap();
            std::fs::remove_dir_all(empty).unwrap();
        })
        .join()
        .unwrap();
    }
}

/// A case: its name, the host's preparation, and whether its helper has what the mask leaves (root) or nothing.
type HostCase = (&'static str, fn(), CapMask);

#[test]
fn umh_10_no_host_passes_on_more_than_the_mask() {
    const USER: libc::uid_t = 65534;
    if !needs_root() {
        return;
    }
    let cases: &[HostCase] = &[
        ("inheritable", inherit_all, LEFT),
        ("ambient", sandbox::all_ambient, LEFT),
        (
            "setpcap is not effective",
            || sandbox::change_caps(|s: &mut CapabilitySets| s.effective = CapabilitySet::empty()),
            LEFT,
        ),
        (
            "ambient, prctl(PR_CAP_AMBIENT) refused",
            || {
                sandbox::all_ambient();
                refuse(&[AMBIENT], libc::EPERM);
            },
            LEFT,
        ),
        (
            "ambient, prctl(PR_CAP_AMBIENT) faked",
            || {
                sandbox::all_ambient();
                refuse(&[AMBIENT], 0);
            },
            LEFT,
        ),
        (
            "keep_caps",
            || {
                inherit_all();
                sandbox::set_securebits(libc::SECBIT_KEEP_CAPS);
            },
            LEFT,
        ),
        (
            "noroot",
            || {
                inherit_all();
                sandbox::set_securebits(libc::SECBIT_NOROOT);
            },
            CapMask::EMPTY,
        ),
        (
            "noroot, ambient",
            || {
                sandbox::all_ambient();
                sandbox::set_securebits(libc::SECBIT_NOROOT);
            },
            CapMask::EMPTY,
        ),
        (
            "another user with capabilities",
            || {
                sandbox::set_securebits(libc::SECBIT_KEEP_CAPS);
                sandbox::become_user(USER);
                inherit_all();
            },
            CapMask::EMPTY,
        ),
        (
            "another user with ambient capabilities",
            || {
                sandbox::set_securebits(libc::SECBIT_KEEP_CAPS);
                sandbox::become_user(USER);
                sandbox::all_ambient();
            },
            CapMask::EMPTY,
        ),
        (
            "another user with ambient capabilities and no setpcap",
            || {
                sandbox::set_securebits(libc::SECBIT_KEEP_CAPS);
                sandbox::become_user(USER);
                sandbox::lose(CapabilitySet::SETPCAP);
                sandbox::all_ambient();
            },
            CapMask::EMPTY,
        ),
    ];
    for (case, host, permitted) in cases {
        let seen = on_a_host(host);
        seen.is_honest(case);
        assert_eq!(seen.set("CapPrm"), *permitted, "{case}");
        let expected = if case.ends_with("no setpcap") { Enforcement::NoNewPrivs } else { Enforcement::Masks };
        assert_eq!(seen.record.enforced, Some(expected), "{case}");
    }
}

/// What cannot be read is unknown: neither empty nor full.
#[test]
fn umh_10_sets_that_cannot_be_read_are_shown_as_unknown() {
    if !needs_root() {
        return;
    }
    let read = |hide: bool, calls: &'static [Call]| {
        let thread = std::thread::spawn(move || {
            let engine = Engine::start().unwrap();
            if hide {
                hide_proc();
            }
            refuse(calls, libc::EPERM);
            engine.snapshot().host
        });
        thread.join().unwrap()
    };
    let all = read(false, &[]);
    assert!(all.bounding.known().is_some_and(|set| !set.is_empty()));
    assert_eq!(read(false, &[PRCTL, CAPGET]), all, "/proc has them all");
    let without_bounding = read(true, &[BSET_READ]);
    assert_eq!((without_bounding.bounding, without_bounding.permitted), (ReadSet::Unreadable, all.permitted));
    let without_own = read(true, &[CAPGET]);
    assert_eq!((without_own.permitted, without_own.ambient), (ReadSet::Unreadable, ReadSet::Unreadable));
    assert_eq!(without_own.bounding, all.bounding);
}
