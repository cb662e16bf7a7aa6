//! Threads. Starting one by `std::thread::Builder` is a kilobyte of code for every function that it runs; here it is
//! compiled once.

use std::io;
use std::thread::{Builder, JoinHandle};

/// The usual stack of a thread, in bytes.
const STACK: usize = 2 << 20;
/// The nice value of a thread that must not be late.
const NICE: i32 = -15;

/// Starts a thread of this name; proc_pid_comm(5) shows its first 15 bytes.
///
/// # Errors
/// `EAGAIN`: too many threads. `work` is dropped.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    boxed(name, STACK, Box::new(work))
}

/// The same, with a stack of this size in bytes.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    boxed(name, stack, Box::new(work))
}

/// Lets this thread run before others, if the privilege is there. It must start no process, which would do the same.
pub fn hurry() {
    // None means this thread alone.
    let _ = rustix::process::setpriority_process(None, NICE);
}

#[inline(never)]
fn boxed(name: &str, stack: usize, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).stack_size(stack).spawn(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_name() {
        let (told, name) = std::sync::mpsc::channel();
        let work = move || told.send(std::thread::current().name().map(str::to_owned)).unwrap();
        spawn("a-name", work).unwrap().join().unwrap();
        assert_eq!(name.recv().unwrap().as_deref(), Some("a-name"));
    }
}
