//! The module dialog.

use crate::control::Command;
use crate::control::tally::Tally;
use crate::control::text::outcome::Severity;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::{Effect, Series};

/// Asks for the module, as many times at once as was typed.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let (name, count) = match model.module.check() {
        Ok(checked) => checked,
        Err((field, why)) => {
            model.module.focus = field;
            model.module.error = Some(why);
            return Vec::new();
        }
    };
    model.module.used();
    model.dialogs.pop();
    let batch = open_batch(model, name.to_string(), count);
    let wait = model.module.wait;
    (0..count)
        .map(|_| {
            let command = Command::RequestModule { name: name.as_bytes().to_vec(), wait };
            model.submit(Pending::Request(batch), command)
        })
        .collect()
}

/// Asks for the names in turn until `total` are asked for, never more than `parallel` at the same time.
pub(super) fn open_series(
    model: &mut Model,
    title: String,
    names: Vec<Vec<u8>>,
    wait: bool,
    total: u32,
    parallel: u32,
) -> Effect {
    let batch = open_batch(model, title, total);
    let ticket = model.next_ticket();
    model.pending.insert(ticket, Pending::Series(batch));
    Effect::Series(Series { ticket, names, wait, total, parallel })
}

/// Remembers what was asked for together, and says so.
pub(super) fn open_batch(model: &mut Model, title: String, asked: u32) -> u64 {
    let batch = model.last_ticket() + 1;
    let tally = Tally::new(title, asked);
    model.say(Severity::Quiet, tally.submitted());
    model.batches.insert(batch, tally);
    batch
}
