//! `khelper get`: prints knobs in the form of sysctl(8).

use crate::abi::error::ControlError;
use crate::control::knob_json::Got;
use crate::control::provenance::{Knob, Where};
use crate::control::text::provenance::came_from;
use crate::control::{Command, Key, Reply};
use crate::verbs::knobs::Form;

use super::exit::Verdict;
use super::request::{Asker, fail};

impl Asker {
    /// Prints the knobs. An unknown key is reported, and the others are still read. Where there are no rules, their mode
    /// is left out unless it is named.
    pub(super) fn get(&self, keys: Vec<Result<Key, ControlError>>, form: Form, json: bool) -> Verdict {
        let mut verdict = Verdict::Own(0);
        let provenance = form.provenance || json;
        let wanted = keys.iter().flatten().copied().filter(|key| *key != Key::RulesMode).collect();
        let mut knobs = match self.knobs(wanted, provenance) {
            Ok(knobs) => knobs.into_iter(),
            Err(error) => return fail(&error),
        };
        for key in keys {
            match key {
                Ok(Key::RulesMode) => match self.knobs(vec![Key::RulesMode], provenance) {
                    Ok(mode) => mode.iter().for_each(|knob| self.print(knob, form, json)),
                    // An older daemon does not know it.
                    Err(_) if !form.mode_is_named => {}
                    Err(error) => verdict = verdict.and(fail(&error)),
                },
                Ok(_) => knobs.next().iter().for_each(|knob| self.print(knob, form, json)),
                Err(error) => verdict = verdict.and(fail(&error)),
            }
        }
        verdict
    }

    /// Reads the knobs at one moment. A single value needs no provenance, and is read by the smaller command.
    fn knobs(&self, keys: Vec<Key>, provenance: bool) -> Result<Vec<Knob>, ControlError> {
        let reply = match keys[..] {
            [] => return Ok(Vec::new()),
            [key] if !provenance => self.caller.ask(Command::Get(key))?,
            _ => self.caller.ask(Command::Knobs(keys.clone()))?,
        };
        Ok(match reply {
            Reply::Knobs(knobs) => knobs,
            Reply::Value(value) => {
                keys.into_iter().map(|key| Knob { key, value: value.clone(), from: Where::Default }).collect()
            }
            // The reply to `Get` is a value, and to `Knobs` knobs.
            _ => Vec::new(),
        })
    }

    fn print(&self, knob: &Knob, form: Form, json: bool) {
        if json {
            return self.json(&Got::of(self.caller.target.info().short_name(), knob));
        }
        let mut line = form.line(knob.key, &knob.value.text());
        if form.provenance {
            line.push_str(&format!("  ({})", came_from(&knob.from)));
        }
        if !form.runs_together() {
            line.push('\n');
        }
        self.answers.write(line.as_bytes(), b"");
    }
}
