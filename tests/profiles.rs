//! What a profile stops, with real programs and a real ordinary user: a root helper of a vulnerable kind, which enters a
//! namespace that its requester names, and legitimate helpers.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use khelper::abi::cap::CapMask;
use khelper::abi::error::Stage;
use khelper::abi::mask::Masks;
use khelper::abi::profile::Profile;
use khelper::abi::record::{Outcome, Record};
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Engine};
use khelper::policy::profile::{Names, parse, remarks};
use khelper::policy::rules::Source;
use program::write_program;

const NOBODY: u32 = 65534;

/// The vulnerable helper: it enters the mount namespace of the process that its argument names, then runs a program of the
/// system, as helpers of keys do to ask for a name. Without an argument it only answers.
const HELPER: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc < 2) { puts("answered"); return 0; }
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/mnt", argv[1]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS)) { perror("setns"); return 3; }
    execl("/usr/bin/id", "id", (char *) 0);
    return 4;
}
"#;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn profile(text: &str) -> Arc<Profile> {
    let names = Names {
        user: &|name| {
            if name == "nobody" { Some((NOBODY, Some(NOBODY))) } else { name.parse().ok().map(|id| (id, None)) }
        },
        group: &|name| name.parse().ok(),
    };
    let file = Source { path: "/p/x.profile".into(), text: text.into() };
    Arc::new(parse(&file, CapMask::up_to(40), &names).unwrap())
}

fn run(engine: &Engine, argv: &[&str], profile: Option<&Arc<Profile>>, own: Option<Masks>) -> Arc<Record> {
    let path = argv[0].as_bytes().to_vec();
    let info = SubprocessInfo::setup(Some(path), argv.iter().copied(), ["PATH=/usr/bin:/bin"]).unwrap();
    let options = CallOptions { profile: profile.cloned(), own, ..CallOptions::default() };
    engine.call_usermodehelper_with(info, WaitMode::PROC, &options)
}

fn output(record: &Record) -> String {
    let output = record.output.as_ref().map(|o| [&o.stdout[..], &o.stderr[..]].concat()).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

/// An ordinary user's namespace, in which /usr/bin/id is the user's own program.
struct Attacker {
    process: Child,
    folder: tempfile::TempDir,
}

impl Attacker {
    /// `None` where an ordinary user may not make namespaces.
    fn start() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("profiles").permissions(mode(0o755)).tempdir_in("/tmp").unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        nix::unistd::chown(&own, Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
        let payload = own.join("payload");
        let text =
            format!("#!/bin/sh\n: > {}/proof\necho taken over\n/bin/grep CapEff /proc/self/status\n", own.display());
        write_program(&payload, text);
        let script = format!("mount --bind {} /usr/bin/id && echo ready && exec cat", payload.display());
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let attacker = Self { process, folder };
        (line == "ready\n").then_some(attacker)
    }

    fn proof(&self) -> PathBuf {
        self.folder.path().join("own/proof")
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn mode(bits: u32) -> fs::Permissions {
    fs::Permissions::from_mode(bits)
}

fn compiled(folder: &Path) -> String {
    let (source, program) = (folder.join("helper.c"), folder.join("helper"));
    fs::write(&source, HELPER).unwrap();
    let made = Command::new("cc").arg("-o").arg(&program).arg(&source).status().unwrap();
    assert!(made.success(), "cc");
    program.into_os_string().into_string().unwrap()
}

/// Past the test runner, which keeps what a test that passes has printed.
fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

/// Whether the attacker's program ran as root with capabilities.
fn is_exploited(engine: &Engine, helper: &str, attacker: &Attacker, profile: Option<&Arc<Profile>>) -> bool {
    let _ = fs::remove_file(attacker.proof());
    let record = run(engine, &[helper, &attacker.process.id().to_string()], profile, None);
    let proof = fs::metadata(attacker.proof()).ok().map(|meta| meta.uid());
    assert_eq!(proof.is_some(), output(&record).contains("taken over"), "{record:?}");
    assert!(proof.is_none_or(|uid| uid == 0), "{record:?}");
    proof.is_some()
}

#[test]
fn a_root_helper_that_enters_its_requester_s_namespace_is_exploited_and_with_a_profile_is_not() {
    if !is_root() {
        skipped("a helper of uid 0 needs root");
        return;
    }
    let Some(attacker) = Attacker::start() else {
        skipped("an ordinary user may not make a user namespace here");
        return;
    };
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let helper = compiled(attacker.folder.path());
    assert!(is_exploited(&engine, &helper, &attacker, None), "without a profile");
    for too_little in ["no_new_privs = yes", "read_only_root = yes\nno_new_privs = yes", "rlimit.nofile = 64"] {
        assert!(is_exploited(&engine, &helper, &attacker, Some(&profile(too_little))), "{too_little}");
    }
    let paths = "execute = /usr /bin /lib -/lib64";
    let stops = [
        "capabilities = ~cap_sys_admin".to_owned(),
        "capabilities = ~cap_sys_chroot".to_owned(),
        "capabilities = ~cap_sys_ptrace".to_owned(),
        "user = nobody".to_owned(),
        "deny_calls = setns".to_owned(),
        format!("{paths} {helper}\nread = /proc"),
        format!(
            "{paths} {helper}\nread = /proc\nuser = nobody\ncapabilities = empty\ndeny_calls = setns unshare mount"
        ),
    ];
    for text in stops {
        let profile = profile(&text);
        assert!(!is_exploited(&engine, &helper, &attacker, Some(&profile)), "{text}");
        let record = run(&engine, &[&helper], Some(&profile), None);
        assert_eq!((output(&record).as_str(), record.result), ("answered\n", Some(0)), "{text}: {record:?}");
    }
}

#[test]
fn a_helper_of_uid_0_without_any_capability_is_still_root() {
    if !is_root() {
        skipped("a helper of uid 0 needs root");
        return;
    }
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made").into_os_string().into_string().unwrap();
    let install = ["/usr/bin/install", "-m", "4755", "/bin/true", &made];
    let none = Masks::new(CapMask::EMPTY, CapMask::EMPTY);
    let only_sets = profile("capabilities = empty");
    assert!(remarks(&only_sets).iter().any(|remark| remark.to_string().contains("root's files")));
    for (own, profile) in [(Some(none), None), (None, Some(&only_sets))] {
        let record = run(&engine, &install, profile, own);
        assert_eq!(record.result, Some(0), "{record:?}");
        assert_eq!(record.caps.as_ref().map(|sets| sets.effective), Some(CapMask::EMPTY));
        let meta = fs::metadata(&made).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o4755), "a program that runs as root for everybody");
        fs::remove_file(&made).unwrap();
    }
    for text in ["user = nobody", "read_only_root = yes\ncapabilities = empty", "execute = /usr /bin /lib -/lib64"] {
        let record = run(&engine, &install, Some(&profile(text)), None);
        assert!(record.result != Some(0) && record.outcome == Outcome::Exited, "{text}: {record:?}");
        assert!(!Path::new(&made).exists(), "{text}");
    }
}

#[test]
fn every_part_of_a_profile_is_in_force_in_the_helper() {
    if !is_root() {
        skipped("another user and a filter need root");
        return;
    }
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let text = "user = nobody\ncapabilities = sys_module net_admin\nambient = sys_module\nrlimit.nofile = 48\n\
        execute = /usr /bin /lib -/lib64\nread = /proc\ndeny_calls = unshare\nread_only_root = yes\n";
    // Twice: the second launch of a worker has the ruleset and the filter of the first.
    for _ in 0..2 {
        let record = run(&engine, &["/bin/cat", "/proc/self/status", "/proc/self/limits"], Some(&profile(text)), None);
        let status = output(&record);
        for line in [
            "Uid:\t65534\t65534\t65534\t65534",
            "Gid:\t65534\t65534\t65534\t65534",
            "Groups:\t \n",
            "CapInh:\t0000000000010000",
            "CapPrm:\t0000000000010000",
            "CapEff:\t0000000000010000",
            "CapBnd:\t0000000000011000",
            "CapAmb:\t0000000000010000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
            "Max open files            48                   48 ",
        ] {
            assert!(status.contains(line), "{line:?}: {status}");
        }
    }
    // A helper without a profile has nothing of it.
    let record = run(&engine, &["/bin/cat", "/proc/self/status"], None, None);
    assert!(output(&record).contains("Uid:\t0\t0\t0\t0") && output(&record).contains("Seccomp:\t0"), "{record:?}");
    let host = fs::read_to_string("/proc/self/status").unwrap();
    assert!(host.contains("Seccomp:\t0") && host.contains("NoNewPrivs:\t0"), "the host's own state");
}

#[test]
fn what_cannot_be_applied_stops_the_launch() {
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let lacks = profile("read = /nonexistent");
    let mut cases = vec![(lacks, "opening a path of the profile")];
    if !is_root() {
        cases.push((profile("user = 0\ngroup = 0"), "becoming the user"));
        cases.push((profile("read_only_root = yes"), "making the file systems read-only"));
    }
    for (profile, what) in cases {
        let record = run(&engine, &["/bin/true"], Some(&profile), None);
        assert_eq!((record.outcome, record.stage, record.pid), (Outcome::Refused, Some(Stage::Enforce), None));
        let why = record.why().unwrap_or_default().to_string();
        assert!(why.contains("profile cannot be applied") && why.contains(what), "{why}");
    }
}

#[test]
fn an_ordinary_user_confines_its_own_helpers_by_landlock_and_a_filter() {
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let confined = profile("execute = /usr /bin /lib -/lib64\ndeny_calls = uname\n");
    let cat = run(&engine, &["/bin/cat", "/etc/passwd"], Some(&confined), None);
    assert!(cat.result != Some(0) && output(&cat).contains("Permission denied"), "{cat:?}");
    let uname = run(&engine, &["/bin/uname"], Some(&confined), None);
    assert!(uname.result != Some(0) && output(&uname).contains("not permitted"), "{uname:?}");
    assert_eq!(run(&engine, &["/bin/uname"], None, None).result, Some(0));
}
