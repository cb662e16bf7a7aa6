//! `(model, message) -> effects`. No I/O, no clock.

mod activity;
mod filter;
mod focus;
mod keys;
mod link;
mod log;
mod masks;
mod modules;
mod mouse;
mod overview;
mod readback;
mod replies;
mod rules;
mod scroll;
mod snapshots;
mod tabs;
#[cfg(test)]
mod tests;
mod tour;
mod typing;

use super::ascii;
use super::dialogs::{frame, quit, save};
use super::model::Model;
use super::msg::{Effect, Msg};
use crate::abi::escape::screen_again;

/// Handles one message.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    // Text is measured here as it is drawn (to find how far a page can scroll, for example).
    let _ascii = ascii::only(model.ascii);
    let mut effects = take(model, msg);
    // The model may have changed since it was drawn.
    model.overview.drawn.take();
    log::settle(model);
    tour::settle(model);
    // Last: which records the screen needs follows from everything else.
    effects.extend(activity::look(model));
    effects.extend(rules::look(model));
    effects.extend(modules::search(model));
    effects
}

/// Called after the current model was drawn.
pub fn shown(model: &mut Model) {
    let _ascii = ascii::only(model.ascii);
    // A dialog is in front of the message line.
    let visible = model.dialogs.is_empty() || model.is_answered();
    if let Some(status) = model.status.as_mut().filter(|_| visible) {
        status.drawn = true;
    }
    if model.dialogs.last_mut().is_some_and(|dialog| dialog.read().is_some())
        && let Some((lines, shown)) = frame::lines(model)
        && let Some(read) = model.dialogs.last_mut().and_then(|dialog| dialog.read())
    {
        read.show(lines, shown);
    }
}

/// Called after every line of the dialog on top was said in line mode.
pub fn said(model: &mut Model) {
    if let Some((lines, _)) = frame::lines(model)
        && let Some(read) = model.dialogs.last_mut().and_then(|dialog| dialog.read())
    {
        let all = lines.len();
        read.show(lines, 0..all);
    }
}

fn take(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => keys::press(model, &key),
        Msg::Chord(key) => keys::chord(model, &key),
        Msg::Paste(text) => {
            typing::paste(model, &text);
            Vec::new()
        }
        Msg::Mouse(mouse) => {
            mouse::take(model, mouse);
            Vec::new()
        }
        Msg::Resize { columns, rows } => {
            (model.columns, model.rows) = (columns, rows);
            scroll::clamp_scroll(model);
            Vec::new()
        }
        Msg::Snapshot(snapshot) => snapshots::take(model, *snapshot),
        Msg::Target(info) => {
            link::changed(model, *info);
            Vec::new()
        }
        Msg::PathWarnings(warnings) => {
            // In a user namespace, every file seems to belong to another user.
            let warnings = if model.link.info.is_demo() { Vec::new() } else { warnings };
            (model.path_warnings, model.path_looked) = (warnings, model.now);
            Vec::new()
        }
        Msg::Replied { ticket, reply } => replies::take(model, ticket, reply),
        Msg::Looked(answer) => {
            activity::looked(model, *answer);
            Vec::new()
        }
        Msg::Older => {
            model.activity.older_pages += 1;
            Vec::new()
        }
        Msg::Rules(answer) => {
            model.rules.take(answer);
            Vec::new()
        }
        Msg::Modules(found) => {
            modules::found(model, *found);
            Vec::new()
        }
        Msg::Profiles(names) => {
            modules::profiles(model, names);
            Vec::new()
        }
        Msg::Logged(lines) => {
            model.log.take(lines);
            Vec::new()
        }
        Msg::Saved { ticket, result } => {
            save::saved(model, ticket, result);
            Vec::new()
        }
        Msg::Notice(text) => {
            snapshots::notice(model, screen_again(&text));
            Vec::new()
        }
        Msg::Tick(now) => {
            model.now = model.now.max(now);
            model.history.advance(model.now);
            rules::trial_over(model);
            quit::go_on(model)
        }
        Msg::Signal(signal) => vec![Effect::Quit { code: u8::try_from(128 + signal as i32).unwrap_or(1) }],
    }
}
