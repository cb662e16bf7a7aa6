//! Rules that a first boot teaches, and that the next one enforces.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Uid, fork, pipe, setuid};

use super::asking::{self, LOG, crash, ordinary, request_key};
use super::boots::{Daemon, errors, khelper, logged, root, serve, until};
use super::init::{Serial, argument};
use super::names::module;
use super::{OWN, asking::module as filesystem};

/// First argument of the process of an ordinary user that asks for the modules that follow.
pub const ASKS: &str = "khelper-guest-asks";
/// First argument of the process whose children ask for a module and are killed at once, so many times.
pub const KILLS: &str = "khelper-guest-kills";

const LEDGER: &str = "/var/lib/khelper/ledger";
const STORE: &str = "/mnt";
/// What an ordinary user asks for outside of the rules.
const OUTSIDE: usize = 20;
const TIMES: usize = 1000;
const CALLERS: usize = 50;

/// The other process. It waits for the end of its standard input, so that it can be read as long as is wanted.
pub fn asks(names: &[String]) -> ExitCode {
    names.iter().for_each(|name| module(name.as_bytes()));
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}

/// The other process: it has one thread, so that it may fork.
pub fn kills(name: &str, times: &str) -> ExitCode {
    for _ in 0..times.parse::<usize>().unwrap() {
        let (read, write) = pipe().unwrap();
        // SAFETY: this process has one thread.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                setuid(Uid::from_raw(1000)).unwrap();
                nix::unistd::write(write.as_fd(), b"x").unwrap();
                module(name.as_bytes());
                std::process::exit(0);
            }
            ForkResult::Parent { child } => {
                drop(write);
                // The next thing that it does is to ask.
                fs::File::from(read).read_exact(&mut [0]).unwrap();
                kill(child, Signal::SIGKILL).unwrap();
                waitpid(child, None).unwrap();
            }
        }
    }
    ExitCode::SUCCESS
}

/// The folder of the host that outlives a boot.
fn store() -> PathBuf {
    fs::create_dir_all(STORE).unwrap();
    let option = argument("kept").expect("a machine with a folder that it keeps");
    mount(Some("none"), STORE, Some("hostfs"), MsFlags::empty(), Some(&*option)).unwrap();
    PathBuf::from(STORE).join("learned.rules")
}

/// What a machine does that works: file systems that root mounts, a kind of socket, a key and a core. Returns what ran.
fn uses(round: usize) -> Vec<String> {
    fs::write(LOG, "").unwrap();
    for number in 0..10 {
        filesystem(&format!("use{number}-e0"));
        module(format!("use{number}-e0").as_bytes());
    }
    // Another one each time: a key that is there is not asked for.
    request_key(&format!("give{round}-e0"));
    crash("use-e0");
    asking::until_noted(22);
    let log = fs::read_to_string(LOG).unwrap();
    let mut ran: Vec<String> = log.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    ran.sort_unstable();
    ran
}

pub fn learned(serial: &mut Serial) {
    let store = store();
    match argument("boot").as_deref() {
        Some("1") => learn(serial, &store),
        _ => enforce(serial, &store),
    }
}

fn learn(serial: &mut Serial, store: &Path) {
    root("", "");
    asking::prepare();
    let mut daemon = Daemon::of(&mut serve("learn"));
    let mut ran = Vec::new();
    for round in 0..4 {
        ran = uses(round);
    }
    assert_eq!(ran.len(), 22);
    daemon.end();
    let (code, rules) = khelper(&["rules", "learn", "--ledger", LEDGER]);
    assert_eq!(code, Some(0), "{rules}");
    let allowed = rules.lines().filter(|line| line.starts_with("allow name ") && line.contains(" uid=0 ")).count();
    assert!(allowed == 20 && rules.ends_with("deny name *\n"), "{rules}");
    serial.note(&format!("{allowed} rules learned"));
    fs::write(store, format!("deny name algif-killed* uid>=1000\nallow name algif-killed*\n{rules}")).unwrap();
}

fn enforce(serial: &mut Serial, store: &Path) {
    root(&fs::read_to_string(store).unwrap(), "");
    asking::prepare();
    let mut daemon = Daemon::of(&mut serve("enforce"));
    assert_eq!(uses(0).len(), 22, "{}", errors());
    // Outside of the rules.
    fs::write(LOG, "").unwrap();
    let names: Vec<String> = (0..OUTSIDE).map(|number| format!("out{number}-e0")).collect();
    let mut user = ordinary(OWN).arg(ASKS).args(&names).stdin(Stdio::piped()).spawn().unwrap();
    let pid = user.id();
    let line = fs::read_to_string(store).unwrap().lines().count();
    let by = format!("(pid {pid}, uid 1000, ");
    for name in &names {
        let asked = format!("algif-{name}");
        let denied = format!("denied by /etc/khelper.d/rules.d/10-boot.rules:{line} (deny name *): asked {asked}");
        let why = ["--target", "kernel", "why", "--utc", "--ledger", LEDGER, &asked];
        until(&why, &by);
        let (code, said) = khelper(&why);
        assert!(code == Some(0) && said.contains(&format!("\nNot run: {denied}.\n")), "{said}");
        assert!(!said.contains("khelper/shim"), "{said}");
        assert!(errors().contains(&format!("{denied}\n")), "{}", errors());
    }
    drop(user.stdin.take());
    assert!(user.wait().unwrap().success());
    assert_eq!(fs::read_to_string(LOG).unwrap(), "");
    let (_, refused) = khelper(&["log", "-t", "kernel", "--outcome", "refused", "--ledger", LEDGER]);
    let denied = refused.lines().filter(|line| line.contains("  denied by a rule  ")).count();
    assert_eq!((denied, refused.lines().count()), (OUTSIDE, OUTSIDE), "{refused}");
    serial.note(&format!("{OUTSIDE} requests denied, each with its requester, its rule and a sentence in why"));
    // A requester that is killed at once.
    let began = Instant::now();
    assert!(Command::new(OWN).args([KILLS, "killed-e0", &TIMES.to_string()]).status().unwrap().success());
    until(&["-t", "daemon/kernel", "status"], " 0 helpers running");
    assert_eq!(logged("no verdict, the compiled rules allow"), 0);
    assert_eq!(fs::read_to_string(LOG).unwrap(), "");
    serial.note(&format!(
        "{TIMES} requesters killed in {:?}, {} of them without a verdict",
        began.elapsed(),
        logged("no verdict, the compiled rules deny")
    ));
    flood(serial);
    // What the daemon does not learn of is in the kernel's log.
    let (_, said) = khelper(&["rules", "status", "--ledger", LEDGER]);
    let line = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let (decided, alone) = (line("decided: since the daemon's start: "), line("without a verdict: "));
    let denied = format!(" and {} denied by the compiled rules", logged("no verdict, the compiled rules deny"));
    assert!(decided.contains(" denied, 0 would be denied") && alone.contains(&denied), "{said}");
    serial.note(&format!("{decided}; {alone}"));
    daemon.kill();
}

/// A denied module is asked for while callers keep the daemon and the kernel's slots busy.
fn flood(serial: &mut Serial) {
    let (began, before) = (Instant::now(), logged("no verdict, the compiled rules deny"));
    let denied: Vec<String> = (0..TIMES).map(|number| format!("d{number}-e0")).collect();
    let user = |names| ordinary(OWN).arg(ASKS).args(names).stdin(Stdio::null()).spawn();
    let users: Vec<_> = denied.chunks(TIMES / 20).map(user).collect();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (is_over, asked) = (&is_over, &asked);
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    filesystem(&format!("use{}-e0", caller % 10));
                    asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        users.into_iter().for_each(|user| assert!(user.unwrap().wait().unwrap().success()));
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    until(&["-t", "daemon/kernel", "status"], " 0 helpers running");
    let asked = asked.into_inner();
    let log = fs::read_to_string(LOG).unwrap();
    let others = log.lines().filter(|line| !line.contains(" module use")).count();
    let errors = errors();
    let denied = errors.lines().filter(|line| line.contains("denied by ") && line.contains("asked fs-use")).count();
    serial.note(&format!(
        "{TIMES} denied requests in {:?} beside {} of {CALLERS} callers, {} of which ran, {denied} were denied because it \
         was not known who asked; {} went by the compiled rules; {}",
        began.elapsed(),
        asked,
        log.lines().count(),
        logged("no verdict, the compiled rules deny") - before,
        khelper(&["-t", "daemon/kernel", "status"]).1.lines().nth(1).unwrap_or_default(),
    ));
    assert_eq!(others, 0);
    // Few of those that are allowed wait longer than the shim does; on a busy machine, where 200 ms are little, more.
    assert!(log.lines().count() * 2 > asked, "{} of {asked} ran", log.lines().count());
}
