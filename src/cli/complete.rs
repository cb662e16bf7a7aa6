//! `khelper __complete WORD...`, which the completion scripts of shells call: prints what the last word may be, each
//! on its own line, with its meaning after a tab.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::abi::cap::CapMask;
use crate::abi::escape::screen_again;
use crate::verbs::complete::{Names, candidates};

use super::target::{self, Chosen};

/// The first argument that asks for completions.
pub const COMPLETE_ARG: &str = "__complete";

/// Prints the completions of the last of these words. `ids` reads the requests of a target that have not ended.
/// Returns the exit code.
pub fn complete(words: &[OsString], known: CapMask, ids: &dyn Fn(Option<Chosen>) -> Vec<u64>) -> u8 {
    let chosen = || target::chosen(words);
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let Some((word, before)) = words.split_last() else { return super::exit::USAGE };
    // A word may begin with a quote that is not closed yet, and an id with a hash.
    let word = word.trim_start_matches(['\'', '"']);
    let word = word.strip_prefix('#').unwrap_or(word);
    let before: Vec<&str> = before.iter().map(AsRef::as_ref).collect();
    let mut definition = super::definition();
    definition.build();
    let names = Names { known, ids: &|| ids(chosen()), modules: &modules };
    let lines = candidates(&definition, &before, word, &names).into_iter().map(|candidate| {
        let tab = if candidate.help.is_empty() { "" } else { "\t" };
        format!("{}{tab}{}\n", candidate.word, screen_again(&candidate.help))
    });
    super::print(&lines.collect::<String>())
}

/// The modules of the running kernel, by the names of their files; none if they cannot be read.
fn modules() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    names(&read(&format!("/lib/modules/{}/modules.dep", release.trim())))
}

/// The names in a file `modules.dep`: `kernel/net/dccp/dccp.ko.xz: kernel/...` names `dccp`. Only names that need no
/// quotes in a shell.
fn names(dep: &str) -> Vec<String> {
    let name = |line: &str| {
        let file = line.split(':').next()?.rsplit('/').next()?;
        let name = file.split(".ko").next().filter(|name| name.len() < file.len())?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        (plain && !name.is_empty()).then(|| name.to_owned())
    };
    let all: BTreeSet<String> = dep.lines().filter_map(name).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_the_names_of_their_files() {
        let dep =
            "kernel/net/dccp/dccp.ko.xz:\nkernel/a-b_1.ko: kernel/x.ko\nextra/evil$(x).ko:\nkernel/dir.ko/\n\n:\n";
        assert_eq!(names(dep), ["a-b_1", "dccp"]);
    }
}
