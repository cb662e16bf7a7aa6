//! `.ci/skips` fails for a test that was skipped and is not in the list, for each of the two runs.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::path::{Path, PathBuf};
use std::process::Command;

const LIST: &str = "# a comment\nroot\tinherited\tthe CPU: \tCPUs\tone is enough\nuser\tinherited\tonly root\troot\twhy\n\
                    both\tremote\tvarlinkctl\tvarlinkctl\twhy\nboth\tkhelper\tno folder\troot\twhy\n";

const LOG: &str = "     Running tests/inherited.rs (target/debug/deps/inherited-0123456789abcdef)\ntest a ... ok\n";

/// The exit code of `.ci/skips` with this list and log, and what it says.
fn skips(list: &str, run: &str, log: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let (may_skip, printed) = (dir.path().join("may-skip"), dir.path().join("log"));
    std::fs::write(&may_skip, list).unwrap();
    std::fs::write(&printed, log).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/skips");
    let output = Command::new(script).arg(run).arg(printed).env("MAY_SKIP", may_skip).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_is_listed_for_the_run_and_the_test_may_be_skipped_and_nothing_else() {
    let log = |line: &str| format!("{LOG}{line}\n");
    assert_eq!(skips(LIST, "root", LOG).0, 0);
    assert_eq!(skips(LIST, "root", &log("skipped: the CPU: this machine has one")).0, 0);
    assert_eq!(skips(LIST, "user", &log("skipped: only root can do this")).0, 0);
    // Another run, other words, another test.
    let (code, said) = skips(LIST, "user", &log("skipped: the CPU: this machine has one"));
    assert_eq!((code, said.lines().next().unwrap()), (1, "inherited: skipped: the CPU: this machine has one"));
    assert_eq!(skips(LIST, "root", &log("skipped: only root can do this")).0, 1);
    assert_eq!(skips(LIST, "root", &log("skipped: not the CPU: ")).0, 1);
    assert_eq!(skips(LIST, "root", &log("skipped: varlinkctl: not found")).0, 1);
    // A line that another test has begun.
    assert_eq!(skips(LIST, "root", &log("test b ... skipped: the CPU: one")).0, 0);
}

#[test]
fn a_skip_belongs_to_the_test_program_that_runs() {
    let remote =
        "     Running tests/remote/main.rs (/a b/deps/remote-0123456789abcdef)\nskipped: varlinkctl: not found\n";
    assert_eq!(skips(LIST, "root", &format!("{LOG}{remote}")).0, 0);
    let unit = "     Running unittests src/lib.rs (target/debug/deps/khelper-0123456789abcdef)\nskipped: no folder\n";
    assert_eq!(skips(LIST, "user", unit).0, 0);
    // Where cargo does not run them, a line has the path of the program.
    let copied = "     Running /tmp/x/debug/deps/remote-0123456789abcdef\nskipped: varlinkctl: not found\n";
    assert_eq!(skips(LIST, "root", copied).0, 0);
    assert_eq!(skips(LIST, "root", &format!("{remote}{LOG}skipped: varlinkctl\n")).0, 1);
}

#[test]
fn a_line_of_the_list_is_whole_and_names_a_test() {
    assert_eq!(skips("root\tinherited\twords\t\twhy\n", "root", "").0, 2);
    assert_eq!(skips("some\tinherited\twords\tmissing\twhy\n", "root", "").0, 2);
    let (code, said) = skips("root\tno_such_test\twords\tmissing\twhy\n", "root", "");
    assert_eq!((code, said.as_str()), (2, ".ci/may-skip: there is no test no_such_test\n"));
}

#[test]
fn the_list_of_this_crate_is_whole() {
    let list = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/may-skip")).unwrap();
    assert_eq!(skips(&list, "root", ""), (0, String::new()));
}

/// Every file below a folder that ends so, with its text.
fn texts(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// A line of the list that no test can say any more would hide a skip that somebody adds with these words later.
#[test]
fn every_line_of_the_list_can_still_be_said() {
    let list = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/may-skip")).unwrap();
    let (tests, sources, docs) = (texts("tests", ".rs"), texts("src", ".rs"), texts("docs", ".md"));
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let (test, words) = (parts[1], parts[2].trim_end_matches([':', ' ']));
        // What is skipped may be a variable: `NAME: why`. A document names what its commands need.
        let why = words.split_once(": ").map_or(words, |(_, why)| why);
        let files = if test == "khelper" { &sources } else { &tests };
        let said = files.iter().any(|(path, text)| !path.ends_with("skips.rs") && text.contains(why))
            || test == "documents" && docs.iter().any(|(_, text)| text.contains(&format!("*Needs {words}")));
        assert!(said, "no test can say `{words}` any more: {line}");
    }
}

/// The test runner shows what `eprintln!` writes only if the test fails: nobody would see that it was skipped. And it writes
/// its own lines between the pieces that `writeln!` writes: `.ci/skips` would not know the reason.
#[test]
fn a_skipped_test_says_so_to_the_handle_in_one_write() {
    // tests/uml has no such runner.
    let files = texts("tests", ".rs").into_iter().chain(texts("src", ".rs"));
    for (path, text) in files.filter(|(path, _)| !path.to_str().unwrap().contains("tests/uml/")) {
        let lines: Vec<&str> = text.lines().collect();
        let says = |line: &str| line.contains(concat!("\"", "skipped: "));
        for place in (0..lines.len()).filter(|place| says(lines[*place])) {
            let near = lines[place.saturating_sub(2)..=place].concat();
            let pieces = ["println!(", "writeln!(", "write_fmt(", "format_args!("].iter().any(|by| near.contains(by));
            assert!(!pieces, "{}:{}: use `write_all`, as common::skipped does", path.display(), place + 1);
        }
    }
}
