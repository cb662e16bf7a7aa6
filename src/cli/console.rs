//! The options of the console.

use crate::verbs::options::Set;

/// `console`: the options may stand before it or after it.
#[derive(Debug, clap::Args)]
pub struct ConsoleCommand {
    #[command(flatten)]
    pub(super) set: Set,
    #[command(flatten)]
    pub(super) options: Console,
}

/// How the console behaves.
#[derive(Debug, Default, clap::Args)]
pub struct Console {
    /// Show the console over an engine with built-in helpers, with a guided tour: nothing is loaded, and nothing of this
    /// machine is changed
    #[arg(long)]
    pub demo: bool,
    /// Say lines instead of drawing a screen: for screen readers, terminals that only print, and pipes
    #[arg(long)]
    pub line: bool,
    /// Allow the console to read only: it starts and changes nothing
    #[arg(long)]
    pub read_only: bool,
    /// Do not use the mouse; always the case inside screen(1)
    #[arg(long)]
    pub no_mouse: bool,
    /// Draw with ASCII characters only; the default if TERM or the locale supports no others
    #[arg(long)]
    pub ascii: bool,
    /// The theme: ansi, plain, high-contrast or colour-blind; takes precedence over console.toml and NO_COLOR
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
}

impl Console {
    /// Whether one of the options is given.
    fn is_given(&self) -> bool {
        self.demo || self.line || self.read_only || self.no_mouse || self.ascii || self.theme.is_some()
    }

    /// Checks the options against the rest of the command line: whether there is a command, a target, a ledger. The error
    /// says what cannot be used together.
    pub(super) fn check(&self, command: bool, target: bool, ledger: bool) -> Result<(), &'static str> {
        match () {
            () if command && self.is_given() => Err(
                "--demo, --line, --read-only, --no-mouse, --ascii and --theme are options of the console: they cannot be \
                     used with a command",
            ),
            () if self.demo && (target || ledger) => {
                Err("--demo starts an engine of its own, which writes no ledger: use neither --target nor --ledger")
            }
            () => Ok(()),
        }
    }
}
