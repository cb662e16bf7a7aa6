//! The contexts of keys.

use super::key_names::kebab;

/// A context in which a key has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, dialogs too.
    Anywhere,
    /// Every screen, while no dialog is open.
    Screens,
    /// The screen Overview.
    Overview,
    /// The screen Masks.
    Masks,
    /// The screen Activity.
    Activity,
    /// The page of a record.
    Detail,
    /// The screen Log.
    Log,
    /// The screen Rules.
    Rules,
    /// The command line.
    Line,
    /// The filter of a screen.
    Filter,
    /// A module name that can be completed.
    Names,
    /// A field of text.
    Text,
    /// A field with a fixed list of values.
    Pick,
    /// A dialog with fields.
    Form,
    /// A dialog with a list to choose from.
    Choices,
    /// The list of outcomes.
    Outcomes,
    /// The gate's dialog.
    Gate,
    /// The dialog of the rules' mode.
    RulesMode,
    /// The dialog before a signal.
    Kill,
    /// The dialog before quitting with live helpers.
    Quit,
    /// A confirmation.
    Confirm,
    /// A page to read.
    Page,
    /// The page of a rehearsal.
    Rehearsal,
    /// The help.
    Help,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 24] = [
        Self::Screens,
        Self::Overview,
        Self::Masks,
        Self::Activity,
        Self::Detail,
        Self::Log,
        Self::Rules,
        Self::Line,
        Self::Filter,
        Self::Anywhere,
        Self::Form,
        Self::Text,
        Self::Names,
        Self::Pick,
        Self::Choices,
        Self::Outcomes,
        Self::Gate,
        Self::RulesMode,
        Self::Kill,
        Self::Quit,
        Self::Confirm,
        Self::Page,
        Self::Rehearsal,
        Self::Help,
    ];

    /// Its name in the settings: `masks`.
    pub fn id(self) -> String {
        kebab(&format!("{self:?}"))
    }

    /// Its heading in the help.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Everywhere",
            Self::Screens => "Screens",
            Self::Overview => "Overview",
            Self::Masks => "Masks",
            Self::Activity => "Activity",
            Self::Detail => "A record",
            Self::Log => "Log",
            Self::Rules => "Rules",
            Self::Line => "The command line",
            Self::Filter => "The filter of a screen",
            Self::Names => "A module name that can be completed",
            Self::Text => "Text fields",
            Self::Pick => "Fields with a list of values",
            Self::Form => "Dialogs with fields",
            Self::Choices => "Dialogs with a list",
            Self::Outcomes => "The list of outcomes",
            Self::Gate => "The gate's dialog",
            Self::RulesMode => "The mode of the rules",
            Self::Kill => "Killing a helper",
            Self::Quit => "Quitting with live helpers",
            Self::Confirm => "Confirmations",
            Self::Page => "Pages",
            Self::Rehearsal => "A rehearsal",
            Self::Help => "Help",
        }
    }
}

/// Every chain of contexts that `Model::chain` can return.
pub const CHAINS: &[&[Context]] = &[
    &[Context::Overview, Context::Screens, Context::Anywhere],
    &[Context::Masks, Context::Screens, Context::Anywhere],
    &[Context::Text, Context::Line, Context::Anywhere],
    &[Context::Text, Context::Filter, Context::Anywhere],
    &[Context::Text, Context::Form, Context::Anywhere],
    &[Context::Text, Context::Names, Context::Anywhere],
    &[Context::Pick, Context::Form, Context::Anywhere],
    &[Context::Gate, Context::Choices, Context::Anywhere],
    &[Context::RulesMode, Context::Choices, Context::Anywhere],
    &[Context::Outcomes, Context::Choices, Context::Anywhere],
    &[Context::Quit, Context::Choices, Context::Anywhere],
    &[Context::Text, Context::Confirm, Context::Anywhere],
    &[Context::Kill, Context::Choices, Context::Anywhere],
    &[Context::Choices, Context::Anywhere],
    &[Context::Text, Context::Choices, Context::Anywhere],
    &[Context::Activity, Context::Screens, Context::Anywhere],
    &[Context::Detail, Context::Anywhere],
    &[Context::Log, Context::Screens, Context::Anywhere],
    &[Context::Rules, Context::Screens, Context::Anywhere],
    &[Context::Confirm, Context::Anywhere],
    &[Context::Page, Context::Anywhere],
    &[Context::Rehearsal, Context::Page, Context::Anywhere],
    &[Context::Text, Context::Help, Context::Anywhere],
];
