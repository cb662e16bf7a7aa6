//! Tells the service manager about the daemon's state (sd_notify(3)): one datagram each.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::sys::process::monotonic;

/// The service manager, if there is one.
pub struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && !other).map(Duration::from_micros);
        Self::new(std::env::var_os("NOTIFY_SOCKET"), watchdog)
    }

    /// Sends to the socket of this name; a leading `@` is that of an abstract one.
    pub fn new(name: Option<OsString>, watchdog: Option<Duration>) -> Self {
        let address = name.and_then(|name| match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
            [b'/', ..] => SocketAddr::from_pathname(&name).ok(),
            _ => None,
        });
        let socket = address.and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            // The I/O thread does not wait for a manager that is slow.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// How often to call [`Self::alive`]: half the time after which the manager gives up.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 2)
    }

    /// The daemon accepts commands.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// The daemon reads its configuration again; [`Self::ready`] follows.
    pub fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic()));
    }

    /// The daemon stops.
    pub fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// The daemon is not stuck.
    pub fn alive(&self) {
        self.send("WATCHDOG=1\n");
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            // A manager that does not listen cannot be told so.
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }
}
