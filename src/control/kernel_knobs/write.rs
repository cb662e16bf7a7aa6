//! Writes: the guard, one write for each knob, and what is read back.

use nix::errno::Errno;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::ControlError;
use crate::abi::kernel_program::Part;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::path::parse_modprobe;
use crate::abi::safe_text::SafeText;
use crate::control::command::KernelWrite;
use crate::control::text::posture::fault;
use crate::policy::kernel_write::{Plan, Planned, is_for_good, plan, took_effect};
use crate::policy::posture::{Fault, Level, of_program};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;
use crate::sys::linux::kernel_knobs::write;
use crate::sys::linux::kernel_programs::program;

use super::rehearse::rehearse;
use super::{KernelKnobs, words, wrong};

/// A knob of a write: its value now, and what will be done.
struct Step {
    key: Key,
    before: KnobValue,
    plan: Option<Plan>,
    not_granted: CapMask,
    warnings: Vec<SafeText>,
}

impl KernelKnobs {
    /// Writes the knobs one after another, each with one write, and reads each back. Everything is checked before the
    /// first write.
    ///
    /// # Errors
    /// `EINVAL` without `until_reboot` where the change cannot be undone; `ENOEXEC` or `EINVAL` for a modprobe that would
    /// not run, unless forced; the errno of the write; `EIO` for a short write, or if another value is read back.
    pub(super) fn write(
        &self,
        asked: &KernelWrite,
        told: &mut dyn FnMut(&Change),
    ) -> Result<Vec<Change>, ControlError> {
        let mut steps =
            asked.writes.iter().map(|(key, value)| self.step(*key, value)).collect::<Result<Vec<_>, _>>()?;
        for step in steps.iter_mut().filter(|step| step.plan.is_some()) {
            if is_for_good(step.key) && !asked.until_reboot {
                return Err(words::for_good(step.key));
            }
            self.check_program(step, asked.force)?;
        }
        let expected = |step: &Step| step.plan.as_ref().map_or(step.before.clone(), |plan| plan.expected.clone());
        let kept = match asked.persist {
            true => Some(self.would_keep(steps.iter().map(|step| (step.key, expected(step))))?),
            false => None,
        };
        self.rehearse_masks(&mut steps, asked.force)?;
        let mut changes = Vec::new();
        let mut done = self.perform_steps(steps, &mut changes);
        if let (Ok(()), Some(kept)) = (&done, kept) {
            done = self.keep(&kept, &mut changes);
        }
        changes.iter().filter(|change| change.before != change.after).for_each(told);
        done.map(|()| changes)
    }

    fn perform_steps(&self, steps: Vec<Step>, changes: &mut Vec<Change>) -> Result<(), ControlError> {
        let mut written = Vec::new();
        for step in steps {
            let (key, was_planned) = (step.key, step.plan.is_some());
            self.perform_step(step, changes).map_err(|error| words::after(&written, error))?;
            if was_planned {
                written.push(key);
            }
        }
        Ok(())
    }

    fn step(&self, key: Key, value: &KnobValue) -> Result<Step, ControlError> {
        let before = self.read(key)?;
        if let KnobValue::Path(path) = value {
            // It may come from another process that has not checked it.
            parse_modprobe(path).map_err(|error| ControlError::Value { key: key.name().to_owned(), error })?;
        }
        let step = |plan, not_granted| Step { key, before: before.clone(), plan, not_granted, warnings: Vec::new() };
        match plan(key, &before, value, self.known) {
            Planned::Write(plan) => {
                let not_granted = plan.not_granted;
                Ok(step(Some(plan), not_granted))
            }
            Planned::Nothing(not_granted) => Ok(step(None, not_granted)),
            Planned::Never(why) => Err(wrong(key, Errno::EPERM, why, "start the machine again")),
            Planned::WrongKind => Err(key.is_not(value.text().as_bytes(), "a value of this knob's kind")),
        }
    }

    /// Refuses a modprobe that would not run, and warns of one that another user could replace.
    fn check_program(&self, step: &mut Step, force: bool) -> Result<(), ControlError> {
        let Some(Plan { expected: KnobValue::Path(path), .. }) = &step.plan else { return Ok(()) };
        if path.is_empty() {
            step.warnings.push("the kernel runs no modprobe any more: a module that is asked for is not found".into());
            return Ok(());
        }
        for found in of_program(&program(&self.root, path), true) {
            let would_run = matches!(found, Fault::Replaceable { .. });
            if would_run || force {
                step.warnings.push(fault(&found).into());
                continue;
            }
            let errno = if found == Fault::NotAProgram { Errno::ENOEXEC } else { Errno::EINVAL };
            let why =
                format!("`{}` would not run: {}; nothing was written", KnobValue::Path(path.clone()), fault(&found));
            return Err(wrong(step.key, errno, why, "name another program, or add --force"));
        }
        Ok(())
    }

    /// Runs modprobe under the masks that the writes would leave, and under those of now.
    fn rehearse_masks(&self, steps: &mut [Step], force: bool) -> Result<(), ControlError> {
        let live = self.live_masks();
        let mut draft = live;
        for step in steps.iter() {
            let Some(after) = step.plan.as_ref().and_then(|plan| plan.expected.mask()) else { continue };
            draft[usize::from(step.key == Key::Inheritable)] = after;
        }
        if draft == live {
            return Ok(());
        }
        let Some(step) = steps.iter_mut().find(|step| step.key.is_mask() && step.plan.is_some()) else { return Ok(()) };
        if live[0].has(Capability::SYS_MODULE) && !draft[0].has(Capability::SYS_MODULE) {
            step.warnings.push("modprobe can load no module any more until the machine starts again".into());
        }
        if !self.rehearses {
            return Ok(());
        }
        let Ok(KnobValue::Path(path)) = self.read(Key::Modprobe) else {
            step.warnings.push("not rehearsed: this kernel runs no modprobe".into());
            return Ok(());
        };
        match rehearse(&path, live, draft) {
            Ok(said) => step.warnings.push(said.into()),
            Err(differs) if force => step.warnings.push(differs.into()),
            Err(differs) => {
                let why = format!("{differs}; nothing was written");
                return Err(wrong(step.key, Errno::EINVAL, why, "keep what modprobe needs, or add --force"));
            }
        }
        Ok(())
    }

    /// Writes one knob and reads it back. What is read is a change even if it is not what was written.
    fn perform_step(&self, step: Step, changes: &mut Vec<Change>) -> Result<(), ControlError> {
        let Step { key, before, plan, not_granted, warnings } = step;
        let mut after = before.clone();
        if let Some(plan) = plan {
            let held = || LinuxHost::new().sets().effective.at_least();
            write(&self.file_of(key), &plan.text)
                .map_err(|fault| words::failed(key, fault, plan.text.len(), held()))?;
            after = self.read(key)?;
            if !took_effect(&plan, &after) {
                changes.push(Change::new(key, before, after.clone()));
                return Err(words::not_taken(key, &plan.expected.text(), &after.text()));
            }
        }
        changes.push(Change { not_granted, warnings, ..Change::new(key, before, after) });
        Ok(())
    }

    /// What is wrong with a modprobe path, one sentence each.
    pub(super) fn path_warnings(&self, path: &[u8]) -> Vec<SafeText> {
        if path.is_empty() {
            return Vec::new();
        }
        let all = of_program(&program(&self.root, path), true);
        all.iter().filter(|found| found.level(&Part::Modprobe) > Level::Ok).map(|found| fault(found).into()).collect()
    }
}
