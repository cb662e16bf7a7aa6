//! `(model, message) -> effects`. No I/O, no clock.

mod activity;
mod call;
mod command_line;
mod confirm;
mod copy;
mod gate;
mod keys;
mod link;
mod log;
mod masks;
mod module;
mod mouse;
mod path;
mod quit;
mod readback;
mod records;
mod rehearse;
mod replies;
mod scroll;
mod snapshots;
#[cfg(test)]
mod tests;
mod typing;

pub(in crate::tui) use masks::changes;

use super::ascii;
use super::model::Model;
use super::msg::{Effect, Msg};
use crate::abi::escape::screen_again;
use crate::control::text::outcome::Severity;

/// Takes one message in.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    // What is measured here (how far a page can be scrolled, say) is measured as it is drawn.
    let _ascii = ascii::only(model.ascii);
    let mut effects = take(model, msg);
    log::settle(model);
    // Last of all: what is to be looked at follows from everything else.
    effects.extend(activity::look(model));
    effects
}

/// The model as it is was put on the screen.
pub fn shown(model: &mut Model) {
    let _ascii = ascii::only(model.ascii);
    confirm::shown(model);
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
            (model.path_warnings, model.path_looked) = (warnings, model.now);
            Vec::new()
        }
        Msg::Replied { ticket, reply } => replies::take(model, ticket, reply),
        Msg::Looked(answer) => {
            activity::looked(model, *answer);
            Vec::new()
        }
        Msg::Logged(lines) => {
            model.log.take(lines);
            Vec::new()
        }
        Msg::Saved { ticket, result } => {
            records::saved(model, ticket, result);
            Vec::new()
        }
        Msg::Notice(text) => {
            snapshots::notice(model, screen_again(&text));
            Vec::new()
        }
        Msg::Tick(now) => {
            model.now = model.now.max(now);
            model.spark.advance(model.now);
            quit::go_on(model)
        }
        Msg::Signal(signal) => vec![Effect::Quit { code: u8::try_from(128 + signal as i32).unwrap_or(1) }],
    }
}

/// Why that is not done.
fn read_only(what: &str) -> String {
    format!("{what} needs khelper to be started without --read-only: this console only shows things")
}

/// Refuses what would change or start something, where nothing may be; true if it did.
fn refused_read_only(model: &mut Model, what: &str) -> bool {
    if model.options.read_only {
        model.say(Severity::Quiet, read_only(what));
    }
    model.options.read_only
}
