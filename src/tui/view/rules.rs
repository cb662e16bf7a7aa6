//! The screen Rules: what the rules are, what each has decided, and what was denied lately.

mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::counted::plural;
use crate::control::rules::text::NONE;
use crate::control::rules::{Denied, RuleUse, RulesView};
use crate::policy::rules::Mode;
use crate::tui::layout::rules::{Entry, entries, hides, parts};
use crate::tui::model::Model;
use crate::tui::model::rules::{Item, place};
use crate::tui::panels::rows::labelled;
use crate::tui::text;
use crate::tui::widgets::lines::{line, put};
use crate::tui::widgets::rule::{Rule, selected};

use words::{asker, counting, dated, does, grouped, when, whole};

/// Draws it. Returns the cursor's position.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let [strip, list, detail, hidden] = parts(model, area);
    let columns = usize::from(area.width);
    let view = match &model.rules.answer {
        Some(Ok(view)) => view,
        Some(Err(why)) => {
            let lines = text::wrap(why, columns);
            put(buf, area, &lines.into_iter().map(|t| line(t, model.theme.text)).collect::<Vec<_>>());
            return None;
        }
        None => {
            put(buf, area, &[line("reading", model.theme.dim)]);
            return None;
        }
    };
    put(buf, strip, &[strip_line(model, view, columns)]);
    if view.mode == Mode::Off && view.rules.is_empty() {
        let lines = text::wrap(NONE, columns.saturating_sub(1));
        put(buf, list, &lines.into_iter().map(|t| line(format!(" {t}"), model.theme.text)).collect::<Vec<_>>());
        return None;
    }
    let widths = Widths::of(view, columns);
    let chosen = model.rules.item().map(Entry::Item);
    let (mut lines, mut cursor) = (Vec::new(), None);
    for entry in entries(model).into_iter().skip(model.rules.top).take(usize::from(list.height)) {
        let row = entry_line(model, view, entry, &widths);
        if Some(entry) == chosen {
            cursor = Some(Position { x: list.x, y: list.y + u16::try_from(lines.len()).unwrap_or(0) });
            lines.push(selected(&model.theme, &row, columns));
        } else {
            lines.push(row);
        }
    }
    put(buf, list, &lines);
    put(buf, detail, &detail_lines(model, view, columns));
    put(
        buf,
        hidden,
        &[line(text::fit(&hides(model, list.height, detail.height > 0, columns), columns), model.theme.dim)],
    );
    cursor
}

/// The mode in words, and the counts; the most important first.
fn strip_line(model: &Model, view: &RulesView, columns: usize) -> Line<'static> {
    let (theme, does) = (&model.theme, does(view.mode));
    let trial = model.rules_trial().zip(model.snapshot.rules).filter(|(_, state)| state.mode.mode == view.mode);
    let trial = trial.map(|(left, state)| format!(" for {}, then {}", counting(left), state.then.name()));
    let mode = format!(" ● {}{}", view.mode.name(), trial.unwrap_or_default());
    let style = match view.mode {
        Mode::Enforce => theme.good,
        Mode::Audit => theme.warn,
        Mode::Off | Mode::Learn => theme.text,
    };
    let mut parts = Vec::new();
    if view.denied > 0 || view.mode == Mode::Enforce {
        parts.push(format!("{} denied", grouped(view.denied)));
    }
    if view.would_deny > 0 || view.mode == Mode::Audit {
        parts.push(format!("{} would be denied", grouped(view.would_deny)));
    }
    if matches!(view.mode, Mode::Enforce | Mode::Audit) {
        parts.push(format!("{} judged", grouped(view.judged)));
        parts.push(format!("since {}", when(model, view.since)));
    }
    while parts.len() > 1 && text::width(&mode) + 3 + text::width(&parts.join(" · ")) > columns {
        parts.pop();
    }
    let mut words = if parts.is_empty() { String::new() } else { format!("   {}", parts.join(" · ")) };
    if text::width(&mode) + text::width(&words) + text::width(does) + 3 <= columns {
        words = format!(": {does}{words}");
    }
    let room = columns.saturating_sub(text::width(&mode));
    Line::from(vec![Span::styled(mode, style), Span::styled(text::fit(&words, room), theme.text)])
}

/// The columns. 0: it is not shown.
struct Widths {
    columns: usize,
    place: usize,
    times: usize,
    last: usize,
    who: usize,
}

/// The text of a rule that decided nothing.
const NEVER: &str = "never";

impl Widths {
    fn of(view: &RulesView, columns: usize) -> Self {
        let longest = view.rules.iter().map(|rule| text::width(&place(rule))).max().unwrap_or(4);
        let times = view.rules.iter().map(|rule| grouped(rule.times).len()).max().unwrap_or(0).max(NEVER.len());
        let (last, who) = match columns {
            120.. => (14, 34),
            100.. => (14, 22),
            60.. => (14, 0),
            _ => (0, 0),
        };
        Self { columns, place: longest.min(columns / 4), times, last, who }
    }

    /// A row: its sign, where the rule is, how often, the name, who, when.
    fn line(&self, model: &Model, sign: (char, Style), cells: [&str; 5], style: Style) -> Line<'static> {
        let [place, times, name, who, last] = cells;
        let right = |text: &str, width: usize| " ".repeat(width.saturating_sub(text::width(text))) + text;
        let after = |width: usize| if width > 0 { width + 1 } else { 0 };
        let fixed = 3 + self.place + 1 + self.times + 1 + after(self.who) + after(self.last);
        let name = text::pad(name, self.columns.saturating_sub(fixed));
        let place = if text::width(place) > self.place {
            format!("…{}", text::tail(place, self.place.saturating_sub(1)))
        } else {
            text::pad(place, self.place)
        };
        let theme = &model.theme;
        let mut spans = vec![
            Span::styled(format!(" {} ", sign.0), sign.1),
            Span::styled(format!("{place} "), theme.dim),
            Span::styled(format!("{} ", right(times, self.times)), theme.text),
            Span::styled(name, style),
        ];
        if self.who > 0 {
            spans.push(Span::styled(format!(" {}", text::pad(who, self.who)), theme.text));
        }
        if self.last > 0 {
            spans.push(Span::styled(format!(" {}", right(last, self.last)), theme.dim));
        }
        Line::from(spans)
    }
}

fn entry_line(model: &Model, view: &RulesView, entry: Entry, widths: &Widths) -> Line<'static> {
    let (theme, columns) = (&model.theme, widths.columns);
    let heading = |title: &str, hint: &str, focused| Rule { title, hint, focused }.line(theme, columns);
    let in_rules = !matches!(model.rules.item(), Some(Item::Denied(_)));
    match entry {
        Entry::Rules => {
            let never = view.rules.iter().filter(|rule| rule.times == 0).count();
            let judges = matches!(view.mode, Mode::Audit | Mode::Enforce);
            let never = if never > 0 && judges { format!("{never} never matched") } else { String::new() };
            heading(&format!("Rules {}, the first that matches decides", view.rules.len()), &never, in_rules)
        }
        Entry::Lately => {
            let title = match view.mode {
                Mode::Enforce if view.would_deny == 0 => "Denied",
                Mode::Audit if view.denied == 0 => "Would be denied",
                _ => "Denied, or would be",
            };
            heading(&format!("{title}, newest first"), "enter shows the requests", !in_rules)
        }
        Entry::Note if view.rules.is_empty() => line(" no rule: every request is allowed", theme.dim),
        Entry::Note => {
            let rules = plural(&view.more, "rule is", "rules are");
            line(format!(" {} more {rules} in force and not shown", grouped(view.more)), theme.warn)
        }
        Entry::Nothing => line(" nothing", theme.dim),
        Entry::Item(Item::Rule(at)) => rule_line(model, &view.rules[at], widths),
        Entry::Item(Item::Denied(at)) => denied_line(model, view, &view.lately[at], widths),
    }
}

fn rule_line(model: &Model, rule: &RuleUse, widths: &Widths) -> Line<'static> {
    let theme = &model.theme;
    let sign = if rule.denies { ('⊘', theme.warn) } else { ('✓', theme.good) };
    let times = if rule.times == 0 { NEVER.to_owned() } else { grouped(rule.times) };
    let (who, last) = match &rule.last {
        Some(last) => (asker(last), when(model, last.at)),
        None => Default::default(),
    };
    widths.line(model, sign, [&place(rule), &times, &rule.text, &who, &last], theme.title)
}

fn denied_line(model: &Model, view: &RulesView, one: &Denied, widths: &Widths) -> Line<'static> {
    let theme = &model.theme;
    let by = view.rules.get(one.rule).map_or_else(|| format!("rule {}", one.rule + 1), place);
    let name = match (&*one.because, one.enforced) {
        ("", true) => one.asked.to_string(),
        (because, true) => format!("{} ({because})", one.asked),
        ("", false) => format!("{}, went on", one.asked),
        (because, false) => format!("{}, went on ({because})", one.asked),
    };
    let sign = ('⊘', if one.enforced { theme.bad } else { theme.warn });
    let times = format!("×{}", grouped(one.times));
    widths.line(model, sign, [&by, &times, &name, &asker(&one.last), &when(model, one.last.at)], theme.title)
}

/// What is under the cursor, in full.
fn detail_lines(model: &Model, view: &RulesView, columns: usize) -> Vec<Line<'static>> {
    let Some((rule, denied)) = model.rules.chosen() else { return Vec::new() };
    let theme = &model.theme;
    let title = denied.map_or("The rule", |_| "The requests and the rule");
    let mut lines = vec![Rule { title, hint: "enter shows its requests", focused: false }.line(theme, columns)];
    let mut say = |label: &str, value: &str, style| lines.extend(labelled(model, label, value, columns, style));
    if let Some(one) = denied {
        let what = if one.enforced { "denied" } else { "would be denied, went on" };
        let because = if one.because.is_empty() { String::new() } else { format!(", {}", one.because) };
        let times = format!("{}{}", grouped(one.times), plural(&one.times, " time", " times"));
        say("asked", &format!("{}{because}: {what}, {times}", one.asked), theme.text);
        say("last by", &format!("{}, {}", whole(&one.last), dated(model, one.last.at)), theme.text);
    }
    let Some(rule) = rule else { return lines };
    say("rule", &rule.text, theme.title);
    let line = if rule.line == 0 { String::new() } else { format!(":{}", rule.line) };
    say("written at", &format!("{}{line}", rule.file), theme.text);
    match (&rule.last, rule.never_after.and_then(|at| view.rules.get(at))) {
        (None, Some(before)) => say("decided", &format!("never: {} comes first", place(before)), theme.warn),
        (None, None) => say("decided", &format!("nothing since {}", dated(model, view.since)), theme.warn),
        (Some(_), _) if denied.is_some() => {}
        (Some(last), _) => {
            say("decided", &format!("{}, the last {}", grouped(rule.times), dated(model, last.at)), theme.text);
            say("last by", &whole(last), theme.text);
        }
    }
    lines
}
