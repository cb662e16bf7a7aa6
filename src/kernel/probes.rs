//! Two probes of the function `cap_capable`, for kernels before 6.18, which have no event of that name: one where it is
//! entered, which tells the capability, and one where it returns, which tells whether the process has it.
//!
//! Probes belong to the whole kernel and have no owner, so their group's name has the pid and the start time of the process
//! that made them. What a killed process left is removed by the next one that makes probes.

use std::str;

use super::setup::{is_left_behind, name};
use crate::abi::error::SysError;
use crate::sys::linux::tracefs::Tracefs;

/// Where tracefs lists probes.
const LIST: &str = "kprobe_events";
/// The names of the two events.
pub(super) const ASKED: &str = "cap_asked";
pub(super) const ANSWERED: &str = "cap_answered";

/// Both probes; dropping them removes them. No instance may use them any more then.
#[derive(Debug)]
pub(super) struct Probes {
    tracefs: Tracefs,
    group: String,
}

impl Probes {
    /// Makes them. The third argument of `cap_capable` is the capability, and it returns 0 if the process has it.
    ///
    /// # Errors
    /// `ENOENT` if the kernel has no such probes, `EPERM` if it is locked down.
    pub(super) fn make(tracefs: Tracefs) -> Result<Self, SysError> {
        remove_left_behind(&tracefs)?;
        // The name of a group has no hyphen.
        let probes = Self { tracefs, group: name().replace('-', "_") };
        let Self { tracefs, group } = &probes;
        tracefs.append(LIST, &format!("p:{group}/{ASKED} cap_capable cap=$arg3:s32"))?;
        tracefs.append(LIST, &format!("r:{group}/{ANSWERED} cap_capable ret=$retval:s32"))?;
        Ok(probes)
    }

    /// The folders of the two events.
    pub(super) fn events(&self) -> [String; 2] {
        [ASKED, ANSWERED].map(|event| format!("{}/{event}", self.group))
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for event in self.events() {
            // What is not there was not made.
            let _ = self.tracefs.append(LIST, &format!("-:{event}"));
        }
    }
}

/// Removes the probes of processes that are gone. Those that another pid namespace uses stay (`EBUSY`).
fn remove_left_behind(tracefs: &Tracefs) -> Result<(), SysError> {
    let list = tracefs.read(LIST)?;
    for event in left_behind(&String::from_utf8_lossy(&list), is_left_behind) {
        let _ = tracefs.append(LIST, &format!("-:{event}"));
    }
    Ok(())
}

/// The events in a list of probes whose group is one of `is_left`: `p:GROUP/EVENT cap_capable cap=$arg3:s32`.
fn left_behind(list: &str, is_left: impl Fn(&[u8]) -> bool) -> Vec<&str> {
    let events = list.lines().filter_map(|line| line.split_ascii_whitespace().next()?.split_once(':'));
    let ours =
        |event: &&str| event.split_once('/').is_some_and(|(group, _)| is_left(group.replace('_', "-").as_bytes()));
    events.map(|(_, event)| event).filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probes_of_a_process_that_is_gone_are_left_behind() {
        let own = name().replace('-', "_");
        let list = format!(
            "p:khelper_1_1/cap_asked cap_capable cap=$arg3:s32\n\
             r4:khelper_1_1/cap_answered cap_capable ret=$retval:s32\n\
             p:{own}/cap_asked cap_capable cap=$arg3:s32\n\
             p:kprobes/p_vfs_read_0 vfs_read\n\
             p:khelper_1_1\n\
             nothing\n"
        );
        assert_eq!(left_behind(&list, is_left_behind), ["khelper_1_1/cap_asked", "khelper_1_1/cap_answered"]);
    }
}
