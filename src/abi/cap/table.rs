//! The table of capabilities, by bit (capabilities(7)).

/// One row of the table; its index is its bit.
#[derive(Clone, Copy, Debug)]
pub struct CapabilityInfo {
    /// `cap_sys_module`.
    pub name: &'static str,
    /// What it allows, in one line.
    pub meaning: &'static str,
    /// What breaks in a usermode helper without it, in one line.
    pub without: &'static str,
}

const fn row(name: &'static str, meaning: &'static str, without: &'static str) -> CapabilityInfo {
    CapabilityInfo { name, meaning, without }
}

/// Every capability this program has a name for, by bit.
pub const CAPABILITIES: [CapabilityInfo; 41] = [
    row(
        "cap_chown",
        "Change the owner and group of any file",
        "a file made for a user stays root's: chown(2) fails, EPERM",
    ),
    row(
        "cap_dac_override",
        "Bypass permission checks for file read, write, execute",
        "files of other users with closed modes cannot be opened or written",
    ),
    row(
        "cap_dac_read_search",
        "Bypass permission checks for reading files and searching",
        "another user's 0700 directory or 0600 file cannot be read",
    ),
    row(
        "cap_fowner",
        "Act as the owner of any file: chmod, utime, ACLs, sticky",
        "chmod and set-time on another user's file fail with EPERM",
    ),
    row(
        "cap_fsetid",
        "Keep set-id bits on change; set setgid for any group",
        "set-user-ID and set-group-ID bits vanish when it changes a file",
    ),
    row("cap_kill", "Send signals to any process", "a process of another user cannot be signalled"),
    row(
        "cap_setgid",
        "Set any group ids, supplementary groups included",
        "it cannot become another group or drop root's supplementary groups",
    ),
    row("cap_setuid", "Set any user ids", "it cannot become another user: su, or a daemon that drops root"),
    row(
        "cap_setpcap",
        "Drop from the bounding set; widen the inheritable set",
        "it cannot confine its own children by PR_CAPBSET_DROP",
    ),
    row("cap_linux_immutable", "Set the immutable and append-only attributes", "chattr +i and +a fail with EPERM"),
    row("cap_net_bind_service", "Bind to ports below 1024", "a daemon it starts cannot listen on ports 1 to 1023"),
    row(
        "cap_net_broadcast",
        "Receive netlink multicasts of every network namespace",
        "only that: NETLINK_LISTEN_ALL_NSID is refused",
    ),
    row(
        "cap_net_admin",
        "Configure interfaces, routes, firewall, queueing",
        "ip, nft and hooks that name or set up interfaces fail with EPERM",
    ),
    row("cap_net_raw", "Open raw and packet sockets", "ping by raw socket, arping and DHCP clients fail"),
    row(
        "cap_ipc_lock",
        "Lock memory without limit; huge pages by SHM_HUGETLB",
        "mlock past RLIMIT_MEMLOCK fails: a key handler's secrets may be swapped",
    ),
    row(
        "cap_ipc_owner",
        "Bypass permission checks on System V IPC objects",
        "another user's shared memory, semaphores and queues stay closed",
    ),
    row("cap_sys_module", "Load and unload kernel modules", "modprobe cannot insert or remove any module: EPERM"),
    row(
        "cap_sys_rawio",
        "I/O ports, /dev/mem, raw device commands",
        "iopl, ioperm and raw SCSI commands of disk tools fail",
    ),
    row(
        "cap_sys_chroot",
        "chroot(2), and setns into a mount namespace",
        "it cannot change root or enter a container's mount namespace",
    ),
    row(
        "cap_sys_ptrace",
        "Trace and inspect any process",
        "a core-dump handler cannot read another user's /proc/PID/mem or maps",
    ),
    row("cap_sys_pacct", "Switch process accounting on and off", "acct(2) fails; accounting stays as it is"),
    row(
        "cap_sys_admin",
        "Mount, namespaces, quotas, and a great deal more",
        "mount, swapon, most of cgroups and many ioctls fail with EPERM",
    ),
    row(
        "cap_sys_boot",
        "Reboot, and load a kernel for kexec",
        "poweroff and reboot helpers cannot act: reboot(2) fails",
    ),
    row(
        "cap_sys_nice",
        "Raise priority; set scheduling and affinity of any task",
        "it cannot raise its priority or reschedule another user's tasks",
    ),
    row(
        "cap_sys_resource",
        "Pass limits: rlimits, quotas, reserved blocks, pipe size",
        "it cannot raise hard limits or go past disk quotas",
    ),
    row(
        "cap_sys_time",
        "Set the system and hardware clocks",
        "a clock-setting helper fails: settimeofday and adjtimex, EPERM",
    ),
    row(
        "cap_sys_tty_config",
        "vhangup(2) and privileged console ioctls",
        "vhangup fails; console keyboard and font ioctls are refused",
    ),
    row("cap_mknod", "Make device nodes", "static nodes in /dev cannot be made: mknod fails with EPERM"),
    row("cap_lease", "Take leases on any file", "leases on other users' files are refused"),
    row(
        "cap_audit_write",
        "Write records to the kernel's audit log",
        "PAM, login and su leave no audit record, and some refuse to go on",
    ),
    row(
        "cap_audit_control",
        "Switch auditing and change its rules",
        "auditctl and auditd cannot set rules or the audit daemon's pid",
    ),
    row("cap_setfcap", "Set file capabilities", "setcap and package tools cannot give files their capabilities"),
    row(
        "cap_mac_override",
        "Override mandatory access control (Smack)",
        "under Smack its label is enforced in full; elsewhere nothing",
    ),
    row(
        "cap_mac_admin",
        "Change mandatory access control state or policy",
        "Smack rules, AppArmor profiles and some labels cannot be changed",
    ),
    row(
        "cap_syslog",
        "Privileged syslog(2); kernel addresses in /proc",
        "the kernel log cannot be cleared; kptr_restrict=1 hides addresses",
    ),
    row("cap_wake_alarm", "Set timers that wake the system", "timers that wake a sleeping machine are refused"),
    row(
        "cap_block_suspend",
        "Keep the system from suspending",
        "EPOLLWAKEUP has no effect and /sys/power/wake_lock is refused",
    ),
    row(
        "cap_audit_read",
        "Read the audit log by multicast netlink",
        "listening to audit records by multicast is refused",
    ),
    row(
        "cap_perfmon",
        "Performance monitoring: perf_event_open and its like",
        "perf of the kernel is refused unless cap_sys_admin is kept",
    ),
    row("cap_bpf", "Privileged BPF operations", "most BPF programs and maps are refused unless cap_sys_admin is kept"),
    row(
        "cap_checkpoint_restore",
        "Checkpoint and restore: chosen pids, ns_last_pid, map_files",
        "restoring with a chosen pid is refused unless cap_sys_admin is kept",
    ),
];
