//! A host that changes after its engine has started: helpers have what the calling thread has when it calls, and never
//! what the engine's idle workers had before (UMH-10). Each test has a process of its own.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;
#[path = "common/host.rs"]
mod host;
#[path = "common/sandbox.rs"]
mod sandbox;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use common::{am_root, field, info, run, skipped, stdout};
use khelper::abi::cap::CapMask;
use khelper::abi::launch_spec::Stdin;
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, SFlag};
use rustix::thread::CapabilitySet;

/// Set in the process that a test starts for itself: the path of its folder, which the test that started it removes.
const WITHIN: &str = "KHELPER_TEST_WITHIN";

/// Runs `test` in a process of its own: this executable again, with that test alone.
fn alone(name: &str, test: fn()) {
    if std::env::var_os(WITHIN).is_some() {
        return test();
    }
    let dir = common::Dir::new();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args([name, "--exact"]).env(WITHIN, dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The folder of a test that runs in a process of its own.
fn folder() -> PathBuf {
    std::env::var_os(WITHIN).unwrap().into()
}

fn as_root(name: &str, test: fn()) {
    if am_root() { alone(name, test) } else { skipped("an ordinary user cannot change these") }
}

/// An engine whose first worker is idle, or about to be.
fn started() -> Engine {
    // Its parent is this executable too, which would be refused (REQ-12): on this host there is none above.
    let engine = Engine::builder().host(Arc::new(host::Odd::default())).fix_sigchld(true).start().unwrap();
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    engine
}

fn status_of_helper(engine: &Engine) -> String {
    stdout(&run(engine, &["/bin/cat", "/proc/self/status"]))
}

fn set(status: &str, name: &str) -> u64 {
    u64::from_str_radix(field(status, name), 16).unwrap()
}

fn thread_status() -> String {
    fs::read_to_string("/proc/thread-self/status").unwrap()
}

/// Threads of this process by that name, exactly.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter(|task| fs::read_to_string(task.as_ref().unwrap().path().join("comm")).is_ok_and(|c| c.trim() == name))
        .count()
}

/// A root directory with cat(1) alone, copied with the libraries that this process has mapped too, and a file `/inside`.
/// Nothing is mounted there.
fn other_root() -> PathBuf {
    let root = folder().join("root");
    let copy = |from: &str, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        common::program::write_program(&to, fs::read(from).unwrap());
    };
    copy("/bin/cat", "/bin/cat");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut mapped: Vec<&str> = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).collect();
    mapped.dedup();
    for path in mapped {
        let name = path.rsplit('/').next().unwrap();
        if name.starts_with("ld-linux") {
            // Where the program's header names it.
            ["/lib/", "/lib64/"].iter().for_each(|folder| copy(path, &format!("{folder}{name}")));
        } else if name.starts_with("libc.so") {
            copy(path, path);
        }
    }
    fs::write(root.join("inside"), "inside").unwrap();
    // A worker that is made there needs it.
    fs::create_dir(root.join("dev")).unwrap();
    let null = nix::sys::stat::makedev(1, 3);
    let (kind, mode) = (SFlag::S_IFCHR, Mode::from_bits_truncate(0o666));
    nix::sys::stat::mknod(&root.join("dev/null"), kind, mode, null).unwrap();
    root
}

fn look_inside(engine: &Engine) -> String {
    stdout(&run(engine, &["/bin/cat", "/inside"]))
}

#[test]
fn umh_10_a_helper_never_runs_outside_a_chroot_of_the_host() {
    as_root("umh_10_a_helper_never_runs_outside_a_chroot_of_the_host", || {
        let root = other_root();
        let engine = started();
        assert_eq!(look_inside(&engine), "");
        nix::unistd::chroot(&root).unwrap();
        nix::unistd::chdir("/").unwrap();
        assert_eq!(look_inside(&engine), "inside");
        assert_eq!(look_inside(&engine), "inside", "and from a worker that was idle");
        assert_eq!(thread::scope(|s| s.spawn(|| look_inside(&engine)).join().unwrap()), "inside");
    });
}

/// A directory without programs: nothing of the old root is found.
#[test]
fn umh_10_an_empty_root_has_no_helpers() {
    as_root("umh_10_an_empty_root_has_no_helpers", || {
        let engine = started();
        nix::unistd::chroot(&folder()).unwrap();
        let record = run(&engine, &["/bin/true"]);
        assert_eq!((record.outcome, record.result), (Outcome::ExecFailed, Some(-(Errno::ENOENT as i32))));
    });
}

/// Root and working directory belong to a thread that has called unshare(CLONE_FS).
#[test]
fn umh_10_a_chroot_of_one_thread_binds_its_helpers_alone() {
    as_root("umh_10_a_chroot_of_one_thread_binds_its_helpers_alone", || {
        let root = other_root();
        let engine = started();
        thread::scope(|s| {
            let inside = s.spawn(|| {
                unshare(CloneFlags::CLONE_FS).unwrap();
                nix::unistd::chroot(&root).unwrap();
                (look_inside(&engine), look_inside(&engine))
            });
            assert_eq!(inside.join().unwrap(), ("inside".into(), "inside".into()));
        });
        assert_eq!(look_inside(&engine), "", "the process is where it was");
    });
}

/// The same helper for a thread after `change` and for the main thread, which did not change.
fn on_a_changed_thread(change: fn()) -> [String; 2] {
    let engine = started();
    let changed = thread::scope(|s| {
        let changed = s.spawn(|| {
            assert_eq!(run(&engine, &["/bin/true"]).result, Some(0), "as the others, before");
            change();
            let (first, second) = (status_of_helper(&engine), status_of_helper(&engine));
            for name in ["CapBnd", "CapPrm", "NoNewPrivs", "Seccomp", "Uid"] {
                assert_eq!(field(&first, name), field(&second, name), "a reused worker differs from a fresh one");
            }
            first
        });
        changed.join().unwrap()
    });
    [changed, status_of_helper(&engine)]
}

#[test]
fn umh_10_capabilities_that_a_thread_has_dropped_are_gone_from_its_helpers() {
    as_root("umh_10_capabilities_that_a_thread_has_dropped_are_gone_from_its_helpers", || {
        let [changed, other] = on_a_changed_thread(|| {
            rustix::thread::remove_capability_from_bounding_set(CapabilitySet::CHOWN).unwrap();
        });
        assert_eq!(set(&changed, "CapBnd"), set(&other, "CapBnd") & !1);
        assert_eq!(set(&changed, "CapPrm"), set(&other, "CapPrm") & !1);
        assert_eq!(set(&other, "CapBnd") & 1, 1);
        // An inheritable set that is added widens the helpers of this thread alone, within bset.
        let [changed, other] = on_a_changed_thread(sandbox::inherit_all);
        assert_eq!((set(&changed, "CapInh"), set(&other, "CapInh")), (set(&changed, "CapPrm"), 0));
    });
}

/// The permitted set counts too: without root's privileges a helper of another user has none.
#[test]
fn umh_10_another_user_and_securebits_hold_for_the_helpers_of_their_thread() {
    as_root("umh_10_another_user_and_securebits_hold_for_the_helpers_of_their_thread", || {
        let [changed, other] = on_a_changed_thread(|| sandbox::become_user(65534));
        assert!(field(&changed, "Uid").starts_with("65534") && field(&other, "Uid").starts_with('0'));
        assert_eq!(set(&changed, "CapPrm"), 0);
        let [changed, other] = on_a_changed_thread(|| sandbox::set_securebits(libc::SECBIT_NOROOT));
        assert_eq!(set(&changed, "CapPrm"), 0);
        assert_ne!(set(&other, "CapPrm"), 0);
    });
}

#[test]
fn umh_10_no_new_privs_of_a_thread_holds_for_its_helpers() {
    alone("umh_10_no_new_privs_of_a_thread_holds_for_its_helpers", || {
        let [changed, other] = on_a_changed_thread(|| rustix::thread::set_no_new_privs(true).unwrap());
        assert_eq!((field(&changed, "NoNewPrivs"), field(&other, "NoNewPrivs")), ("1", "0"));
    });
}

/// Refuses to make directories; allowed to an ordinary user by no_new_privs.
fn no_mkdir() {
    rustix::thread::set_no_new_privs(true).unwrap();
    #[cfg(target_arch = "x86_64")]
    sandbox::refuse(&[(libc::SYS_mkdir, None), (libc::SYS_mkdirat, None)], libc::EPERM);
    #[cfg(not(target_arch = "x86_64"))]
    sandbox::refuse(&[(libc::SYS_mkdirat, None)], libc::EPERM);
}

/// The number of filters alone does not tell them apart.
#[test]
fn umh_10_seccomp_filters_of_a_thread_hold_for_its_helpers_and_no_others() {
    alone("umh_10_seccomp_filters_of_a_thread_hold_for_its_helpers_and_no_others", || {
        let engine = started();
        let mkdir = |name: &str| run(&engine, &["/bin/mkdir", folder().join(name).to_str().unwrap()]).result;
        // Turns; a thread that fails drops its ends, and the other does not wait for it.
        let ((first_done, after_first), (second_done, after_second)) = (channel(), channel());
        thread::scope(|s| {
            let mkdir = &mkdir;
            s.spawn(move || {
                no_mkdir();
                assert_eq!(mkdir("filtered"), Some(256));
                assert_eq!(mkdir("filtered again"), Some(256), "from an idle worker");
                first_done.send(()).unwrap();
                after_second.recv().unwrap();
                assert_eq!(mkdir("filtered at last"), Some(256));
            });
            let engine = &engine;
            s.spawn(move || {
                rustix::thread::set_no_new_privs(true).unwrap();
                sandbox::refuse(&[(libc::SYS_acct, None)], libc::EPERM);
                after_first.recv().unwrap();
                assert_eq!(mkdir("another filter"), Some(0));
                assert_eq!(field(&status_of_helper(engine), "Seccomp"), "2");
                // One filter more on the same thread.
                no_mkdir();
                assert_eq!(mkdir("one more filter"), Some(256));
                second_done.send(()).unwrap();
            });
        });
        assert_eq!(mkdir("no filter"), Some(0));
    });
}

fn link(name: &str) -> String {
    fs::read_link(format!("/proc/thread-self/ns/{name}")).unwrap().to_str().unwrap().to_owned()
}

fn link_of_helper(engine: &Engine, name: &str) -> String {
    stdout(&run(engine, &["/bin/readlink", &format!("/proc/self/ns/{name}")])).trim().to_owned()
}

#[test]
fn umh_10_namespaces_of_a_thread_are_those_of_its_helpers() {
    as_root("umh_10_namespaces_of_a_thread_are_those_of_its_helpers", || {
        let engine = started();
        let kinds = [
            ("uts", CloneFlags::CLONE_NEWUTS),
            ("ipc", CloneFlags::CLONE_NEWIPC),
            ("net", CloneFlags::CLONE_NEWNET),
            ("cgroup", CloneFlags::CLONE_NEWCGROUP),
            ("mnt", CloneFlags::CLONE_NEWNS),
        ];
        for (name, kind) in kinds {
            let before = link(name);
            let original = fs::File::open(format!("/proc/thread-self/ns/{name}")).unwrap();
            thread::scope(|s| {
                s.spawn(|| {
                    unshare(kind).unwrap();
                    assert_ne!(link(name), before);
                    assert_eq!(link_of_helper(&engine, name), link(name));
                    assert_eq!(link_of_helper(&engine, name), link(name), "{name}, from an idle worker");
                    // Back again: the engine's first workers will do.
                    setns(&original, kind).unwrap();
                    assert_eq!(link_of_helper(&engine, name), before);
                });
            });
            assert_eq!(link_of_helper(&engine, name), before);
        }
    });
}

/// A hook belongs to its call: it runs in the calling thread's state, and what it hands over reaches the helper.
#[test]
fn umh_10_a_hook_runs_in_the_state_of_the_calling_thread() {
    as_root("umh_10_a_hook_runs_in_the_state_of_the_calling_thread", || {
        let engine = started();
        let call = || {
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(b"from the hook").unwrap();
            let (sender, namespace) = channel();
            let call = info(&["/bin/cat"]).init(move |birth| {
                sender.send(link("net")).unwrap();
                birth.stdin = Stdin::file(reader);
                Ok(())
            });
            drop(writer);
            let record = engine.call_usermodehelper(call, WaitMode::PROC);
            assert_eq!((record.result, stdout(&record).as_str()), (Some(0), "from the hook"), "{:?}", record.why());
            assert_eq!(namespace.recv().unwrap(), link("net"));
        };
        call();
        thread::scope(|s| {
            s.spawn(|| {
                unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNET).unwrap();
                call();
                // No thread of a hook shares the root directory, or this would be EINVAL.
                let mounts = fs::File::open("/proc/thread-self/ns/mnt").unwrap();
                setns(&mounts, CloneFlags::CLONE_NEWNS).unwrap();
            });
        });
        call();
    });
}

/// clone(2) refuses a thread to one whose children would be in another namespace: nothing is started in the old one.
#[test]
fn umh_10_a_thread_that_has_left_its_pid_namespace_is_told_so() {
    as_root("umh_10_a_thread_that_has_left_its_pid_namespace_is_told_so", || {
        let engine = started();
        thread::scope(|s| {
            s.spawn(|| {
                unshare(CloneFlags::CLONE_NEWPID).unwrap();
                let hooked = info(&["/bin/true"]).init(|_| Ok(()));
                for call in [info(&["/bin/true"]), hooked] {
                    let record = engine.call_usermodehelper(call, WaitMode::PROC);
                    assert_eq!((record.pid, record.result), (None, Some(-(Errno::EAGAIN as i32))));
                    assert!(record.why().is_some_and(|why| why.contains("pid or time namespace")));
                }
            });
        });
        assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
        assert!(engine.snapshot().running.is_empty());
    });
}

/// glibc's setuid changes every thread, idle workers too: they are of no more use.
#[test]
fn umh_10_a_host_that_drops_root_after_the_start() {
    as_root("umh_10_a_host_that_drops_root_after_the_start", || {
        let engine = started();
        nix::unistd::setresuid(65534.into(), 65534.into(), 65534.into()).unwrap();
        for _ in 0..2 {
            let status = status_of_helper(&engine);
            assert!(field(&status, "Uid").starts_with("65534"), "{status}");
            assert_eq!(set(&status, "CapPrm"), 0);
        }
    });
}

/// What cannot be read is never taken for the same: the calling thread starts its own worker for each call.
#[test]
fn umh_10_a_thread_that_cannot_read_its_state_starts_its_own_worker() {
    as_root("umh_10_a_thread_that_cannot_read_its_state_starts_its_own_worker", || {
        let engine = started();
        thread::scope(|s| {
            s.spawn(|| {
                sandbox::hide_proc();
                for _ in 0..3 {
                    let record = run(&engine, &["/bin/ls", "-A", "/proc"]);
                    assert_eq!((stdout(&record).as_str(), record.result), ("", Some(0)));
                }
            });
        });
        assert!(stdout(&run(&engine, &["/bin/ls", "/proc"])).contains("uptime"));
    });
}

/// Landlock rules that forbid every exec, for the calling thread; false where the kernel has no Landlock.
fn forbid_exec() -> bool {
    let (exec, none) = (1u64, 0 as libc::c_long);
    // SAFETY: the attribute is one number of eight bytes, as in the first version of Landlock; the rest are integers.
    unsafe {
        let rules = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const exec, 8 as libc::c_long, none);
        rules >= 0 && libc::syscall(libc::SYS_landlock_restrict_self, rules, none) == 0
    }
}

/// A declared deviation: the kernel tells nobody which Landlock rules a thread has.
#[test]
fn umh_10_landlock_rules_are_seen_only_with_no_new_privs() {
    as_root("umh_10_landlock_rules_are_seen_only_with_no_new_privs", || {
        let engine = started();
        thread::scope(|s| {
            s.spawn(|| {
                if !forbid_exec() {
                    return skipped("this kernel has no Landlock");
                }
                assert_eq!(run(&engine, &["/bin/true"]).result, Some(0), "the difference that is declared");
                rustix::thread::set_no_new_privs(true).unwrap();
                assert_eq!(run(&engine, &["/bin/true"]).result, Some(-(Errno::EACCES as i32)));
            });
        });
    });
}

#[test]
fn umh_10_two_threads_with_different_capabilities_each_get_their_own() {
    const CALLS: usize = 40;
    as_root("umh_10_two_threads_with_different_capabilities_each_get_their_own", || {
        let engine = started();
        let before = CapMask::from_bits(set(&thread_status(), "CapBnd"));
        let both = Barrier::new(2);
        let calls = |cap: CapabilitySet| -> Vec<(CapMask, Arc<Record>)> {
            rustix::thread::remove_capability_from_bounding_set(cap).unwrap();
            let mine = CapMask::from_bits(set(&thread_status(), "CapBnd"));
            both.wait();
            (0..CALLS).map(|_| (mine, engine.call_usermodehelper(info(&["/bin/true"]), WaitMode::PROC))).collect()
        };
        thread::scope(|s| {
            let threads = [CapabilitySet::CHOWN, CapabilitySet::KILL].map(|cap| s.spawn(move || calls(cap)));
            let mut seen = Vec::new();
            for (mine, record) in threads.into_iter().flat_map(|t| t.join().unwrap()) {
                assert_eq!(record.caps.as_ref().unwrap().bounding, mine);
                seen.push(mine);
            }
            seen.dedup();
            assert_eq!(seen.len(), 2);
        });
        assert_eq!(run(&engine, &["/bin/true"]).caps.as_ref().unwrap().bounding, before);
    });
}

/// A thread whose state is that of the engine's start uses the engine's workers: no other spawner is started.
#[test]
fn umh_10_an_unchanged_host_starts_no_second_spawner() {
    alone("umh_10_an_unchanged_host_starts_no_second_spawner", || {
        let engine = started();
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    // Effective capabilities are not passed on by exec, and may come and go.
                    sandbox::change_caps(|sets| sets.effective = CapabilitySet::empty());
                    for _ in 0..10 {
                        assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
                    }
                });
            }
        });
        assert_eq!(threads("khelper"), 1);
        rustix::thread::set_no_new_privs(true).unwrap();
        run(&engine, &["/bin/true"]);
        assert_eq!(threads("khelper"), 2, "one for each state");
        run(&engine, &["/bin/true"]);
        assert_eq!(threads("khelper"), 2);
    });
}
