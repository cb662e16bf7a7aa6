//! `khelper serve` in a folder of its own.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::io::{BufRead, BufReader, Read};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use khelper::control;
use khelper::control::Reply;
use khelper::remote::{Address, Direct};

/// A running daemon; it is killed when it is dropped.
pub struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// Starts a daemon with no configuration, and waits until it serves.
    pub fn start() -> Self {
        // Short: the path of a socket has at most 107 bytes, and a screen may be 40 columns wide.
        let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(folder.path().join("config")).unwrap();
        Self { child: serve(folder.path(), &[]), folder }
    }

    /// Starts a daemon with these rules in this mode.
    pub fn with_rules(rules: &str, mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
        std::fs::create_dir_all(folder.path().join("config/rules.d")).unwrap();
        std::fs::write(folder.path().join("config/rules.d/10-a.rules"), rules).unwrap();
        Self { child: serve(folder.path(), &["--rules", mode]), folder }
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// The daemon's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The value of `--target`.
    pub fn target(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// The address for the library.
    pub fn address(&self) -> Address {
        Address::unix(&self.socket())
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a command over a new connection.
    pub fn ask(&self, command: &control::Command) -> Reply {
        Direct::connect(&self.address()).unwrap().ask(command).unwrap()
    }

    /// Writes a knob, as an operator types it.
    pub fn set(&self, key: control::Key, text: &[u8]) {
        let value = key.parse_value(text, khelper::abi::cap::CapMask::up_to(40)).unwrap();
        self.ask(&control::Command::Write(vec![(key, value)]));
    }

    /// Ends the daemon without warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, at the same socket.
    pub fn again(&mut self) {
        self.child = serve(self.folder.path(), &[]);
    }
}

/// A socket that passes connections on to a daemon, and that can be cut off without the daemon's knowledge.
pub struct Relay {
    path: PathBuf,
    daemon: PathBuf,
    /// Both ends of each connection.
    ends: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    pub fn new(daemon: &Daemon) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let path = daemon.folder().join(format!("r{}", MADE.fetch_add(1, Ordering::Relaxed)));
        let relay = Self { path, daemon: daemon.socket(), ends: Arc::default() };
        relay.join();
        relay
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Passes connections on, until [`Self::cut`].
    pub fn join(&self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        let (daemon, ends) = (self.daemon.clone(), self.ends.clone());
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let Ok(far) = UnixStream::connect(&daemon) else { return };
                {
                    let mut ends = ends.lock().unwrap();
                    ends.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                }
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
    }

    /// Ends every connection; a new one is refused.
    pub fn cut(&self) {
        std::fs::remove_file(&self.path).unwrap();
        for end in self.ends.lock().unwrap().drain(..) {
            // The other side may have closed it.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.arg("serve").arg("--socket").arg(folder.join("s"));
    command.arg("--ledger").arg(folder.join("ledger")).arg("--config").arg(folder.join("config")).args(options);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("serving on") {
        let before = said.len();
        log.read_line(&mut said).unwrap();
        assert!(said.len() > before, "the daemon ended: {said}");
    }
    // Its log must not block it.
    thread::spawn(move || _ = log.read_to_end(&mut Vec::new()));
    child
}
