//! Completion of the last word of a line.

use clap::CommandFactory;

use crate::abi::cap::CapMask;
use crate::abi::knob::Key;

use super::verb::Line;

/// Every completion of the last word of `line`, as whole words. `ids` are the requests that have not ended. Words are
/// separated by spaces.
pub fn candidates(line: &str, known: CapMask, ids: &[u64]) -> Vec<String> {
    let (before, word) = line.rsplit_once(' ').unwrap_or(("", line));
    let definition = Line::command();
    let Some(verb) = before.split_whitespace().next() else {
        return starting(definition.get_subcommands().map(|c| c.get_name().to_owned()), word);
    };
    if before.split_whitespace().any(|w| w == "--") {
        return Vec::new();
    }
    let Some(command) = definition.find_subcommand(verb) else { return Vec::new() };
    if word.starts_with("--") {
        let hidden = ["json", "set"];
        let longs = command.get_arguments().filter_map(|arg| arg.get_long()).filter(|long| !hidden.contains(long));
        return starting(longs.map(|long| format!("--{long}")), word);
    }
    let last = before.split_whitespace().last().unwrap_or_default();
    match (verb, last) {
        (_, "--bset" | "--inheritable") | ("mask", _) => capabilities("", word, known),
        (_, "--wait") => starting(["none", "exec", "proc"].map(str::to_owned), word),
        ("set", _) => setting(word, known),
        ("get", _) => starting(Key::ALL.map(|key| key.name().to_owned()), word),
        ("kill" | "abandon", _) => starting(ids.iter().map(u64::to_string), word),
        ("gate" | "reset", _) => {
            let values = command.get_positionals().flat_map(|arg| arg.get_possible_values());
            starting(values.map(|value| value.get_name().to_owned()).collect::<Vec<_>>(), word)
        }
        _ => Vec::new(),
    }
}

fn starting(all: impl IntoIterator<Item = String>, word: &str) -> Vec<String> {
    all.into_iter().filter(|candidate| candidate.starts_with(word)).collect()
}

/// Completes a knob, or its value.
fn setting(word: &str, known: CapMask) -> Vec<String> {
    let Some((name, value)) = word.split_once('=') else {
        let writable = Key::ALL.into_iter().filter(|key| key.writable());
        return starting(writable.map(|key| format!("{}=", key.name())), word);
    };
    let of = |values: &[&str]| starting(values.iter().map(|value| format!("{name}={value}")), word);
    match Key::parse(name) {
        Ok(Key::Gate) => of(&["enabled", "freezing", "disabled"]),
        Ok(Key::Era) => of(&["3.4", "current"]),
        Ok(key) if key.is_mask() => capabilities(&format!("{name}="), value, known),
        _ => Vec::new(),
    }
}

/// Completes the last name of a comma-separated list, where a name may follow `+`, `-` or `~`.
fn capabilities(before: &str, list: &str, known: CapMask) -> Vec<String> {
    let at = list.rfind([',', '+', '-', '~']).map_or(0, |at| at + 1);
    let (done, name) = list.split_at(at);
    let words = if done.is_empty() { &["full", "empty"][..] } else { &[] };
    let all = known.iter().map(|cap| cap.name()).chain(words.iter().map(|word| (*word).to_owned()));
    let named = all.filter(|cap| {
        cap.starts_with(name)
            || (!name.is_empty() && cap[..].strip_prefix("cap_").is_some_and(|bare| bare.starts_with(name)))
    });
    named.map(|cap| format!("{before}{done}{cap}")).collect()
}

/// The longest common prefix of the candidates.
pub fn common(candidates: &[String]) -> &str {
    let Some(first) = candidates.first() else { return "" };
    let same = |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    // Names and options are ASCII: every byte is a boundary.
    &first[..candidates.iter().map(same).min().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(line: &str) -> Vec<String> {
        candidates(line, CapMask::up_to(40), &[3, 31, 4])
    }

    #[test]
    fn commands_keys_capabilities_options_and_requests() {
        assert_eq!(of("re"), ["request", "reset"]);
        assert_eq!(of("set kernel.u"), ["kernel.usermodehelper.bset=", "kernel.usermodehelper.inheritable="]);
        assert_eq!(of("set khelper.gate=f"), ["khelper.gate=freezing"]);
        assert!(of("set khelper.li").is_empty());
        assert_eq!(of("get khelper.li"), ["khelper.live"]);
        assert_eq!(
            of("set kernel.usermodehelper.bset=-cap_bpf,-cap_sys_mo"),
            ["kernel.usermodehelper.bset=-cap_bpf,-cap_sys_module"]
        );
        assert_eq!(of("mask sys_mod"), ["cap_sys_module"]);
        assert_eq!(of("run --bset emp"), ["empty"]);
        assert_eq!(of("request --re"), ["--repeat"]);
        assert_eq!(of("kill 3"), ["3", "31"]);
        assert_eq!(of("gate "), ["enabled", "freezing", "disabled"]);
        assert!(of("run -- /bin/ca").is_empty() && of("nonsense x").is_empty());
    }

    #[test]
    fn the_common_prefix_is_completed() {
        assert_eq!(common(&of("set kernel.u")), "kernel.usermodehelper.");
        assert_eq!(common(&[]), "");
    }

    proptest! {
        #[test]
        fn any_line_can_be_completed(line in "\\PC{0,40}") {
            let word = line.rsplit(' ').next().unwrap_or_default().to_owned();
            for candidate in of(&line) {
                prop_assert!(candidate.len() >= word.len(), "{candidate} {word}");
            }
        }
    }
}
