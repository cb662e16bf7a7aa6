//! What the rules still forgive. An entry that is no longer needed fails its test, so that these lists only shrink.

/// Imports (from, to) that close a circle of files.
pub const CIRCLES: &[(&str, &str)] = &[
    ("src/cli/ask.rs", "src/cli/probe.rs"),
    ("src/engine/call.rs", "src/engine/launch.rs"),
    ("src/engine/call.rs", "src/engine/umh.rs"),
    ("src/engine/gate.rs", "src/engine/inner.rs"),
    ("src/tui/mailbox.rs", "src/tui/records/journal.rs"),
    ("src/tui/model/records.rs", "src/tui/msg.rs"),
    ("src/tui/update/answers.rs", "src/tui/update/replies.rs"),
    ("src/tui/update/line.rs", "src/tui/update/replies.rs"),
    ("src/tui/update/rehearse.rs", "src/tui/update/replies.rs"),
    ("src/tui/view/header.rs", "src/tui/view/dialogs/mod.rs"),
    ("src/tui/view/slots.rs", "src/tui/view/overview.rs"),
];

/// Rooms (from, to) of one folder that close a circle of rooms, beyond the files above.
pub const ROOMS: &[(&str, &str)] = &[
    ("src/tui/history", "src/tui/model"),
    ("src/tui/keymap", "src/tui/model"),
    ("src/tui/msg", "src/tui/model"),
    ("src/tui/view", "src/tui/update"),
];

/// Files of `tui`, `cli` and `verbs` that use what `engine` defines.
pub const ENGINE: &[&str] = &[
    "src/cli/ask.rs",
    "src/cli/get.rs",
    "src/cli/interrupt.rs",
    "src/cli/log.rs",
    "src/cli/mod.rs",
    "src/cli/set.rs",
    "src/tui/farewell.rs",
    "src/tui/mailbox.rs",
    "src/tui/mod.rs",
    "src/tui/model/dialog.rs",
    "src/tui/model/log.rs",
    "src/tui/model/masks.rs",
    "src/tui/model/mod.rs",
    "src/tui/model/spark.rs",
    "src/tui/model/warnings.rs",
    "src/tui/msg.rs",
    "src/tui/records/journal.rs",
    "src/tui/records/mod.rs",
    "src/tui/records/save.rs",
    "src/tui/run.rs",
    "src/tui/submit.rs",
    "src/tui/update/log.rs",
    "src/tui/update/snapshots.rs",
    "src/tui/view/activity.rs",
    "src/tui/view/log.rs",
    "src/tui/view/running.rs",
];
