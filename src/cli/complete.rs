//! `khelper __complete WORD...`, which the completion scripts of shells call: prints what the last word may be, each
//! on its own line, with its meaning after a tab.

use std::ffi::OsString;

use crate::abi::cap::CapMask;
use crate::abi::escape::screen_again;
use crate::control::modules::{find, plain_names, running_tree};
use crate::control::profiles::Folders;
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
    let names = Names { known, ids: &|| ids(chosen()), modules: &modules, profiles: &|| Folders::default().names() };
    let lines = candidates(&definition, &before, word, &names).into_iter().map(|candidate| {
        let tab = if candidate.help.is_empty() { "" } else { "\t" };
        format!("{}{tab}{}\n", candidate.word, screen_again(&candidate.help))
    });
    super::print(&lines.collect::<String>())
}

/// The modules of the running kernel whose names begin with the word; none if they cannot be read.
fn modules(word: &str) -> Vec<String> {
    plain_names(&find(&running_tree(), word.as_bytes())).map(str::to_owned).collect()
}
