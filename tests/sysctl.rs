//! `khelper get` and `khelper set` beside sysctl(8) of procps, flag by flag, on the same keys with the same values: what
//! both print, and how they exit. sysctl runs in a mount namespace of its own, where a tmpfs with a file for each knob
//! takes the place of /proc/sys, so that no knob of this machine is read or written. docs/sysctl.md lists every
//! difference.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, mkdir};

use common::skipped;

const DOC: &str = include_str!("../docs/sysctl.md");

/// One comparison.
struct Case {
    /// `get` or `set`.
    verb: &'static str,
    /// The arguments, the same for both programs. `FILE` is the path of a file with the text of `file`.
    args: &'static [&'static str],
    /// The text of FILE and of stdin.
    file: &'static str,
    /// The row of docs/sysctl.md that declares the difference; none if there is no difference.
    differs: Option<&'static str>,
}

const fn get(args: &'static [&'static str]) -> Case {
    Case { verb: "get", args, file: "", differs: None }
}

const fn set(args: &'static [&'static str]) -> Case {
    Case { verb: "set", args, file: "", differs: None }
}

const fn load(args: &'static [&'static str], file: &'static str) -> Case {
    Case { verb: "set", args, file, differs: None }
}

impl Case {
    const fn but(self, row: &'static str) -> Self {
        Self { differs: Some(row), ..self }
    }
}

const CASES: &[Case] = &[
    get(&["kernel.modprobe"]),
    get(&["kernel/modprobe"]),
    get(&["kernel.usermodehelper.bset", "khelper.gate"]),
    get(&["-n", "kernel.modprobe"]),
    get(&["--values", "kernel.usermodehelper.bset"]),
    get(&["-N", "kernel.modprobe"]),
    get(&["--names", "kernel.modprobe", "khelper.era"]),
    get(&["-b", "kernel.modprobe"]),
    get(&["--binary", "kernel.modprobe", "khelper.era"]),
    get(&["-b", "kernel.usermodehelper"]),
    get(&["-bn", "khelper.era"]),
    get(&["-bN", "khelper.era"]),
    get(&["-nN", "khelper.era"]),
    get(&["-q", "khelper.era"]),
    get(&["--quiet", "-n", "khelper.era"]),
    get(&["-e", "no.such", "khelper.era"]),
    get(&["--ignore", "no.such"]),
    get(&["no.such"]).but("unknown key"),
    get(&["no.such", "khelper.era"]).but("unknown key"),
    get(&["-qn", "no.such"]).but("unknown key"),
    get(&["kernel.usermodehelper"]),
    get(&["kernel/usermodehelper"]),
    get(&["kernel"]),
    get(&["-n", "kernel"]),
    get(&["-N", "khelper"]),
    get(&["kernel.usermodehelper."]).but("separator at the end"),
    get(&["kernel/usermodehelper/"]).but("separator at the end"),
    get(&["-a"]),
    get(&["-A"]),
    get(&["-X"]),
    get(&["--all", "--names"]),
    get(&["-an"]),
    get(&["-a", "khelper.era"]),
    get(&["-a", "-r", "usermodehelper"]),
    get(&["-a", "--pattern", "(bset|era)$"]),
    get(&["-r", "^khelper", "kernel.modprobe", "khelper.era"]),
    get(&["-r", "usermodehelper"]).but("`-r` without a key"),
    get(&["-a", "-r", "("]).but("malformed `-r`"),
    get(&[]).but("no argument"),
    get(&["kernel.modprobe=/x"]).but("`get KEY=VALUE`"),
    get(&["khelper.deny"]),
    set(&["kernel.modprobe=/bin/true"]),
    set(&["kernel/modprobe=/bin/true"]),
    set(&["kernel.modprobe=/bin/a b"]),
    set(&["khelper.deny=a b", "khelper.max_concurrent=7"]),
    set(&["-n", "kernel.modprobe=/bin/true"]),
    set(&["--values", "khelper.era=current"]),
    set(&["-q", "kernel.modprobe=/bin/true"]),
    set(&["--quiet", "khelper.era=current"]),
    set(&["-w", "kernel.modprobe=/bin/true"]),
    set(&["--write", "-n", "khelper.era=current"]),
    set(&["-e", "no.such=1", "khelper.era=current"]),
    set(&["-e", "no.such=1"]),
    set(&["--dry-run", "kernel.modprobe=/bin/true"]),
    set(&["no.such=1"]).but("unknown key"),
    set(&["khelper.era=current", "no.such=1"]).but("all or none"),
    set(&["-w", "khelper.era"]).but("`set KEY`"),
    set(&["khelper.era=6"]).but("value that is not valid"),
    set(&["kernel.usermodehelper.bset=1 0"]).but("mask"),
    set(&["-n", "kernel.usermodehelper.bset=1 0"]).but("mask"),
    set(&["-N", "khelper.era=current"]).but("`set -N`, `set -b`"),
    set(&["khelper.deny=a", "khelper.deny=b"]),
    load(&["-p", "FILE"], "# comment\n\n; another\nkernel.modprobe = /bin/true\nkhelper/era=current\n"),
    load(&["-p", "-"], "khelper.era = current\n"),
    load(&["-f", "FILE"], "khelper.era = current"),
    load(&["-n", "-p", "FILE"], "khelper.era = current"),
    load(&["-q", "-p", "FILE"], "khelper.era = current"),
    load(&["-p", "FILE"], "-no.such = 1\nkhelper.era = current").but("`-key` in a file"),
    load(&["-e", "-p", "FILE"], "no.such = 1\nkhelper.era = current"),
    load(&["-p", "FILE"], "no.such = 1\nkhelper.era = current"),
    load(&["-p", "FILE"], "khelper.deny a\nkhelper.era = current").but("line without `=`"),
    load(&["-p", "FILE"], "khelper.deny = a # b\n").but("trailing comment"),
    load(&["-p", "FILE"], "khelper.deny = a\nkhelper.deny = b").but("same key twice in a file"),
    load(&["-p", "FILE"], "khelper.deny = a\nkhelper.[ad]* = b"),
    load(&["-p", "/no/such/file"], ""),
];

/// What a program printed, and how it exited.
struct Ran {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

impl Ran {
    /// The output with its lines in order: the kernel lists a folder in another order than khelper.
    fn sorted(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.stdout.split_inclusive('\n').collect();
        lines.sort_unstable();
        lines
    }
}

fn ran(mut command: Command, stdin: &str) -> io::Result<Ran> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // A program that does not read its stdin closes it: EPIPE is no fault.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { stdout: text(stdout), stderr: text(stderr), code: status.code() })
}

fn khelper(args: &[&str], stdin: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    // An engine of its own, whatever runs on this machine.
    command.args(["-t", "embedded"]).args(args);
    ran(command, stdin).unwrap()
}

/// sysctl in namespaces of its own, where a tmpfs with a file for each knob takes the place of /proc/sys.
fn sysctl(knobs: &BTreeMap<String, String>, args: &[&str], stdin: &str) -> io::Result<Ran> {
    let text = |text: String| CString::new(text).unwrap();
    let user = (!geteuid().is_root()).then(|| {
        [
            ("uid_map", format!("0 {} 1", geteuid())),
            ("setgroups", "deny".into()),
            ("gid_map", format!("0 {} 1", getegid())),
        ]
        .map(|(file, line)| (text(format!("/proc/self/{file}")), line))
    });
    let folders = ["kernel", "kernel/usermodehelper", "khelper"].map(|name| text(format!("/proc/sys/{name}")));
    let file =
        |(key, value): (&String, &String)| (text(format!("/proc/sys/{}", key.replace('.', "/"))), format!("{value}\n"));
    let files: Vec<(CString, String)> = knobs.iter().map(file).collect();
    let make = move || -> io::Result<()> {
        let none = None::<&std::ffi::CStr>;
        match &user {
            None => {
                unshare(CloneFlags::CLONE_NEWNS)?;
                mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            }
            Some(maps) => {
                unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER)?;
                maps.iter().try_for_each(|(path, line)| put(path, line))?;
            }
        }
        // Not a folder of another file system: procps takes the first two entries of a folder for `.` and `..`.
        mount(Some(c"none"), c"/proc/sys", Some(c"tmpfs"), MsFlags::empty(), none)?;
        folders.iter().try_for_each(|folder| mkdir(folder.as_c_str(), Mode::S_IRWXU))?;
        files.iter().try_for_each(|(path, value)| put(path, value))
    };
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["-s", "KILL", "60", "/sbin/sysctl"]).args(args).env("LC_ALL", "C.UTF-8");
    // SAFETY: system calls that are safe after fork, on memory that was made before it.
    unsafe { command.pre_exec(make) };
    ran(command, stdin)
}

/// Writes a file, by system calls alone.
fn put(path: &CString, text: &str) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    let file = open(path.as_c_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    nix::unistd::write(&file, text.as_bytes())?;
    Ok(())
}

/// The knobs of a new engine.
fn values() -> BTreeMap<String, String> {
    let all = khelper(&["get", "-a"], "");
    let pair = |line: &str| line.split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned()));
    all.stdout.lines().map(|line| pair(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// Whether the programs did the same; what each did, if not.
fn difference(case: &Case, values: &BTreeMap<String, String>) -> io::Result<Option<String>> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), case.file)?;
    let path = file.path().to_str().unwrap();
    let args: Vec<&str> = case.args.iter().map(|arg| if *arg == "FILE" { path } else { arg }).collect();
    let theirs = sysctl(values, &args, case.file)?;
    let ours = khelper(&[&[case.verb], &args[..]].concat(), case.file);
    let shown = |ran: &Ran| format!("exit {:?}, stdout {:?}, stderr {:?}", ran.code, ran.stdout, ran.stderr);
    let same = ours.code == theirs.code && ours.sorted() == theirs.sorted();
    Ok((!same).then(|| format!("khelper: {}\n  sysctl:  {}", shown(&ours), shown(&theirs))))
}

#[test]
fn get_and_set_do_what_sysctl_does_but_for_the_differences_in_the_manual() {
    let values = values();
    if !Path::new("/sbin/sysctl").exists() {
        return skipped("sysctl: procps is not installed");
    }
    if let Err(e) = sysctl(&values, &["-n", "khelper.era"], "") {
        return skipped(&format!("sysctl: it cannot run in a mount namespace of its own: {e}"));
    }
    let mut wrong = Vec::new();
    for case in CASES {
        let what = format!("{} {:?} {:?}", case.verb, case.args, case.file);
        match (difference(case, &values).unwrap(), case.differs) {
            (None, None) => {}
            (Some(_), Some(row)) if DOC.contains(&format!("\n| {row} |")) => {}
            (Some(how), Some(row)) => wrong.push(format!("docs/sysctl.md has no row `{row}`: {what}\n  {how}")),
            (Some(how), None) => wrong.push(format!("not declared: {what}\n  {how}")),
            (None, Some(row)) => wrong.push(format!("no difference, but `{row}` is declared: {what}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_difference_in_the_manual_has_a_case() {
    let declared = DOC.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let rows: Vec<&str> = declared.filter(|row| !matches!(*row, "what" | "---")).collect();
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        assert!(CASES.iter().any(|case| case.differs == Some(row)), "no case shows `{row}`");
    }
}
