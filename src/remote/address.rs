//! The socket of a daemon.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::abi::escape::screen;
use crate::control::target::{LinkState, TargetInfo, TargetKind};
use crate::wire::client::Info;
use crate::wire::path::{SYSTEM, default_path};

/// Where a daemon can be reached, and the name that the operator gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The socket.
    pub path: PathBuf,
    /// `unix:PATH`, escaped; empty for a usual socket.
    name: String,
    /// The watch of the kernel behind the daemon, not its engine.
    pub(super) kernel: bool,
}

impl Address {
    /// The usual socket: that of root's daemon; for an ordinary user the own daemon's, if it exists.
    pub fn usual() -> Self {
        let own = default_path().filter(|path| path.exists());
        Self { path: own.unwrap_or_else(|| SYSTEM.into()), name: String::new(), kernel: false }
    }

    /// The socket that the operator named.
    pub fn unix(path: &Path) -> Self {
        Self { path: path.to_owned(), name: format!("unix:{}", screen(path.as_os_str().as_bytes())), kernel: false }
    }

    /// The kernel that the daemon there watches.
    #[must_use]
    pub fn kernel(self) -> Self {
        Self { kernel: true, ..self }
    }

    /// The path, escaped.
    pub fn shown(&self) -> String {
        screen(self.path.as_os_str().as_bytes())
    }

    /// The daemon there, which described itself.
    pub(super) fn info(&self, info: &Info) -> TargetInfo {
        let (kind, name) = match (self.kernel, &*self.name) {
            (false, name) => (TargetKind::Daemon, name.to_owned()),
            (true, "") => (TargetKind::Kernel, "daemon/kernel".to_owned()),
            (true, name) => (TargetKind::Kernel, format!("{name}/kernel")),
        };
        TargetInfo {
            kind,
            name,
            version: info.version.clone(),
            pid: info.pid,
            uid: info.uid,
            run: info.run,
            link: LinkState::Up,
            known: info.known,
        }
    }
}
