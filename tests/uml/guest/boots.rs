//! Boots with the shim in force before any process is, and one fault each: the machine comes up, modules are loaded or
//! not as the manual says, and the fault is reported where an operator looks.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::asking::{LOG, module};
use super::init::Serial;
use super::shim::{knob, shim};
use super::{KHELPER, stub};

const SHIM: &str = "/usr/local/lib/khelper/shim";
const RULES: &str = "/etc/khelper.d/rules.d/10-boot.rules";
const ERRORS: &str = "/tmp/daemon.errors";
const NOTIFY: &str = "/tmp/notify";
/// How long the shim waits for a verdict, and what a busy machine may add to it.
const LIMIT: Duration = Duration::from_millis(200);

/// The folders of a machine, with this file of rules; `run` are the options of /run.
pub fn root(rules: &str, run: &str) {
    assert_eq!(knob(), SHIM, "the kernel's command line sets it");
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), Some(run)).unwrap();
    folders(rules);
}

/// Those that a kernel without them needs; the other file systems are writable.
pub fn folders(rules: &str) {
    for folder in ["/etc/khelper.d/rules.d", "/var/lib"] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(RULES, rules).unwrap();
    fs::write(LOG, "").unwrap();
}

const GOOD: &str = "deny name fs-denied-*\nallow *\n";

/// Whether a request for a module runs the helper, and how long it took.
fn runs(name: &str) -> (bool, Duration) {
    fs::write(LOG, "").unwrap();
    let word = format!("{name}-e0");
    let began = Instant::now();
    module(&word);
    let took = began.elapsed();
    let log = fs::read_to_string(LOG).unwrap();
    assert!(log.is_empty() || log.ends_with(&format!(" module {word}\n")), "{log}");
    (!log.is_empty(), took)
}

/// What runs of a module that the rules allow, and of one that they deny.
fn both() -> [bool; 2] {
    [runs("good").0, runs("denied").0]
}

/// Asks again until the daemon decides: where a machine is very slow, one that starts or goes on misses its 200 ms at first.
/// What is denied runs at no time.
fn until_answered() {
    let began = Instant::now();
    loop {
        let [good, denied] = both();
        assert!(!denied, "{}", errors());
        if good {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the daemon does not decide: {}", errors());
    }
}

pub fn serve(mode: &str) -> Command {
    let mut command = Command::new(KHELPER);
    command.args(["serve", "--watch-kernel", "--ledger", "/var/lib/khelper/ledger", "--config", "/etc/khelper.d"]);
    command.args(["--rules", mode]).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(ERRORS).unwrap());
    command
}

/// What the daemon has said so far.
pub fn errors() -> String {
    fs::read_to_string(ERRORS).unwrap()
}

/// The daemon, once it says that it is ready.
pub struct Daemon(pub Child);

impl Daemon {
    fn start() -> Self {
        Self::of(&mut serve("enforce"))
    }

    pub fn of(command: &mut Command) -> Self {
        let _ = fs::remove_file(NOTIFY);
        let notify = UnixDatagram::bind(NOTIFY).unwrap();
        notify.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        let daemon = Self(command.env("NOTIFY_SOCKET", NOTIFY).spawn().unwrap());
        let mut text = [0; 4096];
        loop {
            let length =
                notify.recv(&mut text).unwrap_or_else(|e| panic!("the daemon is not ready: {e}: {}", errors()));
            if String::from_utf8_lossy(&text[..length]).lines().any(|line| line == "READY=1") {
                return daemon;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    /// Stops it as SIGSTOP does, and waits until it is.
    fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let pid = Pid::from_raw(self.0.id().cast_signed());
        nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).unwrap();
    }

    /// Ends it as a service manager does: what it knows is written then.
    pub fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.0.wait().unwrap().success(), "{}", errors());
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The exit code and what was said of a daemon that does not start.
fn refused() -> (Option<i32>, String) {
    let status = serve("enforce").status().unwrap();
    (status.code(), errors())
}

/// `khelper shim status`: its exit code and its words, and the same as JSON.
fn status() -> (Option<i32>, String, Value) {
    let (code, words) = shim(&["status"]);
    let object = serde_json::from_str(&shim(&["status", "--json"]).1).unwrap();
    (code, words, object)
}

pub fn khelper(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(KHELPER).args(args).env_clear().stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Looks again until this is said: a line of a ledger is written soon after its event.
pub fn until(args: &[&str], text: &str) {
    let began = Instant::now();
    loop {
        let (_, said) = khelper(args);
        if said.contains(text) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{args:?}: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the shim has written into the kernel's log: each text with its number of lines.
pub fn logged(text: &str) -> usize {
    let mut log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").unwrap();
    let mut count = 0;
    let mut line = [0; 8192];
    loop {
        match log.read(&mut line) {
            Ok(length) => count += usize::from(String::from_utf8_lossy(&line[..length]).contains(text)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            // Lines were overwritten.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => panic!("/dev/kmsg: {error}"),
        }
    }
}

const NO_DAEMON: &str = "no daemon listens on /run/khelper/shim.sock: every helper runs, as without a shim";

pub fn whole(_: &mut Serial) {
    root(GOOD, "");
    let mut daemon = Daemon::start();
    until_answered();
    let (code, words, object) = status();
    assert_eq!((code, &object["in_force"], &object["listens"]), (Some(0), &true.into(), &true.into()), "{words}");
    assert_eq!(logged("khelper: shim:"), 0);
    daemon.kill();
}

pub fn no_daemon(_: &mut Serial) {
    root(GOOD, "");
    assert_eq!(both(), [true, true]);
    let (code, words, object) = status();
    assert_eq!((code, &object["listens"]), (Some(0), &false.into()));
    assert!(words.contains(NO_DAEMON), "{words}");
}

pub fn closed(_: &mut Serial) {
    root(GOOD, "");
    assert_eq!(shim(&["install", "--fail-closed"]).0, Some(0));
    assert_eq!(both(), [false, false]);
    assert_eq!(logged("khelper: shim: no daemon, the helper does not run"), 2);
    let (_, words, _) = status();
    assert!(words.contains("no daemon listens on /run/khelper/shim.sock: no helper runs (--fail-closed)"), "{words}");
    // Once it is there, its rules hold.
    let mut daemon = Daemon::start();
    until_answered();
    daemon.kill();
}

pub fn bad_rules(_: &mut Serial) {
    root("allow *\ndeny nane fs-denied-*\n", "");
    let fault = format!("{RULES}:2:6:");
    let (code, said) = refused();
    assert!(code == Some(64) && said.contains(&fault), "{code:?} {said}");
    let (code, said) = khelper(&["rules", "check", RULES]);
    assert!(code == Some(1) && said.contains(&fault), "{code:?} {said}");
    // No daemon, and so every helper runs.
    assert_eq!(both(), [true, true]);
    assert!(status().1.contains(NO_DAEMON));
}

pub fn no_shim(_: &mut Serial) {
    root(GOOD, "");
    fs::remove_file(SHIM).unwrap();
    assert_eq!(both(), [false, false]);
    let (code, words, object) = status();
    assert_eq!((code, &object["in_force"]), (Some(1), &false.into()));
    assert!(words.contains("which is not there: no module is loaded on request"), "{words}");
    // What it replaced is not known; the advice is what mends it.
    let (code, said) = shim(&["install"]);
    assert!(code != Some(0) && said.contains("khelper -t kernel set kernel.modprobe=/sbin/modprobe"), "{said}");
    let (code, said) = khelper(&["-t", "kernel", "set", "--until-reboot", "kernel.modprobe=/sbin/modprobe"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((shim(&["install"]).0, both()), (Some(0), [true, true]));
}

/// Fills the file system of this folder.
fn fill(folder: &str) {
    use std::io::Write;
    let mut file = File::create(format!("{folder}/full")).unwrap();
    for size in [65_536, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

pub fn full_disk(_: &mut Serial) {
    root(GOOD, "size=1m");
    mount(Some("var"), "/var", Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
    fs::create_dir("/var/lib").unwrap();
    fill("/run");
    fill("/var");
    // It serves and decides all the same.
    let mut daemon = Daemon::start();
    until_answered();
    assert!(errors().contains("/var/lib/khelper/last-good: No space left on device (ENOSPC); "), "{}", errors());
    until(&["-t", "daemon/kernel", "status"], "No space left on device (ENOSPC); the disk is full: free some space");
    daemon.kill();
}

pub fn read_only(_: &mut Serial) {
    folders(GOOD);
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None::<&str>).unwrap();
    let (code, said) = refused();
    assert!(code == Some(69) && said.contains("mkdir /run/khelper: Read-only file system (EROFS)"), "{code:?} {said}");
    assert_eq!(both(), [true, true]);
    assert!(status().1.contains(NO_DAEMON));
    let (code, said) = shim(&["install"]);
    let read_only = "/usr/local/lib/khelper: Read-only file system (EROFS); the file system is read-only";
    assert!(code == Some(69) && said.contains(read_only), "{code:?} {said}");
    // The kernel's knob can be put back, and the file that stays is named.
    let (code, said) = shim(&["uninstall"]);
    assert!(code == Some(69) && said.contains(&format!("{SHIM} stays: Read-only file system (EROFS)")), "{said}");
    assert_eq!((knob().as_str(), both()), ("/sbin/modprobe", [true, true]));
}

pub fn stopped(serial: &mut Serial) {
    root(GOOD, "");
    let mut daemon = Daemon::start();
    daemon.stop();
    let [(good, first), (denied, second)] = [runs("good"), runs("denied")];
    assert_eq!((good, denied), (true, false));
    assert!(first >= LIMIT && second >= LIMIT, "{first:?} {second:?}");
    assert_eq!(logged("khelper: shim: no verdict, the compiled rules allow"), 1);
    assert_eq!(logged("khelper: shim: no verdict, the compiled rules deny"), 1);
    serial.note(&format!("a stopped daemon: {first:?} and {second:?}; {}", status().1));
    daemon.signal(Signal::SIGCONT);
    until_answered();
    daemon.kill();
}

pub fn killed(serial: &mut Serial) {
    const ASKERS: usize = 8;
    const EACH: usize = 25;
    root(GOOD, "");
    let mut daemon = Daemon::start();
    let (send, asked) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for asker in 0..ASKERS {
            let send = send.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    module(&format!("{asker}x{number}-e0"));
                    let _ = send.send(());
                }
            });
        }
        (0..ASKERS * EACH / 2).for_each(|_| asked.recv().unwrap());
        daemon.kill();
    });
    // Those whose question was on its way go by the compiled rules, as those after it. All are allowed.
    let log = fs::read_to_string(LOG).unwrap();
    let mut ran: Vec<&str> = log.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    ran.sort_unstable();
    ran.dedup();
    assert_eq!((ran.len(), log.lines().count()), (ASKERS * EACH, ASKERS * EACH));
    serial.note(&format!("killed in the middle: {} by the compiled rules", logged("the compiled rules allow")));
    // It has not switched its rules off.
    assert_eq!(both(), [true, false]);
    assert!(status().1.contains("the daemon of /run/khelper/shim.sock has ended without closing it"));
    // The next one takes its place.
    let mut daemon = Daemon::start();
    until_answered();
    daemon.kill();
}

pub fn confined(_: &mut Serial) {
    const PROFILES: &str = "/etc/khelper.d/profiles.d";
    root(
        "allow name fs-held-* profile=held\nallow name fs-lost-* profile=lost\nallow name fs-called-* profile=called\nallow *\n",
        "",
    );
    fs::create_dir_all(PROFILES).unwrap();
    let held = "capabilities = sys_module\nno_new_privs = yes\nrlimit.nofile = 64\n";
    fs::write(format!("{PROFILES}/held.profile"), held).unwrap();
    fs::write(format!("{PROFILES}/called.profile"), "deny_calls = setns\n").unwrap();
    let mut daemon = Daemon::start();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| module("held-w5"));
        let mut log = String::new();
        while log.is_empty() && !asked.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            log = fs::read_to_string(LOG).unwrap();
        }
        assert!(!log.is_empty(), "it did not run: {} {}", logged("a profile could not be applied"), errors());
        let helper = format!("/proc/{}", log.split(' ').next().unwrap());
        let status = fs::read_to_string(format!("{helper}/status")).unwrap();
        let sets = ["CapPrm", "CapEff", "CapBnd"].map(|set| format!("{set}:\t0000000000010000\n"));
        for part in sets.iter().map(String::as_str).chain(["NoNewPrivs:\t1\n", "Uid:\t0\t0\t0\t0\n"]) {
            assert!(status.contains(part), "{part}: {status} {}", errors());
        }
        let limits = fs::read_to_string(format!("{helper}/limits")).unwrap();
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["64", "64"]);
    });
    assert!(!runs("lost").0);
    let why = "not run, because the profile lost does not exist or has a fault: /etc/khelper.d/rules.d/10-boot.rules:2";
    assert!(errors().contains(why), "{}", errors());
    // A kernel without filters of system calls is named, and nothing runs without its filter.
    let filters = fs::read_to_string("/proc/self/status").unwrap().contains("\nSeccomp:");
    assert_eq!(runs("called").0, filters);
    let why = "not run, because the profile called could not be applied: seccomp";
    assert_eq!(errors().contains(why), !filters, "{}", errors());
    // Without the daemon nothing runs that must be confined.
    daemon.kill();
    assert_eq!(["held", "lost", "good"].map(|name| runs(name).0), [false, false, true]);
}

pub fn damaged(_: &mut Serial) {
    root(GOOD, "");
    let mut daemon = Daemon::start();
    daemon.stop();
    fs::write(stub::RULES, b"khrules1\x01n\xffx").unwrap();
    assert_eq!(both(), [false, false]);
    assert_eq!(logged("khelper: shim: no verdict, the compiled rules deny"), 2);
    daemon.signal(Signal::SIGCONT);
    until_answered();
    daemon.kill();
}
