//! No text of Rust's own reaches a person: every field and every argument gets bad input, and what the console answers
//! is searched for the phrases of the standard library.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::tui::msg::Msg;
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{keys, screen};
use crate::tui::update::update;
use crate::verbs::verb::definition;

/// What is no number, no name, no mask and no path, for every kind of argument.
const BAD: [&str; 12] =
    ["x", "-1", "+1", "1x", "99999999999999999999999", "1e999", "nan", "0x", "relative/path", "cap_", "\u{7f}é", "''"];

include!("../../../tests/common/rust_phrases.rs");

/// The first of these pieces that a text has.
pub(super) fn phrase(text: &str) -> Option<&'static str> {
    PHRASES.into_iter().find(|phrase| text.contains(phrase))
}

#[test]
fn every_field_answers_in_words_of_its_own() {
    let forms = ["m", "c", "e", "2p", "3w", "*", "3*", ":", "3/", "2/", "4/", "?"];
    for (form, bad) in forms.into_iter().flat_map(|form| BAD.map(|bad| (form, bad))) {
        for fields in 0..5 {
            let mut model = fixtures::model(fixtures::busy(2), 120, 40);
            keys(&mut model, form);
            keys(&mut model, &"\t".repeat(fields));
            update(&mut model, Msg::Paste(bad.into()));
            for _ in 0..2 {
                keys(&mut model, "\n");
                let shown = screen(&model);
                assert_eq!(phrase(&shown), None, "{form}, field {fields}, `{bad}`:\n{shown}");
            }
        }
    }
}

#[test]
fn every_argument_of_the_command_line_answers_in_words_of_its_own() {
    let verbs = definition();
    let mut asked = 0;
    for verb in verbs.get_subcommands() {
        let options = verb.get_arguments().filter_map(|arg| Some(format!("--{}=", arg.get_long()?)));
        for before in options.chain([
            String::new(),
            "dummy ".to_owned(),
            "kernel.modprobe=".to_owned(),
            "khelper.max_concurrent=".to_owned(),
            "khelper.gate=".to_owned(),
            "kernel.usermodehelper.bset=".to_owned(),
            "khelper.deny=[".to_owned(),
        ]) {
            for bad in BAD {
                let mut model = fixtures::model(fixtures::busy(2), 120, 40);
                keys(&mut model, ":");
                update(&mut model, Msg::Paste(format!("{} {before}{bad}", verb.get_name()).into()));
                keys(&mut model, "\n");
                asked += usize::from(model.line.error.is_some());
                let shown = screen(&model);
                assert_eq!(phrase(&shown), None, "{} {before}{bad}:\n{shown}", verb.get_name());
            }
        }
    }
    assert!(asked > 500, "{asked}");
}

/// Also with bytes that are not text.
#[test]
fn what_clap_says_of_a_bad_argument_is_no_text_of_rust() {
    let bytes = OsString::from_vec(b"\xff\xfe".to_vec());
    let verbs = definition();
    for verb in verbs.get_subcommands() {
        for arg in verb.get_arguments() {
            let values = BAD.map(OsString::from).into_iter().chain([bytes.clone()]);
            for value in values {
                let mut args = vec![OsString::from(verb.get_name())];
                args.extend(arg.get_long().map(|long| format!("--{long}").into()));
                args.push(value);
                let Err(error) = verbs.clone().no_binary_name(true).try_get_matches_from(&args) else { continue };
                let said = error.render().to_string();
                assert_eq!(phrase(&said), None, "{args:?}: {said}");
            }
        }
    }
}
