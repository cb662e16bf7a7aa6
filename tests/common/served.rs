//! A `khelper serve` of the test's own, and clients of it.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::expect_used, reason = "in a test a failure may end it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::common::Dir;

/// A running daemon. It is killed when this is dropped; its helpers are not.
pub struct Daemon {
    pub child: Child,
    pub socket: PathBuf,
    pub manager: UnixDatagram,
    stderr: BufReader<ChildStderr>,
}

/// A command for a daemon in this folder, with a ledger and configuration there, and a service manager that is the
/// test.
pub fn command(dir: &Dir) -> Command {
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("config")).unwrap();
    // Another build of the program can be measured.
    let program = std::env::var_os("KHELPER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_khelper").into());
    let mut command = Command::new(program);
    command.arg("serve").arg("--socket").arg(path("s")).arg("--ledger").arg(path("ledger"));
    command.arg("--config").arg(path("config")).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("NOTIFY_SOCKET", path("notify")).env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM");
    command
}

/// The service manager's socket.
pub fn manager(dir: &Dir) -> UnixDatagram {
    let path = dir.path().join("notify");
    let _ = std::fs::remove_file(&path);
    UnixDatagram::bind(path).unwrap()
}

pub fn told(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

impl Daemon {
    pub fn start(dir: &Dir) -> Self {
        Self::of(dir, &mut command(dir))
    }

    /// Starts the command and waits until it is ready.
    pub fn of(dir: &Dir, command: &mut Command) -> Self {
        let manager = manager(dir);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let daemon = Self { child, socket: dir.path().join("s"), manager, stderr };
        let ready = told(&daemon.manager);
        assert!(ready.starts_with("READY=1\n"), "{ready}");
        daemon
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub fn connect(&self) -> Client {
        Client::new(&self.socket)
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Reads the log up to a line that contains `text`, and returns that line.
    pub fn logged(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "the log ended before {text:?}: {all}");
            if line.contains(text) {
                return line;
            }
            all.push_str(&line);
        }
    }

    /// Ends it as a service manager does. Returns its status and the rest of its log.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.ended()
    }

    /// Waits for its end. Returns its status and the rest of its log.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }

    /// The number of open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// A number in its /proc status.
    pub fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        super::common::field(&status, name).trim_end_matches(" kB").trim().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection.
pub struct Client {
    pub stream: UnixStream,
    reader: BufReader<UnixStream>,
}

/// The bytes of a call.
pub fn message(method: &str, parameters: Value, more: bool) -> Vec<u8> {
    let method = if method.contains('.') { method.to_owned() } else { format!("io.khelper.Control.{method}") };
    let mut call = json!({"method": method, "parameters": parameters});
    if more {
        call["more"] = true.into();
    }
    let mut bytes = serde_json::to_vec(&call).unwrap();
    bytes.push(0);
    bytes
}

impl Client {
    pub fn new(socket: &Path) -> Self {
        Self::of(UnixStream::connect(socket).unwrap())
    }

    pub fn of(stream: UnixStream) -> Self {
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    pub fn send(&mut self, method: &str, parameters: Value) {
        self.stream.write_all(&message(method, parameters, false)).unwrap();
    }

    pub fn send_more(&mut self, method: &str, parameters: Value) {
        self.stream.write_all(&message(method, parameters, true)).unwrap();
    }

    /// The next answer; `None` at the end of the stream.
    pub fn answer(&mut self) -> Option<Value> {
        let mut bytes = Vec::new();
        match self.reader.read_until(0, &mut bytes) {
            Ok(0) => None,
            Ok(_) => {
                assert_eq!(bytes.pop(), Some(0), "an answer was cut: {}", String::from_utf8_lossy(&bytes));
                Some(serde_json::from_slice(&bytes).unwrap())
            }
            // The daemon has closed a connection from which it had not read everything.
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(e) => panic!("{e}"),
        }
    }

    /// The values of the next answer, which is no error.
    pub fn values(&mut self) -> Value {
        let mut answer = self.answer().expect("the daemon closed the connection");
        assert!(answer.get("error").is_none(), "{answer}");
        answer["parameters"].take()
    }

    /// The name and the reason of the next answer, which is an error.
    pub fn error(&mut self) -> (String, String) {
        let answer = self.answer().expect("the daemon closed the connection");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&answer["error"]);
        assert!(!name.is_empty(), "{answer}");
        (name.rsplit('.').next().unwrap().to_owned(), text(&answer["parameters"]["reason"]))
    }

    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.send(method, parameters);
        self.values()
    }

    pub fn refused(&mut self, method: &str, parameters: Value) -> (String, String) {
        self.send(method, parameters);
        self.error()
    }

    pub fn get(&mut self, key: &str) -> String {
        self.call("Get", json!({"key": key}))["text"].as_str().unwrap().to_owned()
    }

    pub fn set(&mut self, key: &str, text: &str) {
        self.call("Set", json!({"writes": [{"key": key, "text": text}]}));
    }
}

/// The parameters of a call of this program.
pub fn run(argv: &[&str]) -> Value {
    json!({"path": argv[0], "args": argv[1..], "wait": "proc"})
}

/// Opens a FIFO for writing and closes it, again and again: whatever reads it gets to its end, however late it opens
/// it.
pub struct Opener(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Opener {
    pub fn new(fifo: &str) -> Self {
        let (path, over) = (PathBuf::from(fifo), Arc::new(AtomicBool::new(false)));
        let theirs = over.clone();
        let open = move || {
            while !theirs.load(Ordering::Acquire) {
                // ENXIO: nothing reads it now.
                let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
                drop(std::fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&path));
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        Self(over, Some(std::thread::spawn(open)))
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        self.1.take().map(JoinHandle::join);
    }
}

/// Ends helpers that read this FIFO, and waits until they are gone.
pub fn end_all(fifo: &str, pids: &[i64]) {
    let _open = Opener::new(fifo);
    while pids.iter().any(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| !text.is_empty())) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
