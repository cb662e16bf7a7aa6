//! The whole console in a pseudo-terminal.

#[path = "pty/activity.rs"]
mod activity;
#[path = "pty/alive.rs"]
mod alive;
#[path = "pty/demo.rs"]
mod demo;
#[path = "pty/dialogs.rs"]
mod dialogs;
#[path = "pty/drafts.rs"]
mod drafts;
#[path = "pty/fields.rs"]
mod fields;
#[path = "common/host.rs"]
mod host;
#[path = "pty/hostile.rs"]
mod hostile;
#[path = "pty/idle.rs"]
mod idle;
#[path = "pty/journeys.rs"]
mod journeys;
#[path = "pty/keyboard.rs"]
mod keyboard;
#[path = "pty/line.rs"]
mod line;
#[path = "pty/line_mode.rs"]
mod line_mode;
#[path = "pty/mouse.rs"]
mod mouse;
#[path = "pty/names.rs"]
mod names;
#[path = "pty/over_own.rs"]
mod over;
#[path = "pty/overview.rs"]
mod overview;
#[path = "pty/picture.rs"]
mod picture;
#[path = "pty/plain.rs"]
mod plain;
#[path = "common/program.rs"]
mod program;
#[path = "pty/mod.rs"]
mod pty;
#[path = "pty/read.rs"]
mod read;
#[path = "pty/refusals.rs"]
mod refusals;
#[path = "pty/settings.rs"]
mod settings;
#[path = "pty/steps.rs"]
mod steps;
#[path = "pty/svg.rs"]
mod svg;
#[path = "pty/targets.rs"]
mod targets;
#[path = "pty/tasks.rs"]
mod tasks;
#[path = "pty/tour.rs"]
mod tour;
#[path = "pty/undo.rs"]
mod undo;
#[path = "pty/ways_out.rs"]
mod ways_out;
