//! The subjects: the engine, and std's `Command` without and with the same confinement.

use std::io::BufRead;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use khelper::abi::actor::Origin;
use khelper::abi::cap::CapMask;
use khelper::abi::mask::MaskExpr;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Reads lines `COUNT OUTSTANDING`, and replies to each with the time that these launches took, and with the processor
/// time that this process and its children spent.
pub fn serve(kind: &str, helper: &str, burden: &str) {
    let _burden = take_on(burden);
    let engine = Engine::start().unwrap();
    let bset = MaskExpr::Exactly(CapMask::from_bits(1 << 16));
    engine.write(&[KnobWrite::Bset(bset)], Origin::Library).unwrap();
    let launch: Box<dyn Fn() + Sync> = match kind {
        "engine" => Box::new(|| by_engine(&engine, helper)),
        "command" => Box::new(|| plain_command(helper)),
        _ => Box::new(|| confined_command(helper)),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (count, outstanding) = line.split_once(' ').unwrap();
        let (count, outstanding): (usize, usize) = (count.parse().unwrap(), outstanding.parse().unwrap());
        let (from, before) = (Instant::now(), spent());
        std::thread::scope(|scope| {
            for _ in 0..outstanding {
                scope.spawn(|| (0..count / outstanding).for_each(|_| launch()));
            }
        });
        println!("{} {}", from.elapsed().as_nanos(), spent() - before);
    }
}

/// The processor time of this process and of its children that have ended, in nanoseconds.
fn spent() -> i64 {
    let of = |who| {
        let usage = getrusage(who).unwrap();
        usage.user_time().num_nanoseconds() + usage.system_time().num_nanoseconds()
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

/// The burden of a host program: 1 GiB of resident memory, or 10,000 open files.
enum Burden {
    None,
    Resident(#[expect(dead_code, reason = "held, not read")] Vec<u8>),
    Files(#[expect(dead_code, reason = "held, not read")] Vec<std::fs::File>),
}

fn take_on(burden: &str) -> Burden {
    match burden {
        "resident" => Burden::Resident(vec![1; 1 << 30]),
        "files" => {
            use nix::sys::resource::{Resource, getrlimit, setrlimit};
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
            Burden::Files((0..10_000).map(|_| std::fs::File::open("/dev/null").unwrap()).collect())
        }
        _ => Burden::None,
    }
}

fn by_engine(engine: &Engine, helper: &str) {
    let info = SubprocessInfo::setup(Some(helper.into()), [helper], HELPER_ENV).unwrap();
    let record = engine.call_usermodehelper(info, WaitMode::PROC);
    assert_eq!(record.result, Some(0), "{record:?}");
}

fn plain_command(helper: &str) {
    assert!(Command::new(helper).output().unwrap().status.success());
}

/// Sets the same bounding set, inheritable set, session, signals, umask and cwd, in the child.
fn confined_command(helper: &str) {
    let mut command = Command::new(helper);
    command.env_clear().envs(HELPER_ENV.map(|e| e.split_once('=').unwrap())).current_dir("/");
    // SAFETY: system calls only.
    unsafe {
        command.pre_exec(|| {
            for bit in (0..=40).filter(|bit| *bit != 16) {
                libc::prctl(libc::PR_CAPBSET_DROP, bit, 0, 0, 0);
            }
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::setsid();
            libc::umask(0o022);
            Ok(())
        });
    }
    assert!(command.output().unwrap().status.success());
}
