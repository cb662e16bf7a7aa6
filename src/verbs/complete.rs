//! Completion of the last word of a line, for the shell and for the console. What a word may be follows from the
//! definition of the command line: from the possible values of an argument, or from its value's name.

use clap::{Arg, Command};

use crate::abi::cap::CapMask;
use crate::abi::knob::Key;
use crate::abi::record::Outcome;
use crate::abi::rules_mode::Mode;

/// Names that are not part of the definition. The functions are called only if a word needs them.
pub struct Names<'a> {
    /// The capabilities of the target's kernel.
    pub known: CapMask,
    /// The requests that have not ended.
    pub ids: &'a dyn Fn() -> Vec<u64>,
    /// The modules that can be requested whose names begin with a word.
    pub modules: &'a dyn Fn(&str) -> Vec<String>,
    /// The profiles.
    pub profiles: &'a dyn Fn() -> Vec<String>,
}

/// A possible word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub word: String,
    /// What it means, one line; empty if that is not known.
    pub help: String,
}

/// The outcomes that a log can be searched for.
const OUTCOMES: [Outcome; 8] = [
    Outcome::Exited,
    Outcome::Killed,
    Outcome::ExecFailed,
    Outcome::Refused,
    Outcome::Abandoned,
    Outcome::Noop,
    Outcome::Lost,
    Outcome::Running,
];

/// Every completion of `word`, which follows the words `before` it.
pub fn candidates(definition: &Command, before: &[&str], word: &str, names: &Names<'_>) -> Vec<Candidate> {
    let mut at = Place { command: definition, option: None, positionals: 0, dashes: false };
    before.iter().for_each(|word| at.pass(word));
    let mut all = at.offers(word, names);
    all.retain(|candidate| candidate.word.starts_with(word) || is_bare(&candidate.word, word));
    all
}

/// The longest common prefix of the words.
pub fn common(words: &[String]) -> &str {
    let Some(first) = words.first() else { return "" };
    let same = |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    // Names and options are ASCII: every byte is a boundary.
    &first[..words.iter().map(same).min().unwrap_or(0)]
}

/// Where a line has got to.
struct Place<'a> {
    command: &'a Command,
    /// The option whose value comes next.
    option: Option<&'a Arg>,
    /// How many positional arguments were given.
    positionals: usize,
    /// `--` was given.
    dashes: bool,
}

impl<'a> Place<'a> {
    fn pass(&mut self, word: &str) {
        if self.option.take().is_some() {
            return;
        }
        if self.dashes || !word.starts_with('-') || word == "-" {
            return self.pass_positional(word);
        }
        if word == "--" {
            self.dashes = true;
            return;
        }
        let takes_value = |arg: &&Arg| arg.get_action().takes_values();
        self.option = match word.strip_prefix("--") {
            Some(long) => self.arguments().find(|arg| arg.get_long() == Some(long)).filter(takes_value),
            None => {
                let last = word.chars().last();
                self.arguments().find(|arg| arg.get_short() == last).filter(takes_value)
            }
        };
    }

    fn pass_positional(&mut self, word: &str) {
        match self.command.find_subcommand(word).filter(|_| !self.dashes && self.positionals == 0) {
            Some(command) => self.command = command,
            None => self.positionals += 1,
        }
    }

    fn arguments(&self) -> impl Iterator<Item = &'a Arg> + use<'a> {
        self.command.get_arguments()
    }

    /// The positional argument that comes next; the last one may be repeated.
    fn positional(&self) -> Option<&'a Arg> {
        let mut all = self.command.get_positionals();
        let last = self.command.get_positionals().last();
        all.nth(self.positionals).or(last).filter(|arg| arg.is_last_set() == self.dashes)
    }

    fn offers(&self, word: &str, names: &Names<'_>) -> Vec<Candidate> {
        if let Some(option) = self.option {
            return values(option, word, names);
        }
        let hyphens = self.positional().filter(|arg| arg.is_allow_hyphen_values_set());
        if !self.dashes && word.starts_with('-') && (hyphens.is_none() || word.starts_with("--")) {
            let Some((long, value)) = word.split_once('=') else { return self.options() };
            let option = self.arguments().find(|arg| arg.get_long() == long.strip_prefix("--"));
            let all = option.map(|option| values(option, value, names)).unwrap_or_default();
            return all.into_iter().map(|c| Candidate { word: format!("{long}={}", c.word), ..c }).collect();
        }
        let mut all = self.positional().map(|arg| values(arg, word, names)).unwrap_or_default();
        if !self.dashes && self.positionals == 0 {
            let shown = self.command.get_subcommands().filter(|command| !command.is_hide_set());
            all.extend(shown.map(|command| {
                let help = command.get_about().map(ToString::to_string).unwrap_or_default();
                Candidate { word: command.get_name().to_owned(), help }
            }));
        }
        all
    }

    fn options(&self) -> Vec<Candidate> {
        let shown = self.arguments().filter(|arg| !arg.is_hide_set());
        let of = |arg: &Arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some(Candidate { word: format!("--{}", arg.get_long()?), help })
        };
        shown.filter_map(of).collect()
    }
}

/// The values of an argument.
fn values(arg: &Arg, word: &str, names: &Names<'_>) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let of = |value: &clap::builder::PossibleValue| Candidate {
            word: value.get_name().to_owned(),
            help: value.get_help().map(ToString::to_string).unwrap_or_default(),
        };
        return possible.iter().filter(|value| !value.is_hide_set()).map(of).collect();
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    match name {
        "MASK" => capabilities("", word, names.known),
        "ID" => plain((names.ids)().iter().map(u64::to_string)),
        "GLOB" => plain((names.modules)(word)),
        "TARGET" => plain(["embedded", "daemon", "kernel", "unix:"].map(str::to_owned)),
        "PROFILE" => plain((names.profiles)()),
        "O" => plain(OUTCOMES.map(|outcome| outcome.name().to_owned())),
        "SIGNAL" => plain(["TERM", "KILL", "HUP", "INT", "QUIT", "USR1", "USR2", "STOP", "CONT"].map(str::to_owned)),
        _ if name.starts_with("NAME") => plain((names.modules)(word)),
        _ if name.starts_with("KEY=") => setting(word, names.known),
        _ if name.starts_with("KEY") => plain(Key::WITH_RULES.map(|key| key.name().to_owned())),
        _ => Vec::new(),
    }
}

fn plain(words: impl IntoIterator<Item = String>) -> Vec<Candidate> {
    words.into_iter().map(|word| Candidate { word, help: String::new() }).collect()
}

/// A knob, or its value.
fn setting(word: &str, known: CapMask) -> Vec<Candidate> {
    let Some((name, value)) = word.split_once('=') else {
        return plain(Key::WITH_RULES.into_iter().filter(|key| key.writable()).map(|key| format!("{}=", key.name())));
    };
    let of = |values: &[&str]| plain(values.iter().map(|value| format!("{name}={value}")));
    match Key::parse(name) {
        Ok(Key::Gate) => of(&["enabled", "freezing", "disabled"]),
        Ok(Key::RulesMode) => of(&Mode::ALL.map(Mode::name)),
        Ok(Key::Era) => of(&["3.4", "current"]),
        Ok(key) if key.is_mask() => capabilities(&format!("{name}="), value, known),
        _ => Vec::new(),
    }
}

/// The last name of a comma-separated list, where a name may follow `+`, `-` or `~`.
fn capabilities(before: &str, list: &str, known: CapMask) -> Vec<Candidate> {
    let (done, _) = list.split_at(last_name(list));
    let words = if done.is_empty() { &["full", "empty"][..] } else { &[] };
    let of = |word: &str, help: String| Candidate { word: format!("{before}{done}{word}"), help };
    let all = known.iter().map(|cap| {
        let help = cap.info().map(|info| info.meaning.to_owned()).unwrap_or_default();
        of(&cap.name(), help)
    });
    all.chain(words.iter().map(|word| of(word, String::new()))).collect()
}

fn last_name(list: &str) -> usize {
    list.rfind([',', '+', '-', '~', '=']).map_or(0, |at| at + 1)
}

/// Whether the candidate is the word with `cap_` put before its last name: `sys_mod` stands for `cap_sys_module`.
fn is_bare(candidate: &str, word: &str) -> bool {
    let (done, bare) = word.split_at(last_name(word));
    let full = candidate.strip_prefix(done).and_then(|rest| rest.strip_prefix("cap_"));
    !bare.is_empty() && full.is_some_and(|rest| rest.starts_with(bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::verb::definition;
    use proptest::prelude::*;

    fn of(line: &str) -> Vec<String> {
        let modules = |_: &str| vec!["dummy".to_owned(), "dccp".to_owned()];
        let profiles = || vec!["cores".to_owned(), "keys".to_owned()];
        let names =
            Names { known: CapMask::up_to(40), ids: &|| vec![3, 31, 4], modules: &modules, profiles: &profiles };
        let mut words: Vec<&str> = line.split(' ').collect();
        let word = words.pop().unwrap_or_default();
        candidates(&definition(), &words, word, &names).into_iter().map(|c| c.word).collect()
    }

    #[test]
    fn commands_keys_capabilities_options_and_requests() {
        let mut re = of("re");
        re.sort();
        assert_eq!(re, ["rehearse", "request", "reset"]);
        assert_eq!(of("set kernel.u"), ["kernel.usermodehelper.bset=", "kernel.usermodehelper.inheritable="]);
        assert_eq!(of("set khelper.gate=f"), ["khelper.gate=freezing"]);
        assert!(of("set khelper.li").is_empty());
        assert_eq!(of("get khelper.li"), ["khelper.live"]);
        assert_eq!(of("get khelper.live khelper.li"), ["khelper.live"], "any number of knobs");
        assert_eq!(
            of("set kernel.usermodehelper.bset=-cap_bpf,-cap_sys_mo"),
            ["kernel.usermodehelper.bset=-cap_bpf,-cap_sys_module"]
        );
        assert_eq!(of("mask sys_mod"), ["cap_sys_module"]);
        assert_eq!(of("mask -cap_sys_mod"), ["-cap_sys_module"], "a mask may start with a minus");
        assert_eq!(of("run --bset emp"), ["empty"]);
        assert_eq!(of("run --bset=-cap_bp"), ["--bset=-cap_bpf"]);
        assert_eq!(of("run --wait e"), ["exec"]);
        assert_eq!(of("run --profile k"), ["keys"]);
        assert_eq!(of("request --profile c"), ["cores"]);
        assert_eq!(of("request --re"), ["--repeat"]);
        assert_eq!(of("request --parallel 3 d"), ["dummy", "dccp"]);
        assert_eq!(of("kill 3"), ["3", "31"]);
        assert_eq!(of("kill -s K"), ["KILL"]);
        assert_eq!(of("kill -s KILL 4"), ["4"]);
        assert_eq!(of("gate "), ["enabled", "freezing", "disabled"]);
        assert!(of("run /bin/ca").is_empty() && of("run -- /bin/ca").is_empty() && of("nonsense x").is_empty());
        assert!(of("request --j").is_empty(), "the console shows no options of the shell");
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
