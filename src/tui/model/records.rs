//! The dialogs of the screen Activity: kill, ask again, copy, save. What cannot be taken back is a type that only its
//! confirmation makes.

use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::abi::mask::MaskExpr;
use crate::abi::record::{Args, Kind, Record};
use crate::abi::subprocess::HELPER_ENV;
use crate::abi::wait::WaitMode;
use crate::control::activity::export::{Existing, Overwrite};
use crate::control::{Call, Command};
use crate::tui::msg::Ticket;

use crate::tui::field::Field;

/// A helper is to be killed: by TERM or by KILL.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The request.
    pub id: u64,
    /// Its module or path, escaped.
    pub title: String,
    /// Its helper.
    pub pid: i32,
    /// TERM was sent to it before.
    pub had_term: bool,
    /// Which signal: 0 TERM, 1 KILL.
    pub choice: usize,
}

/// A signal that the operator confirmed.
#[derive(Debug)]
pub struct ConfirmedKill {
    id: u64,
    signal: Signal,
}

impl Kill {
    /// The signals, in the order of the dialog.
    pub const SIGNALS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGKILL];

    /// The operator said yes to what the dialog shows.
    pub fn confirm(self) -> ConfirmedKill {
        ConfirmedKill { id: self.id, signal: Self::SIGNALS[self.choice.min(1)] }
    }
}

impl ConfirmedKill {
    /// What is submitted.
    pub fn command(&self) -> Command {
        Command::Kill { id: self.id, signal: self.signal as i32 }
    }
    /// Whether it is the gentler one.
    pub fn is_term(&self) -> bool {
        self.signal == Signal::SIGTERM
    }
}

/// The same request once more.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The request that is repeated.
    pub record: Arc<Record>,
    /// What is submitted.
    pub command: Command,
    /// How far it is scrolled.
    pub scroll: usize,
}

impl Repeat {
    /// The command that asks for the same again; the error says why there is none.
    pub fn of(record: Arc<Record>) -> Result<Self, String> {
        let command = match record.kind {
            Kind::Module => {
                let name = record.module.as_deref().unwrap_or_default().to_vec();
                Command::RequestModule { name, wait: matches!(record.wait, WaitMode::Proc { .. }) }
            }
            Kind::Helper => Command::Call(call(&record)?),
        };
        Ok(Self { record, command, scroll: 0 })
    }
}

fn call(record: &Record) -> Result<Call, String> {
    let Args::List(list) = &record.args else { return Err("its arguments are not known".into()) };
    if list.first().map(|first| &**first) != Some(&*record.path) {
        return Err("its argv[0] is not its path: only a program that uses the library can ask so".into());
    }
    let has = |entry: &&&str| {
        let key = entry.split('=').next().unwrap_or_default();
        !record.env.iter().any(|e| e.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
    };
    if let Some(missing) = HELPER_ENV.iter().find(has) {
        let why = format!("its environment has no {missing}: only a program that uses the library can ask so");
        return Err(why);
    }
    let own = record.own.as_deref().copied();
    Ok(Call {
        path: record.path.to_vec(),
        args: list.iter().skip(1).map(|arg| arg.to_vec()).collect(),
        env: record.env.iter().map(|entry| entry.to_vec()).collect(),
        wait: record.wait,
        bset: own.map(|(bset, _)| MaskExpr::Exactly(bset)),
        inheritable: own.map(|(_, inheritable)| MaskExpr::Exactly(inheritable)),
        timeout: None,
    })
}

/// A record is to be copied.
#[derive(Clone, Debug)]
pub struct CopyRecord {
    /// The record.
    pub record: Arc<Record>,
    /// As what: a row of [`Self::FORMS`].
    pub choice: usize,
}

impl CopyRecord {
    /// What can be copied of it.
    pub const FORMS: [&str; 2] = ["the record, as JSON", "its command line, quoted for a shell"];
}

/// How far saving has come.
#[derive(Clone, Debug)]
pub enum Saving {
    /// The path is typed.
    Typing,
    /// It is being written.
    Writing(Ticket),
    /// The file is there: may it be replaced?
    Asking(Existing),
}

/// The dialog that saves.
#[derive(Clone, Debug)]
pub struct SaveForm {
    /// The field under the cursor: 0 path, 1 what.
    pub focus: usize,
    /// The file.
    pub path: Field,
    /// All that match, else the one under the cursor.
    pub all: bool,
    /// The record under the cursor when it was opened.
    pub record: Option<Arc<Record>>,
    /// How far it has come.
    pub stage: Saving,
    /// What was wrong.
    pub error: Option<String>,
}

impl SaveForm {
    /// How many fields.
    pub const FIELDS: usize = 2;

    /// The operator said yes to what the dialog shows.
    pub fn confirm(&self) -> Option<Overwrite> {
        match &self.stage {
            Saving::Asking(existing) => Some(existing.clone().confirmed()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;
    use crate::tui::testing::fixtures;

    #[test]
    fn the_same_is_asked_again() {
        let module = Repeat::of(Arc::new(fixtures::record(1, b"x\xff", 0))).unwrap();
        assert!(matches!(module.command, Command::RequestModule { name, wait: true } if name == b"x\xff"));
        let list = |args: &[&[u8]]| Args::List(args.iter().map(|a| Box::from(*a)).collect());
        let env = |more: &[&[u8]]| -> Arc<[Box<[u8]>]> {
            HELPER_ENV.iter().map(|e| e.as_bytes()).chain(more.iter().copied()).map(Box::from).collect()
        };
        let one = CapMask::from_bits(1);
        let helper = Record {
            kind: Kind::Helper,
            module: None,
            path: b"/bin/sh"[..].into(),
            args: list(&[b"/bin/sh", b"-c", b"exit 3"]),
            env: env(&[b"A=1"]),
            wait: WaitMode::EXEC,
            own: Some(Box::new((one, CapMask::EMPTY))),
            ..fixtures::record(2, b"", 0)
        };
        let Command::Call(call) = Repeat::of(Arc::new(helper.clone())).unwrap().command else { panic!() };
        assert_eq!(
            (call.path.as_slice(), call.args.len(), call.env.len(), call.wait),
            (&b"/bin/sh"[..], 2, 4, WaitMode::EXEC)
        );
        assert_eq!(call.bset, Some(MaskExpr::Exactly(one)));
        let other = Record { args: list(&[b"sh"]), ..helper.clone() };
        assert!(Repeat::of(Arc::new(other)).unwrap_err().contains("argv[0]"));
        let bare = Record { env: Arc::from(Vec::new()), ..helper };
        assert!(Repeat::of(Arc::new(bare)).unwrap_err().contains("HOME"));
    }

    #[test]
    fn a_yes_is_to_one_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "1").unwrap();
        let asked = Existing::new(&std::fs::metadata(&path).unwrap());
        let form = SaveForm {
            focus: 0,
            path: Field::default(),
            all: true,
            record: None,
            stage: Saving::Asking(asked.clone()),
            error: None,
        };
        let yes = form.confirm().unwrap();
        assert!(yes.allows(&asked));
        std::fs::write(&path, "12").unwrap();
        assert!(!yes.allows(&Existing::new(&std::fs::metadata(&path).unwrap())));
        assert!(SaveForm { stage: Saving::Typing, ..form }.confirm().is_none());
    }
}
