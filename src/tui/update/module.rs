//! The module dialog.

use crate::control::Command;
use crate::control::text::outcome::Severity;
use crate::tui::model::{Batch, Model, Pending};
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
    let batch = model.open_batch(name.to_string(), count);
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
    let batch = model.open_batch(title, total);
    let ticket = model.next_ticket();
    model.pending.insert(ticket, Pending::Series(batch));
    Effect::Series(Series { ticket, names, wait, total, parallel })
}

/// Remembers what was asked for together, and says so.
pub(super) fn open_batch(model: &mut Model, title: String, asked: u32) -> u64 {
    let batch = model.last_ticket() + 1;
    let times = if asked > 1 { format!(": {asked} requests") } else { String::new() };
    model.say(Severity::Quiet, format!("asked for {title}{times}"));
    model.batches.insert(batch, Batch { title, asked, ..Batch::default() });
    batch
}
