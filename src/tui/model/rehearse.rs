//! The rehearsal: what is to be run under the draft masks and under the live ones, and what came of it.

use std::sync::Arc;

use crate::abi::argv_text;
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::launch_spec::Enforcement;
use crate::abi::mask::MaskExpr;
use crate::abi::module::ModuleName;
use crate::abi::record::Record;
use crate::abi::wait::WaitMode;
use crate::control::text::outcome::ended_in_words;
use crate::control::{Call, Command};
use crate::tui::msg::Ticket;

use super::forms::{Wrong, say};
use crate::control::text::mask::{list, size};
use crate::tui::field::Field;

/// What is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The built-in probe.
    #[default]
    Probe,
    /// The real modprobe, as a module request calls it.
    Modprobe,
    /// Any program.
    Program,
}

impl Subject {
    /// The next one, or the one before.
    #[must_use]
    pub const fn turned(self, forward: bool) -> Self {
        match (self, forward) {
            (Self::Probe, true) | (Self::Program, false) => Self::Modprobe,
            (Self::Modprobe, true) | (Self::Probe, false) => Self::Program,
            (Self::Program, true) | (Self::Modprobe, false) => Self::Probe,
        }
    }
}

/// What is to be rehearsed.
#[derive(Clone, Debug)]
pub struct RehearseForm {
    /// The field under the cursor: 0 what, then the fields of what was chosen.
    pub focus: usize,
    /// What is run.
    pub subject: Subject,
    /// modprobe: the module.
    pub module: Field,
    /// modprobe: with `-n`, so that nothing is loaded.
    pub dry: bool,
    /// A program: its path.
    pub path: Field,
    /// A program: its arguments, in one line.
    pub args: Field,
    /// What was wrong.
    pub error: Option<String>,
}

impl Default for RehearseForm {
    fn default() -> Self {
        Self {
            focus: 0,
            subject: Subject::Probe,
            module: Field::default(),
            dry: true,
            path: Field::default(),
            args: Field::default(),
            error: None,
        }
    }
}

impl RehearseForm {
    /// Puts the focus on the first field and selects what every field holds from before.
    pub fn open(&mut self) {
        (self.focus, self.error) = (0, None);
        for field in [&mut self.module, &mut self.path, &mut self.args] {
            field.select();
        }
    }

    /// How many fields there are now.
    pub const fn fields(&self) -> usize {
        match self.subject {
            Subject::Probe => 1,
            Subject::Modprobe | Subject::Program => 3,
        }
    }

    /// Whether the field under the cursor has a few values only.
    pub const fn picks(&self) -> bool {
        self.focus == 0 || matches!((self.subject, self.focus), (Subject::Modprobe, 2))
    }

    /// The field of text under the cursor, and where to say what is wrong with it.
    pub fn field(&mut self) -> Option<(&mut Field, Option<&mut Option<String>>)> {
        let field = match (self.subject, self.focus) {
            (Subject::Modprobe, 1) => &mut self.module,
            (Subject::Program, 1) => &mut self.path,
            (Subject::Program, 2) => &mut self.args,
            _ => return None,
        };
        Some((field, Some(&mut self.error)))
    }

    /// Changes the value of a field that has a few.
    pub fn pick(&mut self, forward: bool) {
        match self.focus {
            0 => self.subject = self.subject.turned(forward),
            _ => self.dry ^= true,
        }
        self.error = None;
    }

    /// What it is called (escaped), and the command for a run under these masks (`None`: the live ones).
    pub fn check(&self, modprobe: &[u8]) -> Result<(String, Run), Wrong> {
        let call = |path: &[u8], args: Vec<Vec<u8>>| {
            let title = argv_text::join(std::iter::once(path).chain(args.iter().map(Vec::as_slice)));
            (title, Run::Call(path.to_vec(), args))
        };
        match self.subject {
            Subject::Probe => Ok(("the built-in probe".to_owned(), Run::Probe)),
            Subject::Modprobe => {
                let name = ModuleName::parse(self.module.bytes()).map_err(|e| (1, say(&e)))?;
                if modprobe.is_empty() {
                    return Err((1, "kernel.modprobe is empty, so nothing would be run: edit the path first".into()));
                }
                let options: &[&[u8]] = if self.dry { &[b"-n", b"-q", b"--"] } else { &[b"-q", b"--"] };
                let args = options.iter().copied().chain([name.as_bytes()]).map(<[u8]>::to_vec).collect();
                Ok(call(modprobe, args))
            }
            Subject::Program => {
                let path = self.path.bytes();
                if !path.starts_with(b"/") || path.contains(&0) {
                    return Err((1, "give the program's whole path, from `/`, without a NUL byte".into()));
                }
                let args = argv_text::split(self.args.bytes()).map_err(|why| (2, why))?;
                Ok(call(path, args))
            }
        }
    }
}

/// What is run twice.
#[derive(Clone, Debug)]
pub enum Run {
    /// The built-in probe.
    Probe,
    /// A program and its arguments, waited for.
    Call(Vec<u8>, Vec<Vec<u8>>),
}

impl Run {
    /// The command under these masks: bset, inheritable; `None`: the live ones.
    pub fn command(&self, masks: Option<[CapMask; 2]>) -> Command {
        let [bset, inheritable] = match masks {
            Some(masks) => masks.map(|mask| Some(MaskExpr::Exactly(mask))),
            None => [None, None],
        };
        match self {
            Self::Probe => Command::Probe { bset, inheritable },
            Self::Call(path, args) => Command::Call(Call {
                path: path.clone(),
                args: args.clone(),
                env: Vec::new(),
                wait: WaitMode::PROC,
                bset,
                inheritable,
                timeout: None,
            }),
        }
    }
}

/// One run of a rehearsal.
#[derive(Clone, Debug)]
pub enum Rehearsed {
    /// Not begun yet.
    Waiting,
    /// Not answered yet.
    Running(Ticket),
    /// Answered.
    Ended(Arc<Record>),
    /// Refused at the door.
    Failed(String),
}

impl Rehearsed {
    /// Its record, once it has ended.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Ended(record) => Some(record),
            _ => None,
        }
    }
}

/// A run under the draft masks, then the same under the live ones.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// What is run, escaped.
    pub title: String,
    /// The same, to be run.
    pub run: Run,
    /// The draft as it was: bset, inheritable.
    pub draft: [CapMask; 2],
    /// Under the draft masks, under the live masks.
    pub runs: [Rehearsed; 2],
    /// How far it is scrolled.
    pub scroll: usize,
}

/// A set's name, and how to take it out of the five.
pub type Set = (&'static str, fn(&CapSets) -> CapMask);

/// The five sets, as capabilities(7) names them.
pub const SETS: [Set; 5] = [
    ("permitted", |s| s.permitted),
    ("effective", |s| s.effective),
    ("inheritable", |s| s.inheritable),
    ("bounding", |s| s.bounding),
    ("ambient", |s| s.ambient),
];

/// What one run got and how it ended: a name and a value each, the same names for every run.
pub fn facts(record: &Record, known: CapMask) -> Vec<(&'static str, String)> {
    let enforced = match record.enforced {
        None => "nothing was launched",
        Some(Enforcement::Masks) => "by the masks",
        Some(Enforcement::NoNewPrivs) => "by no_new_privs (its bounding set still reads wide)",
        Some(Enforcement::Refused) => "could not be: refused",
    };
    let wrote = record
        .output
        .as_deref()
        .map_or_else(|| "nothing".to_owned(), |o| format!("{} bytes, {} of errors", o.stdout.len(), o.stderr.len()));
    let mut facts = vec![("ended", ended_in_words(record).text()), ("enforced", enforced.to_owned())];
    if !record.not_enforced.is_empty() {
        let what: Vec<&str> = record.not_enforced.iter().map(|what| what.name()).collect();
        facts.push(("not set", what.join(", ")));
    }
    for (name, of) in SETS {
        let unknown = if record.pid.is_some() { "unknown" } else { "not seen" };
        facts.push((name, record.caps.as_deref().map_or_else(|| unknown.to_owned(), |sets| size(of(sets), known))));
    }
    facts.push(("wrote", wrote));
    facts
}

/// What differs, in words; empty: nothing but the time it took. What the probe wrote tells the capabilities once more
/// and its own pid, so it is not looked at.
pub fn differences(draft: &Record, live: &Record, probe: bool) -> Vec<String> {
    let mut out = Vec::new();
    let (under_draft, under_live) = (ended_in_words(draft).text(), ended_in_words(live).text());
    if under_draft != under_live {
        out.push(format!("it ended with {under_draft}, not {under_live}"));
    }
    if draft.enforced != live.enforced {
        out.push("the masks were enforced by other means".to_owned());
    }
    if let (Some(d), Some(l)) = (draft.caps.as_deref(), live.caps.as_deref()) {
        // What is missing, what is left, and of which sets.
        let mut lacks: Vec<(CapMask, CapMask, Vec<&str>)> = Vec::new();
        for (name, of) in SETS {
            let (missing, left) = (of(l).minus(of(d)), of(l) & of(d));
            match lacks.iter_mut().find(|(mask, kept, _)| (*mask, *kept) == (missing, left)) {
                _ if missing.is_empty() => {}
                Some((.., names)) => names.push(name),
                None => lacks.push((missing, left, vec![name])),
            }
            let more = of(d).minus(of(l));
            if !more.is_empty() {
                out.push(format!("{name} has {} more", list(more)));
            }
        }
        out.extend(lacks.into_iter().map(|(missing, left, names)| {
            let verb = if names.len() > 1 { "lack" } else { "lacks" };
            let what = match (left.is_empty(), missing.len() > left.len()) {
                (true, _) => "everything".to_owned(),
                (_, true) => format!("{}, all but {}", missing.len(), list(left)),
                _ => list(missing),
            };
            format!("{} {verb} {what}", names.join(", "))
        }));
    }
    let wrote = |r: &Record| r.output.as_deref().map(|o| (o.stdout.clone(), o.stderr.clone()));
    if !probe && wrote(draft) != wrote(live) {
        out.push("what it wrote".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::Output;
    use crate::tui::testing::fixtures::{KNOWN, record};

    #[test]
    fn what_differs_is_said_and_nothing_else() {
        let live = record(2, b"x", 0);
        let mut draft = record(1, b"x", 256);
        assert_eq!(differences(&live, &record(3, b"x", 0), false), Vec::<String>::new());
        let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
        draft.caps = Some(Arc::new(CapSets { permitted: cut, effective: cut, bounding: cut, ..CapSets::default() }));
        draft.output = Some(Arc::new(Output { stdout: b"x".to_vec(), ..Output::default() }));
        let wanted = [
            "it ended with ✗ exit 1 (raw 256), not ✓ exit 0",
            "permitted, effective, bounding lack cap_sys_module",
            "what it wrote",
        ];
        assert_eq!(differences(&draft, &live, false), wanted);
        assert_eq!(differences(&draft, &live, true), wanted[..2]);
    }

    #[test]
    fn modprobe_is_called_as_a_request_calls_it_and_with_n_if_wanted() {
        let mut form = RehearseForm { subject: Subject::Modprobe, module: Field::new(b"-dummy"), ..Default::default() };
        let args = |form: &RehearseForm| match form.check(b"/sbin/modprobe").unwrap().1.command(None) {
            Command::Call(call) => (call.path, call.args.join(&b' '), call.wait),
            other => panic!("{other:?}"),
        };
        assert_eq!(args(&form), (b"/sbin/modprobe".to_vec(), b"-n -q -- -dummy".to_vec(), WaitMode::PROC));
        form.dry = false;
        assert_eq!(args(&form).1, b"-q -- -dummy");
        assert_eq!(form.check(b"").unwrap_err().0, 1);
        form.module = Field::new(b"");
        assert!(form.check(b"/sbin/modprobe").unwrap_err().1.contains("empty"));
        form.subject = Subject::Program;
        assert!(form.check(b"").unwrap_err().1.contains("whole path"));
    }
}
