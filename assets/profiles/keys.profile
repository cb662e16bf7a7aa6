# request-key and the handlers of keys that it runs. They may become the user whose key it is.
# request-key ends at once if it cannot open /dev/null for reading and writing.
# A handler whose work is to enter its requester's namespaces (cifs.upcall of a mount in a container) cannot be both
# stopped and kept working: it fails with this profile.
capabilities = setuid setgid dac_read_search
read         = /etc /proc /sys -/run -/tmp -/var/lib -/dev/null
write        = -/dev/null -/dev/log
execute      = /usr /bin /sbin /lib -/lib64
