//! The filter line of Activity: the field that is typed into, or every filter by its name.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::layout::activity::is_filtered;
use crate::tui::model::Model;
use crate::tui::model::activity::Typing;
use crate::tui::model::filter::One;
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::{line, put};

/// Draws it. Returns the cursor's position if a field has the focus.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let a = &model.activity;
    if area.is_empty() || !is_filtered(a) {
        return None;
    }
    let columns = usize::from(area.width);
    let Some(typing) = a.typing else {
        put(buf, area, &[line(named(model, columns), model.theme.text)]);
        return None;
    };
    let (mark, shown) = if typing == Typing::Globs { ("* ", &a.globs) } else { ("/ ", &a.words) };
    let says = match a.wrong() {
        Some(why) => format!(" ✗ {why}"),
        None if !a.is_current() => " reading".to_owned(),
        None if a.query().scattered && a.answer.matched > 0 => {
            format!(" {} by letters in this order", a.answer.matched)
        }
        None => format!(" {} of {}", a.answer.matched, a.answer.looked),
    };
    let says = text::fit(&says, columns / 2);
    field::draw(&model.theme, area, buf, (mark, &says), shown, true)
}

/// Every filter by its name; what takes them away is said if there is room.
fn named(model: &Model, columns: usize) -> String {
    let a = &model.activity;
    let mut parts = Vec::new();
    if a.has(One::Words) {
        let how = if a.query().scattered { "letters" } else { "filter" };
        parts.push(format!("{how} {}", text::screen(a.words.bytes())));
    }
    if a.has(One::Globs) {
        let wrong = a.wrong().map(|why| format!(" ✗ {why}")).unwrap_or_default();
        parts.push(format!("modules {}{wrong}", text::screen(a.globs.bytes())));
    }
    if a.has(One::Outcomes) {
        parts.push(format!("outcome {}", a.which.words()));
    }
    if a.has(One::Times) {
        parts.push(format!("time {}", a.times.words()));
    }
    let ways = if parts.len() > 1 { "esc shows all, backspace takes the last away" } else { "esc shows all" };
    let words = parts.join(" · ");
    let whole = format!("{words} · {ways}");
    if text::width(&whole) <= columns { whole } else { text::fit(&words, columns) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::activity::outcomes::Outcomes;
    use crate::tui::field::Field;
    use crate::tui::model::times::Times;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};
    use crate::verbs::span::Span;

    #[test]
    fn every_filter_is_named_and_taken_away_one_by_one_or_all_at_once() {
        let mut model = fixtures::model(fixtures::busy(2), 120, 40);
        keys(&mut model, "3");
        let filter = |model: &mut Model| {
            model.activity.words = Field::new(b"cifs unit:SSHD");
            model.activity.which = Outcomes::failures();
            model.activity.times = Times { typed: "1s".into(), span: Span { since: Some(0), until: None } };
        };
        filter(&mut model);
        let query = model.activity.query();
        assert_eq!((query.words, query.unit), (vec!["cifs".to_owned()], Some("sshd".to_owned())));
        let named = |model: &Model| {
            screen(model)
                .lines()
                .find(|line| line.starts_with("filter ") || line.starts_with("outcome "))
                .map(str::to_owned)
        };
        let line = named(&model).unwrap();
        assert!(line.starts_with("filter cifs unit:SSHD · outcome failed · time 1s: since 19"), "{line}");
        assert!(!line.contains("esc") || line.len() <= 125, "{line}");
        keys(&mut model, "⌫");
        assert!(named(&model).unwrap().starts_with("filter cifs unit:SSHD · outcome failed · esc shows all"));
        keys(&mut model, "⌫");
        assert!(model.activity.which.is_all() && model.activity.filters());
        keys(&mut model, "⌫");
        assert!(!model.activity.filters() && named(&model).is_none());
        filter(&mut model);
        model.status = None;
        keys(&mut model, "⎋");
        assert!(!model.activity.filters());
    }
}
