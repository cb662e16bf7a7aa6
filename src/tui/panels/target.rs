//! The name of the target, whose knobs are shown, and the badges: states that hold on every screen.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::depth::Depth;
use crate::tui::model::Model;
use crate::tui::text;

use super::watch;

/// With fewer columns than this, only the target that is shown is named.
const SMALL: usize = 60;

/// The target in brackets, the other targets, its sentence, and the badges at the right. Badges are never cut; the sentence is.
pub fn line(model: &Model, columns: u16) -> Line<'static> {
    let (columns, theme) = (usize::from(columns), &model.theme);
    let real = model.link.is_real();
    let clock = model.clock(model.snapshot.now);
    let lost = model.link.news(&clock).is_some();
    let tab = text::fit(&format!("[{}]", model.link.tab()), columns);
    let [before_tab, after_tab] = others(model, columns);
    let tabs = text::width(&before_tab) + text::width(&tab) + text::width(&after_tab);
    let badges = badges(model, columns.saturating_sub(tabs));
    let taken: usize = badges.iter().map(|(badge, _)| text::width(badge) + 1).sum();
    let room = columns.saturating_sub(tabs + 2 + taken);
    let sentences = model.link.beside_tab(&clock);
    let fits = sentences.iter().find(|text| text::width(text) <= room).or(sentences.last());
    let sentence = text::fit(fits.map_or("", |text| text), room);
    let style = match (lost, real) {
        (true, _) => theme.bad,
        (_, true) => theme.real,
        _ => theme.target,
    };
    let left = columns.saturating_sub(tabs + text::width(&sentence) + taken);
    let before = left.min(2);
    let mut spans = vec![
        Span::styled(before_tab, theme.text),
        Span::styled(tab, if real { theme.real_tab } else { theme.target_tab }),
        Span::styled(after_tab, theme.text),
        Span::styled(" ".repeat(before), theme.text),
        Span::styled(sentence, style),
        Span::styled(" ".repeat(left - before), theme.text),
    ];
    for (badge, style) in badges {
        spans.extend([Span::styled(" ", theme.text), Span::styled(badge, style)]);
    }
    Line::from(spans)
}

/// The names of the targets before the one that is shown, and of those after it. On a small screen, there is none.
fn others(model: &Model, columns: usize) -> [String; 2] {
    let mut names = [String::new(), String::new()];
    let mut at = 0;
    for tab in model.targets.iter().filter(|_| columns >= SMALL) {
        if tab.shown {
            at = 1;
            continue;
        }
        let unseen = if tab.unseen > 0 { format!(" !{}", tab.unseen) } else { String::new() };
        let name = format!("{}{unseen}", tab.name);
        names[at].push_str(&if at == 0 { format!("{name} ") } else { format!(" {name}") });
    }
    names
}

/// From this width on the badge of a lost connection has the time of the state that is shown.
const ROOMY: usize = 80;

/// What holds on every screen, the most urgent first, as many as fit.
fn badges(model: &Model, room: usize) -> Vec<(String, Style)> {
    let (s, theme) = (&model.snapshot, &model.theme);
    let slots = &s.slots;
    let seen = model.link.seen;
    let lost = match model.clock(s.now) {
        clock if seen && room >= ROOMY => format!(" CONNECTION LOST {clock} "),
        _ => " CONNECTION LOST ".to_owned(),
    };
    let all = [
        (model.link.info.lost().is_some(), &*lost, theme.badge_bad),
        (seen && s.gate != Depth::Enabled, " GATE SHUT ", theme.badge_bad),
        (seen && slots.limit > 0 && slots.concurrent >= slots.limit, " SLOTS FULL ", theme.badge_bad),
        (model.options.read_only, " read-only ", theme.badge),
    ];
    let mut left = room;
    let mut badges = Vec::new();
    let holding = all.into_iter().filter(|(holds, ..)| *holds).map(|(_, badge, style)| (badge.to_owned(), style));
    for (badge, style) in holding.chain(watch::badge(model).filter(|_| seen)) {
        if text::width(&badge) < left {
            left -= text::width(&badge) + 1;
            badges.push((badge, style));
        }
    }
    badges
}

/// The sentence alone, as much of it as fits.
pub fn words(model: &Model, columns: usize) -> String {
    let shorter = model.link.header(&model.clock(model.snapshot.now));
    // The shortest form is for the edge of a dialog, below the line with the full sentence; a line of its own is cut
    // instead.
    let last = shorter.len().saturating_sub(if shorter.len() > 2 { 2 } else { 1 });
    let fits = shorter.iter().find(|text| text::width(text) <= columns).unwrap_or(&shorter[last]);
    text::fit(fits, columns)
}
