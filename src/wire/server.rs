//! The daemon's side: reads calls and writes answers.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::abi::error::ControlError;
use crate::control::command::{Command, Reply};
use crate::control::from_json;
use crate::control::target_info::{RunId, TargetInfo};

use super::error;
use super::event::{Subscribe, WATCH};
use super::frame::{self, Call};
use super::interface::{CONTROL, KERNEL, SERVICE, VERSION, definition};
use super::method::{Method, Wrong};
use super::translate::mask_object;

/// The most records that one answer holds with their output, live requests, and rows on each side of the cursor.
const MOST_RECORDS: usize = 256;
const MOST_LIVE: usize = 256;
const MOST_ROWS: usize = 512;

/// A call to act on.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub ask: Ask,
    /// How to answer.
    pub way: Way,
    /// It is for the watch of the kernel, not for the engine.
    pub kernel: bool,
}

/// What a call asks for.
#[derive(Debug)]
pub enum Ask {
    /// Authorize and perform this command, then send [`Way::answer`].
    Command(Command),
    /// Authorize a watch, then send [`super::event::started`] and events.
    Watch(Subscribe),
    /// Send this answer; it needs no authorization. Empty if the caller wants none.
    Nothing(Vec<u8>),
}

/// How to answer a call: a small value, to be kept until the command has been performed.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    method: Option<&'static Method>,
    /// The caller accepts more than one answer.
    pub more: bool,
    /// The caller wants no answer.
    pub oneway: bool,
    /// An answer with records says that argv, environment and output are withheld (AUTH-4).
    pub withheld: bool,
}

/// The progress of a request: an answer before the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It is queued for a worker.
    Queued,
    /// Its helper runs.
    Started,
}

impl Way {
    /// The message with the result of the command. Empty if the caller wants none.
    pub fn answer(&self, info: &TargetInfo, reply: &Result<Reply, ControlError>) -> Vec<u8> {
        if self.oneway {
            return Vec::new();
        }
        match reply {
            Ok(reply) => {
                let mut message = self.method.and_then(|method| method.answer(reply, info.run));
                if let Some(values) = message.as_mut().filter(|_| self.withheld && has_records(reply)) {
                    values["withheld"] = true.into();
                }
                let message = message.map(|values| frame::answer(&values, false)).filter(|bytes| !bytes.is_empty());
                message.unwrap_or_else(|| {
                    error::answer(&ControlError::Unavailable("the answer cannot be sent as JSON".to_owned()))
                })
            }
            Err(error) => error::answer(error),
        }
    }

    /// The method that was called.
    pub fn name(&self) -> &'static str {
        self.method.map_or(WATCH, |method| method.name)
    }

    /// Whether the caller accepts [`Way::progress`].
    pub fn wants_progress(&self) -> bool {
        self.more && !self.oneway && self.method.is_some_and(Method::has_progress)
    }

    /// The message that a request is queued or has started. Send it only if [`Way::wants_progress`].
    pub fn progress(progress: Progress, id: u64, pid: Option<i32>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Answer {
            state: Progress,
            id: u64,
            pid: Option<i32>,
        }
        frame::answer(&Answer { state: progress, id, pid }, true)
    }

    /// The message that refuses the call for this reason. Empty if the caller wants no answer.
    pub fn refuse(&self, error: &ControlError) -> Vec<u8> {
        if self.oneway { Vec::new() } else { error::answer(error) }
    }
}

/// Whether something of the reply is withheld from readers.
fn has_records(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Answered(_)
            | Reply::Rehearsed(_)
            | Reply::Status(_)
            | Reply::Record(_)
            | Reply::Records(_)
            | Reply::Activity(_)
            | Reply::Log(_)
            | Reply::Why(_)
    )
}

/// The message that refuses whatever a connection asks for.
pub fn busy(error: &ControlError) -> Vec<u8> {
    error::answer(error)
}

/// Reads a message. `kernel` is the watch of the kernel, if there is one. The error says why it is not a call: close the connection, since there is nothing to answer to.
pub fn read(message: &[u8], info: &TargetInfo, kernel: Option<&TargetInfo>) -> Result<Request, String> {
    let call = Call::parse(message)?;
    let mut way = Way { method: None, more: call.more(), oneway: call.oneway(), withheld: false };
    let mut of_kernel = false;
    let ask = match ask(&call, (info, kernel), &mut way, &mut of_kernel) {
        Ok(ask) => ask,
        Err(Wrong::Parameter(name)) => Ask::Nothing(error::of_service("InvalidParameter", Some(("parameter", &name)))),
        Err(Wrong::Knob(error)) => Ask::Nothing(error::answer(&error)),
    };
    Ok(Request {
        ask: match ask {
            Ask::Nothing(_) if way.oneway => Ask::Nothing(Vec::new()),
            ask => ask,
        },
        way,
        kernel: of_kernel,
    })
}

fn ask(
    call: &Call,
    (engine, kernel): (&TargetInfo, Option<&TargetInfo>),
    way: &mut Way,
    of_kernel: &mut bool,
) -> Result<Ask, Wrong> {
    if call.upgrade() {
        return Err(Wrong::Parameter("upgrade".to_owned()));
    }
    let Some((interface, name)) = call.method.rsplit_once('.') else {
        return Ok(not_found(call));
    };
    if interface == SERVICE {
        return service(name, call);
    }
    if interface != CONTROL {
        return Ok(Ask::Nothing(error::of_service("InterfaceNotFound", Some(("interface", interface)))));
    }
    let mut parameters = parameters(call.parameters)?;
    let info = match parameters.remove("target") {
        None | Some(Value::Null) => engine,
        // The engine of this daemon has no other name.
        Some(Value::String(own)) if own == "daemon" => engine,
        Some(Value::String(other)) if other == KERNEL => {
            let Some(kernel) = kernel else {
                let why = "this daemon does not watch the kernel: start it with --watch-kernel";
                return Ok(Ask::Nothing(error::answer(&ControlError::Unsupported(why.to_owned()))));
            };
            *of_kernel = true;
            kernel
        }
        Some(_) => return Err(Wrong::Parameter("target".to_owned())),
    };
    match name {
        "Info" => return Ok(Ask::Nothing(frame::answer(&about(info), false))),
        WATCH if !call.more() => return Ok(Ask::Nothing(error::of_service("ExpectedMore", None))),
        WATCH => return Subscribe::read(parameters).map(Ask::Watch),
        _ => {}
    }
    let Some(method) = Method::named(name) else { return Ok(not_found(call)) };
    way.method = Some(method);
    let mut command = method.command(parameters, info.known).and_then(bounded)?;
    // The engine's ledger has the kernel's helpers too: the target selects lines of it.
    let of = match &mut command {
        Command::Log(question) => Some(&mut question.of),
        Command::Why(question) => Some(&mut question.of),
        _ => None,
    };
    if let Some(of) = of.filter(|_| std::mem::take(of_kernel)) {
        *of = Some(KERNEL.to_owned());
    }
    Ok(Ask::Command(command))
}

/// Bounds what one answer can hold: it is kept until the caller has read it. An answer with fewer requests than were
/// asked for says where the next question begins.
fn bounded(mut command: Command) -> Result<Command, Wrong> {
    match &mut command {
        Command::Records(ids) if ids.len() > MOST_RECORDS => return Err(Wrong::Parameter("ids".to_owned())),
        Command::Live { most, .. } => *most = (*most).min(MOST_LIVE),
        Command::Activity(page) => page.around = page.around.min(MOST_ROWS),
        _ => {}
    }
    Ok(command)
}

fn not_found(call: &Call) -> Ask {
    Ask::Nothing(error::of_service("MethodNotFound", Some(("method", &call.method))))
}

fn parameters(raw: Option<&RawValue>) -> Result<Map<String, Value>, Wrong> {
    let Some(raw) = raw else { return Ok(Map::new()) };
    match from_json::tree(raw.get().as_bytes()) {
        Ok(Value::Object(parameters)) => Ok(parameters),
        Ok(Value::Null) => Ok(Map::new()),
        _ => Err(Wrong::Parameter("parameters".to_owned())),
    }
}

/// The answer to `Info`.
fn about(info: &TargetInfo) -> impl Serialize {
    #[derive(Serialize)]
    struct About {
        version: &'static str,
        pid: i32,
        uid: u32,
        run: RunId,
        known: Value,
    }
    About { version: VERSION, pid: info.pid, uid: info.uid, run: info.run, known: mask_object(info.known) }
}

/// Varlink's own interface.
fn service(name: &str, call: &Call) -> Result<Ask, Wrong> {
    #[derive(Serialize)]
    struct Info {
        vendor: &'static str,
        product: &'static str,
        version: &'static str,
        url: &'static str,
        interfaces: [&'static str; 2],
    }
    #[derive(Serialize)]
    struct Description {
        description: &'static str,
    }
    let answer = match name {
        "GetInfo" => frame::answer(
            &Info { vendor: "khelper", product: "khelper", version: VERSION, url: "", interfaces: [SERVICE, CONTROL] },
            false,
        ),
        "GetInterfaceDescription" => {
            let parameters = parameters(call.parameters)?;
            let Some(Value::String(interface)) = parameters.get("interface") else {
                return Err(Wrong::Parameter("interface".to_owned()));
            };
            match definition(interface) {
                Some(description) => frame::answer(&Description { description }, false),
                None => error::of_service("InterfaceNotFound", Some(("interface", interface))),
            }
        }
        _ => return Ok(not_found(call)),
    };
    Ok(Ask::Nothing(answer))
}
