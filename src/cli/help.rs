//! The text after the list of commands.

use super::exit;

#[cfg(feature = "console")]
const WITHOUT_COMMAND: &str = "\
Without a command, khelper starts the console: over the daemon's engine where one runs and lets you in, else over a new
one. Only with --target kernel can this machine's kernel be changed.";
#[cfg(not(feature = "console"))]
const WITHOUT_COMMAND: &str = "\
A command is required: this khelper was built without the console. Only with --target kernel can this machine's kernel be changed.";

/// What follows the help of all commands: what no command does, and the exit codes.
pub(super) fn after() -> String {
    let codes = exit::CODES.iter().map(|(code, meaning)| format!("  {code:<9} {meaning}\n"));
    format!("{WITHOUT_COMMAND}\n\nExit codes:\n{}{}", codes.collect::<String>(), exit::COMBINED)
}
