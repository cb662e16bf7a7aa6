//! A screen as lines: its rows with numbers, and what each stands for. They are the rows of the console itself, drawn on
//! a page that is as high as it needs to be.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::layout::{self, Areas, Hit};
use crate::tui::model::overview::Item;
use crate::tui::model::{Model, Tab};
use crate::tui::panels::requests;
use crate::tui::view;

use super::plain::words;

/// What a row stands for. It stays the same when rows come in above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A row of the Overview.
    Item(Item),
    /// A capability: its bit.
    Capability(u8),
    /// A request.
    Record(u64),
    /// A line of the log.
    Line(u64),
    /// A row of the Rules: its place.
    Rule(usize),
}

/// A row that can be opened.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) what: What,
    /// A cell of it on the page, for a click.
    pub(super) at: (u16, u16),
    pub(super) words: String,
    /// The cursor is on it.
    pub(super) chosen: bool,
}

/// A line of a screen.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A heading, or a line that cannot be opened.
    Words(String),
    /// A row.
    Row(Row),
}

/// A screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) said: Vec<Said>,
    /// The details of the row under the cursor, below the rows.
    pub(super) details: Vec<String>,
}

impl Page {
    /// The rows that can be opened, in the order of their numbers, the first of which is 1.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.said.iter().filter_map(|said| match said {
            Said::Row(row) => Some(row),
            Said::Words(_) => None,
        })
    }

    /// The lines with their numbers.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut number = 0;
        let line = |said: &Said| match said {
            Said::Words(words) => words.clone(),
            Said::Row(row) => {
                number += 1;
                numbered(number, &row.words, row.chosen)
            }
        };
        self.said.iter().map(line).collect()
    }
}

/// `3. dummy  exit 1`.
pub(super) fn numbered(number: usize, words: &str, chosen: bool) -> String {
    format!("{number}. {}{words}", if chosen { "[chosen] " } else { "" })
}

/// The size of the page on which a screen is drawn: the Overview and the Masks in one column with every row, and as many
/// rows of the lists as one reads at a time.
pub(super) const fn size(tab: Tab) -> (u16, u16) {
    match tab {
        Tab::Overview => (99, 200),
        Tab::Masks => (99, 120),
        Tab::Activity => (159, 40),
        Tab::Log => (159, 30),
        Tab::Rules => (159, 60),
    }
}

/// The screen that the model shows, which must have this size.
pub(super) fn page(model: &Model) -> Page {
    let area = Rect::new(0, 0, model.columns, model.rows);
    let mut buf = Buffer::empty(area);
    let cursor = view::draw(model, &mut buf).map(|at| at.y);
    let text = |y: u16| -> String { (0..area.width).map(|x| buf[(x, y)].symbol()).collect() };
    match model.tab {
        Tab::Overview => overview(model, cursor, &text),
        tab => rows(model, tab, cursor, &text),
    }
}

fn overview(model: &Model, cursor: Option<u16>, text: &dyn Fn(u16) -> String) -> Page {
    let plan = layout::overview::now(model);
    let mut said = vec![Said::Words(words(&text(plan.strip.y), None))];
    for panel in &plan.panels {
        let hint = if panel.hint.is_empty() { String::new() } else { format!(" ({})", panel.hint) };
        said.push(Said::Words(words(&format!("{}{hint}", panel.title), None)));
        // The graph says what the numbers above it say.
        let shown = match panel.kind {
            layout::overview::Kind::Requests => requests::lines(model, usize::from(panel.area.width), false).len(),
            _ => panel.rows.len(),
        };
        for (row, y) in panel.rows.iter().zip(panel.area.y + 1..).take(shown) {
            let words = words(&row.line.to_string(), None);
            add(&mut said, row.item.map(What::Item), (panel.area.x + 1, y), words, cursor == Some(y));
        }
    }
    Page { said, details: Vec::new() }
}

fn rows(model: &Model, tab: Tab, cursor: Option<u16>, text: &dyn Fn(u16) -> String) -> Page {
    let body = Areas::now(model).body;
    let mut page = Page::default();
    // The list of the Rules has headings between its rows.
    let list = layout::rules::list(model);
    let is_list = |y| tab == Tab::Rules && (list.top()..list.bottom()).contains(&y);
    for y in body.top()..body.bottom() {
        let what = layout::hit(model, body.x + 1, y).and_then(|hit| what(model, hit));
        let row = text(y);
        let begins = row.trim_start();
        let mark = begins.chars().next().filter(|mark| ['>', '*'].contains(mark) && what.is_some());
        let mut words = words(mark.map_or(&*row, |_| &begins[1..]), Some(tab));
        if words.is_empty() {
            continue;
        }
        if mark == Some('*') {
            words.insert_str(0, "[marked] ");
        }
        match what {
            None if page.rows().next().is_some() && !is_list(y) => page.details.push(words),
            what => add(&mut page.said, what, (body.x + 1, y), words, cursor == Some(y)),
        }
    }
    page
}

/// Adds a line; the second line of a row joins the first.
fn add(said: &mut Vec<Said>, what: Option<What>, at: (u16, u16), words: String, chosen: bool) {
    match (what, said.last_mut()) {
        (Some(what), Some(Said::Row(last))) if last.what == what => {
            last.words.push(' ');
            last.words.push_str(&words);
            last.chosen |= chosen;
        }
        (Some(what), _) => said.push(Said::Row(Row { what, at, words, chosen })),
        (None, _) => said.push(Said::Words(words)),
    }
}

fn what(model: &Model, hit: Hit) -> Option<What> {
    Some(match hit {
        Hit::Tab(_) => return None,
        Hit::Item(item) => What::Item(item),
        Hit::Capability(cap, _) => What::Capability(cap.bit()),
        Hit::Row(index) if model.tab == Tab::Log => What::Line(*model.log.shown.get(index)?),
        Hit::Row(index) if model.tab == Tab::Rules => What::Rule(index),
        Hit::Row(index) => {
            let answer = &model.activity.answer;
            What::Record(answer.rows.get(index.checked_sub(answer.first)?)?.id)
        }
    })
}

/// The dialog on top as lines: its title, then its lines, of which the fields and choices have numbers.
pub(super) fn dialog(model: &Model) -> Option<(String, Vec<String>)> {
    /// Wide enough that few sentences are broken.
    const COLUMNS: usize = 400;
    let sheet = model.dialogs.last()?.sheet(model, COLUMNS);
    let mut lines = Vec::new();
    for (at, line) in sheet.lines.iter().enumerate() {
        let row = line.to_string();
        let marked = row.strip_prefix('>');
        let words = words(marked.unwrap_or(&row), None);
        match sheet.targets.iter().position(|target| *target == at) {
            Some(target) => lines.push(numbered(target + 1, &words, marked.is_some())),
            None if words.is_empty() => {}
            None => lines.push(words),
        }
    }
    for line in &sheet.pinned {
        let row = line.to_string();
        lines.push(words(row.strip_prefix('>').unwrap_or(&row), None));
    }
    lines.extend(sheet.error.clone());
    Some((words(&sheet.title, None), lines))
}
