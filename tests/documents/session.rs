//! A shell in a root of its own, and the commands that it gets.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::blocks;
use crate::common::{Dir, am_root};
use crate::compare;

/// Ends what a command printed; its exit code follows. No program prints this byte.
const END: char = '\u{1e}';

/// A command that takes longer hangs. Under load, Ansible takes minutes.
const HANGS: Duration = Duration::from_secs(1800);

/// How long an answer may be behind: the ledger is, by up to a second.
const BEHIND: Duration = Duration::from_secs(60);

/// The verbs that only read: they are asked again until their answer is what is expected.
const READS: [&str; 8] = ["why", "log", "ps", "get", "status", "metrics", "diff", "journalctl"];

/// The journal's daemon. A machine has one; the root of a document gets its own.
const JOURNALD: &str = "/lib/systemd/systemd-journald";

pub struct Session {
    shell: Child,
    stdin: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// The service manager of the daemons.
    manager: UnixDatagram,
    /// The mount namespace, which every process of the session has.
    mounts: PathBuf,
    /// The last exit code, and the command that no output follows to explain it.
    failed: Option<i32>,
    /// Removed at the end; nothing of this mount namespace is mounted there.
    _root: Dir,
}

pub enum Start {
    Ready(Session),
    /// Why this machine cannot make a root.
    Impossible(String),
}

/// The folder of the program under test.
fn build() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_khelper")).parent().unwrap()
}

/// Programs of other projects that `.ci/run` installs.
fn clients() -> PathBuf {
    build().parent().unwrap().join("clients/bin")
}

/// Whether this is here: `root`, or a program.
pub fn has(needed: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Their Python may lie where this user has no access.
    let clients = Some(clients()).filter(|folder| folder.join("python3").exists());
    let mut folders = std::env::split_paths(&path).chain(clients).chain(["/usr/sbin".into(), "/sbin".into()]);
    match needed {
        "root" => am_root(),
        // Not in a folder for programs.
        "systemd-journald" => Path::new(JOURNALD).exists() && has("journalctl"),
        // `cargo test` builds them; `cargo test --test documents` does not.
        "examples" => build().join("examples/embed").exists(),
        program => folders.any(|folder| folder.join(program).is_file()),
    }
}

impl Session {
    pub fn start(sources: &Path) -> Start {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = Dir::new();
        let name = format!("khelper-documents-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager.set_read_timeout(Some(HANGS)).unwrap();
        let mut command = Command::new("unshare");
        if !am_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--propagation", "private"]).arg(sources.join("tests/documents/scratch"));
        command.arg(root.path()).arg(sources).arg(build()).arg(clients());
        command.env("NOTIFY_SOCKET", format!("@{name}")).stdin(Stdio::piped());
        let (mut reader, writer) = std::io::pipe().unwrap();
        let spawned = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn();
        // It holds the ends of the pipe on which the shell writes.
        drop(command);
        let mut shell = match spawned {
            Ok(shell) => shell,
            Err(e) => return Start::Impossible(format!("unshare: {e}")),
        };
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(1..) = reader.read(&mut buffer).inspect(|n| _ = sender.send(buffer[..*n].to_vec())) {}
        });
        let stdin = shell.stdin.take().unwrap();
        let mounts = PathBuf::new();
        let mut session = Self { shell, stdin, output, manager, mounts, failed: None, _root: root };
        // The shell may be gone already: then its answer says why.
        match session.run("cd").and_then(|(code, output)| if code == 0 { Ok(()) } else { Err(output) }) {
            Ok(()) => {
                session.mounts = std::fs::read_link(format!("/proc/{}/ns/mnt", session.shell.id())).unwrap();
                Start::Ready(session)
            }
            Err(why) => Start::Impossible(why.trim().replace('\n', "; ")),
        }
    }

    /// Runs a command. Returns its exit code and what it printed, or what it printed before the shell ended or hung.
    pub fn run(&mut self, command: &str) -> Result<(i32, String), String> {
        // `$?` is what it would be without the line that reports it.
        let line =
            format!("(exit {})\n{command}\n__code=$?; printf '\\036%d\\036' $__code\n", self.failed.unwrap_or(0));
        if let Err(e) = self.stdin.write_all(line.as_bytes()) {
            return Err(self.rest(&e.to_string()));
        }
        let (mut text, until) = (Vec::new(), Instant::now() + HANGS);
        loop {
            let so_far = String::from_utf8_lossy(&text);
            let mut parts = so_far.splitn(3, END);
            if let (Some(output), Some(code), Some(_)) = (parts.next(), parts.next(), parts.next()) {
                let code = code.parse().unwrap();
                self.failed = Some(code);
                return Ok((code, output.to_owned()));
            }
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(more) => text.extend(more),
                Err(RecvTimeoutError::Timeout) => return Err(format!("it hangs after:\n{so_far}")),
                Err(RecvTimeoutError::Disconnected) => return Err(format!("the shell ended:\n{so_far}")),
            }
        }
    }

    /// What the shell still printed before it ended.
    fn rest(&mut self, error: &str) -> String {
        let text: Vec<u8> = self.output.iter().flatten().collect();
        if text.is_empty() { error.to_owned() } else { String::from_utf8_lossy(&text).into_owned() }
    }

    /// Runs a command of a document and compares what it prints.
    pub fn check(&mut self, command: &blocks::Command) -> Result<(), String> {
        let asked = as_run(&command.text);
        let (before, until) = (self.failed, Instant::now() + BEHIND);
        // A code that the next command shows is no mistake; any other is.
        if !asked.contains("$?") && before.is_some_and(|code| code != 0) {
            return Err(format!("the command before ended with exit code {}; show it", before.unwrap_or_default()));
        }
        loop {
            self.failed = before;
            let (code, output) = self.run(&asked)?;
            if compare::same(&command.expected, &output) {
                if asked.contains("$?") {
                    self.failed = Some(0);
                }
                return if starts_daemon(&asked) { self.ready() } else { Ok(()) };
            }
            if Instant::now() > until || !reads(&asked) {
                let expected = command.expected.join("\n");
                return Err(format!("---- expected\n{expected}\n---- printed (exit code {code})\n{output}----"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Provides what the machine of a reader has running already.
    pub fn provide(&mut self, needed: &str) {
        if needed == "systemd-journald" {
            // It leaves the kernel's messages and its auditing alone.
            let start = format!(
                "[ -S /run/systemd/journal/socket ] || {{ mkdir -p /run/log/journal /run/systemd/journal /etc/systemd
                printf '[Journal]\\nStorage=volatile\\nAudit=\\nReadKMsg=no\\nForwardToWall=no\\n' >/etc/systemd/journald.conf
                echo 0123456789abcdef0123456789abcdef >/etc/machine-id
                NOTIFY_SOCKET= {JOURNALD} >/dev/null 2>&1 & while [ ! -S /run/systemd/journal/socket ]; do sleep 0.05; done; }}"
            );
            let (before, done) = (self.failed, self.run(&start));
            assert!(matches!(done, Ok((0, _))), "{done:?}");
            self.failed = before;
        }
    }

    /// Waits until a daemon that was started says that it serves.
    pub fn ready(&self) -> Result<(), String> {
        let mut buffer = [0; 4096];
        loop {
            let length = self.manager.recv(&mut buffer).map_err(|e| format!("the daemon does not get ready: {e}"))?;
            if buffer[..length].starts_with(b"READY=1") {
                return Ok(());
            }
        }
    }

    /// Writes a file of a document, relative to the home folder unless its path is absolute.
    pub fn write(&mut self, name: &str, text: &str) {
        let (before, end) = (self.failed, "END-OF-THE-FILE");
        let command = format!("mkdir -p \"$(dirname '{name}')\" && cat >'{name}' <<'{end}'\n{text}{end}");
        let done = self.run(&command);
        assert!(matches!(done, Ok((0, _))), "{name}: {done:?}");
        self.failed = before;
    }

    /// The processes that were started here and still run.
    fn processes(&self) -> Vec<i32> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let here =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|mounts| mounts == self.mounts);
        pids.filter(here).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The shell last, as it is this process's child and keeps the namespace in being.
        while let pids = self.processes()
            && pids.iter().any(|pid| *pid != self.shell.id().cast_signed())
        {
            for pid in pids.into_iter().filter(|pid| *pid != self.shell.id().cast_signed()) {
                // It may have ended by itself.
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The command for the shell: an example is run as cargo has built it.
fn as_run(command: &str) -> String {
    let Some(rest) = command.strip_prefix("cargo run -q --example ") else { return command.to_owned() };
    let (name, arguments) = rest.split_once(" -- ").unwrap_or((rest, ""));
    format!("/build/examples/{name} {arguments}")
}

pub fn starts_daemon(command: &str) -> bool {
    command.contains("khelper serve") && command.trim_end().ends_with('&')
}

fn reads(command: &str) -> bool {
    command.split_ascii_whitespace().any(|word| READS.contains(&word))
}
