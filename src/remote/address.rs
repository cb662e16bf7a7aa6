//! Where a daemon is: a socket of this machine, or another machine that ssh reaches.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::abi::escape::screen;
use crate::control::target::{LinkState, TargetInfo, TargetKind};
use crate::wire::client::Info;
use crate::wire::host::Far;
use crate::wire::path::{SYSTEM, default_path};

use super::ssh::Way;

/// Where a daemon can be reached, and the name that the operator gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(super) place: Place,
    /// `unix:PATH` or `ssh://HOST`, escaped; empty for a usual socket.
    name: String,
    /// The watch of the kernel behind the daemon, not its engine.
    pub(super) kernel: bool,
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Socket(PathBuf),
    Far(Way),
}

impl Address {
    /// The usual socket: that of root's daemon; for an ordinary user the own daemon's, if it exists.
    pub fn usual() -> Self {
        let own = default_path().filter(|path| path.exists());
        Self { place: Place::Socket(own.unwrap_or_else(|| SYSTEM.into())), name: String::new(), kernel: false }
    }

    /// The socket that the operator named.
    pub fn unix(path: &Path) -> Self {
        let name = format!("unix:{}", screen(path.as_os_str().as_bytes()));
        Self { place: Place::Socket(path.to_owned()), name, kernel: false }
    }

    /// The usual socket of another machine, reached with ssh; with `sudo` as root.
    pub fn far(far: &Far, sudo: bool) -> Self {
        let way = Way { host: far.host.clone(), sudo };
        Self { name: format!("ssh://{}", far.host), place: Place::Far(way), kernel: far.kernel }
    }

    /// Whether the daemon is on another machine.
    pub fn is_far(&self) -> bool {
        matches!(self.place, Place::Far(_))
    }

    /// The engine of the daemon there.
    #[must_use]
    pub fn engine(self) -> Self {
        Self { kernel: false, ..self }
    }

    /// The kernel that the daemon there watches.
    #[must_use]
    pub fn kernel(self) -> Self {
        Self { kernel: true, ..self }
    }

    /// The path or the host, escaped.
    pub fn shown(&self) -> String {
        match &self.place {
            Place::Socket(path) => screen(path.as_os_str().as_bytes()),
            Place::Far(_) => self.name.clone(),
        }
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
