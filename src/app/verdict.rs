//! The daemon's side of the shim: its socket and its answers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::event::Level;
use crate::cli::serve::Serve;
use crate::control::rules::{Judge, Live, OrderFile};
use crate::control::shim::{self, Shim};
use crate::daemon::journal::Journal;
use crate::daemon::socket::Listener;
use crate::daemon::verdict::{Parts, Verdicts};
use crate::policy::asker::may_ask;
use crate::policy::rules::Decision;

/// The socket of the shim. Root's daemon at its usual socket has one, and who names one.
pub fn listen(args: &Serve) -> Result<Option<Listener>, SysError> {
    let usual = || nix::unistd::geteuid().is_root() && args.socket.is_none();
    let path = args.shim_socket.clone().or_else(|| usual().then(|| PathBuf::from(shim::SOCKET)));
    path.map(|path| Listener::verdicts(&path)).transpose()
}

/// Rules that follow the operator's orders, where there is a shim to follow them too.
pub fn follow(rules: Live, socket: Option<&Listener>, state: &Path, journal: &Arc<Journal>) -> Live {
    let Some(socket) = socket else { return rules };
    let journal = journal.clone();
    let say =
        move |is_fault: bool, line: &str| journal.line(if is_fault { Level::Error } else { Level::Warning }, line);
    rules.following(OrderFile::beside(state), compiled_at(Some(&socket.path)), Arc::new(say))
}

/// The compiled rules are beside the socket.
pub fn compiled_at(socket: Option<&Path>) -> PathBuf {
    let beside = socket.and_then(Path::parent).filter(|folder| *folder != Path::new(""));
    beside.map_or_else(|| PathBuf::from(shim::RULES), |folder| folder.join("rules.bin"))
}

/// Answers the shim, by these rules.
pub fn answer(socket: &Listener, rules: Arc<Live>, journal: &Arc<Journal>) -> Result<Verdicts, SysError> {
    let journal = journal.clone();
    let told = move |_: i32, decision: &Decision, sentence: &str| match decision {
        Decision::Allow(Some(cited)) if cited.rule.log => journal.line(Level::Info, sentence),
        Decision::Allow(_) => {}
        Decision::Deny(_) | Decision::WouldDeny(_) => journal.line(Level::Warning, sentence),
    };
    let socket = socket
        .socket
        .try_clone()
        .map_err(|e| SysError::new("dup", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EMFILE))))?;
    let shim = PathBuf::from(OsString::from_vec(Shim::own()));
    let judge = Arc::new(Judge::new(rules, Arc::new(told)));
    Verdicts::start(Parts { socket, shim, judge, admit: may_ask })
}
