//! The dialogs: one file each, a component with its own state, keys, texts and actions ([`super::model::Dialog`]).
//!
//! A new dialog needs a file in this folder, a line in one of the lists below, and a row in the key table.

pub mod apply;
pub mod bulk;
pub mod call;
pub mod command_line;
pub mod confirm;
pub mod copy_draft;
pub mod copy_record;
pub mod detail;
pub mod frame;
pub mod gate;
pub mod help;
pub mod kernel_write;
pub mod kill;
pub mod mask_forms;
pub mod module;
pub mod outcomes;
pub mod page;
pub mod palette;
pub mod path;
mod perform;
pub mod presets;
pub mod quit;
pub mod rehearsal;
pub mod rehearse;
pub mod repeat;
pub mod reset;
pub mod rules_mode;
#[cfg(test)]
mod rust_phrases;
pub mod save;
pub mod take_tour;
#[cfg(test)]
mod tests;
pub mod times;
pub mod undo;

use super::keymap::Action;
use super::model::Model;

/// Opens the dialog of a key. Returns `false` if the key opens none.
pub fn open(model: &mut Model, action: Action) -> bool {
    match action {
        Action::Apply => apply::open(model),
        Action::Call => call::open(model),
        Action::Copy => copy_draft::open(model),
        Action::Forms => mask_forms::open(model),
        Action::Gate => gate::open(model),
        Action::Help => help::open(model),
        Action::Line => command_line::open(model),
        Action::Module => module::open(model),
        Action::Outcome => outcomes::open(model),
        Action::Palette => palette::open(model),
        Action::Path => path::open(model),
        Action::Presets => presets::open(model),
        Action::Rehearse => rehearse::open(model),
        Action::Reset => reset::open(model),
        Action::RulesMode => rules_mode::open(model),
        Action::Times => times::open(model),
        Action::UndoKnob => undo::open(model),
        _ => return false,
    }
    true
}

/// Opens the dialog of a key that acts on the record under the cursor. Returns `false` if the key opens none.
pub fn open_on_record(model: &mut Model, action: Action) -> bool {
    match action {
        Action::Copy => copy_record::open(model),
        Action::Detail => detail::open(model),
        Action::Kill => kill::open(model),
        Action::Repeat => repeat::open(model),
        Action::Save => save::open(model),
        _ => return false,
    }
    true
}
