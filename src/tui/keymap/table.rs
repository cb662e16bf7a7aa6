//! The key table: the action of each key, its context, and its help text.

use crossterm::event::{KeyCode, KeyModifiers};

use crate::tui::field::Edit;

use super::action::Action;
use super::context::Context;
use super::key_names::{Key, kebab};

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// The context.
    pub context: Context,
    /// The keys.
    pub keys: &'static [Key],
    /// The action.
    pub action: Action,
    /// A word or two for the footer; empty if the footer does not show it.
    pub label: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
}

impl Binding {
    /// Its name in the settings, unique within its context: `page-up`.
    pub fn id(&self) -> String {
        match self.action {
            Action::Choose(_) => self.label.to_owned(),
            Action::Edit(edit) => kebab(&format!("{edit:?}")),
            action => kebab(&format!("{action:?}")),
        }
    }
}

const fn c(key: char) -> Key {
    (KeyCode::Char(key), KeyModifiers::NONE)
}
const fn ctrl(key: char) -> Key {
    (KeyCode::Char(key), KeyModifiers::CONTROL)
}
const fn k(code: KeyCode) -> Key {
    (code, KeyModifiers::NONE)
}
const fn row(
    context: Context,
    keys: &'static [Key],
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { context, keys, action, label, help }
}

const UP: Key = k(KeyCode::Up);
const DOWN: Key = k(KeyCode::Down);
const PAGE_UP: Key = k(KeyCode::PageUp);
const PAGE_DOWN: Key = k(KeyCode::PageDown);
const HOME: Key = k(KeyCode::Home);
const END: Key = k(KeyCode::End);
const LEFT: Key = k(KeyCode::Left);
const RIGHT: Key = k(KeyCode::Right);
const ENTER: Key = k(KeyCode::Enter);
const ESC: Key = k(KeyCode::Esc);
const TAB: Key = k(KeyCode::Tab);
const BACK_TAB: Key = k(KeyCode::BackTab);

/// Every key. The footer shows the keys of a context in this order.
pub const TABLE: &[Binding] = &[
    row(Context::Overview, &[ENTER], Action::Open, "open", "open what is under the cursor: record, knob, warning"),
    row(Context::Overview, &[c('+')], Action::Fold, "", "unfold equal rows, or fold them again"),
    row(Context::Overview, &[UP], Action::Up, "", "move up"),
    row(Context::Overview, &[DOWN], Action::Down, "", "move down"),
    row(Context::Overview, &[LEFT], Action::Left, "", "go to the column to the left"),
    row(Context::Overview, &[RIGHT], Action::Right, "", "go to the column to the right"),
    row(Context::Overview, &[HOME], Action::First, "", "go to the first row"),
    row(Context::Overview, &[END], Action::Last, "", "go to the last row"),
    row(
        Context::Masks,
        &[c(' ')],
        Action::Toggle,
        "toggle",
        "toggle the capability in the draft of the selected column",
    ),
    row(Context::Masks, &[c('w')], Action::Apply, "apply", "apply the draft: shows what is dropped and asks first"),
    row(
        Context::Masks,
        &[c('p')],
        Action::Rehearse,
        "rehearse",
        "rehearse: run a helper under the draft, then under the live masks, and compare",
    ),
    row(Context::Masks, &[c('z')], Action::Discard, "discard", "discard the draft"),
    row(Context::Masks, &[c('u')], Action::Undo, "undo", "undo the last change of the draft"),
    row(Context::Masks, &[ctrl('r')], Action::Redo, "", "redo the change that `u` undid"),
    row(
        Context::Masks,
        &[c('/')],
        Action::Filter,
        "filter",
        "show only rows whose name, meaning or risk contains these words",
    ),
    row(Context::Masks, &[c('P')], Action::Presets, "presets", "fill the draft from a preset"),
    row(Context::Masks, &[c('y')], Action::Copy, "copy", "copy the draft in one of its text forms (OSC 52)"),
    row(Context::Masks, &[LEFT], Action::Left, "", "select the column to the left"),
    row(Context::Masks, &[RIGHT], Action::Right, "", "select the column to the right"),
    row(Context::Masks, &[c('a')], Action::All, "all", "add every capability shown to the draft"),
    row(Context::Masks, &[c('n')], Action::Nothing, "none", "remove every capability shown from the draft"),
    row(Context::Masks, &[c('i')], Action::Invert, "invert", "invert the draft in the rows shown"),
    row(Context::Masks, &[c('f')], Action::Forms, "forms", "show the capability and both masks in full, in every form"),
    row(
        Context::Masks,
        &[c('R')],
        Action::Reset,
        "reset",
        "reset the selected mask to full (the real kernel cannot do that)",
    ),
    row(Context::Masks, &[UP, c('k')], Action::Up, "", "move up"),
    row(Context::Masks, &[DOWN, c('j')], Action::Down, "", "move down"),
    row(Context::Masks, &[PAGE_UP], Action::PageUp, "", "move up by a page"),
    row(Context::Masks, &[PAGE_DOWN], Action::PageDown, "", "move down by a page"),
    row(Context::Masks, &[HOME], Action::First, "", "go to the first capability"),
    row(Context::Masks, &[END], Action::Last, "", "go to the last capability"),
    row(
        Context::Activity,
        &[ENTER],
        Action::Detail,
        "record",
        "show the full record: argv, masks, times, output, chain",
    ),
    row(
        Context::Activity,
        &[c('/')],
        Action::Filter,
        "filter",
        "show only records with these words in number, program, arguments, requester or outcome",
    ),
    row(
        Context::Activity,
        &[c('o')],
        Action::Outcome,
        "outcome",
        "choose the outcomes to show: still running, exit 0, killed .., with the number of each",
    ),
    row(
        Context::Activity,
        &[c('i')],
        Action::Times,
        "time",
        "show a time: 10m, yesterday, 2026-11-25, since .. until ..",
    ),
    row(
        Context::Activity,
        &[c('s')],
        Action::Sort,
        "sort",
        "sort by the next key: number, time, CPU, memory, name, outcome",
    ),
    row(Context::Activity, &[c('f')], Action::Follow, "follow", "follow: keep the cursor on the first row"),
    row(Context::Activity, &[c(' ')], Action::Pause, "pause", "pause: show no new records until pressed again"),
    row(
        Context::Activity,
        &[c('+')],
        Action::Fold,
        "unfold",
        "show each request in its own row, or equal ones in one row",
    ),
    row(
        Context::Activity,
        &[c('v')],
        Action::Mark,
        "",
        "mark the row's requests, or unmark them: `k` and `x` act on all",
    ),
    row(Context::Activity, &[c('V')], Action::MarkAll, "", "mark every running request that matches the filters"),
    row(
        Context::Activity,
        &[c('K')],
        Action::MatchKill,
        "",
        "all that match the filters: kill their helpers, asks first",
    ),
    row(
        Context::Activity,
        &[c('X')],
        Action::MatchAbandon,
        "",
        "all that match the filters: abandon their waits, asks first",
    ),
    row(
        Context::Activity,
        &[c('a')],
        Action::Tree,
        "tree",
        "show each request below the one whose helper asked for it, or in a list",
    ),
    row(Context::Activity, &[c('k')], Action::Kill, "kill", "kill the helper: asks for TERM or KILL"),
    row(
        Context::Activity,
        &[c('x')],
        Action::Abandon,
        "abandon",
        "abandon the wait: the caller gets EINTR, the helper runs on",
    ),
    row(Context::Activity, &[c('r')], Action::Repeat, "again", "repeat the request: shows it and asks first"),
    row(Context::Activity, &[c('y')], Action::Copy, "copy", "copy the record as JSON, or its command line (OSC 52)"),
    row(Context::Activity, &[c('w')], Action::Save, "save", "save this record, or all that match, as JSON lines"),
    row(
        Context::Activity,
        &[c('*')],
        Action::Glob,
        "modules",
        "show only modules whose names match globs, for example `usb-* snd?`; among the words of `/`, unit:NAME asks for a \
         unit, and where no record has the words, their letters in this order count in names",
    ),
    row(Context::Activity, &[c('O')], Action::Failures, "", "show only failures, or every outcome again"),
    row(
        Context::Activity,
        &[k(KeyCode::Backspace)],
        Action::Unfilter,
        "",
        "take the last filter away; esc takes all away",
    ),
    row(Context::Activity, &[c('S')], Action::Reverse, "", "reverse the order"),
    row(Context::Activity, &[RIGHT], Action::Right, "", "read the record beside or below the rows"),
    row(Context::Activity, &[LEFT], Action::Left, "", "go back to the rows"),
    row(Context::Activity, &[UP], Action::Up, "", "move up"),
    row(Context::Activity, &[DOWN], Action::Down, "", "move down"),
    row(Context::Activity, &[PAGE_UP], Action::PageUp, "", "move up by a page"),
    row(Context::Activity, &[PAGE_DOWN], Action::PageDown, "", "move down by a page"),
    row(Context::Activity, &[HOME], Action::First, "", "go to the first row"),
    row(Context::Activity, &[END], Action::Last, "", "go to the last row"),
    row(Context::Detail, &[ESC, ENTER, c('q')], Action::Dismiss, "back", "go back"),
    row(Context::Detail, &[UP], Action::Up, "", "scroll up"),
    row(Context::Detail, &[DOWN], Action::Down, "scroll", "scroll down"),
    row(Context::Detail, &[PAGE_UP], Action::PageUp, "", "scroll up by a page"),
    row(Context::Detail, &[PAGE_DOWN, c(' ')], Action::PageDown, "", "scroll down by a page"),
    row(Context::Detail, &[HOME], Action::First, "", "go to the beginning"),
    row(Context::Detail, &[END], Action::Last, "", "go to the end"),
    row(Context::Detail, &[c('k')], Action::Kill, "kill", "kill the helper: asks for TERM or KILL"),
    row(Context::Detail, &[c('x')], Action::Abandon, "abandon", "abandon the wait: the helper runs on"),
    row(Context::Detail, &[c('r')], Action::Repeat, "again", "repeat the request: shows it and asks first"),
    row(Context::Detail, &[c('y')], Action::Copy, "copy", "copy the record as JSON, or its command line (OSC 52)"),
    row(Context::Detail, &[c('w')], Action::Save, "save", "save this record, or all that match, as JSON lines"),
    row(Context::Log, &[c('/')], Action::Filter, "filter", "show only lines that contain these words"),
    row(Context::Log, &[c('l')], Action::Level, "level", "show only the next level and above: info, warning, error"),
    row(Context::Log, &[c('f')], Action::Follow, "follow", "follow: keep the cursor on the newest line"),
    row(Context::Log, &[c('y')], Action::Copy, "copy", "copy the line (OSC 52)"),
    row(Context::Log, &[UP, c('k')], Action::Up, "", "move up"),
    row(Context::Log, &[DOWN, c('j')], Action::Down, "", "move down"),
    row(Context::Log, &[PAGE_UP], Action::PageUp, "", "move up by a page"),
    row(Context::Log, &[PAGE_DOWN], Action::PageDown, "", "move down by a page"),
    row(Context::Log, &[HOME], Action::First, "", "go to the oldest line"),
    row(Context::Log, &[END], Action::Last, "", "go to the newest line"),
    row(Context::Line, &[ENTER], Action::Accept, "do it", "run the command"),
    row(Context::Line, &[TAB], Action::Complete, "complete", "complete the last word, or list its completions"),
    row(Context::Line, &[UP, ctrl('p')], Action::Older, "before", "recall the previous line, from earlier starts too"),
    row(Context::Line, &[DOWN, ctrl('n')], Action::Newer, "", "recall the next line"),
    row(Context::Line, &[ESC], Action::Dismiss, "back", "go back; `up` recalls the line"),
    row(Context::Filter, &[ENTER], Action::KeepFilter, "keep", "keep the filter and go back to the rows"),
    row(Context::Filter, &[ESC], Action::EndFilter, "no filter", "clear the filter"),
    row(Context::Filter, &[UP], Action::Up, "", "move up"),
    row(Context::Filter, &[DOWN], Action::Down, "", "move down"),
    row(Context::Screens, &[c('m')], Action::Module, "module", "ask for a module"),
    row(Context::Screens, &[c('c')], Action::Call, "call", "call any helper"),
    row(Context::Screens, &[c('e')], Action::Path, "path", "edit the modprobe path"),
    row(
        Context::Screens,
        &[c('g')],
        Action::Gate,
        "gate",
        "set the gate: freeze and drain, disable and drain, or enable",
    ),
    row(
        Context::Screens,
        &[c('U')],
        Action::UndoKnob,
        "",
        "undo the last change of a knob by this console: shows it and asks first",
    ),
    row(Context::Screens, &[c(':')], Action::Line, "command", "type a command; `help` explains them"),
    row(Context::Screens, &[c('T')], Action::Theme, "", "switch to the next theme; theme in console.toml keeps one"),
    row(Context::Screens, &[c('d')], Action::Tour, "", "take the tour with built-in helpers; in it, hide or show it"),
    row(Context::Screens, &[c('D')], Action::TourBack, "", "in the tour, go back a step; esc skips one"),
    row(Context::Screens, &[c('?')], Action::Help, "help", "show the keys, with search"),
    row(Context::Screens, &[c('q')], Action::Quit, "quit", "quit; asks first if helpers are alive or a draft is open"),
    row(Context::Screens, &[ctrl('p')], Action::Palette, "palette", "find any action by its name"),
    row(Context::Screens, &[c('1')], Action::Overview, "", "show the Overview"),
    row(Context::Screens, &[c('2')], Action::Masks, "", "show the Masks"),
    row(Context::Screens, &[c('3')], Action::Activity, "", "show the Activity"),
    row(Context::Screens, &[c('4')], Action::Log, "", "show the Log"),
    row(
        Context::Screens,
        &[c('t')],
        Action::Target,
        "",
        "show the next target: engine, kernel or daemon; what is typed and drafted in this one stays",
    ),
    row(Context::Screens, &[TAB], Action::NextTab, "", "show the next screen"),
    row(Context::Screens, &[BACK_TAB], Action::PreviousTab, "", "show the previous screen"),
    row(Context::Screens, &[ESC], Action::Dismiss, "", "dismiss the message; on the Overview, then the first warning"),
    row(Context::Form, &[ENTER], Action::Accept, "do it", "do it, if every field is valid"),
    row(Context::Form, &[TAB, DOWN], Action::Next, "next", "go to the next field"),
    row(Context::Form, &[BACK_TAB, UP], Action::Previous, "", "go to the previous field"),
    row(Context::Form, &[PAGE_DOWN], Action::PageDown, "scroll", "scroll down, if it does not fit"),
    row(Context::Form, &[PAGE_UP], Action::PageUp, "", "scroll up"),
    row(Context::Form, &[ESC], Action::Dismiss, "back", "go back; module and call keep what was typed"),
    row(Context::Names, &[ENTER], Action::Accept, "do it", "ask for the name as it is typed"),
    row(Context::Names, &[TAB], Action::Complete, "complete", "take the chosen name"),
    row(Context::Names, &[ctrl('n')], Action::Newer, "", "choose the next name"),
    row(Context::Names, &[ctrl('p')], Action::Older, "", "choose the previous name"),
    row(Context::Names, &[DOWN], Action::Next, "next", "go to the next field"),
    row(Context::Names, &[UP, BACK_TAB], Action::Previous, "", "go to the previous field"),
    row(Context::Names, &[PAGE_DOWN], Action::PageDown, "scroll", "scroll down, if it does not fit"),
    row(Context::Names, &[PAGE_UP], Action::PageUp, "", "scroll up"),
    row(Context::Names, &[ESC], Action::Dismiss, "back", "go back; what was typed is kept"),
    row(Context::Pick, &[RIGHT, c(' ')], Action::Change, "change", "select the next value"),
    row(Context::Pick, &[LEFT], Action::ChangeBack, "", "select the previous value"),
    row(
        Context::Outcomes,
        &[c(' ')],
        Action::Choose(2),
        "choose",
        "choose the outcome, or take it out: several can be chosen",
    ),
    row(Context::Outcomes, &[c('f')], Action::Choose(0), "failures", "choose all failures"),
    row(Context::Outcomes, &[c('n')], Action::Choose(1), "none", "choose none: every outcome is shown"),
    row(Context::Gate, &[c('f')], Action::Choose(0), "freeze", "choose freeze and drain"),
    row(Context::Gate, &[c('d')], Action::Choose(1), "disable", "choose disable and drain"),
    row(Context::Gate, &[c('e')], Action::Choose(2), "enable", "choose enable"),
    row(Context::Kill, &[c('t')], Action::Choose(0), "term", "choose TERM: the helper can clean up, and can ignore it"),
    row(Context::Kill, &[c('k')], Action::Choose(1), "kill", "choose KILL: the helper ends at once"),
    row(Context::Quit, &[c('w')], Action::Choose(0), "wait", "choose to wait until every helper has ended"),
    row(Context::Quit, &[c('k')], Action::Choose(1), "kill", "choose to kill the helpers: TERM, then KILL after 2 s"),
    row(Context::Quit, &[c('l')], Action::Choose(2), "leave", "choose to leave the helpers running"),
    row(Context::Choices, &[ENTER], Action::Accept, "do it", "carry out the choice"),
    row(Context::Choices, &[PAGE_DOWN], Action::PageDown, "scroll", "scroll down, if it does not fit"),
    row(Context::Choices, &[PAGE_UP], Action::PageUp, "", "scroll up"),
    row(Context::Choices, &[UP], Action::Up, "", "choose the one above"),
    row(Context::Choices, &[DOWN], Action::Down, "", "choose the one below"),
    row(Context::Choices, &[ESC], Action::Dismiss, "back", "go back without doing anything"),
    row(Context::Confirm, &[ENTER], Action::Accept, "do it", "confirm, after the required text is typed"),
    row(Context::Confirm, &[ESC], Action::Dismiss, "back", "go back without doing anything"),
    row(Context::Confirm, &[UP], Action::Up, "", "scroll up"),
    row(Context::Confirm, &[DOWN], Action::Down, "scroll", "scroll down"),
    row(Context::Confirm, &[PAGE_UP], Action::PageUp, "", "scroll up by a page"),
    row(Context::Confirm, &[PAGE_DOWN], Action::PageDown, "", "scroll down by a page"),
    row(Context::Page, &[ESC, c('q')], Action::Dismiss, "back", "go back"),
    row(Context::Page, &[UP, c('k')], Action::Up, "", "scroll up"),
    row(Context::Page, &[DOWN, c('j')], Action::Down, "scroll", "scroll down"),
    row(Context::Page, &[PAGE_UP], Action::PageUp, "", "scroll up by a page"),
    row(Context::Page, &[PAGE_DOWN, c(' ')], Action::PageDown, "", "scroll down by a page"),
    row(Context::Page, &[HOME], Action::First, "", "go to the beginning"),
    row(Context::Page, &[END], Action::Last, "", "go to the end"),
    row(Context::Rehearsal, &[ENTER], Action::Accept, "again", "run both again"),
    row(Context::Rehearsal, &[c('c')], Action::Rehearse, "program", "choose another program"),
    row(Context::Rehearsal, &[c('w')], Action::Apply, "apply", "apply the draft: shows what is dropped and asks first"),
    row(Context::Help, &[ESC, ENTER], Action::Dismiss, "back", "go back"),
    row(Context::Help, &[UP], Action::Up, "", "scroll up"),
    row(Context::Help, &[DOWN], Action::Down, "scroll", "scroll down"),
    row(Context::Help, &[PAGE_UP], Action::PageUp, "", "scroll up by a page"),
    row(Context::Help, &[PAGE_DOWN], Action::PageDown, "", "scroll down by a page"),
    row(Context::Text, &[LEFT], Action::Edit(Edit::Left), "", "move left"),
    row(Context::Text, &[RIGHT], Action::Edit(Edit::Right), "", "move right"),
    row(Context::Text, &[HOME, ctrl('a')], Action::Edit(Edit::Home), "", "go to the beginning"),
    row(Context::Text, &[END, ctrl('e')], Action::Edit(Edit::End), "", "go to the end"),
    row(Context::Text, &[k(KeyCode::Backspace), ctrl('h')], Action::Edit(Edit::Backspace), "", "delete to the left"),
    row(Context::Text, &[k(KeyCode::Delete), ctrl('d')], Action::Edit(Edit::Delete), "", "delete under the cursor"),
    row(Context::Text, &[ctrl('u')], Action::Edit(Edit::KillLine), "", "delete everything to the left"),
    row(Context::Text, &[ctrl('w')], Action::Edit(Edit::KillWord), "", "delete the word to the left"),
    row(Context::Anywhere, &[ctrl('c')], Action::Quit, "", "in a text field, go back as esc does; elsewhere, quit"),
    row(Context::Anywhere, &[ctrl('z')], Action::Suspend, "", "stop the console; `fg` brings it back"),
    row(Context::Anywhere, &[ctrl('l')], Action::Repaint, "", "repaint the screen"),
    row(Context::Anywhere, &[k(KeyCode::F(1))], Action::Help, "", "show the keys, in dialogs too"),
];
