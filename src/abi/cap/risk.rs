//! What a faulty or compromised helper can do with each capability, by bit.

use super::{CAPABILITIES, Capability};

/// By bit, in the order of [`CAPABILITIES`].
const RISKS: [&str; CAPABILITIES.len()] = [
    "as good as root: it can make itself the owner of /etc/shadow, or of any program that root runs",
    "as good as root: it can rewrite any file, programs and passwords among them",
    "it can read every secret on the machine: keys, password hashes, other users' files",
    "as good as root: it can open up any file by chmod, and mark programs set-user-ID",
    "a program that it overwrites can keep its set-user-ID bit: somebody else's right to run as root changes hands",
    "it can stop or kill any process, security services and databases among them",
    "it can join any group: those of disks, memory, the shadow file or containers are as good as root",
    "as good as root where others are root: it can act as any user of the machine",
    "low by itself: it can only pass on or drop what it has; but it defeats a parent that relies on that",
    "it can lift the protection of append-only logs, and make files that not even root removes without a search",
    "it can take the place of a stopped service on a well-known port and collect what clients send",
    "low: it overhears announcements of other network namespaces",
    "it can redirect or cut all traffic of the machine: routes, firewall, interfaces",
    "it can read all traffic on the wire and forge packets from any address",
    "it can pin memory until the machine runs short of it",
    "it can read and change what other users' programs share in memory, such as a database's buffers",
    "as good as the kernel: a module of its own can do anything, and hide that it did",
    "as good as the kernel: it can read and write physical memory, ports and disks below every file system",
    "it can prepare a root directory with forged libraries, for a set-user-ID program to trust",
    "as good as root: it can read the memory of every process and inject code into it",
    "low: it can hide what ran from process accounting, or fill a disk with it",
    "as good as root: mounts, namespaces, devices and much more; dropping other bits is useless while this one stays",
    "it can shut the machine down at once, or start another kernel by kexec",
    "it can starve everything else of the processor by real-time priority",
    "it can eat disk space, processes and memory beyond every limit that was set",
    "it can shift the clock: certificates, tickets, logs and timers are wrong from then on",
    "it can disturb the people at the console, and hang up their terminals",
    "as good as root where it can also open what it makes: a disk's device node bypasses all file permissions",
    "low: it can make openers of a file wait for a while",
    "it can put false records into the audit log, and crowd out true ones",
    "it can switch auditing off and change its rules: nothing that follows is recorded",
    "as good as root: it can give any capability to any program, to be run by anybody",
    "under Smack it can override every label; elsewhere none",
    "it can remove the policy of Smack or AppArmor, and with it every confinement",
    "it can learn where the kernel lies in memory, which makes attacks on it far easier, and clear its log",
    "low: it can wake a sleeping machine and drain its battery",
    "low: it can keep a machine awake and drain its battery",
    "it can read the audit log as it is written: names, arguments, who did what",
    "it can observe kernel and processes closely enough to guess keys by their timing",
    "near the kernel: its programs can read kernel memory and watch what everybody does, and so can flaws in their checker",
    "it can choose its pid, and so impersonate a process that others know by number",
];

impl Capability {
    /// What can go wrong if a helper has it; `None` for a capability newer than this program.
    pub fn risk(self) -> Option<&'static str> {
        RISKS.get(usize::from(self.bit())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_capability_has_a_sentence_of_its_own() {
        let all: HashSet<_> = RISKS.iter().collect();
        assert_eq!(all.len(), 41);
        for (info, risk) in CAPABILITIES.iter().zip(RISKS) {
            assert!(risk.len() > 20 && !risk.ends_with('.'), "{}: {risk}", info.name);
        }
        assert_eq!(Capability::from_bit(41).and_then(Capability::risk), None);
        assert!(Capability::SYS_MODULE.risk().is_some_and(|risk| risk.contains("module")));
    }
}
