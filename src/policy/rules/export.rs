//! Rules as lines of modprobe.d(5), as far as these can say the same.

use std::fmt::Write as _;

use crate::abi::glob::Glob;

use super::rule::{Action, Object, Rule};
use super::ruleset::Rules;

/// What every export begins with.
const HEAD: &str = "\
# Made by `khelper rules export`. What modprobe.d can do:
# `blacklist` stops a module only where it is asked for by an alias, and modprobe exits with 0 then.
# `install X /bin/false` stops X, after the modules that it depends on have been loaded.
# Both hold for every user, and for modprobe alone: insmod(8) and programs that load modules by themselves pass them by.
";

impl Rules {
    /// Lines of modprobe.d for the rules that deny modules and names to everybody. What cannot be said is a comment.
    pub fn modprobe_d(&self) -> String {
        let mut out = HEAD.to_owned();
        let mut allowed = false;
        for rule in &self.rules {
            allowed |= rule.action == Action::Allow && !matches!(rule.object, Object::Helper(_));
            if rule.action == Action::Deny {
                let _ = writeln!(out, "\n# {}", comment(rule));
                rule_lines(rule, allowed, &mut out);
            }
        }
        out
    }
}

fn comment(rule: &Rule) -> String {
    let text = format!("{}: {}", rule.at, rule.text);
    crate::abi::escape::screen_again(&text)
}

fn rule_lines(rule: &Rule, allowed: bool, out: &mut String) {
    let (globs, is_module) = match &rule.object {
        Object::Module(globs) => (globs, true),
        Object::Name(globs) => (globs, false),
        _ => return out.push_str("# not exported: modprobe.d knows nothing but names\n"),
    };
    if !rule.conditions.is_empty() {
        return out.push_str("# not exported: modprobe does not know who asks\n");
    }
    if allowed {
        return out.push_str("# not exported: a rule before this one allows something, and modprobe.d has no order\n");
    }
    for glob in globs {
        let Some(text) = plain(glob) else {
            out.push_str("# not exported: a pattern that modprobe reads otherwise\n");
            continue;
        };
        if is_module && glob.literal().is_some() {
            let _ = writeln!(out, "blacklist {text}");
        }
        let _ = writeln!(out, "install {text} /bin/false");
    }
}

/// The pattern, if it means the same to modprobe.
fn plain(glob: &Glob) -> Option<String> {
    // A literal with a class or a backslash is written without them.
    if let Some(whole) = glob.literal() {
        let text = String::from_utf8(whole).ok()?;
        return text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:+()".contains(c)).then_some(text);
    }
    let text = glob.text();
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:+()-*?".contains(c)).then(|| text.to_owned())
}
