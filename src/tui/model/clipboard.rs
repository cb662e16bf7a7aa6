//! Copies to the clipboard by OSC 52. The terminal sends no answer, so the message names what receives the copy.

use crate::control::text::outcome::Severity;
use crate::tui::msg::Effect;
use crate::tui::terminal_type::Clipboard;

use super::Model;

impl Model {
    /// Copies `bytes` by OSC 52, and says in a message what receives them. `what` names them.
    pub fn copy(&mut self, what: &str, bytes: Vec<u8>) -> Vec<Effect> {
        let length = bytes.len();
        let (mood, text) = match self.clipboard {
            Clipboard::Terminal => (
                Severity::Quiet,
                format!(
                    "{what} was sent to the terminal's clipboard ({length} bytes; a terminal that does not know OSC 52 \
                     ignores it)"
                ),
            ),
            // What the operator has to do comes first: in few columns, the end of a long message is cut.
            Clipboard::Tmux => (
                Severity::Quiet,
                format!(
                    "sent to tmux, which passes it on only with `set -g set-clipboard on`: {what} ({length} bytes, OSC 52)"
                ),
            ),
            Clipboard::Screen => (
                Severity::Quiet,
                format!(
                    "{what} was sent through screen to its terminal ({length} bytes; a terminal that does not know OSC 52 \
                     ignores it)"
                ),
            ),
            Clipboard::TmuxOrScreen => (
                Severity::Quiet,
                format!(
                    "sent to tmux or screen: tmux passes it on only with `set -g set-clipboard on`, screen may drop it: \
                     {what} ({length} bytes, OSC 52)"
                ),
            ),
            Clipboard::Unavailable => {
                self.say(
                    Severity::Warned,
                    format!("{what} was not copied: a terminal of this type (TERM) has no clipboard"),
                );
                return Vec::new();
            }
        };
        self.say(mood, text);
        vec![Effect::Copy(bytes)]
    }
}
