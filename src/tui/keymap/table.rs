//! The table of keys: what each one does, where, and in which words.

use crossterm::event::{KeyCode, KeyModifiers};

use crate::tui::field::Edit;

use super::context::Context;
use super::key_names::{Key, kebab};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says in words what each one does")]
pub enum Action {
    Quit,
    Suspend,
    Repaint,
    Help,
    Overview,
    Masks,
    Activity,
    Log,
    NextTab,
    PreviousTab,
    Module,
    Call,
    Path,
    Gate,
    Dismiss,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Toggle,
    All,
    Nothing,
    Invert,
    Discard,
    Undo,
    Redo,
    Filter,
    KeepFilter,
    EndFilter,
    Presets,
    Copy,
    Detail,
    Glob,
    Outcome,
    OutcomeBack,
    Sort,
    Reverse,
    Follow,
    Pause,
    Abandon,
    Kill,
    Repeat,
    Save,
    Level,
    Line,
    Complete,
    Older,
    Newer,
    Rehearse,
    Apply,
    Reset,
    Forms,
    Accept,
    Next,
    Previous,
    Change,
    ChangeBack,
    Choose(usize),
    Edit(Edit),
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// The keys that do it.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// A word or two for the footer; empty: not in the footer.
    pub label: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
}

impl Binding {
    /// Its name in the settings, its own within its context: `page-up`.
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

/// Every key there is. Within a context the footer keeps this order.
pub const TABLE: &[Binding] = &[
    row(Context::Masks, &[c(' ')], Action::Toggle, "toggle", "toggle the capability in the draft of the chosen column"),
    row(Context::Masks, &[c('w')], Action::Apply, "apply", "apply the draft: shows what is dropped, and asks"),
    row(
        Context::Masks,
        &[c('p')],
        Action::Rehearse,
        "rehearse",
        "rehearse: run a helper under the draft, then under the live masks, and compare",
    ),
    row(Context::Masks, &[c('z')], Action::Discard, "discard", "discard the draft"),
    row(Context::Masks, &[c('u')], Action::Undo, "undo", "take the last change of the draft back"),
    row(Context::Masks, &[ctrl('r')], Action::Redo, "", "change the draft again as it was before `u`"),
    row(
        Context::Masks,
        &[c('/')],
        Action::Filter,
        "filter",
        "show only rows whose name, meaning or risk has these words",
    ),
    row(Context::Masks, &[c('P')], Action::Presets, "presets", "take a draft from the presets"),
    row(Context::Masks, &[c('y')], Action::Copy, "copy", "copy the draft in one of its text forms (OSC 52)"),
    row(Context::Masks, &[LEFT], Action::Left, "", "choose the column to the left"),
    row(Context::Masks, &[RIGHT], Action::Right, "", "choose the column to the right"),
    row(Context::Masks, &[c('a')], Action::All, "all", "put every capability that is shown into the draft"),
    row(Context::Masks, &[c('n')], Action::Nothing, "none", "take every capability that is shown out of the draft"),
    row(Context::Masks, &[c('i')], Action::Invert, "invert", "invert the draft, of the rows that are shown"),
    row(Context::Masks, &[c('f')], Action::Forms, "forms", "show the capability and both masks whole, in every form"),
    row(
        Context::Masks,
        &[c('R')],
        Action::Reset,
        "reset",
        "reset the chosen mask to full (the real kernel cannot do that)",
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
        "show the record whole: argv, masks, times, output, chain",
    ),
    row(
        Context::Activity,
        &[c('/')],
        Action::Filter,
        "filter",
        "show only records with these words: number, program, arguments, who asked, how it ended",
    ),
    row(
        Context::Activity,
        &[c('o')],
        Action::Outcome,
        "outcome",
        "show only the next outcome: not over, exit 0, failed ..",
    ),
    row(
        Context::Activity,
        &[c('s')],
        Action::Sort,
        "sort",
        "sort by the next of: number, time, CPU, memory, name, outcome",
    ),
    row(Context::Activity, &[c('f')], Action::Follow, "follow", "follow: stay on the first row whatever comes"),
    row(Context::Activity, &[c(' ')], Action::Pause, "pause", "pause: show nothing new, until pressed again"),
    row(Context::Activity, &[c('k')], Action::Kill, "kill", "kill the helper: asks for TERM or KILL"),
    row(
        Context::Activity,
        &[c('x')],
        Action::Abandon,
        "abandon",
        "abandon the wait: its caller gets EINTR, the helper lives on",
    ),
    row(Context::Activity, &[c('r')], Action::Repeat, "again", "ask for the same once more: shows it, and asks"),
    row(Context::Activity, &[c('y')], Action::Copy, "copy", "copy the record as JSON, or its command line (OSC 52)"),
    row(Context::Activity, &[c('w')], Action::Save, "save", "save this record, or all that match, as JSON lines"),
    row(
        Context::Activity,
        &[c('*')],
        Action::Glob,
        "modules",
        "show only modules whose names match globs, as in `usb-* snd?`",
    ),
    row(Context::Activity, &[c('O')], Action::OutcomeBack, "", "show only the outcome before"),
    row(Context::Activity, &[c('S')], Action::Reverse, "", "turn the order round"),
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
    row(Context::Detail, &[c('x')], Action::Abandon, "abandon", "abandon the wait: the helper lives on"),
    row(Context::Detail, &[c('r')], Action::Repeat, "again", "ask for the same once more: shows it, and asks"),
    row(Context::Detail, &[c('y')], Action::Copy, "copy", "copy the record as JSON, or its command line (OSC 52)"),
    row(Context::Detail, &[c('w')], Action::Save, "save", "save this record, or all that match, as JSON lines"),
    row(Context::Log, &[c('/')], Action::Filter, "filter", "show only lines with these words"),
    row(Context::Log, &[c('l')], Action::Level, "level", "show only the next level and above: info, warning, error"),
    row(Context::Log, &[c('f')], Action::Follow, "follow", "follow: stay on the newest line"),
    row(Context::Log, &[c('y')], Action::Copy, "copy", "copy the line (OSC 52)"),
    row(Context::Log, &[UP, c('k')], Action::Up, "", "move up"),
    row(Context::Log, &[DOWN, c('j')], Action::Down, "", "move down"),
    row(Context::Log, &[PAGE_UP], Action::PageUp, "", "move up by a page"),
    row(Context::Log, &[PAGE_DOWN], Action::PageDown, "", "move down by a page"),
    row(Context::Log, &[HOME], Action::First, "", "go to the oldest line"),
    row(Context::Log, &[END], Action::Last, "", "go to the newest line"),
    row(Context::Line, &[ENTER], Action::Accept, "do it", "do what the line says"),
    row(Context::Line, &[TAB], Action::Complete, "complete", "complete the last word, or show what it could become"),
    row(
        Context::Line,
        &[UP, ctrl('p')],
        Action::Older,
        "before",
        "take the line before this one, also of earlier starts",
    ),
    row(Context::Line, &[DOWN, ctrl('n')], Action::Newer, "", "take the line after this one"),
    row(Context::Line, &[ESC], Action::Dismiss, "back", "go back; the line comes back with `up`"),
    row(Context::Filter, &[ENTER], Action::KeepFilter, "keep", "keep the filter and go back to the rows"),
    row(Context::Filter, &[ESC], Action::EndFilter, "no filter", "take the filter away"),
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
        "work the gate: freeze and drain, disable and drain, enable",
    ),
    row(Context::Screens, &[c(':')], Action::Line, "command", "type a command; `help` explains them"),
    row(Context::Screens, &[c('?')], Action::Help, "help", "show the keys, searchable"),
    row(Context::Screens, &[c('q')], Action::Quit, "quit", "quit; with helpers alive or a draft open it asks"),
    row(Context::Screens, &[c('1')], Action::Overview, "", "show the Overview"),
    row(Context::Screens, &[c('2')], Action::Masks, "", "show the Masks"),
    row(Context::Screens, &[c('3')], Action::Activity, "", "show the Activity"),
    row(Context::Screens, &[c('4')], Action::Log, "", "show the Log"),
    row(Context::Screens, &[TAB], Action::NextTab, "", "show the next screen"),
    row(Context::Screens, &[BACK_TAB], Action::PreviousTab, "", "show the screen before"),
    row(Context::Screens, &[ESC], Action::Dismiss, "", "put the message away; on the Overview then the first warning"),
    row(Context::Form, &[ENTER], Action::Accept, "do it", "do it, if every field is valid"),
    row(Context::Form, &[TAB, DOWN], Action::Next, "next", "go to the next field"),
    row(Context::Form, &[BACK_TAB, UP], Action::Previous, "", "go to the field before"),
    row(Context::Form, &[PAGE_DOWN], Action::PageDown, "scroll", "show more of it, where it does not fit"),
    row(Context::Form, &[PAGE_UP], Action::PageUp, "", "go back to what is above"),
    row(Context::Form, &[ESC], Action::Dismiss, "back", "go back; module and call keep what was typed"),
    row(Context::Pick, &[RIGHT, c(' ')], Action::Change, "change", "take the next value"),
    row(Context::Pick, &[LEFT], Action::ChangeBack, "", "take the value before"),
    row(Context::Gate, &[c('f')], Action::Choose(0), "freeze", "choose freeze and drain"),
    row(Context::Gate, &[c('d')], Action::Choose(1), "disable", "choose disable and drain"),
    row(Context::Gate, &[c('e')], Action::Choose(2), "enable", "choose enable"),
    row(Context::Kill, &[c('t')], Action::Choose(0), "term", "choose TERM: it may clean up, and may refuse"),
    row(Context::Kill, &[c('k')], Action::Choose(1), "kill", "choose KILL: it ends at once, whatever it does"),
    row(Context::Quit, &[c('w')], Action::Choose(0), "wait", "choose to wait until every helper is gone"),
    row(Context::Quit, &[c('k')], Action::Choose(1), "kill", "choose to kill them: TERM, 2 s later KILL"),
    row(Context::Quit, &[c('l')], Action::Choose(2), "leave", "choose to leave them running"),
    row(Context::Choices, &[ENTER], Action::Accept, "do it", "do what is chosen"),
    row(Context::Choices, &[PAGE_DOWN], Action::PageDown, "scroll", "show more of it, where it does not fit"),
    row(Context::Choices, &[PAGE_UP], Action::PageUp, "", "go back to what is above"),
    row(Context::Choices, &[UP], Action::Up, "", "choose the one above"),
    row(Context::Choices, &[DOWN], Action::Down, "", "choose the one below"),
    row(Context::Choices, &[ESC], Action::Dismiss, "back", "go back without doing anything"),
    row(Context::Confirm, &[ENTER], Action::Accept, "do it", "do it, once what has to be typed is typed"),
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
    row(Context::Anywhere, &[ctrl('c')], Action::Quit, "", "where text is typed, go back as esc does; else quit"),
    row(Context::Anywhere, &[ctrl('z')], Action::Suspend, "", "stop the console; `fg` brings it back"),
    row(Context::Anywhere, &[ctrl('l')], Action::Repaint, "", "paint the screen anew"),
    row(Context::Anywhere, &[k(KeyCode::F(1))], Action::Help, "", "show the keys, in dialogs too"),
];
