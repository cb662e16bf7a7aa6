//! The daemon's side of the shim: its socket and its answers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::abi::error::io_words;
use crate::abi::event::Level;
use crate::cli::serve::Serve;
use crate::control::rules::{Judge, Live};
use crate::control::shim::{self, Shim};
use crate::daemon::journal::Journal;
use crate::daemon::socket::Listener;
use crate::daemon::verdict::{Parts, Verdicts};
use crate::policy::asker::may_ask;
use crate::policy::rules::Decision;

use super::serve::Failure;

/// The socket of the shim. Root's daemon at its usual socket has one, and who names one.
pub fn listen(args: &Serve) -> Result<Option<Listener>, Failure> {
    let usual = || nix::unistd::geteuid().is_root() && args.socket.is_none();
    let path = args.shim_socket.clone().or_else(|| usual().then(|| PathBuf::from(shim::SOCKET)));
    Ok(path.map(|path| Listener::verdicts(&path)).transpose()?)
}

/// Answers the shim, by these rules.
pub fn answer(socket: &Listener, rules: Arc<Live>, journal: &Arc<Journal>) -> Result<Verdicts, Failure> {
    let journal = journal.clone();
    let told = move |_: i32, decision: &Decision, sentence: &str| match decision {
        Decision::Allow(Some(cited)) if cited.rule.log => journal.line(Level::Info, sentence),
        Decision::Allow(_) => {}
        Decision::Deny(_) | Decision::WouldDeny(_) => journal.line(Level::Warning, sentence),
    };
    let socket = socket.socket.try_clone().map_err(|e| Failure::Failed(io_words(&e)))?;
    let shim = PathBuf::from(OsString::from_vec(Shim::own()));
    let judge = Arc::new(Judge::new(rules, Arc::new(told)));
    Ok(Verdicts::start(Parts { socket, shim, judge, admit: may_ask })?)
}
