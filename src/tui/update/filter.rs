//! The filter of the screen Activity: typed, kept, taken away.

use crate::control::text::outcome::Severity;
use crate::tui::field::Field;
use crate::tui::model::Model;
use crate::tui::model::activity::Typing;
use crate::tui::msg::Effect;
use crate::tui::text;
/// Gives the focus to a filter, to replace or extend its text.
pub(super) fn filter(model: &mut Model, what: Typing) {
    (model.activity.typing, model.activity.reading) = (Some(what), false);
    if let Some(field) = model.activity.field() {
        field.select();
    }
}

/// The filter has what it needs. A target in it is shown in place of this one: a list has the requests of one target.
pub(super) fn keep_filter(model: &mut Model) -> Vec<Effect> {
    model.activity.typing = None;
    let Some(name) = model.activity.take_target() else { return Vec::new() };
    let here = model.targets.iter().position(|tab| tab.shown).unwrap_or(0);
    let mut names: Vec<String> = model.targets.iter().map(|tab| tab.name.to_string()).collect();
    if names.is_empty() {
        names.push(model.link.tab().into_owned());
    }
    let lower = |at: &usize| names[*at].to_lowercase();
    let mut fits = (0..names.len()).filter(|at| !name.is_empty() && lower(at).starts_with(&name));
    let (found, more) = (fits.next(), fits.next());
    match found.filter(|at| more.is_none() || lower(at) == name) {
        Some(at) if at == here => {
            model.say(Severity::Quiet, format!("every request here is of the target {}", names[at]));
            Vec::new()
        }
        Some(at) => vec![Effect::FilterTarget(at)],
        None => {
            let name = text::screen(name.as_bytes());
            model.say(Severity::Warned, format!("no target is named `{name}`: the targets are {}", names.join(", ")));
            Vec::new()
        }
    }
}

/// Takes the last filter away.
pub(super) fn unfilter(model: &mut Model) {
    let said = match model.activity.unfilter() {
        Some(what) => format!("{what} of the filter: taken away"),
        None => "no filter hides a record".to_owned(),
    };
    model.say(Severity::Quiet, said);
}

/// Clears the filter.
pub(super) fn end_filter(model: &mut Model) {
    if let Some(field) = model.activity.field() {
        *field = Field::default();
    }
    model.activity.typing = None;
}
