//! The fields of the dialog Rehearse; they are kept after it closes.

use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::module::ModuleName;
use crate::control::rehearsal::Run;

use super::Model;
use super::forms::{Wrong, say};
use super::masks::{KNOBS, live};
use crate::tui::field::Field;

/// The program to run.
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
    /// The next or the previous subject.
    #[must_use]
    pub const fn turned(self, forward: bool) -> Self {
        match (self, forward) {
            (Self::Probe, true) | (Self::Program, false) => Self::Modprobe,
            (Self::Modprobe, true) | (Self::Probe, false) => Self::Program,
            (Self::Program, true) | (Self::Modprobe, false) => Self::Probe,
        }
    }
}

/// A rehearsal that has ended: what was run, under which masks, and how both runs ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// When, by the wall clock.
    pub clock: String,
    /// The program, escaped.
    pub title: String,
    /// The masks of the draft, and the live ones: bset, inheritable.
    pub masks: [[CapMask; 2]; 2],
    /// How the run under the draft and the one under the live masks ended.
    pub ended: [String; 2],
}

impl Model {
    /// What the last rehearsal has shown, if it was one of this draft beside these live masks.
    pub fn rehearsed_draft(&self) -> Option<String> {
        let last = self.rehearse.last.as_ref()?;
        let now = [self.masks.drafts(), KNOBS.map(|knob| live(&self.snapshot, knob))];
        let [draft, live] = &last.ended;
        (last.masks == now).then(|| format!("{} {}: {draft} under the draft, {live} live", last.clock, last.title))
    }
}

/// The fields of the dialog.
#[derive(Clone, Debug)]
pub struct RehearseForm {
    /// The field with the focus: 0 is the subject, then come the fields of that subject.
    pub focus: usize,
    /// The subject.
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
    /// The last rehearsal that has ended.
    pub last: Option<Last>,
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
            last: None,
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

    /// The number of fields of the subject.
    pub const fn fields(&self) -> usize {
        match self.subject {
            Subject::Probe => 1,
            Subject::Modprobe | Subject::Program => 3,
        }
    }

    /// Whether the field with the focus has a list of values.
    pub const fn picks(&self) -> bool {
        self.focus == 0 || matches!((self.subject, self.focus), (Subject::Modprobe, 2))
    }

    /// The text field with the focus, and the place for its error.
    pub fn field(&mut self) -> Option<(&mut Field, Option<&mut Option<String>>)> {
        let field = match (self.subject, self.focus) {
            (Subject::Modprobe, 1) => &mut self.module,
            (Subject::Program, 1) => &mut self.path,
            (Subject::Program, 2) => &mut self.args,
            _ => return None,
        };
        Some((field, Some(&mut self.error)))
    }

    /// Changes the value of a field with a list of values.
    pub fn pick(&mut self, forward: bool) {
        match self.focus {
            0 => self.subject = self.subject.turned(forward),
            _ => self.dry ^= true,
        }
        self.error = None;
    }

    /// The program to run, if every field is valid.
    pub fn check(&self, modprobe: &[u8]) -> Result<Run, Wrong> {
        match self.subject {
            Subject::Probe => Ok(Run::Probe),
            Subject::Modprobe => {
                let name = ModuleName::parse(self.module.bytes()).map_err(|e| (1, say(&e)))?;
                if modprobe.is_empty() {
                    return Err((1, "kernel.modprobe is empty, so nothing would run: edit the path first".into()));
                }
                Ok(Run::modprobe(modprobe, &name, self.dry))
            }
            Subject::Program => {
                let path = self.path.bytes();
                if !path.starts_with(b"/") || path.contains(&0) {
                    return Err((1, "give the program's absolute path, from `/`, without a NUL byte".into()));
                }
                let args = argv_text::split(self.args.bytes()).map_err(|why| (2, why))?;
                Ok(Run::Call(path.to_vec(), args))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::wait::WaitMode;
    use crate::control::Command;

    #[test]
    fn modprobe_is_called_as_a_request_calls_it_and_with_n_if_wanted() {
        let mut form = RehearseForm { subject: Subject::Modprobe, module: Field::new(b"-dummy"), ..Default::default() };
        let args = |form: &RehearseForm| match form.check(b"/sbin/modprobe").unwrap().command(None) {
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
        assert!(form.check(b"").unwrap_err().1.contains("absolute path"));
    }
}
