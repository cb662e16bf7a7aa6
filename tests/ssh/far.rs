//! A machine that ssh(1) reaches: a daemon, and sshd(8) behind a port of 127.0.0.1. The user's login shell there writes
//! down every command line that it is given.
//!
//! Each connection has an sshd of its own (`sshd -i`), so that no port is chosen before it is bound, and the test can end
//! or stop a connection. It runs in a mount namespace with a password file of the test's own, and with a sudoers file of
//! the test's own if there is one; nothing of this machine's ssh and sudo is read or written.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use khelper::control::{self, Reply};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getegid, geteuid};

use crate::daemon::Daemon;
use crate::interrupt::hears_ctrl_c;
use crate::program::write_program;

const SSHD: &str = "/usr/sbin/sshd";
const SSH: &str = "/usr/bin/ssh";
const SUDO: &str = "/usr/bin/sudo";
/// The user who logs in, if that is not the user of the test.
const OTHER: u32 = 54_321;

/// The connections, and whether new ones are taken.
struct Door {
    open: bool,
    sessions: Vec<Child>,
}

pub struct Far {
    pub daemon: Daemon,
    port: u16,
    door: Arc<Mutex<Door>>,
}

/// Writes a program.
pub fn script(path: &Path, text: &str) {
    // Renamed: somebody may execute the path at any moment.
    let new = path.with_extension("new");
    write_program(&new, format!("#!/bin/sh\n{text}\n"));
    fs::rename(new, path).unwrap();
}

/// A command in a mount namespace in which the password file and others are those of the folder.
fn enter(folder: &Path, command: &str) -> Command {
    let mut enter = Command::new("unshare");
    let files = ["passwd", "group", "shadow", "sudoers"].map(|name| (name, folder.join(name)));
    let files = files.iter().filter(|(_, path)| path.exists());
    let binds = files.map(|(name, path)| format!("mount --bind {} /etc/{name}", path.display()));
    let bind = binds.collect::<Vec<_>>().join(" && ");
    let script = if geteuid().is_root() {
        enter.arg("-m");
        format!("mount -t tmpfs none /run && mkdir -m 755 /run/sshd && {bind} && exec {command}")
    } else {
        enter.args(["-U", "--map-current-user", "--keep-caps", "-m"]);
        format!("{bind} && exec setpriv --ambient-caps -all --inh-caps -all {command}")
    };
    enter.args(["sh", "-c", &script]);
    enter
}

impl Far {
    /// Starts the daemon and the sshd; `None`, with the reason on stderr, if this user cannot.
    pub fn start() -> Option<Self> {
        if !has(&[(SSHD, "openssh-server"), (SSH, "openssh-client")]) {
            return None;
        }
        Self::log_in(geteuid().as_raw(), getegid().as_raw(), |_| ())
    }

    /// The same for a user who is neither root nor the daemon's, and who may become root with the sudo(8) of this machine
    /// if these rules of sudoers(5) allow it. In them BIN is the folder that khelper is in.
    pub fn with_sudo(rules: &str) -> Option<Self> {
        if !geteuid().is_root() {
            skipped("only root can give a user a sudo of its own");
            return None;
        }
        if !has(&[(SSHD, "openssh-server"), (SSH, "openssh-client"), (SUDO, "sudo")]) {
            return None;
        }
        if nix::sys::prctl::get_no_new_privs().unwrap() {
            skipped("no program of another user gains rights here: no_new_privs is set");
            return None;
        }
        Self::log_in(OTHER, OTHER, |folder| {
            let path = |name: &str| folder.join(name);
            fs::write(path("group"), format!("root:x:0:\ntester:x:{OTHER}:\n")).unwrap();
            fs::write(path("shadow"), "root:*:19000::::::\ntester:*:19000::::::\n").unwrap();
            let bin = path("bin");
            fs::write(path("sudoers"), rules.replace("BIN", bin.to_str().unwrap()) + "\n").unwrap();
            fs::set_permissions(path("sudoers"), Permissions::from_mode(0o440)).unwrap();
            std::os::unix::fs::symlink(SUDO, bin.join("sudo")).unwrap();
            // The user may neither write there nor reach the program in the build folder. A socket has rights of its own.
            fs::set_permissions(folder.parent().unwrap(), Permissions::from_mode(0o711)).unwrap();
            fs::set_permissions(path("log"), Permissions::from_mode(0o666)).unwrap();
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_khelper")).arg(path("program")).status();
            assert!(copied.unwrap().success());
        })
    }

    fn log_in(uid: u32, gid: u32, prepare: impl Fn(&Path)) -> Option<Self> {
        let daemon = Daemon::start();
        let folder = daemon.folder().join("f");
        fs::create_dir_all(folder.join("bin")).unwrap();
        let path = |name: &str| folder.join(name);
        let shell = path("shell");
        let users = format!("root:x:0:0::/:/bin/sh\ntester:x:{uid}:{gid}::/:{}\n", shell.display());
        fs::write(path("passwd"), users + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n").unwrap();
        script(&shell, &format!("printf '%s\\n' \"$*\" >> {}\nexec /bin/sh \"$@\"", path("log").display()));
        fs::write(path("log"), "").unwrap();
        prepare(&folder);
        let tried = enter(&folder, "true").stdin(Stdio::null()).output().unwrap();
        if !tried.status.success() {
            skipped(&format!("no mount namespace: {}", String::from_utf8_lossy(&tried.stderr)));
            return None;
        }
        let key = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path("key")).status();
        assert!(key.unwrap().success());
        let config = format!(
            "HostKey {0}/key\nAuthorizedKeysFile {0}/key.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n\
             SetEnv PATH={0}/bin\n",
            folder.display()
        );
        fs::write(path("config"), config).unwrap();
        let far = Self::listen(daemon, folder);
        far.installs();
        Some(far)
    }

    fn listen(daemon: Daemon, folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let door = Arc::new(Mutex::new(Door { open: true, sessions: Vec::new() }));
        let theirs = door.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = OwnedFd::from(stream.unwrap());
                let mut door = theirs.lock().unwrap();
                if door.open {
                    let sshd = format!("{SSHD} -i -f {0}/config -E {0}/sshd.log", folder.display());
                    let mut command = enter(&folder, &sshd);
                    command.stdin(stream.try_clone().unwrap()).stdout(stream).stderr(Stdio::null()).process_group(0);
                    // The end of the test closes the folder.
                    door.sessions.extend(command.spawn());
                }
            }
        });
        Self { daemon, port, door }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.daemon.folder().join("f").join(name)
    }

    /// khelper is in the PATH there; it asks the test's daemon.
    pub fn installs(&self) {
        let copy = self.path("program");
        let program = if copy.exists() { copy } else { env!("CARGO_BIN_EXE_khelper").into() };
        let text = format!("exec {} \"$@\" --socket {}", program.display(), self.daemon.socket().display());
        script(&self.path("bin/khelper"), &text);
    }

    /// The same, for a test that changes something over ssh: only root's sshd is in the daemon's user namespace, and a
    /// daemon lets no other one do that.
    pub fn that_acts() -> Option<Self> {
        if !geteuid().is_root() {
            skipped("an ordinary user's sshd is in a user namespace of its own: the daemon lets it only read");
            return None;
        }
        Self::start()
    }

    /// Waits until so many watches are active there.
    pub fn is_watched(&self, by: u64) {
        let watchers = || match self.daemon.ask(&control::Command::Status) {
            Reply::Status(snapshot) => u64::from(snapshot.watchers),
            reply => panic!("{reply:?}"),
        };
        while watchers() != by {
            thread::yield_now();
        }
    }

    /// What the login shell was given, one command line a line.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        for session in &self.door.lock().unwrap().sessions {
            // It may have ended.
            let _ = killpg(Pid::from_raw(i32::try_from(session.id()).unwrap()), signal);
        }
    }

    /// Kills every sshd, and takes no new connection.
    pub fn cut(&self) {
        self.door.lock().unwrap().open = false;
        self.signal(Signal::SIGKILL);
    }

    /// Takes connections again.
    pub fn join(&self) {
        self.door.lock().unwrap().open = true;
    }

    /// No sshd says anything more.
    pub fn fall_silent(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Waits until every connection has ended. Their process groups are not theirs any more then.
    pub fn is_left(&self) {
        for mut session in self.door.lock().unwrap().sessions.drain(..) {
            session.wait().unwrap();
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.cut();
        self.is_left();
    }
}

/// This side: an ssh that knows these machines by these names, and reads no configuration but the test's.
pub struct Near {
    folder: tempfile::TempDir,
}

impl Near {
    pub fn new(hosts: &[(&str, &Far)]) -> Self {
        let folder = tempfile::Builder::new().prefix("n").tempdir_in("/tmp").unwrap();
        let (mut config, mut known) = (String::new(), String::new());
        for (name, far) in hosts {
            let (port, key) = (far.port, far.path("key"));
            config += &format!("Host {name}\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n", key.display());
            known += &format!("[127.0.0.1]:{port} {}", fs::read_to_string(far.path("key.pub")).unwrap());
        }
        config += &format!(
            "Host *\n User tester\n IdentitiesOnly yes\n UserKnownHostsFile {}\n GlobalKnownHostsFile /dev/null\n",
            folder.path().join("known").display()
        );
        fs::write(folder.path().join("known"), known).unwrap();
        fs::write(folder.path().join("config"), config).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let near = Self { folder };
        near.options("");
        near
    }

    /// Gives ssh these options before its own arguments. It tries to write to the terminal first, as one that asks does.
    pub fn options(&self, options: &str) {
        let folder = self.folder.path();
        let text = format!(
            "printf '%s\\n' \"$*\" >> {0}/calls\n(printf OVERWRITTEN > /dev/tty) 2> /dev/null\n\
             exec {SSH} -F {0}/config {options} \"$@\"",
            folder.display()
        );
        script(&folder.join("bin/ssh"), &text);
    }

    /// What ssh was called with, one call a line; empty if it never was.
    pub fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    /// The PATH in which that ssh is found first.
    pub fn path(&self) -> String {
        format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap())
    }

    pub fn khelper(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
        command.args(args).env("PATH", self.path()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("XDG_RUNTIME_DIR").env_remove("DISPLAY");
        hears_ctrl_c(&mut command);
        command
    }
}

/// Whether these programs are there; says which one is not, and the package that has it.
fn has(programs: &[(&str, &str)]) -> bool {
    let missing = programs.iter().find(|(program, _)| !Path::new(program).exists());
    if let Some((program, package)) = missing {
        skipped(&format!("no {program}: install {package}"));
    }
    missing.is_none()
}

fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}
