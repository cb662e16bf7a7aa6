//! A signal to a helper of the kernel.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::sys::process;

use super::store::Store;

/// Sends a signal to the process of a helper that runs, and to no other process: it is named by its pid and by its
/// start, and held by a descriptor (pidfd_send_signal(2)) before it is compared. The kernel's helpers have no process
/// group of their own.
pub(super) fn kill(store: &Store, id: u64, signal: i32, by: &Arc<Actor>) -> Result<(), ControlError> {
    let no = |errno, why: String, advice: &'static str| EngineError::new(Stage::Lost, errno, why, advice).into();
    let Some(running) = store.running(id) else {
        return Err(match store.knows(id) {
            true => no(Errno::ESRCH, format!("helper #{id} has ended"), "`ps` lists what runs"),
            false => no(Errno::ESRCH, format!("there is no helper #{id}"), "`ps` lists what runs"),
        });
    };
    let pid = running.record.pid.unwrap_or_default();
    let Some(start_time) = running.start_time else {
        let why = format!("helper #{id} (pid {pid}) cannot be told from a later process with its number");
        return Err(no(Errno::ESRCH, why, "it may have ended: `ps` lists what runs"));
    };
    let sent = process::open(pid, start_time).and_then(|process| process::signal(&process, signal));
    match sent {
        Ok(()) => {
            store.signalled(&running, pid, signal, by.clone());
            Ok(())
        }
        Err(Errno::ESRCH) => Err(no(Errno::ESRCH, format!("helper #{id} has ended"), "`ps` lists what runs")),
        Err(Errno::EPERM) => {
            let why = format!("helper #{id} (pid {pid}) may not be signalled by uid {}", by.uid);
            Err(no(Errno::EPERM, why, "the kernel's helpers run as root: run khelper as root"))
        }
        Err(errno) => {
            let why = format!("no signal could be sent to helper #{id} (pid {pid}): {}", errno.desc());
            Err(no(errno, why, "see pidfd_send_signal(2)"))
        }
    }
}
