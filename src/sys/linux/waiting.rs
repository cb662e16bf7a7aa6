//! The threads that wait for a helper of the kernel, at this moment: a requester is blocked in
//! `call_usermodehelper_exec` until its helper has ended (/proc/TID/wchan, proc_pid_wchan(5)).

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use crate::abi::escape::screen;
use crate::sys::thread::spawn;

use super::requester::Facts;
use super::tasks::{Task, status_of};

/// What a requester waits in.
const REQUESTER: &[u8] = b"call_usermodehelper_exec";
/// What a kernel thread waits in that waits for a helper's end, by version.
const WORKER: [&[u8]; 2] = [b"do_wait", b"kernel_wait"];

/// Part of the name of the function that a reader of an empty pipe waits in.
const READER: &[u8] = b"pipe_read";
/// How often a thread that sleeps is looked at before its name counts as wrong, and for how long at most.
const LOOKS: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a reader is started that does not come to its read.
const TRIES: u32 = 3;

/// Who waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The threads that wait for a helper.
    pub requesters: Vec<i32>,
    /// The kernel threads that wait for the end of a helper: one a helper.
    pub workers: usize,
}

/// A requester, as its files in /proc say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiter {
    /// Its real user and group, if they are known. A thread of the kernel has none that counts.
    pub ids: Option<(u32, u32)>,
    /// Its program, user namespace, unit or container.
    pub facts: Facts,
}

impl Waiting {
    /// Looks at every thread that can be seen. Where the kernel does not tell what threads wait in, nobody waits.
    pub fn now() -> Self {
        let mut all = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let tasks = format!("/proc/{pid}/task");
            // A folder has a link for each folder in it, and two more.
            if fs::metadata(&tasks).is_ok_and(|folder| folder.nlink() <= 3) {
                all.look(pid);
                continue;
            }
            for thread in fs::read_dir(&tasks).into_iter().flatten().flatten() {
                thread
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok())
                    .into_iter()
                    .for_each(|tid| all.look(tid));
            }
        }
        all
    }

    fn look(&mut self, tid: i32) {
        let (place, length) = waits_in(tid);
        let place = &place[..length];
        if place.starts_with(REQUESTER) {
            self.requesters.push(tid);
        } else if WORKER.iter().any(|begin| place.starts_with(begin))
            && Task::of(tid).is_some_and(|task| task.is_kernel)
        {
            self.workers += 1;
        }
    }
}

/// The beginning of the name of the kernel's function that a thread waits in; `0` if it does not wait.
fn waits_in(tid: i32) -> ([u8; 32], usize) {
    let mut name = [0; 32];
    let length = File::open(format!("/proc/{tid}/wchan")).and_then(|mut file| file.read(&mut name)).unwrap_or(0);
    (name, length)
}

impl Waiter {
    /// What is known of a thread that waits, as the kernel's trace has told, if it is the one that asked by its start time.
    /// Nothing if it is a thread of the kernel, or was killed.
    pub fn traced(tid: i32, is_it: impl Fn(u64) -> bool) -> Self {
        let alive = || Task::of(tid).filter(|task| !task.is_kernel && !task.is_zombie && is_it(task.start_time));
        let read = || {
            let task = alive()?;
            let status = status_of(tid)?;
            let facts = Facts::of(tid, Some(task.start_time));
            // Read last: what was read is that thread's, and it is blocked since it asked.
            (alive()?.start_time == task.start_time).then_some(Self { ids: Some((status.uid, status.gid)), facts })
        };
        read().unwrap_or_default()
    }

    /// What is known of a thread that waits. Nothing, if it does not wait any more when it has been read: it was killed, and
    /// its number may be another's.
    pub fn of(tid: i32) -> Self {
        let read = || {
            let task = Task::of(tid).filter(|task| !task.is_kernel)?;
            let status = status_of(tid)?;
            let facts = Facts::of(tid, Some(task.start_time));
            let (place, length) = waits_in(tid);
            place[..length].starts_with(REQUESTER).then_some(Self { ids: Some((status.uid, status.gid)), facts })
        };
        read().unwrap_or_default()
    }
}

/// What this kernel says a reader of an empty pipe waits in, if that is wrong: then no requester is ever found. It is
/// looked at once. `None` as well if it cannot be tried.
pub fn misnamed() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND.get_or_init(|| tried().and_then(|name| wrong(&name))).clone()
}

/// What a reader of an empty pipe waits in. One that has not come to its read in time is tried again.
fn tried() -> Option<Vec<u8>> {
    (0..TRIES).find_map(|_| own_reader(looked_at))
}

/// The name, if a reader of a pipe does not wait there.
fn wrong(name: &[u8]) -> Option<String> {
    (!is_reader(name)).then(|| screen(name))
}

fn is_reader(name: &[u8]) -> bool {
    name.windows(READER.len()).any(|part| part == READER)
}

/// Looks at a thread of this process that reads an empty pipe.
fn own_reader(look: impl Fn(i32) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let (end, begin) = std::io::pipe().ok()?;
    let (told, tid) = mpsc::channel();
    let read = move || {
        let _ = told.send(nix::unistd::gettid().as_raw());
        let _ = (&end).read(&mut [0]);
    };
    let thread = spawn("khelper-reader", read).ok()?;
    let found = tid.recv().ok().and_then(look);
    drop(begin);
    let _ = thread.join();
    found
}

/// What a thread waits in that is about to read: the right name as soon as it is there, another one if it stays.
fn looked_at(tid: i32) -> Option<Vec<u8>> {
    let (began, mut looks) = (Instant::now(), 0);
    loop {
        let sleeps = Task::of(tid).is_none_or(|task| task.sleeps);
        let (name, length) = waits_in(tid);
        let name = name[..length].to_vec();
        // One that is about to sleep, and has lost its CPU, sleeps by its state and waits nowhere yet.
        looks += u32::from(sleeps && name != b"0");
        if is_reader(&name) || looks >= LOOKS {
            return Some(name);
        }
        if began.elapsed() >= PATIENCE {
            return sleeps.then_some(name);
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_wrong_unless_a_reader_of_a_pipe_waits_there() {
        for name in [&b"pipe_read"[..], b"anon_pipe_read", b"pipe_read.isra.0"] {
            assert_eq!(wrong(name), None);
        }
        for name in ["", "0", "do_wait", "pipe_write", "call_usermodehelper_exec"] {
            assert_eq!(wrong(name.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn the_kernel_of_this_machine_is_tried() {
        // The same thread, and the names that the kernel gives it and another one.
        let found = tried().unwrap();
        assert_eq!(misnamed(), wrong(&found));
        if found == b"0" {
            // Without CONFIG_KALLSYMS no thread has a name.
            return;
        }
        assert!(is_reader(&found), "{}", screen(&found));
        // A thread that sleeps elsewhere has another name, and it is given up soon.
        let (told, tid) = mpsc::channel();
        let (end, wait) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            told.send(nix::unistd::gettid().as_raw()).unwrap();
            wait.recv().unwrap_err();
        });
        let other = looked_at(tid.recv().unwrap());
        drop(end);
        thread.join().unwrap();
        assert!(other.is_none_or(|name| wrong(&name).is_some()));
    }

    #[test]
    fn a_thread_that_waits_for_something_else_is_no_requester() {
        let me = nix::unistd::gettid().as_raw();
        assert!(!Waiting::now().requesters.contains(&me));
        for tid in [me, -1, i32::MAX] {
            assert_eq!(Waiter::of(tid), Waiter::default());
        }
    }

    #[test]
    fn every_thread_of_a_process_is_looked_at() {
        // Blocked in a read of an empty pipe: its own name of a place, which only a look at that thread can give.
        let (end, begin) = std::io::pipe().unwrap();
        let (told, tid) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            told.send(nix::unistd::gettid().as_raw()).unwrap();
            let mut byte = [0];
            (&end).read(&mut byte).unwrap()
        });
        let tid = tid.recv().unwrap();
        let waits = || waits_in(tid);
        let (mut place, mut length) = waits();
        for _ in 0..10_000 {
            if place[..length].windows(9).any(|part| part == b"pipe_read") {
                break;
            }
            std::thread::yield_now();
            (place, length) = waits();
        }
        drop(begin);
        assert_eq!(thread.join().unwrap(), 0);
        if place[..length] == *b"0" {
            // Without privilege over itself a process is told nothing.
            return;
        }
        assert!(place[..length].windows(9).any(|part| part == b"pipe_read"), "{place:?}");
    }
}
