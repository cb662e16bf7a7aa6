//! The console of these tests has an engine of its own.

/// Whether the engine ends with the console.
pub const OWN: bool = true;
/// The text that every screen shows in every size.
pub const TARGET: &str = "[engine]";
/// How the log names the console as the writer of a knob.
pub const BY: &str = "console";
/// With which letter the line of the target begins, however short it is.
pub const FIRST: &str = "[";

/// What an engine needs that outlives the console: nothing.
pub struct Engine;

/// The options of a console whose modprobe is this program.
pub fn engine(modprobe: &str, options: &[&str]) -> (Engine, Vec<String>) {
    let set = ["--set".to_owned(), format!("kernel.modprobe={modprobe}")];
    (Engine, set.into_iter().chain(options.iter().map(|&option| option.to_owned())).collect())
}
