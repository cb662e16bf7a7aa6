//! SIGTERM and SIGHUP to a command, and a command as pid 1 of a container (UMH-8, UMH-14).

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

use crate::{Helpers, Ran, is_root, khelper, modprobe, skipped};

/// Both signals with this disposition, whatever the process that runs the tests has set.
fn heard(mut command: Command, how: SigHandler) -> Command {
    let default = move || {
        for which in [Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: one system call that is safe after fork, and no function of ours is installed.
            unsafe { signal(which, how)? };
        }
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(default) };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A helper that tells its pid through a named pipe and sleeps.
fn sleeper(helpers: &Helpers, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let fifo = helpers.path(&format!("{name}.pid"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    (helpers.script(name, &format!("echo $$ > {}\nexec sleep 600", fifo.display())), fifo)
}

/// The pid of the helper, once it runs.
fn told(fifo: &std::path::Path) -> Pid {
    let mut line = String::new();
    BufReader::new(std::fs::File::open(fifo).unwrap()).read_line(&mut line).unwrap();
    Pid::from_raw(line.trim().parse().unwrap())
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

#[test]
fn umh_14_a_command_that_is_ended_names_what_it_leaves_running() {
    let helpers = Helpers::new();
    let mut runs = 0;
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        for request in [false, true] {
            runs += 1;
            let (script, fifo) = sleeper(&helpers, &format!("sleeper{runs}"));
            let mut command = heard(khelper(), SigHandler::SigDfl);
            if request {
                command.args(modprobe(&script)).args(["request", "dummy"]);
            } else {
                command.args(["run", "--"]).arg(&script);
            }
            let child = command.spawn().unwrap();
            let helper = told(&fifo);
            kill(pid(&child), signal).unwrap();
            let ran = Ran::of(child.wait_with_output().unwrap());
            ran.exits(128 | signal as i32);
            assert!(ran.stderr.contains(&format!("ended by {signal}; helpers left running: 1")), "{}", ran.stderr);
            assert!(
                ran.stderr.contains(&format!("(pid {helper}) still runs; its next write may kill it (SIGPIPE)")),
                "{}",
                ran.stderr
            );
            kill(helper, Signal::SIGKILL).expect("it was left running");
        }
    }
}

/// Helpers that nobody waited for are named too, and a command that is blocked ends all the same.
#[test]
fn umh_14_a_blocked_command_ends_and_names_what_nobody_waited_for() {
    let helpers = Helpers::new();
    let (script, fifo) = sleeper(&helpers, "sleeper");
    let flood = helpers.script("flood", "exec head -c 60000 /dev/zero");
    let choose = helpers
        .script("choose", &format!("case $3 in sleep) exec {};; *) exec {};; esac", script.display(), flood.display()));
    // The answers of the floods fill the pipe that nobody reads: the command is blocked in a write.
    let mut command = heard(khelper(), SigHandler::SigDfl);
    command.args(modprobe(&choose)).args(["request", "--repeat", "20", "flood"]);
    let child = command.spawn().unwrap();
    blocked_in_write(&child, 1);
    kill(pid(&child), Signal::SIGTERM).unwrap();
    Ran::of(child.wait_with_output().unwrap()).exits(143);

    let mut command = heard(khelper(), SigHandler::SigDfl);
    command.args(modprobe(&choose)).args(["request", "--nowait", "--json", "--repeat", "2000", "sleep"]);
    let mut child = command.spawn().unwrap();
    let helper = told(&fifo);
    kill(pid(&child), Signal::SIGTERM).unwrap();
    // The others wait for a reader: all of them go with their group.
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{stderr}");
    assert!(stderr.contains(&format!("(pid {helper}) still runs\n")), "{stderr}");
    for line in stderr.lines() {
        if let Some(pid) = line.split_once("(pid ").and_then(|(_, rest)| rest.split_once(')')) {
            let _ = kill(Pid::from_raw(-pid.0.parse::<i32>().unwrap()), Signal::SIGKILL);
        }
    }
}

/// stderr takes nothing more, and the command holds its lock. A ctrl-c before, which is answered there, changes nothing.
#[test]
fn umh_14_a_command_that_is_blocked_in_stderr_ends() {
    let helpers = Helpers::new();
    let flood = helpers.script("flood", "head -c 60000 /dev/zero >&2");
    for interrupted in [false, true] {
        let mut command = heard(khelper(), SigHandler::SigDfl);
        command.args(modprobe(&flood)).args(["request", "--repeat", "20", "flood"]);
        let mut child = command.spawn().unwrap();
        let alarm = Watchdog::of(pid(&child));
        blocked_in_write(&child, 2);
        if interrupted {
            kill(pid(&child), Signal::SIGINT).unwrap();
        }
        kill(pid(&child), Signal::SIGTERM).unwrap();
        // Its stderr is not read before its end.
        let ended = child.wait().unwrap();
        alarm.disarm();
        assert_eq!(ended.code(), Some(143), "interrupted: {interrupted}");
    }
}

/// Until a thread of it sleeps in the write of this descriptor, a pipe.
fn blocked_in_write(child: &Child, fd: u32) {
    let threads = || std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().flatten();
    let writes = |thread: std::fs::DirEntry| {
        // Its number, its arguments, then two addresses (proc_pid_syscall(5)); `running` if it does not sleep.
        std::fs::read_to_string(thread.path().join("syscall")).is_ok_and(|call| {
            let mut words = call.split(' ');
            words.next().and_then(|n| n.parse::<i64>().ok()) == Some(libc::SYS_write)
                && words.next() == Some(&*format!("{fd:#x}"))
        })
    };
    while !threads().any(writes) {
        std::thread::yield_now();
    }
}

#[test]
fn a_command_started_with_sighup_ignored_goes_on() {
    let helpers = Helpers::new();
    let mut barrier = helpers.barrier();
    let began = helpers.path("began");
    let script = helpers.script("wait", &format!(": > {}; {}", began.display(), barrier.wait()));
    let child = heard(khelper(), SigHandler::SigIgn).args(["run", "--"]).arg(&script).spawn().unwrap();
    while !began.exists() {
        std::thread::yield_now();
    }
    kill(pid(&child), Signal::SIGHUP).unwrap();
    kill(pid(&child), Signal::SIGTERM).unwrap();
    barrier.release(1);
    Ran::of(child.wait_with_output().unwrap()).exits(0);
}

/// khelper as the first process of a PID namespace; `None` where this user may make none.
fn as_pid_1() -> Option<Command> {
    let mut unshare = Command::new("/usr/bin/unshare");
    unshare.args(if is_root() { &[][..] } else { &["--user", "--map-root-user"] });
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).stdin(Stdio::null());
    let mut probe = Command::new("/usr/bin/unshare");
    let allowed = probe.args(unshare.get_args()).arg("/bin/true").stderr(Stdio::null()).status().unwrap().success();
    if !allowed {
        skipped("this user may not make a PID namespace");
        return None;
    }
    unshare.arg(env!("CARGO_BIN_EXE_khelper"));
    Some(heard(unshare, SigHandler::SigDfl))
}

/// The child of `unshare`: pid 1 in there.
fn first(unshare: &Child) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", unshare.id());
    let children = std::fs::read_to_string(path).unwrap();
    Pid::from_raw(children.trim().parse().unwrap())
}

#[test]
fn umh_14_as_pid_1_it_ends_by_term_and_names_what_it_leaves() {
    let helpers = Helpers::new();
    for request in [false, true] {
        let Some(mut command) = as_pid_1() else { return };
        let (script, fifo) = sleeper(&helpers, if request { "request" } else { "run" });
        if request {
            command.args(modprobe(&script)).args(["request", "dummy"]);
        } else {
            command.args(["run", "--"]).arg(&script);
        }
        let child = command.spawn().unwrap();
        // As it is called in there.
        let helper = told(&fifo);
        let start = Instant::now();
        kill(first(&child), Signal::SIGTERM).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        ran.exits(143);
        assert!(ran.stderr.contains(&format!("(pid {helper}) still runs")), "{}", ran.stderr);
        // 2 s on an idle machine; the helper would sleep for minutes.
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn umh_8_as_pid_1_it_reaps_orphans_and_takes_no_status_of_a_helper() {
    let Some(mut command) = as_pid_1() else { return };
    let helpers = Helpers::new();
    // Each helper leaves orphans that end, and waits until none of them is a zombie.
    let script = helpers.script(
        "orphans",
        "( sh -c 'exit 3' & sh -c 'exit 4' & )\nwhile cat /proc/[0-9]*/stat 2>/dev/null | grep -q ') Z 1 '; do :; done\nexit 7",
    );
    command.args(modprobe(&script)).args(["request", "--json", "--parallel", "4", "--repeat", "40", "dummy"]);
    let mut child = command.spawn().unwrap();
    // Zombies that stay would keep the helpers, and this test, for ever.
    let alarm = Watchdog::of(first_when_there(&child));
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    alarm.disarm();
    assert_eq!(child.wait().unwrap().code(), Some(7), "{stdout}");
    assert_eq!(stdout.lines().count(), 40);
    for line in stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&record["outcome"], &record["exit_code"]), (&"exited".into(), &7.into()), "{record}");
    }
}

fn first_when_there(unshare: &Child) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", unshare.id());
    loop {
        if let Ok(pid) = std::fs::read_to_string(&path).unwrap().trim().parse() {
            return Pid::from_raw(pid);
        }
        std::thread::yield_now();
    }
}

/// Kills a process that does not end.
struct Watchdog(std::sync::mpsc::Sender<()>);

impl Watchdog {
    fn of(pid: Pid) -> Self {
        let (disarm, disarmed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            if disarmed.recv_timeout(Duration::from_secs(90)).is_err() {
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        Self(disarm)
    }

    fn disarm(self) {
        let _ = self.0.send(());
    }
}
