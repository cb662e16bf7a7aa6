//! `khelper why MODULE`: who made the kernel ask for a module, from the ledger of a daemon that watches the kernel.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};

use super::init::Serial;
use super::names::module;
use super::{KHELPER, OWN, asking};

/// First argument of a process that asks: then a command name and a module follow.
pub const ASKER: &str = "khelper-guest-asker";

const UNIFIED: &str = "/tmp/unified";
const SOCKET: &str = "/tmp/s";
const LEDGER: &str = "/tmp/daemon/ledger";

/// The other process. It asks when it is told to, and lives on.
pub fn asker(comm: &str, name: &str) -> ExitCode {
    std::fs::write("/proc/thread-self/comm", comm).unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    module(name.as_bytes());
    println!("asked");
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}

fn ask(uid: u32, cgroup: &str, comm: &str, name: &str) -> Child {
    let mut command = if uid == 0 { Command::new(OWN) } else { asking::ordinary(OWN) };
    let mut child = command.args([ASKER, comm, name]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let path = Path::new(UNIFIED).join(cgroup);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("cgroup.procs"), child.id().to_string()).unwrap();
    child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "asked\n", "the process failed; see the console (--console)");
    child
}

fn khelper(args: &[&str]) -> String {
    let output = Command::new(KHELPER).args(args).env_clear().output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Looks again until `found`: a line is in the ledger soon after its event.
fn until(args: &[&str], found: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let said = khelper(args);
        if found(&said) {
            return said;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{args:?}: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn four_sentences(serial: &mut Serial) {
    asking::prepare();
    for folder in [UNIFIED, "/tmp/daemon", "/tmp/daemon/etc"] {
        std::fs::create_dir(folder).unwrap();
    }
    mount(Some("none"), UNIFIED, Some("cgroup2"), MsFlags::empty(), None::<&str>).unwrap();
    let mut daemon = Command::new(KHELPER)
        .args(["serve", "--watch-kernel", "--socket", SOCKET, "--ledger", LEDGER, "--config", "/tmp/daemon/etc"])
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let target = format!("unix:{SOCKET}/kernel");
    until(&["--target", &target, "status"], |said| said.contains("kernel watcher: since"));
    let id = "0123456789abcdef".repeat(4);
    let container = format!("kubepods.slice/kubepods-a.slice/cri-containerd-{id}.scope");
    let by = |name: &str, place: &str| (name.to_owned(), place.to_owned());
    let askers = [
        (0, "system.slice/nfs.service", by("mountd", "unit nfs.service")),
        (0, &*container, by("app", &format!("container cri-containerd {id}"))),
        (1000, "user.slice/user-1000.slice/nfs.service", by("liar", "claims unit nfs.service")),
        (1000, "", by("bash", "no unit")),
    ];
    let mut children = Vec::new();
    for (code, (uid, cgroup, (comm, place))) in (1..).zip(&askers) {
        let name = format!("{code}-e{code}");
        let child = ask(*uid, cgroup, comm, &name);
        let module = format!("algif-{name}");
        let said =
            until(&["--target", "kernel", "why", "--utc", "--ledger", LEDGER, &module], |said| said.contains("Exit "));
        let asked = format!("Asked by \"{comm}\" (pid {}, uid {uid}, {place}).", child.id());
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].contains(&format!(" module \"{module}\", ")) && lines[0].ends_with(&asked), "{said}");
        assert!(lines[1].starts_with("/sbin/modprobe") && lines[1].contains(" ran as pid "), "{said}");
        assert!(lines[2].starts_with(&format!("Exit {code} after ")), "{said}");
        children.push(child);
    }
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    let found = khelper(&["log", "--unit", "nfs.service", "--ledger", LEDGER]);
    assert!(found.lines().count() == 1 && found.contains("by \"mountd\" pid "), "{found}");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    serial.note("a unit, a container, a claim and a plain user: four right sentences");
}
