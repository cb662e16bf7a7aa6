//! `--timeout`, by how the helper takes TERM.

use serde_json::json;

use crate::{Ran, run};

/// Seconds. Where the machine is so slow that the shell has no trap yet when TERM comes, it dies of TERM: then it gets
/// more time.
const TIMES: [&str; 4] = ["0.1", "0.5", "2.5", "12"];

/// The first run, of these times, whose helper caught TERM.
fn caught_term(options: &[&str], script: &str) -> Ran {
    for time in TIMES {
        let ran = run([&["run", "--timeout", time], options, &["--", "/bin/sh", "-c", script]].concat());
        let text = ran.exits(124).text();
        if text.contains("\"outcome\":\"exited\"") || text.starts_with("/bin/sh: exit ") {
            return ran;
        }
    }
    panic!("the shell never came to set its trap");
}

/// A shell whose sleep the signal ends too, for it goes to the whole group.
fn caught(code: u8) -> String {
    format!("trap 'exit {code}' TERM; while :; do sleep 600 & wait $!; done")
}

#[test]
fn umh_14_a_helper_that_catches_term_and_exits_has_timed_out_all_the_same() {
    for code in [0, 7, 124] {
        let record = caught_term(&["--json"], &caught(code)).record();
        assert_eq!((&record["outcome"], &record["exit_code"]), (&json!("exited"), &json!(code)));
        assert_eq!((&record["timed_out"], &record["raw"]), (&json!(true), &json!(i32::from(code) << 8)));
    }
    let text = caught_term(&[], &caught(0));
    assert!(text.text().starts_with("/bin/sh: exit 0, timed out"), "{}", text.text());
}

/// It gets KILL 2 s after TERM.
#[test]
fn umh_14_a_helper_that_ignores_term_is_killed() {
    let deaf = "trap '' TERM; while :; do sleep 1; done";
    let signal = |time: &str| {
        let record = run(["run", "--timeout", time, "--json", "--", "/bin/sh", "-c", deaf]).exits(124).record();
        assert_eq!((&record["outcome"], &record["timed_out"]), (&json!("killed"), &json!(true)));
        record["signal"].clone()
    };
    assert!(TIMES.iter().any(|time| signal(time) == 9), "the shell never came to set its trap");
}
