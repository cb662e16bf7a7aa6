//! `get`, `set` and `diff`: their options, as sysctl(8) has them, and the knobs that the arguments name.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::abi::rules_mode::{Mode, TRIAL_FORM, trial};
use crate::control::{Key, KnobValue};
use crate::sys::regex::Regex;

use super::options::{Set, assignment, key};

/// `get`.
#[derive(Debug, Default, ClapArgs)]
pub struct Get {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Print every knob
    #[arg(short = 'a', long, visible_short_aliases = ['A', 'X'])]
    pub all: bool,
    /// Print only the values
    #[arg(short = 'n', long)]
    pub values: bool,
    /// Print only the names
    #[arg(short = 'N', long)]
    pub names: bool,
    /// Print only the values, and no newlines
    #[arg(short = 'b', long)]
    pub binary: bool,
    /// Ignore unknown keys
    #[arg(short = 'e', long)]
    pub ignore: bool,
    /// Does nothing here: it silences `set`, as in sysctl(8)
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Print only knobs whose name matches this extended regular expression, of all knobs if no KEY is given
    #[arg(short = 'r', long, value_name = "PATTERN")]
    pub pattern: Option<OsString>,
    /// Print where each value comes from: the default, the line of a configuration file, or who set it and when
    #[arg(long = "where")]
    pub provenance: bool,
    /// Print one JSON object per knob, each on its own line
    #[arg(long)]
    pub json: bool,
    /// The knobs of the kernel are those that are meant by `-a`, a folder or a pattern.
    #[arg(skip)]
    pub of_kernel: bool,
    /// Names of knobs, or of folders of knobs, with `.` or `/` as separator
    #[arg(value_name = "KEY|PREFIX", required_unless_present_any = ["all", "pattern"])]
    pub keys: Vec<OsString>,
}

/// `set`.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct SetKnobs {
    /// Ignore unknown keys
    #[arg(short = 'e', long)]
    pub ignore: bool,
    /// Print only the new values
    #[arg(short = 'n', long)]
    pub values: bool,
    /// Print nothing that was set
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Does nothing: `set` always writes
    #[arg(short = 'w', long)]
    pub write: bool,
    /// Print what would be set, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the new values for the next start too, in zz-persist.conf
    #[arg(long, conflicts_with_all = ["unpersist", "dry_run", "load", "system"])]
    pub persist: bool,
    /// Remove these keys from zz-persist.conf; the running values do not change
    #[arg(long, conflicts_with_all = ["dry_run", "load", "system"])]
    pub unpersist: bool,
    /// Enforce the rules for this time (such as 90s, 10m, 2h), then go back unless it is confirmed; for
    /// khelper.rules.mode=enforce alone
    #[arg(long, value_name = "TIME", value_parser = trial_time, conflicts_with_all = ["unpersist", "load", "system"])]
    pub confirm: Option<u32>,
    /// Agree to a write that cannot be undone before the machine starts again; only writes to the kernel need it
    #[arg(long)]
    pub until_reboot: bool,
    /// Write to the kernel although a check or the rehearsal of a mask advises against it
    #[arg(long)]
    pub force: bool,
    /// Read KEY = VALUE lines from FILE (`-` is stdin), as sysctl.d(5) has them; may be repeated
    #[arg(short = 'p', long, value_name = "FILE", short_alias = 'f', conflicts_with = "settings")]
    pub load: Vec<PathBuf>,
    /// Read the configuration files of the system
    #[arg(long, conflicts_with_all = ["load", "settings"])]
    pub system: bool,
    /// Read the configuration files of this folder, and keep values there
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Print one JSON object per knob, each on its own line
    #[arg(long)]
    pub json: bool,
    /// Knobs and their values
    #[arg(value_name = "KEY=VALUE", required_unless_present_any = ["load", "system"])]
    pub settings: Vec<OsString>,
}

/// `diff`.
#[derive(Debug, ClapArgs)]
pub struct Diff {
    /// Print one JSON object per knob, each on its own line
    #[arg(long)]
    pub json: bool,
    /// Compare with the configuration files of this folder
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
}

/// What to do once the arguments have been read.
#[derive(Clone, Debug, PartialEq)]
pub enum Writing {
    /// Write these, in one write each.
    Write(Vec<Vec<(Key, KnobValue)>>),
    /// Remove these from the file of `--persist`.
    Unpersist(Vec<Key>),
}

impl Get {
    /// The knobs that the arguments name, in their order, each with its error.
    pub fn selected(&self) -> Result<Vec<Result<Key, ControlError>>, ControlError> {
        let pattern = match &self.pattern {
            Some(text) => Some(Regex::new(text.as_bytes()).map_err(|why| {
                let why = format!("`{}`: {why}", screen(text.as_bytes()));
                value("--pattern", ParseError::invalid(why, "give an extended regular expression (regex(7))"))
            })?),
            None => None,
        };
        let mut all: Vec<Result<Key, ControlError>> = Vec::new();
        if self.all || self.keys.is_empty() {
            all.extend(self.of_target().iter().copied().map(Ok));
        } else {
            self.keys.iter().for_each(|name| all.extend(named(name.as_bytes(), self.of_target())));
        }
        all.retain(|key| match key {
            Ok(key) => pattern.as_ref().is_none_or(|pattern| pattern.matches(key.name())),
            Err(ControlError::UnknownKey(_)) => !self.ignore,
            Err(_) => true,
        });
        Ok(all)
    }

    /// Every knob of the target.
    const fn of_target(&self) -> &'static [Key] {
        if self.of_kernel { &Key::KERNEL } else { &Key::WITH_RULES }
    }

    /// Whether this knob is named, and not only meant by `-a`, a folder or a pattern.
    fn names_it(&self, wanted: Key) -> bool {
        self.keys.iter().any(|name| key(name.as_bytes()).is_ok_and(|named| named == wanted))
    }

    /// What to print of each.
    pub fn form(&self) -> Form {
        Form {
            names: self.names,
            values: self.values || self.binary,
            binary: self.binary,
            provenance: self.provenance,
            mode_is_named: self.names_it(Key::RulesMode),
        }
    }
}

/// Which parts of a knob `get` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    names: bool,
    values: bool,
    binary: bool,
    /// Where the value comes from too.
    pub provenance: bool,
    /// `khelper.rules.mode` is named; otherwise it is left out where there are no rules.
    pub mode_is_named: bool,
}

impl Form {
    /// The line of a knob, as sysctl(8) prints it.
    pub fn line(self, key: Key, value: &str) -> String {
        match (self.names, self.values) {
            (true, _) => key.name().to_owned(),
            (_, true) => value.to_owned(),
            _ => format!("{key} = {value}"),
        }
    }

    /// Whether lines have no newline.
    pub const fn runs_together(self) -> bool {
        self.binary && !self.names
    }
}

/// The knob of this name, or every knob of the folder.
fn named(name: &[u8], all: &[Key]) -> Vec<Result<Key, ControlError>> {
    if let Some(at) = name.iter().position(|b| *b == b'=') {
        let why = format!("`{}` is KEY=VALUE, and `get` only reads", screen(name));
        let key = screen(&name[..at]);
        return vec![Err(value(&key, ParseError::invalid(why, "use set: `khelper set KEY=VALUE`")))];
    }
    let exact = key(name);
    if exact.is_ok() {
        return vec![exact];
    }
    let folder = name.strip_suffix(b"/").or_else(|| name.strip_suffix(b".")).unwrap_or(name);
    let folder: Vec<u8> = folder.iter().map(|b| if *b == b'/' { b'.' } else { *b }).chain([b'.']).collect();
    let within: Vec<_> = all.iter().copied().filter(|key| key.name().as_bytes().starts_with(&folder)).map(Ok).collect();
    if within.is_empty() { vec![exact] } else { within }
}

impl SetKnobs {
    /// The writes that the arguments describe: one for all knobs, then one for each write of the gate.
    pub fn writing(&self, known: CapMask) -> Result<Writing, ControlError> {
        if self.unpersist {
            let name = |setting: &OsString| {
                let name = setting.as_bytes();
                key(name.split(|b| *b == b'=').next().unwrap_or(name))
            };
            return self.settings.iter().map(name).collect::<Result<_, _>>().map(Writing::Unpersist);
        }
        let known_keys: Vec<OsString> =
            self.settings.iter().filter(|setting| !self.passes_over(setting)).cloned().collect();
        let mut all = writes("set", &known_keys, known)?;
        if let Some(seconds) = self.confirm {
            let mode = all.iter_mut().flatten().find_map(|(_, value)| match value {
                KnobValue::Rules(mode) if mode.mode == Mode::Enforce => Some(mode),
                _ => None,
            });
            let Some(mode) = mode else {
                let why = "nothing is set that can be tried for a time";
                let advice = "give it with khelper.rules.mode=enforce";
                return Err(value("--confirm", ParseError::invalid(why, advice)));
            };
            mode.seconds = Some(seconds);
        }
        Ok(Writing::Write(all))
    }

    /// Whether `-e` ignores it.
    fn passes_over(&self, setting: &OsString) -> bool {
        self.ignore && matches!(assignment("set", setting.as_bytes()), Err(ControlError::UnknownKey(_)))
    }

    /// The first option that only the shell has; `None` if the console can do all of it.
    pub fn only_at_the_shell(&self) -> Option<&'static str> {
        let given = [
            (self.dry_run, "--dry-run"),
            (!self.load.is_empty(), "--load"),
            (self.system, "--system"),
            (self.config.is_some(), "--config"),
            (self.json, "--json"),
            (self.force, "--force"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, option)| option)
    }
}

/// The seconds of a trial.
pub fn trial_time(text: &str) -> Result<u32, String> {
    trial(text).ok_or_else(|| format!("give {TRIAL_FORM}"))
}

/// Turns `KEY=VALUE` arguments into writes: one write for all knobs, then the mode of the rules and the gate in writes of
/// their own: the one has another lock, and the other's drain may block. All values are parsed before any is written. Errors name `door`, the verb or option.
pub fn writes(door: &str, settings: &[OsString], known: CapMask) -> Result<Vec<Vec<(Key, KnobValue)>>, ControlError> {
    let write = |setting: &OsString| {
        let (key, text) = assignment(door, setting.as_bytes())?;
        Ok((key, key.parse_value(&text, known)?))
    };
    let writes = settings.iter().map(write).collect::<Result<Vec<_>, ControlError>>()?;
    let is_alone = |key: &Key| matches!(key, Key::Gate | Key::RulesMode);
    let (alone, knobs): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(key, _)| is_alone(key));
    let all = std::iter::once(knobs).chain(alone.into_iter().map(|write| vec![write]));
    Ok(all.filter(|write| !write.is_empty()).collect())
}

fn value(key: &str, error: ParseError) -> ControlError {
    ControlError::Value { key: key.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::rules_mode::ModeFor;

    fn get(keys: &[&str]) -> Get {
        Get { keys: keys.iter().map(OsString::from).collect(), ..Get::default() }
    }

    fn names(get: &Get) -> Vec<String> {
        let all = get.selected().unwrap();
        all.into_iter().map(|key| key.map_or_else(|e| e.to_string(), |key| key.name().to_owned())).collect()
    }

    #[test]
    fn a_folder_names_the_knobs_in_it() {
        let masks = ["kernel.usermodehelper.bset", "kernel.usermodehelper.inheritable"];
        for folder in ["kernel.usermodehelper", "kernel/usermodehelper/", "kernel.usermodehelper."] {
            assert_eq!(names(&get(&[folder])), masks, "{folder}");
        }
        assert_eq!(names(&get(&["kernel"])).len(), 3);
        assert_eq!(names(&get(&["kernel/modprobe"])), ["kernel.modprobe"]);
        for unknown in ["kern", "kernel.modprobe.", "kernel..", "", "."] {
            assert!(names(&get(&[unknown]))[0].starts_with("unknown key"), "{unknown}");
        }
        let set = &names(&get(&["kernel.modprobe=/x"]))[0];
        assert!(set.contains("`get` only reads"), "{set}");
    }

    #[test]
    fn a_pattern_selects_from_all_knobs_or_from_those_that_are_named() {
        let of = |pattern: &str, keys: &[&str]| Get { pattern: Some(pattern.into()), ..get(keys) };
        assert_eq!(names(&of("usermodehelper", &[])).len(), 2);
        assert_eq!(names(&of("(deny|allow)$", &["khelper"])), ["khelper.allow", "khelper.deny"]);
        assert_eq!(names(&of("x", &["khelper.era"])).len(), 0);
        assert!(of("(", &[]).selected().is_err_and(|e| e.key() == Some("--pattern")));
        let all = Get { all: true, ..get(&["no.such"]) };
        assert_eq!(names(&all).len(), Key::WITH_RULES.len(), "as sysctl(8): -a prints all");
        assert_eq!(
            (all.names_it(Key::RulesMode), get(&["khelper/rules/mode"]).names_it(Key::RulesMode)),
            (false, true)
        );
        let ignoring = Get { ignore: true, ..get(&["no.such", "khelper.era"]) };
        assert_eq!(names(&ignoring), ["khelper.era"]);
    }

    #[test]
    fn a_line_has_the_parts_that_were_asked_for() {
        let of = |values, names, binary| Get { values, names, binary, ..Get::default() }.form();
        for (options, line, together) in [
            (of(false, false, false), "khelper.era = 3.4", false),
            (of(true, false, false), "3.4", false),
            (of(true, true, false), "khelper.era", false),
            (of(false, true, true), "khelper.era", false),
            (of(false, false, true), "3.4", true),
        ] {
            assert_eq!((options.line(Key::Era, "3.4").as_str(), options.runs_together()), (line, together));
        }
    }

    #[test]
    fn arguments_of_set_are_writes_or_names() {
        let known = CapMask::up_to(40);
        let of = |settings: &[&str]| SetKnobs {
            settings: settings.iter().map(OsString::from).collect(),
            ..SetKnobs::default()
        };
        let Ok(Writing::Write(writes)) = of(&["khelper.deny=a", "khelper.gate=freezing"]).writing(known) else {
            panic!()
        };
        assert_eq!(writes.len(), 2);
        let tried = |settings: &[&str]| SetKnobs { confirm: Some(600), ..of(settings) }.writing(known);
        let Ok(Writing::Write(writes)) = tried(&["khelper.deny=a", "khelper.rules.mode=enforce"]) else { panic!() };
        let mode = KnobValue::Rules(ModeFor { mode: Mode::Enforce, seconds: Some(600) });
        assert_eq!((writes.len(), &writes[1]), (2, &vec![(Key::RulesMode, mode)]));
        for settings in [&["khelper.rules.mode=audit"], &["khelper.deny=a"]] {
            assert!(tried(settings).is_err_and(|error| error.key() == Some("--confirm")), "{settings:?}");
        }
        let ignoring = SetKnobs { ignore: true, ..of(&["no.such=1", "khelper.deny=a"]) };
        assert!(matches!(ignoring.writing(known), Ok(Writing::Write(writes)) if writes.len() == 1));
        assert!(of(&["no.such=1", "khelper.deny=a"]).writing(known).is_err());
        let unpersist = SetKnobs { unpersist: true, ..of(&["khelper/deny", "khelper.era=3.4"]) };
        assert_eq!(unpersist.writing(known), Ok(Writing::Unpersist(vec![Key::Deny, Key::Era])));
    }
}
