//! UMH-9: the system calls that a helper's process makes before its program, counted with ptrace(2). Each of them is
//! part of every launch.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::collections::{HashMap, HashSet};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::{io, ptr};

use common::skipped;
use libc::{c_int, c_long, c_uint, pid_t};

/// `struct ptrace_syscall_info` (ptrace(2)) in words: the kind of the stop is in the first byte, the number of the call
/// in the fourth word, and its arguments follow.
type Call = [u64; 11];
const ENTRY: u8 = 1;
const NUMBER: usize = 3;

/// What a child did between its creation and its exec.
#[derive(Debug)]
struct Child {
    /// The signals that its parent ignored when the child was created, signal 1 in bit 0.
    ignored: u64,
    calls: Vec<Call>,
}

impl Child {
    fn count(&self, number: c_long) -> usize {
        self.calls.iter().filter(|call| call[NUMBER] == u64::try_from(number).unwrap()).count()
    }
}

fn ptrace(request: c_uint, pid: pid_t, address: usize, data: usize) -> io::Result<c_long> {
    // SAFETY: the requests of this file take integers, or a buffer that lives as long as the call.
    let result = unsafe { libc::ptrace(request, pid, address, data) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn ignored_by(pid: pid_t) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// The tasks of one traced program. Its threads run on; new processes stop at each system call until they exec.
#[derive(Default)]
struct Tracer {
    children: HashMap<pid_t, Child>,
    /// Children that have executed their program.
    done: Vec<Child>,
    /// Tasks that stopped before the event of their creation was seen.
    early: HashSet<pid_t>,
    /// Threads, which are known by that event.
    threads: HashSet<pid_t>,
}

impl Tracer {
    /// Runs the program to its end. Fails if it cannot be traced.
    fn run(mut self, command: &mut Command) -> io::Result<Vec<Child>> {
        // SAFETY: one system call on constants.
        unsafe { command.pre_exec(|| ptrace(libc::PTRACE_TRACEME, 0, 0, 0).map(drop)) };
        let main = pid_t::try_from(command.spawn()?.id()).unwrap();
        let mut status = 0;
        // SAFETY: the status is written to this stack. The exec of the program stops it.
        assert_eq!(unsafe { libc::waitpid(main, &raw mut status, libc::__WALL) }, main);
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL;
        ptrace(libc::PTRACE_SETOPTIONS, main, 0, options.try_into().unwrap())?;
        self.threads.insert(main);
        ptrace(libc::PTRACE_CONT, main, 0, 0)?;
        loop {
            // SAFETY: the status is written to this stack; this thread has no other children.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
            assert!(pid > 0, "{}", io::Error::last_os_error());
            if libc::WIFSTOPPED(status) {
                self.stopped(pid, status);
            } else if pid == main {
                assert_eq!(status, 0, "the program has failed");
                return Ok(self.done);
            }
        }
    }

    fn stopped(&mut self, pid: pid_t, status: c_int) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        match event {
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                let mut new: libc::c_ulong = 0;
                ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, (&raw mut new).expose_provenance()).unwrap();
                let new = pid_t::try_from(new).unwrap();
                if event == libc::PTRACE_EVENT_CLONE {
                    self.threads.insert(new);
                } else {
                    self.children.insert(new, Child { ignored: ignored_by(pid), calls: Vec::new() });
                }
                if self.early.remove(&new) {
                    self.resume(new, 0);
                }
                self.resume(pid, 0);
            }
            libc::PTRACE_EVENT_EXEC => {
                self.done.extend(self.children.remove(&pid));
                ptrace(libc::PTRACE_DETACH, pid, 0, 0).unwrap();
            }
            _ if signal == libc::SIGTRAP | 0x80 => {
                let mut call: Call = [0; 11];
                ptrace(
                    libc::PTRACE_GET_SYSCALL_INFO,
                    pid,
                    size_of::<Call>(),
                    ptr::from_mut(&mut call).expose_provenance(),
                )
                .unwrap();
                if call[0].to_ne_bytes()[0] == ENTRY
                    && let Some(child) = self.children.get_mut(&pid)
                {
                    child.calls.push(call);
                }
                self.resume(pid, 0);
            }
            _ if !self.children.contains_key(&pid) && !self.threads.contains(&pid) => {
                self.early.insert(pid);
            }
            // A new task begins with this stop; nothing else here stops one.
            _ if signal == libc::SIGSTOP => self.resume(pid, 0),
            _ => self.resume(pid, signal),
        }
    }

    fn resume(&self, pid: pid_t, signal: c_int) {
        let request = if self.children.contains_key(&pid) { libc::PTRACE_SYSCALL } else { libc::PTRACE_CONT };
        // An error means that it has been killed since.
        let _ = ptrace(request, pid, 0, signal.try_into().unwrap());
    }
}

/// A launch once reset all 64 signals, one call each, of which nearly all had their default action already.
#[test]
fn umh_9_a_child_resets_the_ignored_signals_and_makes_few_other_calls() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.args(["--set", "kernel.modprobe=/bin/true", "request", "--repeat", "3", "dummy"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let children = match Tracer::default().run(&mut command) {
        Ok(children) => children,
        Err(e) => return skipped(&format!("UMH-9: this process may not trace another: {e}")),
    };
    assert_eq!(children.len(), 3, "{children:?}");
    for child in &children {
        // Rust programs ignore SIGPIPE.
        assert_ne!(child.ignored & 1 << (libc::SIGPIPE - 1), 0, "{:x}", child.ignored);
        let resets = child.count(libc::SYS_rt_sigaction);
        assert_eq!(resets, usize::try_from(child.ignored.count_ones()).unwrap(), "{child:?}");
        for (call, times) in [
            (libc::SYS_setsid, 1),
            (libc::SYS_chdir, 1),
            (libc::SYS_umask, 1),
            (libc::SYS_keyctl, 1),
            (libc::SYS_dup3, 3),
            (libc::SYS_rt_sigprocmask, 1),
            (libc::SYS_execve, 1),
        ] {
            assert_eq!(child.count(call), times, "call {call}: {child:?}");
        }
        // Where the engine may have no descriptor table of its own or has another oom_score_adj, a few more.
        let others = child.calls.len() - resets;
        assert!(others <= 20, "{others} other calls: {child:?}");
    }
}
