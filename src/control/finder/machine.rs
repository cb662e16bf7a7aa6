//! What a run may leave on the machine: modules, mounts and the host name.

use std::collections::BTreeSet;
use std::fs;

use crate::abi::escape::screen;

/// What was there when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    modules: BTreeSet<Vec<u8>>,
    mounts: BTreeSet<Vec<u8>>,
    name: Vec<u8>,
}

impl Machine {
    /// This machine; what cannot be read counts as empty.
    pub fn read() -> Self {
        let file = |path: &str| fs::read(path).unwrap_or_default();
        Self::of(&file("/proc/modules"), &file("/proc/self/mountinfo"), &file("/proc/sys/kernel/hostname"))
    }

    /// From the texts of /proc/modules, /proc/self/mountinfo (proc_pid_mountinfo(5)) and kernel.hostname.
    fn of(modules: &[u8], mounts: &[u8], name: &[u8]) -> Self {
        let field = |text: &[u8], at: usize| -> BTreeSet<Vec<u8>> {
            let lines = text.split(|b| *b == b'\n');
            lines
                .filter_map(|line| line.split(|b| *b == b' ').nth(at))
                .map(<[u8]>::to_vec)
                .filter(|f| !f.is_empty())
                .collect()
        };
        Self { modules: field(modules, 0), mounts: field(mounts, 4), name: name.trim_ascii_end().to_vec() }
    }

    /// What differs `now`, one text a change.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for (before, after, what, [come, gone]) in [
            (&self.modules, &now.modules, "the module ", [" is loaded", " is no longer loaded"]),
            (&self.mounts, &now.mounts, "", [" is a mount point", " is no longer a mount point"]),
        ] {
            let mut add = |from: &BTreeSet<Vec<u8>>, to: &BTreeSet<Vec<u8>>, is: &str| {
                all.extend(to.difference(from).map(|name| format!("{what}{}{is}", screen(name))));
            };
            add(before, after, come);
            add(after, before, gone);
        }
        if self.name != now.name {
            all.push(format!("the host name is {}", screen(&now.name)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_named() {
        let mounts = "36 35 98:0 / /mnt rw - ext4 /dev/root rw\n";
        let before = Machine::of(b"dummy 1 0 - Live 0x0\nveth 1 0 - Live 0x0\n", mounts.as_bytes(), b"host\n");
        assert!(before.changes(&before.clone()).is_empty());
        // The use count of a module changes all the time.
        assert!(before.changes(&Machine::of(b"dummy 1 9 -\nveth 2 0 -\n", mounts.as_bytes(), b"host")).is_empty());
        let after = Machine::of(b"dummy 1 0\nbr\x1b 1 0\n", b"36 35 98:0 / /a\\040b rw", b"other\n");
        assert_eq!(
            before.changes(&after),
            [
                "the module br\\x1b is loaded",
                "the module veth is no longer loaded",
                "/a\\\\040b is a mount point",
                "/mnt is no longer a mount point",
                "the host name is other"
            ]
        );
    }
}
