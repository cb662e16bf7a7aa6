//! The socket in the file system.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;

use khelper::sys::linux::seqpacket;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use serde_json::json;

use crate::common::{Dir, am_root, skipped};
use crate::daemon::{Client, Daemon, command, manager, run};

fn mode(daemon: &Daemon) -> u32 {
    std::fs::symlink_metadata(&daemon.socket).unwrap().permissions().mode() & 0o7777
}

#[test]
fn auth_1_the_socket_is_for_its_owner_whatever_the_umask() {
    for mask in [0o000, 0o022, 0o077] {
        let dir = Dir::new();
        let mut command = command(&dir);
        let set = move || {
            umask(Mode::from_bits_truncate(mask));
            Ok(())
        };
        // SAFETY: umask is one system call.
        unsafe { command.pre_exec(set) };
        let daemon = Daemon::of(&dir, &mut command);
        assert_eq!(mode(&daemon), 0o600, "umask {mask:o}");
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        assert_eq!(crate::common::field(&status, "Umask"), format!("{mask:04o}"), "it is the daemon's again");
    }
}

#[test]
fn auth_1_with_a_group_of_readers_the_socket_is_for_the_group_too() {
    let dir = Dir::new();
    let group = if am_root() { 54321 } else { nix::unistd::getegid().as_raw() };
    let daemon = Daemon::of(&dir, command(&dir).arg("--readers").arg(group.to_string()));
    let file = std::fs::symlink_metadata(&daemon.socket).unwrap();
    assert_eq!((mode(&daemon), file.gid()), (0o660, group));
    let unknown = command(&dir).args(["--readers", "no-such-group"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
}

#[test]
fn a_live_daemon_is_refused_and_a_stale_socket_replaced() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let second = command(&dir).output().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(69), "{text}");
    assert!(text.contains("a daemon serves") && text.contains("EADDRINUSE"), "{text}");
    assert_eq!(daemon.connect().get("khelper.era"), "3.4", "the first one goes on");
    drop(daemon);
    assert!(std::fs::symlink_metadata(dir.path().join("s")).unwrap().file_type().is_socket(), "killed: it stays");
    let daemon = Daemon::start(&dir);
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
    let (status, _) = daemon.stop();
    assert!(status.success() && !dir.path().join("s").exists(), "a stop removes it");
}

#[test]
fn a_daemon_that_does_not_start_leaves_no_socket() {
    let dir = Dir::new();
    let ledger = dir.path().join("ledger");
    std::fs::create_dir(&ledger).unwrap();
    std::fs::set_permissions(&ledger, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let refused = command(&dir).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(69), "{text}");
    assert!(text.contains("0755"), "{text}");
    assert!(!dir.path().join("s").exists(), "the socket stays");
}

#[test]
fn a_file_that_is_no_socket_and_a_socket_of_another_program_stay() {
    let dir = Dir::new();
    let path = dir.path().join("s");
    std::fs::write(&path, "text").unwrap();
    let refused = command(&dir).output().unwrap();
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let refused = command(&dir).output().unwrap();
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    assert!(path.exists());
    drop(other);
}

/// Root's daemon without a socket of its own would take the machine's for the shim, too.
fn shim_socket(dir: &Dir) -> Vec<std::ffi::OsString> {
    if am_root() { vec!["--shim-socket".into(), dir.path().join("shim").into()] } else { Vec::new() }
}

#[test]
fn the_service_managers_socket_is_used() {
    let dir = Dir::new();
    let path = dir.path().join("passed");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
    let manager = manager(&dir);
    // The third time an option contradicts the socket.
    for (pid, served, option) in [(None, true, None), (Some(c"1"), false, None), (None, false, Some("--readers"))] {
        let mut command = command(&dir);
        let pass = move || {
            // SAFETY: system calls, and setenv in a child with one thread.
            unsafe {
                if fd == 3 {
                    libc::fcntl(fd, libc::F_SETFD, 0);
                } else {
                    libc::dup2(fd, 3);
                }
                let mut text = [0u8; 16];
                let mine = format_pid(&mut text, libc::getpid());
                let pid = pid.map_or(mine, std::ffi::CStr::as_ptr);
                libc::setenv(c"LISTEN_PID".as_ptr(), pid, 1);
                libc::setenv(c"LISTEN_FDS".as_ptr(), c"1".as_ptr(), 1);
            }
            Ok(())
        };
        // The environment must stay that of the child, which `pass` changes.
        let mut bare = std::process::Command::new(command.get_program());
        let own: Vec<_> = command.get_args().filter(|arg| pid.is_some() || *arg != "--socket").collect();
        bare.args(own.iter().filter(|arg| pid.is_some() || !arg.as_encoded_bytes().ends_with(b"/s")));
        bare.args(option.iter().flat_map(|option| [*option, "0"]));
        bare.args(shim_socket(&dir));
        command = bare;
        // SAFETY: see `pass`.
        unsafe { command.pre_exec(pass) };
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        if option.is_some() {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(64), "{said}");
            assert!(said.contains("--readers cannot be used: set SocketGroup="), "{said}");
            continue;
        }
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut log, &mut line).unwrap();
        let own = dir.path().join("s");
        assert_eq!(line.contains("/passed"), served, "{line}");
        assert_eq!(own.exists(), !served, "the variables are for another process: {line}");
        let mut client = Client::new(if served { &path } else { &own });
        assert_eq!(client.get("khelper.era"), "3.4");
        let environment = client.call("Run", run(&["/usr/bin/env"]))["record"]["output"]["stdout"].take();
        assert!(!environment.as_str().unwrap().contains("LISTEN_"), "{environment}");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(path.exists(), "the service manager's socket stays");
    }
    drop(manager);
}

/// As `khelper-shim.socket` passes it beside `khelper.socket`.
#[test]
fn a_socket_for_the_shim_that_is_passed_is_served_and_stays() {
    let dir = Dir::new();
    let (calls, folder) = (dir.path().join("passed"), dir.path().join("shim"));
    std::fs::create_dir(&folder).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&calls).unwrap();
    let for_shim = seqpacket::bound(&folder.join("passed")).unwrap();
    seqpacket::open(&for_shim).unwrap();
    let fds = [std::os::fd::AsRawFd::as_raw_fd(&listener), std::os::fd::AsRawFd::as_raw_fd(&for_shim)];
    let pass = move || {
        // SAFETY: system calls, and setenv in a child with one thread. Copies above both numbers come first.
        unsafe {
            let copies = fds.map(|fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10));
            copies.into_iter().zip(3..).for_each(|(copy, to)| _ = libc::dup2(copy, to));
            let mut text = [0u8; 16];
            libc::setenv(c"LISTEN_PID".as_ptr(), format_pid(&mut text, libc::getpid()), 1);
            libc::setenv(c"LISTEN_FDS".as_ptr(), c"2".as_ptr(), 1);
        }
        Ok(())
    };
    let command = command(&dir);
    let mut bare = std::process::Command::new(command.get_program());
    bare.args(command.get_args().filter(|arg| *arg != "--socket" && !arg.as_encoded_bytes().ends_with(b"/s")));
    // SAFETY: see `pass`.
    unsafe { bare.pre_exec(pass) };
    let mut child = bare.stderr(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(Client::new(&calls).get("khelper.era"), "3.4");
    let patience = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(seqpacket::presence(&folder.join("passed"), patience), seqpacket::Presence::Alive);
    assert!(folder.join("rules.bin").exists(), "the compiled rules are beside the socket");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(folder.join("passed").exists(), "the service manager's socket stays");
}

/// The digits of a pid and a NUL, without the allocator.
fn format_pid(text: &mut [u8; 16], pid: i32) -> *const libc::c_char {
    let (mut at, mut rest) = (text.len() - 1, pid);
    text[at] = 0;
    while rest > 0 {
        at -= 1;
        text[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    text[at..].as_ptr().cast()
}

#[test]
fn systemd_socket_activate_starts_it_at_the_first_call() {
    let tool = "/usr/bin/systemd-socket-activate";
    if !std::path::Path::new(tool).exists() {
        return skipped("systemd-socket-activate is not installed");
    }
    let dir = Dir::new();
    let listen = dir.path().join("activated");
    let serve = command(&dir);
    let mut activate = std::process::Command::new(tool);
    // The socket is the one that is passed.
    let args = serve.get_args().filter(|arg| *arg != "--socket" && !arg.as_encoded_bytes().ends_with(b"/s"));
    activate.arg("-l").arg(&listen).arg(serve.get_program()).args(args).args(shim_socket(&dir));
    let mut child = activate.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
    // It says what it listens on, once it does.
    let mut line = String::new();
    while !line.contains("Listening") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0);
    }
    // Its socket has no PassCredentials=: the kernel may not name the sender of the call that starts the daemon.
    let mut client = Client::new(&listen);
    client.send("Get", json!({"key": "khelper.era"}));
    let first = client.answer().unwrap();
    let why = first["parameters"]["reason"].as_str().unwrap_or_default();
    assert!(first["parameters"]["text"] == "3.4" || why.starts_with("the kernel does not name the sender"), "{first}");
    assert_eq!(client.get("khelper.era"), "3.4");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}
