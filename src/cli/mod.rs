//! Floor 4: the command line: arguments, sysctl-style output, JSON, exit codes. Peer of `tui`.
#![forbid(unsafe_code)]
