//! The calls of a connection, from its bytes to the answer.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::peer::Peer;
use crate::control::Reply;
use crate::control::authorize::{
    Access, Authorization, Ground, Requirement, authorize_outside, authorize_watch, requirement,
};
use crate::control::completion::{CallId, Completion};
use crate::control::target::TargetInfo;
use crate::daemon::connection::{Broken, State};
use crate::daemon::mailbox::Mail;
use crate::daemon::outgoing::Message;
use crate::daemon::peer::Opened;
use crate::engine::Engine;
use crate::sys::linux::peer::Sender;
use crate::wire::event::Subscribe;
use crate::wire::server::{Ask, Request, Way, busy, read};

use super::Server;

/// The most commands in progress, each of which may have a thread.
pub(super) const MOST_IN_PROGRESS: usize = 512;
/// The most steps for one connection before the others have their turn.
const TURN: usize = 16;

/// What was done for a connection.
enum Step {
    /// A call was served, or bytes were received.
    Done,
    /// There is nothing to do until it sends more, or has its answer.
    Nothing,
}

/// What a message asks for, after its sender has been judged.
enum Judged {
    Answer(Vec<u8>),
    /// Of the watch of the kernel, or of the engine.
    Command(Box<Authorization>, Way, bool),
    Watch(Subscribe, Access, bool),
    /// It is answered with this error: its sender may not give it.
    Denied(Box<Actor>, Way, ControlError),
    /// It is no call.
    Nonsense,
}

impl Server {
    /// epoll has reported something about a connection.
    pub(super) fn happened(&mut self, number: u64, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        // A peer that has gone gets no answer, but what it sent before is still read.
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if gone && !matches!(connection.state, State::Idle) {
            return self.drop_connection(number);
        }
        let writable = flags.contains(EventFlags::OUT) || gone;
        if writable && connection.outgoing.write(&connection.socket).is_err() {
            return self.drop_connection(number);
        }
        self.serve(number);
    }

    /// Parses and serves the calls of a connection, as far as its state allows it.
    pub(super) fn serve(&mut self, number: u64) {
        for _ in 0..TURN {
            match self.next_call(number) {
                Ok(Step::Done) => {}
                Ok(Step::Nothing) => return self.settle(number),
                Err(broken) => return self.broken(number, &broken),
            }
        }
        self.ready.insert(number);
        self.settle(number);
    }

    /// Serves one call, or receives once.
    fn next_call(&mut self, number: u64) -> Result<Step, Broken> {
        let Self { connections, engine, info, kernel, accepting, buffer, .. } = self;
        let infos = (&**info, kernel.as_ref().map(|(_, info)| &**info));
        let Some(connection) = connections.get_mut(&number) else { return Ok(Step::Nothing) };
        let ground = |requirement| ground(engine, info.uid, accepting.readers(), requirement);
        let judge = |message: &[u8], sender: &Sender, opened: &Opened, socket: &OwnedFd| {
            judge(message, infos, &ground, |requirement| opened.peer(socket, sender, requirement))
        };
        if !connection.takes_calls() {
            return Ok(Step::Nothing);
        }
        let Some(judged) = connection.take_message(judge)? else {
            let received = !connection.ended && connection.fill(buffer, accepting.with_pidfd())?;
            return Ok(if received { Step::Done } else { Step::Nothing });
        };
        match judged {
            Judged::Answer(bytes) => connection.outgoing.push(Message::Own(bytes)),
            Judged::Denied(actor, way, error) => {
                connection.outgoing.push(Message::Own(way.refuse(&error)));
                self.report_denied(way.name(), &error, &actor);
            }
            Judged::Nonsense => connection.closing = true,
            Judged::Watch(subscribe, access, kernel) => self.begin_watch(number, &subscribe, access, kernel),
            Judged::Command(authorization, way, kernel) => self.submit(number, *authorization, way, kernel),
        }
        Ok(Step::Done)
    }

    fn submit(&mut self, number: u64, authorization: Authorization, way: Way, of_kernel: bool) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let uid = authorization.actor().uid;
        let busy = if self.stop.has_begun() {
            Some("the daemon is stopping")
        } else {
            let full = self.in_progress.enter(uid).is_err();
            full.then_some("the daemon has too many commands in progress, or too many of this user")
        };
        if let Some(why) = busy {
            return connection.outgoing.push(Message::Own(way.refuse(&ControlError::Busy(why.to_owned()))));
        }
        let call = self.next;
        self.next += 1;
        self.users.insert(call, uid);
        // A caller that wants no answer waits for none.
        if !way.oneway {
            connection.state = State::Slow { call };
        }
        if let (Some((kernel, info)), true) = (&self.kernel, of_kernel) {
            let (mailbox, info) = (self.mailbox.clone(), info.clone());
            let answer = move |reply| {
                mailbox.send(Mail::Answer { connection: number, call, bytes: way.answer(&info, &reply) });
            };
            return kernel.submit_authorized(authorization, CallId::fresh(), Completion::new(answer));
        }
        let authorization = if way.wants_progress() { self.follow(number, authorization) } else { authorization };
        let (mailbox, info, watches) = (self.mailbox.clone(), self.info.clone(), self.watches());
        let kernel = self.kernel.as_ref().map(|(kernel, _)| kernel.clone());
        let done = Completion::new(move |mut reply| {
            if let Ok(Reply::Status(state)) = &mut reply {
                (state.watchers, state.totals.events_missed) = watches;
                state.kernel = kernel.and_then(|kernel| kernel.state());
            }
            mailbox.send(Mail::Answer { connection: number, call, bytes: way.answer(&info, &reply) });
        });
        self.target.submit_authorized(authorization, CallId::fresh(), done);
    }

    /// A command was performed. The answer for a connection that has gone is dropped.
    pub(super) fn answered(&mut self, number: u64, call: u64, bytes: Vec<u8>) {
        if let Some(uid) = self.users.remove(&call) {
            self.in_progress.leave(uid);
        }
        let Some(connection) = self.connections.get_mut(&number) else { return self.feed.forget(number) };
        // A call that wanted no answer may end while a later one of the connection is followed.
        if matches!(connection.state, State::Slow { call: waiting } if waiting == call) {
            self.feed.forget(number);
            connection.state = State::Idle;
            connection.outgoing.push(Message::Own(bytes));
            self.ready.insert(number);
            self.settle(number);
        }
    }

    /// Writes what can be written, and closes the connection or tells epoll what it waits for.
    pub(super) fn settle(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        loop {
            if connection.outgoing.write(&connection.socket).is_err() || connection.is_over() {
                return self.drop_connection(number);
            }
            // Everything that waited has been written: a watch that lost events learns how many.
            if !connection.report_gap() {
                break;
            }
        }
        let wanted = connection.wanted();
        if wanted != connection.interest {
            connection.interest = wanted;
            let data = EventData::new_u64(number);
            if epoll::modify(&self.epoll, &connection.socket, data, wanted).is_err() {
                self.drop_connection(number);
            }
        }
    }

    /// A denied command leaves an event (AUTH-2): in the ledger, in the log and for every watch.
    fn report_denied(&mut self, method: &str, error: &ControlError, actor: &Actor) {
        if let (ControlError::Denied(why), Some(more)) = (error, self.denials.denied(Instant::now())) {
            self.engine.report_denied(method, why, more, actor);
        }
    }

    fn broken(&mut self, number: u64, broken: &Broken) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let why = match broken {
            Broken::Gone => return self.drop_connection(number),
            Broken::TooLong => "the message is longer than this user may send (1 MiB; a reader 16 KiB)",
            Broken::Mixed => "the parts of the message were sent by different processes",
        };
        connection.outgoing.push(Message::Own(busy(&ControlError::Denied(why.to_owned()))));
        connection.closing = true;
        self.settle(number);
    }

    pub(super) fn drop_connection(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            self.admission.leave(connection.opened.by.uid);
            self.ready.remove(&number);
            self.feed.forget(number);
            self.feed.close_unless_needed(&self.connections, false);
            self.kernel_feed.close_unless_needed(&self.connections, true);
        }
    }
}

/// Parses a message and judges its sender.
fn judge(
    message: &[u8],
    (info, kernel): (&TargetInfo, Option<&TargetInfo>),
    ground: &dyn Fn(Requirement) -> Ground,
    peer: impl FnOnce(Requirement) -> Peer,
) -> Judged {
    let Ok(Request { ask, way, kernel }) = read(message, info, kernel) else { return Judged::Nonsense };
    let (peer, judged) = match ask {
        Ask::Nothing(bytes) => return Judged::Answer(bytes),
        Ask::Watch(subscribe) => {
            let requirement = Requirement::Read;
            let peer = peer(requirement);
            let access = authorize_watch(&peer, &ground(requirement));
            (peer, access.map(|access| Judged::Watch(subscribe, access, kernel)))
        }
        Ask::Command(command) => {
            let requirement = requirement(&command);
            if way.oneway && requirement == Requirement::Read {
                // A question without an answer would only be work.
                return Judged::Answer(Vec::new());
            }
            let peer = peer(requirement);
            let judged = authorize_outside(&peer, &ground(requirement), command).map(|authorization| {
                let mut way = way;
                way.withheld = authorization.access() == Access::Withheld;
                Judged::Command(Box::new(authorization), way, kernel)
            });
            (peer, judged)
        }
    };
    judged.unwrap_or_else(|error| Judged::Denied(Box::new(peer.actor()), way, error))
}

/// The engine's side of a decision. What helpers can get is read only if the decision depends on it.
fn ground(engine: &Engine, uid: u32, readers: Option<u32>, requirement: Requirement) -> Ground {
    let reach = || {
        let snapshot = engine.snapshot();
        // A helper of user 0 gets the bounding set when it is executed (capabilities(7)).
        let of_root = if uid == 0 { snapshot.host.bounding.at_most() } else { CapMask::EMPTY };
        snapshot.knobs.bset & (snapshot.host.permitted.at_most() | of_root) & snapshot.known
    };
    let needed = matches!(requirement, Requirement::Run | Requirement::RunAndMask);
    Ground { uid, reach: if needed { reach() } else { !CapMask::EMPTY }, readers }
}
