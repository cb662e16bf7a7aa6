//! Makes the kernel start helpers of four kinds, and collects what the helpers and the requesters recorded.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};

use super::HELPER;

pub const LOG: &str = "/tmp/log";
const HIERARCHY: &str = "/cg";

/// What the kernel is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file system of an unknown type: modprobe.
    Module,
    /// A key that nobody has: request-key.
    Key,
    /// A process dies of SIGABRT: core_pattern.
    Core,
    /// A cgroup of version 1 becomes empty: its release agent.
    Agent,
}

pub const KINDS: [Kind; 4] = [Kind::Module, Kind::Key, Kind::Core, Kind::Agent];

impl Kind {
    /// As the helper notes it.
    pub const fn word(self) -> &'static str {
        ["module", "key", "core", "agent"][self as usize]
    }
    /// As the watch says it.
    pub const fn cause(self) -> &'static str {
        ["module", "other", "other", "release_agent"][self as usize]
    }
    /// The file that is executed.
    pub const fn file(self) -> &'static str {
        ["/sbin/modprobe", "/sbin/request-key", HELPER, HELPER][self as usize]
    }
}

/// What a requester recorded.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub kind: Kind,
    pub tid: i32,
    /// How its helper was told to end.
    pub status: i32,
}

/// Sets up what the kernel runs.
pub fn prepare() {
    fs::write(LOG, "").unwrap();
    // Readable and writable by every user: helpers are root's, requesters are not.
    fs::write("/proc/sys/kernel/core_pattern", format!("|{HELPER} core %e")).unwrap();
    let none = Some("none");
    mount(none, HIERARCHY, Some("cgroup"), MsFlags::empty(), Some("none,name=khelper")).unwrap();
    fs::write(Path::new(HIERARCHY).join("release_agent"), HELPER).unwrap();
    fs::write(Path::new(HIERARCHY).join("notify_on_release"), "1").unwrap();
}

/// The end of a helper, as the helper reads it, and its raw status.
fn end_of(number: usize) -> (String, i32) {
    match number % 5 {
        0 => ("k9".to_owned(), 9),
        1 => ("e0".to_owned(), 0),
        _ => (format!("e{}", number % 251), i32::try_from(number % 251).unwrap() << 8),
    }
}

/// Starts helpers `from..to`, the kinds in turn, from a thread for each kind.
pub fn start(from: usize, to: usize) -> HashMap<usize, Asked> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = KINDS
            .into_iter()
            .enumerate()
            .map(|(at, kind)| {
                scope.spawn(move || {
                    let numbers = (from..to).filter(move |number| number % KINDS.len() == at);
                    numbers.map(|number| (number, one(kind, number))).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn one(kind: Kind, number: usize) -> Asked {
    let (end, status) = end_of(number);
    let word = format!("{number}-{end}");
    let own = nix::unistd::gettid().as_raw();
    let tid = match kind {
        Kind::Module => {
            module(&word);
            own
        }
        Kind::Key => {
            request_key(&word);
            own
        }
        Kind::Core => crash(&word),
        Kind::Agent => {
            empty_cgroup(&word);
            own
        }
    };
    Asked { kind, tid, status }
}

/// Asks for the module `fs-NAME`.
pub fn module(name: &str) {
    let _ = rustix::mount::fsopen(name, rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC);
}

/// Asks for a key of the type `user`. Returns its payload, if somebody has instantiated it.
pub fn request_key(description: &str) -> Option<String> {
    const PROCESS_KEYRING: libc::c_long = -2;
    const KEYCTL_READ: libc::c_long = 11;
    let description = std::ffi::CString::new(description).unwrap();
    // SAFETY: three strings that live during the call, and the number of this process's keyring, which possesses the key.
    let key = unsafe {
        let words = [c"user", &description, c"x"].map(std::ffi::CStr::as_ptr);
        libc::syscall(libc::SYS_request_key, words[0], words[1], words[2], PROCESS_KEYRING)
    };
    let mut payload = [0; 512];
    // SAFETY: a buffer that lives during the call, and its length.
    let length = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_READ, key, payload.as_mut_ptr(), payload.len(), 0) };
    let length = usize::try_from(length).ok().filter(|_| key > 0)?;
    Some(String::from_utf8(payload[..length].to_vec()).unwrap())
}

/// A process of that name dies of SIGABRT.
pub fn crash(name: &str) -> i32 {
    let mut process = Command::new(HELPER).args(["crash", name]).stdin(Stdio::null()).spawn().unwrap();
    process.wait().unwrap();
    process.id().cast_signed()
}

/// The release agent of a cgroup of that name is run.
pub fn empty_cgroup(name: &str) {
    let cgroup = Path::new(HIERARCHY).join(name);
    fs::create_dir(&cgroup).unwrap();
    fs::write(cgroup.join("tasks"), "0").unwrap();
    fs::write(Path::new(HIERARCHY).join("tasks"), "0").unwrap();
}

/// What the helpers noted: kind and number by pid.
pub fn noted() -> HashMap<i32, Vec<(String, usize)>> {
    let text = fs::read_to_string(LOG).unwrap();
    let mut all: HashMap<i32, Vec<(String, usize)>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (pid, kind, word) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let number = word.split('-').next().unwrap().parse();
        let number = number.unwrap_or_else(|_| panic!("a helper noted {line:?}"));
        all.entry(pid.parse().unwrap()).or_default().push((kind.to_owned(), number));
    }
    all
}

/// Looks again until every helper has noted itself; there is no event to wait for.
pub fn until_noted(count: usize) {
    let began = Instant::now();
    while fs::read_to_string(LOG).unwrap().lines().count() < count {
        assert!(began.elapsed() < Duration::from_secs(300), "the helpers have not come in five minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A command of an ordinary user without groups.
pub fn ordinary(program: &str) -> Command {
    let mut command = Command::new(program);
    command.uid(1000).gid(1000);
    command
}
