//! UMH-9 on the real machine: attributes that a helper would inherit. Each test first makes the host differ from the
//! rule. Attributes of a thread are changed on a thread that the test starts; an engine inherits them from the thread
//! that starts it.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::fs;
use std::sync::Mutex;
use std::thread;

use common::{am_root, field, run, skipped, stdout};
use khelper::abi::launch_spec::NotEnforced;
use khelper::abi::record::Record;
use khelper::engine::Engine;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A field of proc_pid_stat(5), counted from 1, of what `cat /proc/self/stat` printed; not one of the first two.
fn stat(text: &str, number: usize) -> &str {
    text.rsplit_once(')').unwrap().1.split_whitespace().nth(number - 3).unwrap()
}

fn names(record: &Record, what: NotEnforced) -> bool {
    record.not_enforced.contains(&what)
}

/// What changes the whole process, one test at a time.
static PROCESS: Mutex<()> = Mutex::new(());

#[test]
fn umh_9_real_time_signals_that_the_host_ignores_are_at_default() {
    let _alone = PROCESS.lock().unwrap();
    let all = libc::SIGRTMIN()..=libc::SIGRTMAX();
    let act = |signal, handler| {
        // SAFETY: all-zero is a valid sigaction; SIG_IGN and SIG_DFL run no code of ours.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
        }
    };
    all.clone().for_each(|signal| act(signal, libc::SIG_IGN));
    let ignored = |status: &str| u64::from_str_radix(field(status, "SigIgn"), 16).unwrap();
    let ours = ignored(&fs::read_to_string("/proc/self/status").unwrap());
    assert!(all.clone().all(|signal| ours & 1 << (signal - 1) != 0), "the host ignores them: {ours:x}");
    let engine = Engine::start().unwrap();
    let status = stdout(&run(&engine, &["/bin/cat", "/proc/self/status"]));
    all.for_each(|signal| act(signal, libc::SIG_DFL));
    assert_eq!(format!("{:x}", ignored(&status)), "0", "no signal is ignored");
}

#[test]
fn umh_9_a_helper_may_run_on_every_cpu_of_its_cpuset() {
    let test = thread::spawn(|| {
        // The kernel grants what the cpuset has of all that is asked for.
        let mut all = CpuSet::new();
        (0..CpuSet::MAX_CPU).for_each(|cpu| all.set(cpu));
        sched_setaffinity(None, &all).unwrap();
        let granted = sched_getaffinity(None).unwrap();
        if granted.count() < 2 {
            return skipped("UMH-9: CPU affinity: this machine has one CPU for us");
        }
        let first = (0..CpuSet::MAX_CPU).find(|cpu| granted.is_set(*cpu)).unwrap();
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).unwrap();
        let engine = Engine::start().unwrap();
        let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
        let status = stdout(&record);
        let list = field(&status, "Cpus_allowed_list");
        let count: u32 = list
            .split(',')
            .map(|span| {
                let (from, to) = span.split_once('-').unwrap_or((span, span));
                to.parse::<u32>().unwrap() - from.parse::<u32>().unwrap() + 1
            })
            .sum();
        assert_eq!(count, granted.count(), "{list}");
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1, "the host's own stays");
    });
    test.join().unwrap();
}

fn schedule(policy: i32, priority: i32) -> bool {
    // The system call itself, with the kernel's `struct sched_param`: musl's function always fails.
    // SAFETY: pid 0 is the calling thread; the parameter lives on this stack.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) == 0 }
}

#[test]
fn umh_9_a_helper_is_scheduled_as_other_whatever_its_host_is() {
    // (policy, priority, whether an ordinary user may leave it: sched(7))
    for (policy, priority, may_leave) in [
        (libc::SCHED_BATCH, 0, true),
        (libc::SCHED_IDLE, 0, false),
        (libc::SCHED_RR, 2, true),
        (libc::SCHED_FIFO, 3, true),
    ] {
        let test = thread::spawn(move || {
            if !schedule(policy, priority) {
                return skipped(&format!("UMH-9: scheduling policy {policy}: we may not choose it"));
            }
            let engine = Engine::start().unwrap();
            let record = run(&engine, &["/bin/cat", "/proc/self/stat"]);
            let text = stdout(&record);
            let (of_helper, real_time) = (stat(&text, 41), stat(&text, 40));
            if am_root() || may_leave {
                assert_eq!((of_helper, real_time), ("0", "0"), "host: policy {policy}");
                assert!(!names(&record, NotEnforced::Scheduler));
            } else {
                assert_eq!((of_helper, names(&record, NotEnforced::Scheduler)), ("5", true), "never silent");
            }
            // SAFETY: pid 0 is the calling thread.
            let now = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
            assert_eq!(now, libc::c_long::from(policy), "the host's own stays");
        });
        test.join().unwrap();
    }
}

#[test]
fn umh_9_nice_is_0_where_it_may_be_lowered() {
    let test = thread::spawn(|| {
        // A thread's own, in Linux.
        rustix::process::setpriority_process(None, 7).unwrap();
        let engine = Engine::start().unwrap();
        let record = run(&engine, &["/bin/cat", "/proc/self/stat"]);
        let text = stdout(&record);
        let nice = stat(&text, 19);
        // What this thread may do a helper's worker may do: it is asked last, so that the host still is at 7.
        let may = rustix::process::setpriority_process(None, 0).is_ok();
        assert_eq!((nice, names(&record, NotEnforced::Nice)), if may { ("0", false) } else { ("7", true) });
        assert!(may || !am_root());
    });
    test.join().unwrap();
}

#[test]
fn umh_9_oom_score_adj_is_0_where_it_may_be_lowered() {
    let _alone = PROCESS.lock().unwrap();
    let path = "/proc/self/oom_score_adj";
    let before = fs::read_to_string(path).unwrap();
    fs::write(path, "300").unwrap();
    let engine = Engine::start().unwrap();
    let record = run(&engine, &["/bin/cat", path]);
    let may = fs::write(path, "0").is_ok();
    let _ = fs::write(path, before.trim());
    let seen = (stdout(&record), names(&record, NotEnforced::OomScoreAdj));
    assert_eq!(seen, if may { ("0\n".to_owned(), false) } else { ("300\n".to_owned(), true) });
}
