//! The guided tour of a demo, with what to type.

use crate::tui::model::tour::Step;

use super::LineMode;

/// What to type for a step. What the step before has opened is left first.
const fn typed(step: Step) -> &'static str {
    match step {
        Step::Slots => "`open N`, where N is the number of raid456 under Running",
        Step::Failure => "`overview`, then `open N`, where N is a failed row under Recently finished, as nvidia",
        Step::Draft => "`toggle cap_sys_module`",
        Step::Rehearse => "`rehearse`, then `enter`",
        Step::Apply => "`apply`, then what the question asks for",
        Step::Effect => "`:request dummy`, then `activity`, and `open N` of a helper that is newer than the change",
        Step::Target => "`t`",
        Step::Quit => "`quit`; or look around: `help` lists what can be typed",
    }
}

impl LineMode<'_> {
    /// Says the step of the tour, if it was not said.
    pub(super) fn say_tour(&mut self) {
        let model = self.model();
        let (now, is_demo) = (model.tour.shown.then(|| model.tour.number()), model.link.info.is_demo());
        if now == std::mem::replace(&mut self.toured, now) {
            return;
        }
        let Some(number) = now else {
            if is_demo {
                self.say("the tour is hidden; `d` shows it again");
            }
            return;
        };
        let model = self.model();
        let words = model.tour_words();
        let back = if model.dialogs.is_empty() { "" } else { "`back`, then " };
        let first = if number == 1 { " (`esc` skips a step, `D` goes back, `d` hides the tour)" } else { "" };
        let lines = [
            format!("Tour {number} of {}: {}. {}", Step::ALL.len(), words.title, words.why),
            format!("Type {back}{}{first}", typed(model.tour.step())),
        ];
        self.say_all(&lines);
    }
}
