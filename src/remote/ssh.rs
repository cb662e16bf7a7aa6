//! A connection through ssh(1): a child process, whose stdin and stdout are the connection.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::abi::error::{ControlError, ParseError, io_words};
use crate::abi::escape::screen;
use crate::sys::attached::attach;
use crate::wire::host::Host;

/// The options of every call. Nothing is ever asked: a question would be written over the screen, and nobody could answer
/// it. The far side's silence is noticed after 15 s. What else the operator's configuration might start on this
/// connection, or send to the far side, is left out.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    // With ERROR it would not say that the far side fell silent.
    "LogLevel=INFO",
];

/// What runs on the far side, always: it reaches a shell there.
const REMOTE: &str = "khelper bridge";
/// The same as root. `-n`: sudo(8) asks for no password.
const REMOTE_AS_ROOT: &str = "sudo -n khelper bridge";

/// How long ssh may take to end after its stream has ended, or after SIGTERM.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// How much of what ssh says is kept: the last bytes.
const SAID: usize = 2048;

/// Whom to reach, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) host: Host,
    /// Run the bridge as root, with sudo(8).
    pub(super) sudo: bool,
}

impl Way {
    /// The arguments of ssh, without its name.
    fn arguments(&self) -> Vec<String> {
        let options = OPTIONS.iter().flat_map(|option| ["-o", option]).map(str::to_owned);
        let remote = if self.sudo { REMOTE_AS_ROOT } else { REMOTE };
        ["-T".to_owned()].into_iter().chain(options).chain(self.host.arguments()).chain([remote.to_owned()]).collect()
    }

    /// Starts ssh. Returns its process and this end of the connection, which is a socket that does not block.
    pub(super) fn start(&self) -> io::Result<(Ssh, OwnedFd)> {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        fcntl_setfl(&near, OFlags::NONBLOCK)?;
        let mut command = Command::new("ssh");
        command.args(self.arguments()).stdin(far.try_clone()?).stdout(far).stderr(Stdio::piped());
        let mut child = attach(&mut command).spawn()?;
        let stderr = child.stderr.take().filter(|stderr| fcntl_setfl(stderr, OFlags::NONBLOCK).is_ok());
        Ok((Ssh { child, stderr, said: Vec::new(), way: self.clone() }, near))
    }
}

/// An ssh that runs. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Ssh {
    child: Child,
    stderr: Option<ChildStderr>,
    said: Vec<u8>,
    way: Way,
}

/// How ssh has ended.
#[derive(Debug)]
pub(super) struct Ended {
    code: Option<i32>,
    /// Its last words, escaped; empty if it said nothing.
    said: String,
}

impl Ssh {
    /// Reads what it has said since, so that it never waits for a reader.
    pub(super) fn listen(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        let mut buffer = [0; SAID];
        // A background process that the operator's configuration has left may hold the pipe open, so that the end is
        // not waited for.
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            self.said.extend_from_slice(&buffer[..read]);
            let over = self.said.len().saturating_sub(SAID);
            self.said.drain(..over);
        }
    }

    /// What it said and with which code it ended, now that its stream has ended.
    pub(super) fn ended(&mut self) -> Ended {
        let code = self.wait().and_then(|status| status.code());
        self.listen();
        Ended { code, said: last_words(&self.said) }
    }

    /// Waits for its end for a moment. `None`: it runs still, or its status is not known.
    fn wait(&mut self) -> Option<ExitStatus> {
        let pid = rustix::process::Pid::from_child(&self.child);
        if let Ok(ended) = pidfd_open(pid, PidfdFlags::empty()) {
            // A signal ends the wait: the caller then takes it for an ssh that runs still.
            let _ = poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&PATIENCE));
        }
        // It fails if somebody else has reaped it (ECHILD).
        self.child.try_wait().ok().flatten()
    }

    /// The error for a connection that ended before the daemon said anything.
    pub(super) fn unreached(&self, ended: &Ended) -> ControlError {
        let (host, said) = (self.way.host.name(), &*ended.said);
        let because = if said.is_empty() { String::new() } else { format!(": {said}") };
        let (errno, why, advice) = match ended.code {
            Some(255) => (
                Errno::EHOSTUNREACH,
                format!("cannot reach {host} with ssh{because}"),
                format!("it must work without a question: try `ssh -o BatchMode=yes {host} true`"),
            ),
            Some(127) if self.way.sudo => (
                Errno::ENOENT,
                format!("sudo cannot be run on {host}{because}"),
                "install it there, or log in as root".to_owned(),
            ),
            Some(126 | 127) => (
                Errno::ENOENT,
                format!("khelper cannot be run on {host}{because}"),
                "install it there, in a folder of the PATH that ssh gives".to_owned(),
            ),
            // sudo has no exit code of its own for it.
            Some(1) if self.way.sudo && said.ends_with("khelper: command not found") => (
                Errno::ENOENT,
                format!("khelper cannot be run on {host}{because}"),
                "install it there, in a folder of secure_path of sudoers(5)".to_owned(),
            ),
            Some(1) if self.way.sudo => (
                Errno::EPERM,
                format!("sudo on {host} refuses{because}"),
                format!("allow `{REMOTE}` there in sudoers(5), with NOPASSWD and without requiretty"),
            ),
            Some(77) => {
                (Errno::EPERM, format!("{host}{because}"), "log in as a user who may, or use --sudo".to_owned())
            }
            Some(69) => (
                Errno::ECONNREFUSED,
                format!("{host}{because}"),
                "the daemon there is asked at its usual socket".to_owned(),
            ),
            _ => (
                Errno::EPROTO,
                format!("{host} has not answered as a daemon{because}"),
                format!("`{REMOTE}` there must be khelper, and its shell must print nothing"),
            ),
        };
        ControlError::Unreached(ParseError::with(errno, why, advice))
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // It ends its own children: a ProxyCommand.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        // It is a child that was not waited for, so this is no other process.
        let _ = kill(pid, Signal::SIGTERM);
        if self.wait().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// Why the connection has ended.
    pub(super) fn why(&self) -> String {
        match self.code {
            _ if !self.said.is_empty() => self.said.clone(),
            Some(code) => format!("ssh has ended with exit code {code}"),
            None => "ssh has ended".to_owned(),
        }
    }
}

/// The error for an ssh that could not be started.
pub(super) fn not_started(error: &io::Error) -> ControlError {
    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "install OpenSSH's client, in a folder of PATH",
        _ => "end some processes, or raise `ulimit -u`, and try again",
    };
    let words = io_words(error);
    // The error adds its errno.
    let words = words.rsplit_once(" (").map_or(&*words, |(words, _)| words);
    ControlError::Unreached(ParseError::with(errno, format!("cannot start ssh: {words}"), advice))
}

/// The last two lines that are not empty, escaped, as a part of a sentence; what khelper says there, alone: what comes
/// before is a banner.
fn last_words(said: &[u8]) -> String {
    let lines = said.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    let shown = |line: &[u8]| {
        let line = &line[line.len().saturating_sub(300)..];
        screen(line.strip_suffix(b".").unwrap_or(line))
    };
    match lines.last().and_then(|last| last.strip_prefix(b"khelper: ")) {
        Some(said) => shown(said),
        None => lines[lines.len().saturating_sub(2)..].iter().map(|line| shown(line)).collect::<Vec<_>>().join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Explain;
    use crate::wire::host::Far;

    fn way(text: &str, sudo: bool) -> Way {
        Way { host: Far::read(text.as_bytes()).unwrap().host, sudo }
    }

    #[test]
    fn the_remote_command_is_a_constant() {
        let of = |text, sudo| way(text, sudo).arguments();
        let all = of("op@[::1]:22", false);
        assert_eq!(
            (&*all[0], &all[all.len() - 7..]),
            ("-T", &["-p", "22", "-l", "op", "--", "::1", REMOTE].map(String::from)[..])
        );
        assert!(all.windows(2).any(|two| two == ["-o", "BatchMode=yes"]), "{all:?}");
        let all = of("web1", true);
        assert_eq!(all[all.len() - 3..], ["--", "web1", "sudo -n khelper bridge"]);
    }

    #[test]
    fn the_last_words_are_escaped_and_bounded() {
        assert_eq!(last_words(b""), "");
        assert_eq!(last_words(b"one\r\ntwo\n\n  \nthree\x1b[2J\n"), "two; three\\x1b[2J");
        assert_eq!(last_words(b"banner\nkhelper: no daemon\n"), "no daemon");
        assert_eq!(
            last_words(b"Connection to web1 closed by remote host.\r\n"),
            "Connection to web1 closed by remote host"
        );
        assert_eq!(last_words(&[b'x'; 5000]).len(), 300);
    }

    #[test]
    fn each_exit_code_has_a_reason_and_advice() {
        let far = |code, sudo: bool, said: &str| {
            let way = way("op@web1:22", sudo);
            let mut command = Command::new("true");
            let child = command.spawn().unwrap();
            let ssh = Ssh { child, stderr: None, said: Vec::new(), way };
            ssh.unreached(&Ended { code, said: said.to_owned() }).whole()
        };
        assert_eq!(
            far(Some(255), false, "Connection refused"),
            "cannot reach web1 with ssh: Connection refused (EHOSTUNREACH); it must work without a question: try \
             `ssh -o BatchMode=yes web1 true`"
        );
        assert!(
            far(Some(127), false, "khelper: not found")
                .starts_with("khelper cannot be run on web1: khelper: not found")
        );
        assert!(far(Some(1), true, "sudo: a password is required").contains("(EPERM); allow `khelper bridge` there"));
        assert!(
            far(Some(1), true, "sudo: khelper: command not found").starts_with(
                "khelper cannot be run on web1: sudo: khelper: command not found (ENOENT); install it there"
            )
        );
        assert!(far(Some(69), false, "no daemon at /s").starts_with("web1: no daemon at /s (ECONNREFUSED)"));
        assert!(far(Some(77), false, "no").contains("(EPERM); log in as a user who may"));
        for (code, sudo) in [(Some(0), false), (Some(1), false), (None, true)] {
            assert!(far(code, sudo, "").starts_with("web1 has not answered as a daemon (EPROTO)"), "{code:?}");
        }
    }
}
