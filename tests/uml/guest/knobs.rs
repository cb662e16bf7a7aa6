//! The kernel's own knobs, written by the command line and by the console; every failure that a kernel can be made to
//! answer with; and modules asked for.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use super::asking::ordinary;
use super::init::Serial;
use super::{KHELPER, OWN};

/// This executable, as a modprobe that notes its capabilities.
pub const NOTES: &str = "/vm/notes-capabilities";
const NOTED: &str = "/tmp/capabilities";
const BSET: &str = "kernel.usermodehelper.bset";
const RAWIO: u64 = 1 << 17;
const SETPCAP: i32 = 8;

/// What is run as [`NOTES`].
pub fn note() {
    fs::write(NOTED, fs::read("/proc/self/status").unwrap()).unwrap();
}

fn install() {
    fs::copy(OWN, NOTES).unwrap();
    fs::write("/proc/sys/kernel/modprobe", NOTES).unwrap();
    fs::create_dir_all("/etc/sysctl.d").unwrap();
}

/// The capability sets of the next modprobe that the kernel runs: CapInh, CapPrm, CapEff, CapBnd, CapAmb.
fn next_modprobe() -> [u64; 5] {
    let _ = fs::remove_file(NOTED);
    super::asking::module("khelper-none");
    let status = fs::read_to_string(NOTED).unwrap();
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t")).unwrap();
        u64::from_str_radix(line, 16).unwrap()
    })
}

fn khelper(args: &[&str]) -> Command {
    let mut command = Command::new(KHELPER);
    command.args(["--target", "kernel"]).args(args).env_clear().stdin(Stdio::null());
    command
}

#[track_caller]
fn ends(mut command: Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {output:?}");
    output
}

#[track_caller]
fn fails(command: Command, code: i32, words: &[&str]) {
    let output = ends(command, code);
    let said = String::from_utf8(output.stderr).unwrap();
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn mask(name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/sys/kernel/usermodehelper/{name}")).unwrap();
    let words: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    words[0] | words[1] << 32
}

/// Narrowed by the command line, read back, and the next real modprobe has exactly that.
pub fn command_line(serial: &mut Serial) {
    install();
    let full = mask("bset");
    let before = next_modprobe();
    assert_eq!(before, [0, full, full, full, 0]);
    assert_eq!(said(&ends(khelper(&["get", "-n", BSET]), 0)), format!("{}\t{}\n", full & 0xffff_ffff, full >> 32));
    fails(
        khelper(&["set", &format!("{BSET}=-cap_sys_rawio")]),
        64,
        &["until the machine starts again", "--until-reboot"],
    );
    assert_eq!(mask("bset"), full, "nothing was written");
    let written = ends(khelper(&["set", "--until-reboot", &format!("{BSET}=-cap_sys_rawio")]), 0);
    let (line, remarks) = (said(&written), String::from_utf8(written.stderr.clone()).unwrap());
    assert!(line.starts_with("kernel kernel.usermodehelper.bset: full → all but cap_sys_rawio (read back)."), "{line}");
    assert!(remarks.contains("rehearsed `/vm/notes-capabilities -q -- khelper-none`"), "{remarks}");
    serial.note(remarks.trim());
    let narrowed = full & !RAWIO;
    assert_eq!(mask("bset"), narrowed);
    assert_eq!(next_modprobe(), [0, narrowed, narrowed, narrowed, 0]);
    // What is lost is lost: the write succeeds, changes nothing and says what it did not get.
    let again = ends(khelper(&["set", &format!("{BSET}=full")]), 0);
    assert!(String::from_utf8(again.stderr).unwrap().contains("not granted: cap_sys_rawio"));
    assert_eq!(mask("bset"), narrowed);
    // Both masks in one command, and a mask that takes modprobe's own right.
    let both = [
        "set",
        "--until-reboot",
        "--json",
        &format!("{BSET}=cap_sys_module"),
        "kernel.usermodehelper.inheritable=empty",
    ];
    let objects = said(&ends(khelper(&both), 0));
    let first: Value = serde_json::from_str(objects.lines().next().unwrap()).unwrap();
    assert_eq!((&first["target"], &first["after"]), (&"kernel".into(), &"0x0000000000010000".into()));
    assert_eq!((mask("bset"), mask("inheritable")), (1 << 16, 0));
    assert_eq!(next_modprobe(), [0, 1 << 16, 1 << 16, 1 << 16, 0]);
    let none = ends(khelper(&["set", "--until-reboot", &format!("{BSET}=empty")]), 0);
    assert!(String::from_utf8(none.stderr).unwrap().contains("can load no module any more"));
    assert_eq!(next_modprobe(), [0; 5]);
}

/// A console in a terminal of 120 columns and 40 rows.
struct Console {
    master: OwnedFd,
    seen: String,
    child: std::process::Child,
}

impl Console {
    fn start() -> Self {
        fs::create_dir_all("/dev/pts").unwrap();
        let _ = mount(Some("devpts"), "/dev/pts", Some("devpts"), MsFlags::empty(), Some("ptmxmode=666"));
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = Command::new(KHELPER);
        command.args(["--target", "kernel", "--ascii"]).env_clear().env("TERM", "xterm").env("HOME", "/tmp");
        command.stdin(slave()).stdout(slave()).stderr(slave());
        // SAFETY: the closure makes system calls only.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        Self { master: pty.master, seen: String::new(), child }
    }

    /// Reads until the text appears. Colours and moves of the cursor are dropped; a run of blanks counts as one.
    fn shows(&mut self, text: &str) {
        let began = Instant::now();
        while !self.seen.contains(text) {
            let left = Duration::from_secs(120).saturating_sub(began.elapsed());
            let wait = PollTimeout::try_from(left).unwrap();
            let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            assert!(!left.is_zero() && poll(&mut fds, wait).unwrap() > 0, "{text:?} never came: {}", self.seen);
            let mut bytes = [0; 65_536];
            let read = nix::unistd::read(&self.master, &mut bytes).unwrap();
            self.seen.push_str(&plain(&bytes[..read]));
        }
    }

    fn send(&mut self, keys: &str) {
        self.seen.clear();
        let mut file = File::from(self.master.try_clone().unwrap());
        file.write_all(keys.as_bytes()).unwrap();
    }
}

/// Text without escape sequences; each of them counts as a blank.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            let end = chars.by_ref().find(|c| ('@'..='~').contains(c));
            // The style of a character does not part it from the next one.
            if end != Some('m') {
                out.push(' ');
            }
        }
    }
    out.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same through the console, which asks for a phrase.
pub fn console(_: &mut Serial) {
    install();
    let full = mask("bset");
    let mut console = Console::start();
    console.shows("kernel");
    console.send(":");
    console.send("set kernel.usermodehelper.bset=-cap_sys_rawio\r");
    console.shows("until reboot");
    // Enter alone writes nothing.
    console.send("\r");
    console.shows("not done");
    assert_eq!(mask("bset"), full);
    console.send("until reboot\r");
    console.shows("exactly as asked");
    let narrowed = full & !RAWIO;
    assert_eq!(mask("bset"), narrowed);
    assert_eq!(next_modprobe(), [0, narrowed, narrowed, narrowed, 0]);
    console.send(":");
    console.send("set kernel.modprobe=\r");
    console.shows("write kernel");
    console.send("write kernel\r");
    console.shows("autoload is off");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/modprobe").unwrap(), "\n");
    console.send("q");
    let _ = console.child.kill();
    console.child.wait().unwrap();
}

/// Every failure of a write that a kernel can be made to answer with.
pub fn failures(_: &mut Serial) {
    install();
    let full = mask("bset");
    let set = || khelper(&["set", "--until-reboot", &format!("{BSET}=-cap_sys_rawio")]);
    let mut without = set();
    // SAFETY: the closure makes system calls only. What the bounding set lacks, root does not get by execve(2).
    unsafe {
        without.pre_exec(|| match libc::prctl(libc::PR_CAPBSET_DROP, SETPCAP) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    fails(without, 77, &["cap_setpcap", "(EPERM)"]);
    let user = |args: &[&str]| {
        let mut command = ordinary(KHELPER);
        command.args(["--target", "kernel"]).args(args).env_clear();
        command
    };
    fails(user(&["get", BSET]), 77, &["only uid 0 may read it", "(EACCES)"]);
    fails(user(&["set", "kernel.modprobe=/vm/helper"]), 77, &["only uid 0 may", "(EACCES)"]);
    // Without rights every knob that can be read is still read.
    assert_eq!(said(&ends(user(&["get", "-n", "kernel.modprobe"]), 0)), format!("{NOTES}\n"));
    let mut read_only = set();
    // SAFETY: the closure makes system calls only, with strings that live as long as the program.
    unsafe {
        read_only.pre_exec(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let (here, none) = ("/proc/sys", None::<&str>);
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some(here), here, none, MsFlags::MS_BIND, none)?;
            mount(none, here, none, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none)?;
            Ok(())
        });
    }
    fails(read_only, 69, &["mounted read-only", "(EROFS)"]);
    let mut missing = set();
    // SAFETY: as above.
    unsafe {
        missing.pre_exec(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some("none"), "/proc/sys/kernel/usermodehelper", Some("tmpfs"), MsFlags::empty(), none)?;
            Ok(())
        });
    }
    fails(missing, 69, &["does not exist", "(EOPNOTSUPP)"]);
    assert_eq!(mask("bset"), full);
    // A file that keeps its end, which no file of the kernel's does: another value is read back.
    fs::write("/tmp/long", "/vm/helper-with-a-long-name\n").unwrap();
    let mut other = khelper(&["set", "kernel.modprobe=/vm/helper"]);
    // SAFETY: as above.
    unsafe {
        other.pre_exec(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some("/tmp/long"), "/proc/sys/kernel/modprobe", none, MsFlags::MS_BIND, none)?;
            Ok(())
        });
    }
    fails(other, 1, &["reads back", "(EIO)"]);
    // A text file as modprobe.
    fs::write("/tmp/text", "hi\n").unwrap();
    fs::set_permissions("/tmp/text", PermissionsExt::from_mode(0o755)).unwrap();
    fails(khelper(&["set", "kernel.modprobe=/tmp/text"]), 64, &["neither ELF nor a script", "(ENOEXEC)", "--force"]);
    fails(khelper(&["set", "kernel.modprobe=/tmp/none"]), 64, &["cannot be found (ENOENT)"]);
    assert_eq!(fs::read_to_string("/proc/sys/kernel/modprobe").unwrap(), format!("{NOTES}\n"));
    let forced = ends(khelper(&["set", "--force", "kernel.modprobe=/tmp/text"]), 0);
    assert!(said(&forced).starts_with("kernel kernel.modprobe = /tmp/text"), "{forced:?}");
    ends(khelper(&["set", &format!("kernel.modprobe={NOTES}")]), 0);
    // A path as long as the kernel takes, which is not cut.
    let long = format!("/tmp/{}", "x".repeat(250));
    fs::copy("/vm/helper", &long).unwrap();
    ends(khelper(&["set", &format!("kernel.modprobe={long}")]), 0);
    assert_eq!(fs::read_to_string("/proc/sys/kernel/modprobe").unwrap().trim_end(), long);
    fails(khelper(&["set", &format!("kernel.modprobe={long}x")]), 64, &["256 bytes; the maximum is 255"]);
    // One way.
    fails(khelper(&["set", "kernel.modules_disabled=1"]), 64, &["no module can be loaded", "--until-reboot"]);
    ends(khelper(&["set", "--until-reboot", "kernel.modules_disabled=1"]), 0);
    assert_eq!(fs::read_to_string("/proc/sys/kernel/modules_disabled").unwrap(), "1\n");
    fails(khelper(&["set", "--until-reboot", "kernel.modules_disabled=0"]), 77, &["until the machine starts again"]);
}

/// Kept for the next start, and compared with it.
pub fn kept(_: &mut Serial) {
    install();
    ends(khelper(&["set", "kernel.modprobe=/sbin/modprobe"]), 0);
    assert_eq!(said(&ends(khelper(&["diff"]), 0)), "");
    let out = ends(khelper(&["set", "--persist", "--until-reboot", &format!("{BSET}=-cap_sys_rawio")]), 0);
    assert!(said(&out).contains("Kept in /etc/sysctl.d/zz-khelper.conf:2."), "{out:?}");
    assert!(String::from_utf8(out.stderr).unwrap().contains("systemd-sysctl"));
    let kept = fs::read_to_string("/etc/sysctl.d/zz-khelper.conf").unwrap();
    assert!(kept.lines().last().unwrap().starts_with(&format!("{BSET} = 4294836223 ")), "{kept}");
    ends(khelper(&["diff"]), 0);
    let place = said(&ends(khelper(&["get", "--where", BSET]), 0));
    assert!(place.contains("/etc/sysctl.d/zz-khelper.conf:2"), "{place}");
    ends(khelper(&["set", "--unpersist", BSET]), 0);
    let drift = said(&ends(khelper(&["diff"]), 1));
    assert!(drift.contains("running all but cap_sys_rawio  configured full (default)"), "{drift}");
}

/// Modules asked for: the end of the real modprobe, what is there already, and what nobody can ask for.
pub fn requests(serial: &mut Serial) {
    fs::write(super::asking::LOG, "").unwrap();
    let request = |name: &str| khelper(&["request", "--json", name]);
    let object = |output: &Output| -> Value { serde_json::from_str(said(output).trim_end()).unwrap() };
    for (name, code) in [("any-1-e3", 3), ("fs-2-e0", 0), ("net-pf-14", 0)] {
        let began = Instant::now();
        let one = object(&ends(request(name), code));
        serial.note(&format!("{name}: {:?}", began.elapsed()));
        assert_eq!(
            (&one["target"], &one["module"], &one["outcome"]),
            (&"kernel".into(), &name.into(), &"exited".into())
        );
        assert_eq!((&one["exit_code"], &one["kind"]), (&code.into(), &"module".into()), "{one}");
    }
    let killed = object(&ends(request("any-3-k9"), 137));
    assert_eq!((&killed["outcome"], &killed["raw"]), (&"killed".into(), &9.into()));
    let there = object(&ends(request("fs-tmpfs"), 0));
    assert_eq!(there["outcome"], "noop");
    let words = said(&ends(khelper(&["request", "fs-tmpfs"]), 0));
    assert!(words.contains("nothing was asked: tmpfs is already there"), "{words}");
    fails(request("sixteen-bytes-xx"), 69, &["only code of the kernel", "--target embedded"]);
    fails(request(&"x".repeat(56)), 64, &["ENAMETOOLONG"]);
    let mut user = ordinary(KHELPER);
    user.args(["--target", "kernel", "request", "khelper-none"]).env_clear();
    fails(user, 77, &["cap_sys_module"]);
    fs::write("/proc/sys/kernel/modprobe", "\n").unwrap();
    fails(request("khelper-none"), 75, &["kernel.modprobe is empty"]);
}
