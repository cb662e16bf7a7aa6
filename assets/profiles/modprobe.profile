# modprobe and kmod: loads modules, reads its configuration, writes no file.
# It stays user root, so that it reads every file of modprobe.d. `install` lines that write files or need more than
# cap_sys_module fail.
capabilities = sys_module
read         = /etc /proc /sys -/run/modprobe.d -/dev/null
write        = -/dev/null
execute      = /usr /bin /sbin /lib -/lib64
