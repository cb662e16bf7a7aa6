//! Completion of the names of modules and profiles: asks for them, and takes what was found.

use std::cell::{Cell, RefCell};

use crate::control::modules::{Found, plain_names};
use crate::tui::dialogs::command_line::CommandLine;
use crate::tui::dialogs::module::Module;
use crate::tui::field::Field;
use crate::tui::model::Model;
use crate::tui::msg::Effect;

/// The search that the screen needs now, one at a time. Without a dialog that needs it, nothing is kept.
pub(super) fn search(model: &mut Model) -> Option<Effect> {
    if model.top::<CommandLine>().is_none() {
        // A profile that is added meanwhile is known to the next line.
        (model.modules.profiles.names, model.modules.profiles.line) = (None, None);
    }
    let profiles = &mut model.modules.profiles;
    if profiles.line.is_some() && profiles.names.is_none() && !std::mem::replace(&mut profiles.asked, true) {
        return Some(Effect::FindProfiles);
    }
    let wanted = if model.top::<Module>().is_some() {
        Some(model.module.name.bytes()).filter(|name| !name.is_empty())
    } else if model.top::<CommandLine>().is_some() {
        model.modules.line.as_ref().map(|(_, word)| word.as_bytes())
    } else {
        None
    };
    // The index and the configuration that can be read here are those of this machine.
    let Some(wanted) = wanted.filter(|_| model.link.info.host().is_none()) else {
        model.modules.found = None;
        return None;
    };
    if model.modules.asked || model.modules.of(wanted).is_some() {
        return None;
    }
    let effect = Effect::FindModules(wanted.to_vec());
    model.modules.asked = true;
    Some(effect)
}

/// Takes the answer to a search.
pub(super) fn found(model: &mut Model, found: Found) {
    let name = &model.module.name;
    let chosen = model.modules.offered(name).and_then(|all| Some(all.names.get(all.choice)?.name.clone()));
    model.modules.asked = false;
    model.modules.found = Some(found);
    // The chosen name stays chosen.
    let again =
        model.modules.offered(name).and_then(|all| all.names.iter().position(|one| Some(&one.name) == chosen.as_ref()));
    model.modules.choice = again.unwrap_or(0);
    let waits = |(line, word): &(Vec<u8>, String)| {
        line == model.line.typed.bytes() && model.modules.of(word.as_bytes()).is_some()
    };
    if model.top::<CommandLine>().is_some() && model.modules.line.as_ref().is_some_and(waits) {
        complete(model);
    }
}

/// Takes the names of the profiles.
pub(super) fn profiles(model: &mut Model, names: Vec<String>) {
    let profiles = &mut model.modules.profiles;
    profiles.asked = false;
    let Some(line) = profiles.line.take() else { return };
    profiles.names = Some(names);
    // What was typed meanwhile is not changed.
    if model.line.typed.bytes() == line {
        complete(model);
    }
}

/// Completes the name in the dialog Module, or the last word of the command line as far as it is unambiguous.
pub(super) fn complete(model: &mut Model) {
    if model.top::<Module>().is_some() {
        if let Some(name) = model.modules.completes(&model.module.name).map(Field::new) {
            (model.module.name, model.module.error, model.modules.choice) = (name, None, 0);
        }
        return;
    }
    let ids = model.snapshot.running.iter().map(|live| live.id).collect();
    let (known, modules) = (model.snapshot.known, &model.modules);
    let missing = RefCell::new(None);
    let names = |word: &str| match modules.of(word.as_bytes()) {
        Some(found) => plain_names(found).map(str::to_owned).collect(),
        None => {
            missing.replace(Some(word.to_owned()));
            Vec::new()
        }
    };
    let wants_profiles = Cell::new(false);
    let profiles = || {
        wants_profiles.set(true);
        modules.profiles.names.clone().unwrap_or_default()
    };
    model.line.complete(known, &ids, &names, &profiles);
    model.modules.profiles.line = wants_profiles.get().then(|| model.line.typed.bytes().to_vec());
    model.modules.line = missing.into_inner().map(|word| (model.line.typed.bytes().to_vec(), word));
}

/// Chooses the next candidate or the previous one. Returns whether there is a choice here.
pub(super) fn choose(model: &mut Model, forward: bool) -> bool {
    if model.top::<Module>().is_none() {
        return false;
    }
    let (many, at) = match model.modules.offered(&model.module.name) {
        Some(offered) => (offered.names.len(), offered.choice),
        None => return true,
    };
    model.modules.choice = (at + if forward { 1 } else { many.saturating_sub(1) }) % many.max(1);
    true
}
