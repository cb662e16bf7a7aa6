//! Alerts in one sentence each.

use crate::abi::escape::screen_again;
use crate::abi::launch_spec::Enforcement;
use crate::control::alerts::AlertKind;

/// What happened, escaped; without the time.
pub fn alert(kind: &AlertKind) -> String {
    match kind {
        AlertKind::NotEnforced { how: Enforcement::Refused, id, .. } => {
            format!("#{id}: the masks could not be enforced, so nothing was started")
        }
        AlertKind::NotEnforced { id, title, .. } => {
            format!("#{id} {title}: masks enforced by no_new_privs, its CapBnd still reads wide (no CAP_SETPCAP here)")
        }
        AlertKind::Runaway { refused, again } => {
            let more = if *again { " more" } else { "" };
            format!("runaway loop? {refused}{more} refused by the limit: too many requests at once")
        }
        AlertKind::Logged { text, times } => {
            let times = if *times > 1 { format!(" (×{times})") } else { String::new() };
            format!("{}{times}", screen_again(text))
        }
    }
}
