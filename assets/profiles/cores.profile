# Handlers of core dumps: they read the core on stdin, and write below the usual folders of cores.
# Without cap_sys_ptrace a handler does not see the memory maps and open files of other users' processes.
capabilities = setuid setgid dac_read_search kill
read         = /etc /proc /sys -/run -/dev/null
write        = -/dev/null -/run/systemd -/var/lib/systemd/coredump -/var/lib/apport -/var/crash -/var/log
execute      = /usr /bin /sbin /lib -/lib64
