//! The threads that wait for a helper of the kernel, at this moment: a requester is blocked in
//! `call_usermodehelper_exec` until its helper has ended (/proc/TID/wchan, proc_pid_wchan(5)).

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use super::requester::Facts;
use super::tasks::{Task, status_of};

/// What a requester waits in.
const REQUESTER: &[u8] = b"call_usermodehelper_exec";
/// What a kernel thread waits in that waits for a helper's end, by version.
const WORKER: [&[u8]; 2] = [b"do_wait", b"kernel_wait"];

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

#[cfg(test)]
mod tests {
    use super::*;

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
