//! The daemon as a service: what it tells the service manager, and how it ends.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::Dir;
use crate::daemon::{Daemon, command, end_all, run, told};

#[test]
fn the_service_manager_is_told_what_happens() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    daemon.signal(Signal::SIGHUP);
    let reloading = told(&daemon.manager);
    let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim().parse::<u64>().unwrap();
    assert!(usec > 0);
    assert!(told(&daemon.manager).starts_with("READY=1\n"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(told(&daemon.manager), "STOPPING=1\n");
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn the_watchdog_is_fed_twice_in_its_time_and_is_the_only_wake_up() {
    let dir = Dir::new();
    // Its time runs from its own message on, which comes before this process sees it.
    let begun = Instant::now();
    let daemon = Daemon::of(&dir, command(&dir).env("WATCHDOG_USEC", "400000"));
    let fed = || (0..5).for_each(|_| assert_eq!(told(&daemon.manager), "WATCHDOG=1\n"));
    fed();
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    // What a start leaves to do may wake it too, for a while. Messages that have waited for this test prove nothing.
    let is_quiet = || {
        let (before, begun) = (switches(&daemon), Instant::now());
        fed();
        begun.elapsed() >= Duration::from_millis(900) && switches(&daemon) - before <= 8
    };
    assert!((0..20).any(|_| is_quiet()), "more wake-ups than periods of the watchdog");
    // For another process it is not fed.
    let other = Dir::new();
    let daemon = Daemon::of(&other, command(&other).envs([("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]));
    let is_still = || {
        let before = switches(&daemon);
        std::thread::sleep(Duration::from_millis(500));
        switches(&daemon) == before
    };
    assert!((0..60).any(|_| is_still()), "an idle daemon sleeps");
}

/// How often the threads of the daemon have gone to sleep.
fn switches(daemon: &Daemon) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
    let of = |path: std::path::PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        crate::common::field(&status, "voluntary_ctxt_switches").parse::<u64>().ok()
    };
    tasks.filter_map(|task| of(task.path())).sum()
}

#[test]
fn umh_14_a_stop_waits_for_helpers_and_leaves_those_that_still_run() {
    let dir = Dir::new();
    let fifo = dir.fifo("end");
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let left =
        client.call("Run", json!({"path": "/bin/cat", "args": [&fifo], "wait": "exec"}))["pid"].as_i64().unwrap();
    let mut waiting = daemon.connect();
    waiting.send_more("Run", run(&["/bin/sleep", "0.5"]));
    waiting.values();
    waiting.values();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(told(&daemon.manager), "STOPPING=1\n");
    assert!(std::os::unix::net::UnixStream::connect(&daemon.socket).is_err(), "no new connection");
    assert_eq!(waiting.values()["record"]["outcome"], "exited", "a request in progress is answered");
    let refused = client.refused("Run", run(&["/bin/true"]));
    assert_eq!(refused, ("Busy".to_owned(), "the daemon is stopping".to_owned()));
    let (status, log) = daemon.ended();
    assert!(status.success(), "{log}");
    assert!(log.contains(&format!("(pid {left}) still runs")), "{log}");
    assert!(std::path::Path::new(&format!("/proc/{left}")).exists(), "no helper is killed");
    end_all(&fifo, &[left]);
}

/// What a helper gets from its daemon. The figures are printed: under a unit they show the unit's settings.
#[test]
fn umh_9_helpers_get_the_descriptors_limit_that_the_daemon_started_with() {
    let dir = Dir::new();
    let mut command = command(&dir);
    let set = || {
        let limit = libc::rlimit { rlim_cur: 777, rlim_max: 4096 };
        // SAFETY: it reads one struct, which lives on this stack.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: setrlimit is one system call.
    unsafe { command.pre_exec(set) };
    let daemon = Daemon::of(&dir, &mut command);
    let limits = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        let mut numbers = line.split_whitespace().skip(3).map(|n| n.parse::<u64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let own = limits(&std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap());
    assert_eq!(own, (2560, 4096), "its own limit is raised");
    let mut client = daemon.connect();
    let mut read = |path: &str| {
        let record = client.call("Run", run(&["/bin/cat", path]))["record"].take();
        record["output"]["stdout"].as_str().unwrap().to_owned()
    };
    assert_eq!(limits(&read("/proc/self/limits")), (777, 4096));
    println!("a helper's cgroup: {}", read("/proc/self/cgroup").trim());
    let status = read("/proc/self/status");
    for name in ["NoNewPrivs", "Seccomp", "CapBnd"] {
        println!("a helper's {name}: {}", crate::common::field(&status, name));
    }
}

/// As under a unit with `Delegate=yes`: the manager has marked the daemon's cgroup.
#[test]
fn each_helper_has_a_cgroup_below_that_of_a_delegated_service() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = mounts.lines().filter(|line| line.contains(" - cgroup2 ")).find_map(|line| line.split(' ').nth(4));
    let folder = root.map(|root| std::path::Path::new(root).join(format!("khelper-test-{}", std::process::id())));
    let Some(folder) = folder.filter(|folder| std::fs::create_dir(folder).is_ok()) else {
        return crate::common::skipped("no cgroup can be made here");
    };
    let marked = rustix::fs::setxattr(&folder, "user.delegate", b"1", rustix::fs::XattrFlags::empty());
    let marked =
        marked.or_else(|_| rustix::fs::setxattr(&folder, "trusted.delegate", b"1", rustix::fs::XattrFlags::empty()));
    if marked.is_err() {
        std::fs::remove_dir(&folder).unwrap();
        return crate::common::skipped("cgroups have no extended attributes here");
    }
    let dir = Dir::new();
    let mut command = command(&dir);
    let procs = std::ffi::CString::new(folder.join("cgroup.procs").to_str().unwrap()).unwrap();
    let enter = move || {
        // SAFETY: a constant path and a constant text; the descriptor is closed at exec.
        let written = unsafe {
            let fd = libc::open(procs.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            libc::write(fd, c"0".as_ptr().cast(), 1)
        };
        if written == 1 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: system calls only.
    unsafe { command.pre_exec(enter) };
    std::fs::create_dir(folder.join("helper-9")).unwrap();
    let daemon = Daemon::of(&dir, &mut command);
    assert!(!folder.join("helper-9").exists(), "left by an earlier run");
    let mut client = daemon.connect();
    let record = client.call("Run", run(&["/bin/cat", "/proc/self/cgroup"]))["record"].take();
    let line = format!("0::/{}/helper-1\n", folder.file_name().unwrap().to_str().unwrap());
    assert!(record["output"]["stdout"].as_str().unwrap().contains(&line), "{record}");
    assert!(!folder.join("helper-1").exists(), "it is removed with the helper");
    let fifo = dir.fifo("end");
    let left =
        client.call("Run", json!({"path": "/bin/cat", "args": [&fifo], "wait": "exec"}))["pid"].as_i64().unwrap();
    let procs = std::fs::read_to_string(folder.join("helper-2/cgroup.procs")).unwrap();
    assert_eq!(procs, format!("{left}\n"));
    end_all(&fifo, &[left]);
    while client.get("khelper.live") != "0" {}
    daemon.stop();
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn the_units_are_sound() {
    let tool = "/usr/bin/systemd-analyze";
    if !std::path::Path::new(tool).exists() {
        return crate::common::skipped("systemd-analyze is not installed");
    }
    let dir = Dir::new();
    let units = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/systemd");
    let names = ["khelper.service", "khelper.socket", "khelper-shim.socket"];
    for name in names {
        // The installed path does not exist here.
        let text = std::fs::read_to_string(units.join(name)).unwrap();
        let text = text.replace("/usr/bin/khelper", env!("CARGO_BIN_EXE_khelper"));
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut verify = std::process::Command::new(tool);
    verify.args(["verify", "--man=no"]).args(names.map(|name| dir.path().join(name)));
    let verified = verify.output().unwrap();
    let text = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !text.contains("khelper"), "{text}");
}
