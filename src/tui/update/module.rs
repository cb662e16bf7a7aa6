//! The module dialog.

use crate::control::Command;
use crate::control::words::Mood;
use crate::tui::model::{Batch, Model, Pending, Queue};
use crate::tui::msg::Effect;

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
    model.module.error = None;
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
pub(super) fn open_queue(
    model: &mut Model,
    title: String,
    names: Vec<Vec<u8>>,
    wait: bool,
    total: u32,
    parallel: u32,
) -> Vec<Effect> {
    let id = open_batch(model, title, total);
    if let Some(batch) = model.batches.get_mut(&id) {
        batch.queue = Some(Queue { names, wait, begun: 0 });
    }
    (0..parallel.min(total)).filter_map(|_| next(model, id)).collect()
}

/// The next request of a batch, if there is one.
pub(super) fn next(model: &mut Model, id: u64) -> Option<Effect> {
    let batch = model.batches.get_mut(&id)?;
    let queue = batch.queue.as_mut().filter(|queue| queue.begun < batch.asked && !queue.names.is_empty())?;
    let name = queue.names[queue.begun as usize % queue.names.len()].clone();
    queue.begun += 1;
    let wait = queue.wait;
    Some(model.submit(Pending::Request(id), Command::RequestModule { name, wait }))
}

/// Remembers what was asked for together, and says so.
pub(super) fn open_batch(model: &mut Model, title: String, asked: u32) -> u64 {
    let batch = model.last_ticket() + 1;
    let times = if asked > 1 { format!(": {asked} requests") } else { String::new() };
    model.say(Mood::Quiet, format!("asked for {title}{times}"));
    model.batches.insert(batch, Batch { title, asked, ..Batch::default() });
    batch
}
