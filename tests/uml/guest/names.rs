//! Names that an ordinary user chose: of modules, of processes, of cgroups, of executables.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use khelper::abi::escape::unescape;
use serde_json::Value;

use super::asking::{self, ordinary};
use super::init::Serial;
use super::watching::Watching;
use super::{HELPER, OWN};

/// First argument of the process of the ordinary user.
pub const USER: &str = "khelper-guest-user";

/// Each is a name of a module's suffix, of a process, of a cgroup or of a file.
const HOSTILE: [&[u8]; 8] = [
    b"a\n2 kernel",
    b"\x1b]0;x\x07",
    b"\xc2\x9b31m",
    b"\"},{\"v\":1",
    b"\xff\xfe\x80",
    "\u{202e}x\u{2028}".as_bytes(),
    b"\\x1b\\n 'q'",
    b"\r\x08\x7fz",
];

/// The names in which a cgroup may be called: the kernel refuses a newline there.
fn cgroups() -> impl Iterator<Item = &'static [u8]> {
    HOSTILE.into_iter().filter(|name| !name.contains(&b'\n'))
}

/// The other process: an ordinary user's. It takes each name, asks for a module of that name, and dies as a process of
/// that name; then it waits for the end of its standard input, so that its files can be read.
pub fn user() -> ExitCode {
    for name in HOSTILE {
        std::fs::write("/proc/thread-self/comm", name).unwrap();
        module(name);
    }
    for name in HOSTILE {
        let file = Path::new("/tmp/user").join(std::ffi::OsStr::from_bytes(name));
        std::fs::copy(HELPER, &file).unwrap();
        let word = std::ffi::OsStr::from_bytes(name);
        Command::new(&file).arg("crash").arg(word).stdin(Stdio::null()).status().unwrap();
    }
    for name in cgroups() {
        let cgroup = Path::new("/cg/user").join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir(&cgroup).unwrap();
        std::fs::write(cgroup.join("notify_on_release"), "1").unwrap();
        std::fs::write(cgroup.join("tasks"), "0").unwrap();
        std::fs::write("/cg/user/tasks", "0").unwrap();
    }
    println!("done");
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}

/// `algif-NAME`: any user may bind a socket of AF_ALG.
pub fn module(name: &[u8]) {
    // SAFETY: integers, and an address that lives during the call, whose unused bytes are zero.
    unsafe {
        let socket = libc::socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0);
        assert!(socket >= 0, "AF_ALG: {}", std::io::Error::last_os_error());
        let mut address: libc::sockaddr_alg = std::mem::zeroed();
        address.salg_family = u16::try_from(libc::AF_ALG).unwrap();
        address.salg_type[..name.len()].copy_from_slice(name);
        address.salg_name[0] = b'x';
        let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap();
        libc::bind(socket, (&raw const address).cast(), length);
        libc::close(socket);
    }
}

pub fn forge_nothing(serial: &mut Serial) {
    asking::prepare();
    std::fs::write("/proc/sys/kernel/core_pattern", format!("|{HELPER} core %e %E")).unwrap();
    std::fs::create_dir("/tmp/user").unwrap();
    std::fs::create_dir("/cg/user").unwrap();
    for path in ["/tmp/user", "/cg/user", "/cg/user/tasks", "/cg/user/cgroup.procs"] {
        std::os::unix::fs::chown(path, Some(1000), Some(1000)).unwrap();
    }
    std::fs::write("/cg/user/notify_on_release", "0").unwrap();
    let (mut words, mut json) = (Watching::khelper(false), Watching::khelper(true));
    let mut user = ordinary(OWN);
    let mut user = user.arg(USER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let helpers = 2 * HOSTILE.len() + cgroups().count();
    // Every request is made, and served, when this line comes.
    let mut done = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(user.stdout.take().unwrap()), &mut done).unwrap();
    assert_eq!(done, "done\n", "the user's process failed; see the console (--console)");
    let raw: Vec<String> = (0..helpers).map(|_| json.line()).collect();
    let text: Vec<String> = (0..helpers).map(|_| words.line()).collect();
    drop(user.stdin.take());
    assert!(user.wait().unwrap().success());
    let (words, json) = (words.end(), json.end());
    assert_eq!((words.rest.len(), json.rest.len()), (0, 0), "more lines than helpers");
    for line in &text {
        let mut parts = line.splitn(4, ' ');
        let is_number = parts.next().unwrap().parse::<u64>().is_ok();
        assert!(is_number && parts.nth(1) == Some("kernel") && parts.next().unwrap().starts_with('#'), "{line:?}");
        assert!(!line.chars().any(is_hostile), "{line:?}");
    }
    raw.iter().for_each(|line| assert!(!line.chars().any(is_hostile), "{line:?}"));
    let lines: Vec<Value> = raw.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bytes = |value: &Value| value.as_str().map(|text| unescape(text).unwrap());
    let modules: Vec<Vec<u8>> = lines.iter().filter_map(|line| bytes(&line["module"])).collect();
    let wanted: Vec<Vec<u8>> = HOSTILE.iter().map(|name| [b"algif-", *name].concat()).collect();
    assert_eq!(modules, wanted);
    let mut known = 0;
    for line in lines.iter().filter(|line| !line["module"].is_null()) {
        let by = &line["requester"];
        assert_eq!((&by["uid"], &by["unit"], &by["container"]), (&1000.into(), &Value::Null, &Value::Null), "{line}");
        let comm = bytes(&by["comm"]).unwrap();
        // It has the name of a later module when it was not read at once.
        assert!(HOSTILE.contains(&&comm[..]), "{line}");
        known += 1;
    }
    serial.note(&format!("{helpers} helpers for hostile names, one line each, {known} requesters of uid 1000"));
}

/// What may not reach a terminal.
fn is_hostile(c: char) -> bool {
    c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ['\u{2028}', '\u{2029}', '\u{fffd}'].contains(&c)
}
