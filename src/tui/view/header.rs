//! The lines that every screen has: whose knobs these are, the screens, what was said last, the keys.

use ratatui::text::{Line, Span};

use crate::abi::record::State;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::{Action, name};
use crate::tui::model::dialog::Dialog;
use crate::tui::model::{Model, Tab};
use crate::tui::text;

use super::dialogs::Sight;
use crate::tui::widgets::lines::line;

/// The whole sentence, or as much of it as there is room for: the engine, its pid, and that the kernel is untouched.
pub(super) fn target(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    line(text::pad(&target_words(model, columns), columns), model.theme.target)
}

/// The same, as words.
pub(super) fn target_words(model: &Model, columns: usize) -> String {
    let whole = model.target();
    let pid = model.snapshot.pid;
    let shorter = [
        whole,
        format!("embedded engine (pid {pid}): kernel untouched"),
        format!("engine (pid {pid}): kernel untouched"),
        // On the edge of a dialog, below the line that says all of it.
        format!("engine (pid {pid})"),
    ];
    let fits = shorter.iter().find(|text| text::width(text) <= columns).unwrap_or(&shorter[2]);
    text::fit(fits, columns)
}

/// The screens with their keys, and `read-only`.
pub(super) fn tabs(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let marks: Vec<Span<'static>> = marks(model);
    let with_marks = |mut spans: Vec<Span<'static>>| {
        spans.extend(marks.iter().cloned());
        Line::from(spans)
    };
    let lines = [Names::Roomy, Names::Close, Names::Shown].map(|names| with_marks(screens(model, names)));
    let [roomy, close, shown] = lines;
    if roomy.width() <= columns {
        roomy
    } else if close.width() <= columns {
        close
    } else if shown.width() <= columns {
        shown
    } else {
        Line::from(screens(model, Names::Shown))
    }
}

/// How much is said of each screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Roomy,
    Close,
    /// The name of the one that is shown, the numbers of the others.
    Shown,
}

fn screens(model: &Model, names: Names) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let number = at + 1;
        let (text, style) = match (model.tab == tab, names) {
            (true, _) => (format!("[{number} {}]", tab.name()), model.theme.selected),
            (false, Names::Roomy) => (format!(" {number} {} ", tab.name()), model.theme.text),
            (false, Names::Close) => (format!("{number} {}", tab.name()), model.theme.text),
            (false, Names::Shown) => (number.to_string(), model.theme.text),
        };
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    spans
}

fn marks(model: &Model) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if !model.masks.changed(&model.snapshot).is_empty() {
        spans.push(Span::styled("draft open ", model.theme.draft));
    }
    if model.options.read_only {
        spans.push(Span::styled("read-only", model.theme.warn));
    }
    spans
}

/// The screen whose name is in that cell of the line.
pub(super) fn tab_at(model: &Model, columns: u16, x: u16) -> Option<Tab> {
    let line = tabs(model, columns);
    let mut end = 0;
    // A name and a blank each, in their order, before everything else.
    Tab::ALL.into_iter().zip(line.spans.chunks(2)).find_map(|(tab, spans)| {
        end += spans.iter().map(Span::width).sum::<usize>();
        (usize::from(x) < end).then_some(tab)
    })
}

/// What was said last.
pub(super) fn status(model: &Model, columns: u16, rows: u16) -> Vec<Line<'static>> {
    let Some(status) = &model.status else { return Vec::new() };
    let style = match status.mood {
        Severity::Quiet => model.theme.text,
        mood => model.theme.mood(mood),
    };
    let (columns, rows) = (usize::from(columns), usize::from(rows));
    let mut lines = text::wrap(&status.text, columns);
    if lines.len() > rows && rows > 0 {
        let rest = lines.split_off(rows - 1).join(" ");
        lines.push(text::fit(&rest, columns));
    }
    lines.into_iter().map(|text| line(text, style)).collect()
}

/// The keys that mean something now. Where there is no room for all, the help's key is still there.
/// `sight` is what of the dialog on top is in sight.
pub(super) fn footer(model: &Model, columns: u16, sight: Option<Sight>) -> Line<'static> {
    let columns = usize::from(columns);
    let mut keys: Vec<_> = offered(model, sight);
    let cells = |key: &str, label: &str| text::width(key) + text::width(label) + 3;
    // No blanks are needed after the last one.
    let all =
        |keys: &[(String, &str)]| keys.iter().map(|(key, label)| cells(key, label)).sum::<usize>().saturating_sub(2);
    if all(&keys) > columns && model.dialogs.last().is_some() {
        // Of all keys this one is guessed the soonest.
        keys.retain(|(_, label)| *label != "next");
    }
    let wanted = all(&keys);
    let on_top = matches!(model.dialogs.last(), Some(Dialog::Help(_)));
    let help = help_key(model);
    let more = format!("{} {help} help", text::CUT);
    let room = if wanted <= columns || on_top { columns } else { columns.saturating_sub(text::width(&more)) };
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, label) in keys {
        if wanted > columns && label == "help" {
            continue;
        }
        used += cells(&key, label);
        if used.saturating_sub(if wanted <= columns { 2 } else { 0 }) > room {
            break;
        }
        spans.push(Span::styled(key, model.theme.key));
        spans.push(Span::styled(format!(" {label}  "), model.theme.text));
    }
    if room < columns {
        spans.push(Span::styled(text::fit(&more, columns), model.theme.key));
    }
    Line::from(spans)
}

/// The keys that do something now, with their labels.
fn offered(model: &Model, sight: Option<Sight>) -> Vec<(String, &'static str)> {
    let scrolls = sight.is_some_and(|sight| sight.most > 0);
    let over = matches!(model.dialogs.last(), Some(Dialog::Detail(_)))
        && model.activity.detail().is_some_and(|detail| detail.record.state == State::Ended);
    let rows =
        model.keys.footer(model.chain(), model.options.read_only).into_iter().filter(|(row, _)| match row.action {
            _ if row.label == "scroll" => scrolls,
            Action::Next => model.fields() > 1,
            Action::Kill | Action::Abandon => !over,
            _ => true,
        });
    rows.map(|(row, key)| match row.action {
        Action::Change => (format!("{}/{key}", model.keys.key(Action::ChangeBack)), row.label),
        _ => (key, row.label),
    })
    .collect()
}

/// The help's key that means something now: a character does not where text is typed.
fn help_key(model: &Model) -> String {
    let chain = model.chain();
    let help = model.keys.rows().filter(|(row, _)| row.action == Action::Help);
    let here = help.filter(|(row, _)| chain.contains(&row.context)).flat_map(|(_, keys)| keys);
    here.map(|key| name(*key)).next().unwrap_or_default()
}
