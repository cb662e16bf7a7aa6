//! What the rules still forgive. An entry that is no longer needed fails its test, so that these lists only shrink.

/// Imports (from, to) that close a circle of files.
pub const CIRCLES: &[(&str, &str)] = &[
    ("src/tui/mailbox.rs", "src/tui/records/journal.rs"),
    ("src/tui/model/records.rs", "src/tui/msg.rs"),
    ("src/tui/update/rehearse.rs", "src/tui/update/replies.rs"),
    ("src/tui/view/header.rs", "src/tui/view/dialogs/mod.rs"),
    ("src/tui/view/slots.rs", "src/tui/view/overview.rs"),
];

/// Rooms (from, to) of one folder that close a circle of rooms, beyond the files above.
pub const ROOMS: &[(&str, &str)] =
    &[("src/tui/keymap", "src/tui/model"), ("src/tui/msg", "src/tui/model"), ("src/tui/view", "src/tui/update")];

/// Files of `tui`, `cli` and `verbs` that use what `engine` defines.
pub const ENGINE: &[&str] = &[
    "src/cli/follow_log.rs",
    "src/cli/get.rs",
    "src/cli/mod.rs",
    "src/cli/request.rs",
    "src/cli/set.rs",
    "src/cli/sigint.rs",
    "src/tui/executor.rs",
    "src/tui/exit_report.rs",
    "src/tui/mailbox.rs",
    "src/tui/mod.rs",
    "src/tui/records/journal.rs",
    "src/tui/records/mod.rs",
    "src/tui/records/save.rs",
    "src/tui/run.rs",
];
