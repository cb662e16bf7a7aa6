//! What is under the cursor of the Overview, in more words.

use ratatui::text::Line;

use crate::abi::escape::screen_again;
use crate::abi::snapshot::Live;
use crate::control::activity::page::RecordDetail;
use crate::control::text::outcome::took;
use crate::control::text::ps::requester;
use crate::tui::model::overview::{Item, KnobRow, standing};
use crate::tui::model::record_row::Detail;
use crate::tui::model::{Model, warnings};
use crate::tui::text;

use super::rows::labelled;
use super::{detail, knobs, watch};

/// The title of the panel.
pub fn title(item: Item) -> String {
    match item {
        Item::Warning(_) => "Under the cursor: a warning".to_owned(),
        Item::Knob(knob) => format!("Under the cursor: {}", knobs::keys(knob)[0].name()),
        Item::Running(id) | Item::Ended(id) => format!("Under the cursor: #{id}"),
    }
}

/// Its lines.
pub fn lines(model: &Model, item: Item, columns: usize) -> Vec<Line<'static>> {
    let s = &model.snapshot;
    match item {
        Item::Warning(at) => {
            let all = warnings::all(model);
            let Some(warning) = all.get(at) else { return Vec::new() };
            labelled(model, "warning", &warning.text, columns, model.theme.mood(warning.mood))
        }
        Item::Knob(knob) => of_knob(model, knob, columns),
        Item::Running(id) => {
            let live = s.running.iter().find(|live| live.id == id);
            live.map(|live| of_live(model, live, columns)).unwrap_or_default()
        }
        Item::Ended(id) => {
            let Some(record) = s.last.iter().find(|record| record.id == id) else { return Vec::new() };
            let chain = record.chain.to_vec();
            let detail = Detail::from(RecordDetail { record: record.clone(), chain, chain_now: false });
            let lines = detail::lines(model, &detail, columns.saturating_sub(1));
            lines.into_iter().map(indented).collect()
        }
    }
}

fn indented(mut line: Line<'static>) -> Line<'static> {
    line.spans.insert(0, " ".into());
    line
}

fn of_live(model: &Model, live: &Live, columns: usize) -> Vec<Line<'static>> {
    let theme = &model.theme;
    let mut lines = Vec::new();
    let mut say = |label: &str, value: &str| lines.extend(labelled(model, label, value, columns, theme.text));
    say(&format!("#{}", live.id), &text::screen(&live.title));
    let (sign, state) = standing(live);
    say("state", &format!("{sign} {state}, for {}", took(model.now.saturating_sub(live.at))));
    let actor = &live.actor;
    let by = match actor.is_known() {
        true => format!("{} by {} ({}), uid {}", model.clock(live.at), actor.comm, actor.pid, actor.uid),
        false => format!("{} by {}", model.clock(live.at), requester(actor)),
    };
    say("requested", &by);
    if watch::state(model).is_some() {
        return lines;
    }
    if let Some(id) = live.asked_by {
        say("asked by", &format!("the helper of #{id}"));
    }
    let slots = &model.snapshot.slots;
    match slots.holders.iter().position(|id| *id == live.id) {
        Some(_) => say("holds", &format!("one of {} slots", slots.limit)),
        None => say("holds", "no slot: the limit is on module requests that run"),
    }
    lines
}

fn of_knob(model: &Model, knob: KnobRow, columns: usize) -> Vec<Line<'static>> {
    let theme = &model.theme;
    let mut lines = labelled(model, knobs::name(knob), &knobs::value(model, knob), columns, theme.text);
    let changes = model.snapshot.provenance.iter().filter(|change| knobs::keys(knob).contains(&change.change.key));
    let mut changed = false;
    for change in changes {
        let (what, actor) = (&change.change, &change.actor);
        let words = format!(
            "{} {}: {} -> {}, by {} ({}), uid {}",
            (model.local)(change.wall),
            what.key.name(),
            what.before,
            what.after,
            actor.comm,
            actor.pid,
            actor.uid
        );
        lines.extend(labelled(model, "changed", &screen_again(&words), columns, theme.text));
        changed = true;
    }
    if !changed {
        lines.extend(labelled(model, "changed", "never since the engine started", columns, theme.dim));
    }
    lines
}
