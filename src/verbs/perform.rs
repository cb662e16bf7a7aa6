//! What each verb does, for the shell and the console's command line: the commands that it submits, and what it shows.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::error::{ControlError, EngineError, ParseError, Stage};
use crate::abi::escape::screen;
use crate::abi::mask::{MaskExpr, every_form};
use crate::abi::wait::signal_name;
use crate::control::batch::Batch;
use crate::control::{Call, Command, Key, KnobValue, MaskKnob};

use super::knobs::{Form, SetKnobs, Writing};
use super::operate::{Draft, Helper};
use super::options::{Mask, Request};
use super::verb::{Common, Resettable, Verb};

/// The action of a verb that the shell and the console share.
#[derive(Debug)]
pub enum Ask {
    /// Requests are submitted.
    Requests(Requests),
    /// A helper is called.
    Call(Call),
    /// The built-in probe is run; its report is shown.
    Probe,
    /// Knobs are read; an unknown one is an error beside the others.
    Knobs(Vec<Result<Key, ControlError>>, Form),
    /// Knobs are written at the shell.
    Set(Box<SetKnobs>),
    /// The knobs are compared with the configuration.
    Diff,
    /// Masks are shown; this needs no target.
    Masks(Masks),
    /// A program is rehearsed.
    Rehearse(Draft),
    /// The requests that have not ended are shown.
    Ps {
        /// As a tree of who asked for what.
        tree: bool,
    },
    /// The state of the engine is shown.
    Status,
    /// Events are shown as they happen.
    Watch {
        /// Times in UTC.
        utc: bool,
    },
    /// The engine's counters are printed, or written to this file in the classic form.
    Metrics(Option<PathBuf>),
    /// Independent acts, performed in this order.
    Acts(Vec<Act>),
}

/// An act on the engine. The console asks for confirmation of [`Act::Reset`] and of writes to masks.
#[derive(Debug)]
pub enum Act {
    /// Knobs are written, all or none (SYS-9).
    Write(Vec<(Key, KnobValue)>),
    /// Knobs are written, all or none, and kept for the next start.
    Persist(Vec<(Key, KnobValue)>),
    /// What was kept of these knobs is removed.
    Unpersist(Vec<Key>),
    /// The gate is changed; freezing and disabling wait for the drain.
    Gate(Depth),
    /// A mask is reset to full.
    Reset(MaskKnob),
    /// The count of runaway messages is reset to 0.
    ResetLoopMessages,
    /// A command on one request; `what` is the text to show once it is done.
    OnRequest {
        /// The command.
        command: Command,
        /// `#7: SIGTERM`.
        what: String,
    },
    /// A signal to the helper that is this process.
    OnProcess {
        /// The process.
        pid: i32,
        /// The whole chain that begins with it.
        chain: bool,
        /// The signal's number.
        signal: i32,
        /// `pid 4125: SIGTERM`.
        what: String,
    },
}

impl Act {
    /// The command on the request of this id, for a signal to the helper that is a process.
    pub const fn signal(id: u64, chain: bool, signal: i32) -> Command {
        if chain { Command::KillChain { id, signal } } else { Command::Kill { id, signal } }
    }
}

/// The error for a process that is no helper that runs.
pub fn no_helper(pid: i32) -> ControlError {
    let why = format!("pid {pid} is no helper of this target that runs");
    EngineError::new(Stage::Lost, Errno::ESRCH, why, "`ps` lists what runs").into()
}

/// Turns a verb of the shell and the console into an action. `known` are the capabilities of the target's kernel.
pub fn ask(verb: &Common, known: CapMask) -> Result<Ask, ControlError> {
    Ok(match verb {
        Common::Request(request) => Ask::Requests(Requests::of(request)),
        Common::Run(run) => Ask::Call(run.call(known)?),
        Common::Probe(_) => Ask::Probe,
        Common::Get(get) => Ask::Knobs(get.selected()?, get.form()),
        Common::Set(set) => Ask::Set(Box::new(set.clone())),
        Common::Diff(_) => Ask::Diff,
        Common::Mask(mask) => Ask::Masks(Masks::of(mask, known)),
        Common::Rehearse(rehearse) => Ask::Rehearse(rehearse.draft(known)?),
        Common::Ps(ps) => Ask::Ps { tree: ps.tree },
        Common::Status(_) => Ask::Status,
        Common::Watch(watch) => Ask::Watch { utc: watch.utc },
        Common::Metrics(metrics) => Ask::Metrics(metrics.textfile.clone()),
        Common::Gate(gate) => Ask::Acts(vec![Act::Gate(gate.depth.into())]),
        Common::Kill(kill) => {
            let (signal, name) = (kill.signal, signal_name(u8::try_from(kill.signal).unwrap_or_default()));
            let (what, chain) = match kill.chain {
                true => (format!("{name} to its chain"), true),
                false => (name, false),
            };
            let act = |helper: &Helper| match *helper {
                Helper::Id(id) => {
                    Act::OnRequest { command: Act::signal(id, chain, signal), what: format!("#{id}: {what}") }
                }
                Helper::Pid(pid) => Act::OnProcess { pid, chain, signal, what: format!("pid {pid}: {what}") },
            };
            Ask::Acts(kill.ids.iter().map(act).collect())
        }
        Common::Abandon(abandon) => Ask::Acts(each(&abandon.ids, "abandoned", Command::Abandon)),
    })
}

/// Turns a verb of the console's command line into an action. `known` are the capabilities of the target's kernel.
pub fn perform(verb: &Verb, known: CapMask) -> Result<Ask, ControlError> {
    Ok(Ask::Acts(match verb {
        Verb::Common(Common::Set(set)) => set_acts(set, known)?,
        Verb::Common(common) => return ask(common, known),
        Verb::Reset(reset) => vec![match reset.what {
            Resettable::Bset => Act::Reset(MaskKnob::Bset),
            Resettable::Inheritable => Act::Reset(MaskKnob::Inheritable),
            Resettable::LoopMessages => Act::ResetLoopMessages,
        }],
    }))
}

/// `set` in the console.
fn set_acts(set: &SetKnobs, known: CapMask) -> Result<Vec<Act>, ControlError> {
    let wrong =
        |why: String, advice| ControlError::Value { key: "set".into(), error: ParseError::invalid(why, advice) };
    if let Some(option) = set.only_at_the_shell() {
        return Err(wrong(format!("{option} works only at the shell"), "use `khelper set` there"));
    }
    let act = if set.persist { Act::Persist } else { Act::Write };
    let writes = match set.writing(known)? {
        Writing::Unpersist(keys) => return Ok(vec![Act::Unpersist(keys)]),
        Writing::Write(writes) => writes,
    };
    if set.persist && writes.iter().flatten().any(|(key, _)| key.is_mask()) {
        let why = "a mask is confirmed before it is written, so --persist keeps it only at the shell";
        return Err(wrong(why.into(), "set it here first, then `khelper set --persist` it"));
    }
    Ok(writes.into_iter().map(act).collect())
}

fn each(ids: &[u64], what: &str, command: impl Fn(u64) -> Command) -> Vec<Act> {
    ids.iter().map(|id| Act::OnRequest { command: command(*id), what: format!("#{id}: {what}") }).collect()
}

/// The command that changes the gate: with a drain to shut it, without one to open it.
pub fn gate(depth: Depth) -> Command {
    match depth {
        Depth::Enabled => Command::SetDepth(depth),
        Depth::Freezing | Depth::Disabled => Command::Write(vec![(Key::Gate, depth.into())]),
    }
}

/// Module requests: a list of names, `repeat` times, at most `parallel` at the same time.
#[derive(Debug)]
pub struct Requests {
    /// The names, hostile bytes.
    pub names: Vec<Vec<u8>>,
    wait: bool,
    profile: Option<String>,
    repeat: u32,
    parallel: u16,
}

impl Requests {
    fn of(request: &Request) -> Self {
        let names = request.names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let profile = request.profile.clone();
        Self { names, wait: !request.nowait, profile, repeat: request.repeat, parallel: request.parallel }
    }

    /// The names, escaped.
    pub fn title(&self) -> String {
        self.names.iter().map(|name| screen(name)).collect::<Vec<_>>().join(" ")
    }

    /// The number of requests.
    pub fn total(&self) -> usize {
        self.names.len().saturating_mul(self.repeat as usize)
    }

    /// The commands that submit them.
    pub fn batch(self) -> Batch {
        let total = self.total();
        let request = |name| Command::RequestModule { name, wait: self.wait, profile: self.profile.clone() };
        Batch { commands: self.names.into_iter().map(request).collect(), total, parallel: usize::from(self.parallel) }
    }
}

/// Masks to show; changes (`-cap_x`) apply to the full mask.
#[derive(Debug)]
pub struct Masks(pub Vec<Result<NamedMask, ParseError>>);

/// A mask, and the text that was typed for it.
#[derive(Debug)]
pub struct NamedMask {
    /// What was typed.
    pub text: OsString,
    /// The mask.
    pub mask: CapMask,
}

impl Masks {
    fn of(args: &Mask, known: CapMask) -> Self {
        let one = |text: &OsString| {
            let mask = MaskExpr::parse(text.as_bytes(), known)?.resolve(known, known);
            Ok(NamedMask { text: text.clone(), mask })
        };
        Self(args.masks.iter().map(one).collect())
    }
}

impl NamedMask {
    /// What was typed, escaped, and a line for each form.
    pub fn lines(&self, known: CapMask) -> Vec<String> {
        let forms = every_form(self.mask, known).map(|(name, value)| format!("  {name:<8} {value}"));
        std::iter::once(screen(self.text.as_bytes())).chain(forms).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::verb::Line;

    fn performed(line: &str) -> Result<Ask, ControlError> {
        let words = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        perform(&Line::read(words).unwrap().verb, CapMask::up_to(40))
    }

    fn acts(line: &str) -> Vec<Act> {
        match performed(line).unwrap() {
            Ask::Acts(acts) => acts,
            ask => panic!("{ask:?}"),
        }
    }

    #[test]
    fn sys_9_knobs_are_written_together_and_the_gate_after_them() {
        let keys = |line: &str| {
            let of = |act: &Act| match act {
                Act::Write(writes) => writes.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            };
            acts(line).iter().map(of).collect::<Vec<_>>()
        };
        let line = "set khelper.gate=disabled kernel.modprobe=/x khelper.deny=a khelper.gate=enabled";
        assert_eq!(keys(line), [vec![Key::Modprobe, Key::Deny], vec![Key::Gate], vec![Key::Gate]]);
        assert_eq!(keys("set khelper.gate=enabled"), [[Key::Gate]], "no empty write");
        assert!(matches!(performed("set nonsense=1"), Err(ControlError::UnknownKey(_))));
        assert!(matches!(performed("set khelper.era=3.4 khelper.live=1"), Err(ControlError::ReadOnly(_))));
    }

    #[test]
    fn each_verb_of_the_line_is_its_commands() {
        let [Act::OnRequest { command: Command::Kill { id: 3, signal: 9 }, what }, Act::OnRequest { .. }] =
            &acts("kill -s KILL 3 4")[..]
        else {
            panic!()
        };
        assert_eq!(what, "#3: SIGKILL");
        let [Act::OnRequest { command: Command::Abandon(7), what }] = &acts("abandon 7")[..] else { panic!() };
        assert_eq!(what, "#7: abandoned");
        assert!(matches!(acts("reset inheritable")[..], [Act::Reset(MaskKnob::Inheritable)]));
        assert!(matches!(acts("reset loop-messages")[..], [Act::ResetLoopMessages]));
        for (line, depth) in [("freezing", Depth::Freezing), ("disabled", Depth::Disabled), ("enabled", Depth::Enabled)]
        {
            assert!(matches!(acts(&format!("gate {line}"))[..], [Act::Gate(to)] if to == depth), "{line}");
        }
        assert!(matches!(gate(Depth::Freezing), Command::Write(writes) if writes[0].0 == Key::Gate));
        assert!(matches!(gate(Depth::Enabled), Command::SetDepth(Depth::Enabled)), "opening waits for no drain");
    }

    #[test]
    fn requests_are_a_batch_of_their_names() {
        let line = "request --nowait --parallel 3 --profile keys --repeat 5 a b";
        let Ask::Requests(requests) = performed(line).unwrap() else { panic!() };
        assert_eq!((requests.title(), requests.total()), ("a b".to_owned(), 10));
        let batch = requests.batch();
        assert_eq!((batch.commands.len(), batch.total, batch.parallel), (2, 10, 3));
        let Command::RequestModule { name, wait: false, profile } = &batch.commands[1] else { panic!() };
        assert_eq!((&name[..], profile.as_deref()), (&b"b"[..], Some("keys")));
    }

    #[test]
    fn a_mask_that_is_malformed_does_not_hide_the_others() {
        let Ask::Masks(masks) = performed("mask -cap_chown nonsense").unwrap() else { panic!() };
        let [Ok(mask), Err(_)] = &masks.0[..] else { panic!() };
        assert_eq!(mask.mask, CapMask::up_to(40).minus(CapMask::from_bits(1)));
        let lines = mask.lines(CapMask::up_to(40));
        assert!(lines[0] == "-cap_chown" && lines.len() > 3, "{lines:?}");
    }
}
