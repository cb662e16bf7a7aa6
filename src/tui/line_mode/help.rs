//! The help of the line mode: its own words, and the keys that work where one is.

use crate::tui::keymap::Context;
use crate::tui::model::Model;

use super::typed::WORDS;

/// What can be typed here.
pub(super) fn lines(model: &Model) -> Vec<String> {
    let chain = model.chain();
    let text = chain.contains(&Context::Text);
    let mut lines = Vec::new();
    if text {
        lines.push(
            "A line is typed into the field, and enter follows it. A line that begins with a dot is a command:"
                .to_owned(),
        );
        lines.push(".esc goes back, .enter accepts the field as it is, .again says the dialog again.".to_owned());
    } else {
        lines.push(
            "Type a word, a screen, a key or an action, and enter. N is the number of a row, or a word in it."
                .to_owned(),
        );
    }
    let dot = if text { "." } else { "" };
    lines.extend(WORDS.iter().map(|(name, _, help)| format!("{dot}{name}: {help}")));
    if model.dialogs.is_empty() {
        lines.push("overview, masks, activity, log, rules: say a screen".to_owned());
        lines.push("ACTION N: do it to row N, for example: toggle cap_sys_module".to_owned());
        lines.push(":COMMAND: run a command of the console's command line, for example: :request dummy".to_owned());
        lines.push("an empty line: say what has happened since".to_owned());
    } else if chain.contains(&Context::Choices) {
        lines.push("N: choose number N and do it".to_owned());
    }
    lines.push("Keys here, each with the name of its action:".to_owned());
    for (row, keys) in model.keys.rows().filter(|(row, _)| row.context != Context::Text && chain.contains(&row.context))
    {
        let names = crate::tui::keymap::names(keys);
        lines.push(format!("{dot}{names}, {}: {}", row.id(), row.help));
    }
    lines
}
