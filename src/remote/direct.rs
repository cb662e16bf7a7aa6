//! A daemon as a target for one command at a time, without a thread.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nix::errno::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, io_words};
use crate::abi::event::EventKinds;
use crate::control::command::{Command, Reply};
use crate::control::completion::{CallId, Completion};
use crate::control::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use crate::control::watch::{EventSource, Wake, Watch, Watched};
use crate::wire::client::{self, Heard, Info};
use crate::wire::interface::VERSION;

use super::address::Address;
use super::answers::unknown;
use super::connection::Connection;
use super::ssh;

/// How long a daemon may take to describe itself when a program connects, and how long one on another machine: ssh must
/// log in first.
const HELLO: [Timespec; 2] = [Timespec { tv_sec: 5, tv_nsec: 0 }, Timespec { tv_sec: 30, tv_nsec: 0 }];

/// A daemon as a target. [`Target::submit`] waits for the answer: not for a program that must not wait.
pub struct Direct {
    connection: Mutex<Connection>,
    address: Address,
    /// The daemon's description, once it was needed.
    about: OnceLock<Result<Info, ControlError>>,
}

impl Direct {
    /// Connects.
    pub fn connect(address: &Address) -> Result<Self, ControlError> {
        // A command that another machine does not answer was surely not sent only if that machine has answered before.
        let (connection, about) = match address.is_far() {
            true => open(address).map(|(connection, info)| (connection, OnceLock::from(Ok(info))))?,
            false => (connect(address)?, OnceLock::new()),
        };
        Ok(Self { connection: Mutex::new(connection), address: address.clone(), about })
    }

    /// Sends a command and waits for the answer.
    pub fn ask(&self, command: &Command) -> Result<Reply, ControlError> {
        let Some((sent, message)) = client::call(command, self.address.kernel) else {
            return Err(ControlError::Unavailable("this command is not possible over a socket".to_owned()));
        };
        let mut answer = self.exchange(&message)?;
        loop {
            match sent.answer(&answer, VERSION) {
                Heard::Progress(_) => answer = self.exchange(b"")?,
                // The version is only needed for the text of this error.
                Heard::Last(Err(ControlError::Version(_))) => {
                    let version = self.about().map_or_else(|_| "unknown".to_owned(), |info| info.version);
                    if let Heard::Last(reply) = sent.answer(&answer, &version) {
                        return reply;
                    }
                }
                Heard::Last(reply) => return reply,
            }
        }
    }

    fn about(&self) -> Result<Info, ControlError> {
        self.about.get_or_init(|| client::described(&self.exchange(&client::info(self.address.kernel))?)).clone()
    }

    fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, ControlError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        exchange(&mut connection, message, None).map_err(|e| match self.address.is_far() {
            true => unknown(&self.address.shown(), &io_words(&e)),
            false => unreachable("lost the", &self.address, &e),
        })
    }
}

impl Target for Direct {
    fn info(&self) -> TargetInfo {
        self.about().map_or_else(
            |error| TargetInfo {
                kind: TargetKind::Daemon,
                name: String::new(),
                version: String::new(),
                pid: 0,
                uid: 0,
                run: RunId { started: 0, pid: 0 },
                link: LinkState::Lost { why: error.to_string() },
                known: CapMask::EMPTY,
            },
            |info| self.address.info(&info),
        )
    }

    fn beside(&self) -> Option<Arc<dyn Target>> {
        let kernel = (!self.address.kernel).then(|| self.address.clone().kernel())?;
        Self::connect(&kernel).ok().map(|kernel| Arc::new(kernel) as Arc<dyn Target>)
    }

    fn submit(&self, _by: &Actor, _id: CallId, command: Command, done: Completion) {
        done.finish(self.ask(&command));
    }

    fn cancel(&self, _id: CallId) {}

    /// Events need a thread: the watch has ended already.
    fn watch(&self, _: EventKinds, _: Option<(RunId, Seq)>, _: usize, _: Wake) -> Watch {
        Watch::new(NoEvents)
    }
}

struct NoEvents;

impl EventSource for NoEvents {
    fn next(&self) -> Option<Watched> {
        Some(self.wait())
    }
    fn wait(&self) -> Watched {
        Watched::Closed { why: None }
    }
    fn close(&self) {}
}

/// A connection to a daemon that has described itself.
pub(super) fn open(address: &Address) -> Result<(Connection, Info), ControlError> {
    let mut connection = connect(address)?;
    let answer = exchange(&mut connection, &client::info(address.kernel), Some(&HELLO[usize::from(address.is_far())]))
        .map_err(|e| connection.unreached().unwrap_or_else(|| unreachable("lost the", address, &e)))?;
    let info = client::described(&answer)?;
    Ok((connection, info))
}

fn connect(address: &Address) -> Result<Connection, ControlError> {
    Connection::open(address).map_err(|e| match e.kind() {
        _ if address.is_far() => ssh::not_started(&e),
        io::ErrorKind::NotFound => no_daemon(address, "there is no such socket", Errno::ENOENT),
        io::ErrorKind::ConnectionRefused => no_daemon(address, "nothing listens on the socket", Errno::ECONNREFUSED),
        io::ErrorKind::PermissionDenied => ControlError::Denied(format!(
            "cannot connect to {}: only the daemon's user, root and the group of its readers may",
            address.shown()
        )),
        _ => unreachable("no", address, &e),
    })
}

/// Sends a message and waits for the next answer, for at most `patience` without any byte of it.
fn exchange(connection: &mut Connection, message: &[u8], patience: Option<&Timespec>) -> io::Result<Vec<u8>> {
    connection.send(message)?;
    let mut open = true;
    loop {
        if let Some(answer) = connection.next_message()? {
            return Ok(answer.to_vec());
        }
        if !open {
            return Err(io::Error::other("the daemon closed the connection"));
        }
        let flags = if connection.is_behind() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        match poll(&mut [PollFd::new(&*connection, flags)], patience) {
            Ok(0) => return Err(io::Error::other("it does not answer")),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        connection.write()?;
        open = connection.read()?;
    }
}

fn no_daemon(address: &Address, why: &str, errno: Errno) -> ControlError {
    ControlError::NoDaemon(format!("no daemon at {}: {why}", address.shown()), errno)
}

fn unreachable(what: &str, address: &Address, error: &io::Error) -> ControlError {
    // The error adds an errno of its own.
    let words = io_words(error);
    let words = words.rsplit_once(" (").map_or(&*words, |(words, _)| words);
    ControlError::Unavailable(format!("{what} daemon at {}: {words}", address.shown()))
}
