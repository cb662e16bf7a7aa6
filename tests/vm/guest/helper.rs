//! The helper: tells how it was born, then does what the scenario says. Both sides are given the same one.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use khelper::sys::probe::Report;
use nix::unistd::{ForkResult, fork};
use serde::{Deserialize, Serialize};

use super::attributes::{self, Attributes};
use super::place::{OUT, THEN};

/// What a helper wrote down, or what a caller would pass on to one by fork(2).
#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    pub report: Report,
    /// What the report does not have.
    pub attributes: Attributes,
    /// Whether its parent is a thread of the kernel.
    pub kernel_parent: bool,
    /// Its cgroup.
    pub cgroup: String,
    /// Its namespaces: what each link says.
    pub namespaces: BTreeMap<String, String>,
}

impl Facts {
    fn new(report: Report, attributes: Attributes) -> Self {
        let (kernel_parent, cgroup) = (is_kernel_thread(report.ppid), cgroup());
        Self { kernel_parent, cgroup, namespaces: namespaces("self"), report, attributes }
    }

    /// What this process would pass on: seen in a child, because to look at it changes some of it. This process has
    /// one thread.
    pub fn of_a_child() -> Self {
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        // SAFETY: this process has one thread.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                // A panic must not go on in what the parent was about to do.
                let tell =
                    || std::fs::File::from(write).write_all(&serde_json::to_vec(&Self::of_this_child()).unwrap());
                let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell));
                // SAFETY: ends the child without running what belongs to its parent.
                unsafe { libc::_exit(i32::from(!matches!(told, Ok(Ok(()))))) }
            }
            ForkResult::Parent { child } => {
                drop(write);
                let facts = serde_json::from_reader(std::fs::File::from(read)).expect("the child tells its facts");
                // Where SIGCHLD is ignored there is nothing to reap.
                let _ = nix::sys::wait::waitpid(child, None);
                facts
            }
        }
    }

    fn of_this_child() -> Self {
        let attributes = attributes::gather();
        // A process that has changed its user may not read its own environment and links. That it is not dumpable is
        // among the attributes by now.
        nix::sys::prctl::set_dumpable(true).unwrap();
        Self::new(Report::gather().unwrap(), attributes)
    }
}

pub fn main() -> ExitCode {
    let then = std::fs::read_to_string(THEN).unwrap();
    // The report comes first: it lists the open files.
    let report = Report::gather().unwrap();
    let facts = Facts::new(report, attributes::gather());
    // Named by its time too: a pid may come again.
    let file = format!("{OUT}/{:020}-{}", super::now(), std::process::id());
    std::fs::write(&file, serde_json::to_string(&facts).unwrap()).unwrap();
    act(then.trim())
}

/// PF_KTHREAD among the flags, the 9th field of /proc/PID/stat.
fn is_kernel_thread(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let flags = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse::<u32>().ok());
    flags.is_some_and(|f| f & 0x0020_0000 != 0)
}

/// That of the unified hierarchy.
fn cgroup() -> String {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix("0::")).unwrap_or("none").to_owned()
}

/// `mnt` to `mnt:[4026531841]`.
pub fn namespaces(of: &str) -> BTreeMap<String, String> {
    let Ok(listed) = std::fs::read_dir(format!("/proc/{of}/ns")) else { return BTreeMap::new() };
    let link = |path: std::path::PathBuf| std::fs::read_link(path).ok()?.into_os_string().into_string().ok();
    listed.filter_map(|e| e.ok()).filter_map(|e| Some((e.file_name().into_string().ok()?, link(e.path())?))).collect()
}

fn act(then: &str) -> ExitCode {
    let (what, with) = then.split_once(' ').unwrap_or((then, ""));
    match what {
        "exit" => ExitCode::from(with.parse::<u8>().unwrap()),
        "signal" => {
            let signal: i32 = with.parse().unwrap();
            // SAFETY: a default action and our own pid; KILL cannot be set and need not be.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::kill(libc::getpid(), signal);
            }
            ExitCode::from(99)
        }
        "load" => {
            // MODULE_INIT_COMPRESSED_FILE
            let kinds = [(".ko", 0), (".ko.xz", 4)];
            let open = |(kind, flags)| Some((std::fs::File::open(format!("{with}{kind}")).ok()?, flags));
            let Some((module, compressed)) = kinds.into_iter().find_map(open) else { return ExitCode::from(98) };
            use std::os::fd::AsRawFd;
            // SAFETY: a descriptor that is open, no parameters, a flag.
            let loaded = unsafe { libc::syscall(libc::SYS_finit_module, module.as_raw_fd(), c"".as_ptr(), compressed) };
            ExitCode::from(u8::from(loaded != 0))
        }
        other => panic!("a helper cannot `{other}`"),
    }
}
