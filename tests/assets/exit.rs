//! The exit codes of each command, for its manual page. What a code means is in `khelper::cli::exit::CODES`; 0 and 1 have
//! words of their own.

use khelper::cli::exit::CODES;

/// What a command that starts helpers may end with.
const HELPERS: &[&str] = &["0 to 255", "64", "69", "70", "74", "75", "76", "77", "124", "126", "127", "128 + n", "130"];
/// What a command that asks a target, or changes it, may end with.
const TARGET: &[&str] = &["64", "69", "74", "76", "77"];
/// What a command that reads files may end with.
const FILES: &[&str] = &["64", "69", "74"];

/// A command, what 0 and 1 mean (empty: it does not give this code), and its other codes.
const COMMANDS: &[(&str, &str, &str, &[&str])] = &[
    ("abandon", "every request that was named is given up", "there is no such request, or it is over", TARGET),
    ("bridge", "the other side closed the connection", "", TARGET),
    ("console", "it was quit", "", &["2", "64", "69", "101", "128 + n"]),
    ("diff", "what runs is what is configured", "something differs", TARGET),
    ("gate", "the gate is set, or was shown", "", &["64", "69", "74", "75", "76", "77"]),
    ("get", "every key was printed", "", TARGET),
    ("keys", "the keys were printed", "", &["64", "74"]),
    (
        "kill",
        "every signal was sent",
        "there is no such request, it is over, or a part of its chain still runs",
        TARGET,
    ),
    ("log", "the lines that match were printed, even if there is none", "", &["64", "69", "74", "76", "77"]),
    ("mask", "the mask was printed", "", &["64", "74"]),
    ("metrics", "they were printed", "", TARGET),
    ("posture", "it was printed", "with --fail-on, a part stands at that level or a worse one", FILES),
    ("probe", "", "", HELPERS),
    (
        "profile",
        "no fault; for find, a set was found",
        "a fault in a file of a profile, or there is no such profile; for find, there is no result",
        &["64", "69", "70", "74", "75", "77", "126", "127", "130"],
    ),
    ("ps", "what runs was printed, even if nothing does", "", TARGET),
    ("rehearse", "", "", HELPERS),
    ("request", "", "", HELPERS),
    (
        "rules",
        "no fault; for test and diff, nothing would change",
        "a fault in a file of rules, or a profile that does not exist; for test and diff, something would change",
        FILES,
    ),
    ("run", "", "", HELPERS),
    ("serve", "the daemon ended because it was told to", "", TARGET),
    ("set", "every key is set", "with -p or --system, a line of a file failed", TARGET),
    (
        "shim",
        "it is done; for status, the shim is in force",
        "for status, it is not in force",
        &["64", "69", "74", "77"],
    ),
    ("status", "the target answered", "", TARGET),
    ("watch", "it was ended, or the time is over", "", &["64", "69", "74", "76", "77", "130"]),
    ("why", "the request was explained", "nothing is known about it", &["64", "69", "74", "76", "77"]),
];

/// The rows of a command's page; none for a command that the table does not have.
pub fn rows(command: &str) -> Vec<(&'static str, &'static str)> {
    let Some((_, done, one, others)) = COMMANDS.iter().find(|(name, ..)| *name == command) else { return Vec::new() };
    let own = [("0", *done), ("1", *one)].into_iter().filter(|(_, words)| !words.is_empty());
    own.chain(CODES.iter().filter(|(code, _)| others.contains(code)).copied()).collect()
}

#[test]
fn every_code_of_a_command_is_a_code_of_khelper_and_every_command_exists() {
    let definition = khelper::cli::definition();
    for (command, _, _, codes) in COMMANDS {
        assert!(definition.find_subcommand(command).is_some(), "{command}");
        let unknown = codes.iter().find(|code| !CODES.iter().any(|(known, _)| known == *code));
        assert_eq!(unknown, None, "{command}");
    }
}
