//! One machine, from its start to its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::args::Args;
use super::kernels::Kernel;
use crate::observation::{Line, Seen, Side};

/// A machine that lives longer hangs, however busy this one is.
const PATIENCE: Duration = Duration::from_secs(900);

/// What it said.
#[derive(Default)]
pub struct Booted {
    pub seen: BTreeMap<(String, Side), Seen>,
    pub failed: BTreeMap<String, String>,
    pub cost: Option<(Vec<u64>, Vec<u64>)>,
    /// Why it did not come to its end, if it did not.
    pub broken: Option<String>,
}

/// How Linux says that it failed by an exception of its own, which no program can cause: the machine's processor, which is
/// emulated, did.
const EXCEPTION: &str = "Kernel panic - not syncing: Fatal exception";

/// Once more, and said, if the machine itself failed.
pub fn boot(kernel: &Kernel, initrd: &Path, words: &str, args: &Args) -> Booted {
    let first = once(kernel, initrd, words, args);
    match &first.broken {
        Some(why) if why.contains(EXCEPTION) => {
            eprintln!("{} {words}: {why}; it is started again", kernel.series);
            once(kernel, initrd, words, args)
        }
        _ => first,
    }
}

fn once(kernel: &Kernel, initrd: &Path, words: &str, args: &Args) -> Booted {
    let dir = tempfile::tempdir().expect("a folder for the machine");
    match run(kernel, initrd, words, dir.path()) {
        Ok(()) => {}
        Err(why) => return Booted { broken: Some(why), ..Booted::default() },
    }
    let console = fs::read(dir.path().join("console")).unwrap_or_default();
    if args.console {
        eprintln!("{}", String::from_utf8_lossy(&console));
    }
    let said = fs::read_to_string(dir.path().join("said")).unwrap_or_default();
    read(&said, &console)
}

fn run(kernel: &Kernel, initrd: &Path, words: &str, dir: &Path) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", dir.display());
    let mut whole = fs::read(initrd).map_err(wrong)?;
    whole.extend(super::initrd::modules(&kernel.modules)?);
    fs::write(dir.join("initrd"), whole).map_err(wrong)?;
    let line = format!(
        "console=ttyS0 quiet panic=-1 reboot=t mitigations=off nokaslr tsc=reliable no_timer_check audit=0 \
         random.trust_cpu=on printk.devkmsg=on {words}"
    );
    let serial = |name: &str| format!("file:{}", dir.join(name).display());
    let mut machine = Command::new("qemu-system-x86_64");
    machine
        .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2", "-m", "1024"])
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"])
        .args(["-serial", &serial("console"), "-serial", &serial("said")])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(dir.join("initrd"))
        .args(["-append", &line])
        .stdin(Stdio::null());
    let mut machine = machine.spawn().map_err(|e| format!("qemu-system-x86_64: {e}"))?;
    let pidfd =
        rustix::process::pidfd_open(rustix::process::Pid::from_child(&machine), rustix::process::PidfdFlags::empty())
            .map_err(|e| e.to_string())?;
    let (send, ended) = channel();
    let watch = std::thread::spawn(move || {
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        let _ = rustix::event::poll(&mut fds, None);
        let _ = send.send(());
    });
    let late = ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    if late {
        machine.kill().map_err(wrong)?;
    }
    machine.wait().map_err(wrong)?;
    let _ = watch.join();
    if late { Err(format!("the machine did not end within {} s", PATIENCE.as_secs())) } else { Ok(()) }
}

fn read(said: &str, console: &[u8]) -> Booted {
    let (mut booted, mut done) = (Booted::default(), false);
    for line in said.lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(Line::Seen { scenario, seen }) => drop(booted.seen.insert((scenario, seen.side), seen)),
            Ok(Line::Failed { scenario, why }) => drop(booted.failed.insert(scenario, why)),
            Ok(Line::Cost { kernel, engine }) => booted.cost = Some((kernel, engine)),
            Ok(Line::Booted { .. }) => {}
            Ok(Line::Done) => done = true,
            Err(e) => booted.broken = Some(format!("`{line}`: {e}")),
        }
    }
    if !done {
        let console = String::from_utf8_lossy(console);
        // Most of what Linux says of its own panic tells nothing.
        let tells = |l: &&str| !l.starts_with("[ ") || ["panic", "RIP: 0010:", "BUG:"].iter().any(|w| l.contains(w));
        let lines: Vec<&str> = console.lines().filter(tells).collect();
        let last = &lines[lines.len().saturating_sub(8)..];
        booted.broken = Some(format!("the machine did not come to its end; its last words: {}", last.join(" / ")));
    }
    booted
}
