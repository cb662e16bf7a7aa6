//! Input as terminals send it, in the real program and in real time: pastes and sequences without an end, keys in newer
//! encodings.

use crate::steps::{ESC, QUICK, everywhere, quits};

const BEGIN: &str = "\x1b[200~";

/// The end of a paste is lost. Until one second of silence, typed keys belong to the paste.
#[test]
fn a_paste_without_an_end_leaves_the_keys_working() {
    everywhere(QUICK, |pty, _| {
        pty.send(format!("{BEGIN}ls -l q"));
        pty.shows("the pasted text was ignored");
        pty.press("m", "Ask for a module");
        pty.press("\x15", "name");
        pty.send(format!("{BEGIN}usb-storage"));
        pty.shows("usb-storage");
        pty.send(ESC);
        pty.hides("Ask for a module");
        quits(pty);
    });
}

#[test]
fn ctrl_c_works_in_a_paste_without_an_end() {
    for ctrl_c in ["\x03", "\x1b[99;5u"] {
        everywhere(QUICK, |pty, _| {
            pty.send(format!("{BEGIN}ls -l q\r"));
            pty.frame_after(|pty| pty.resize(60, 20));
            pty.send(ctrl_c);
            assert_eq!(pty.ends(), 0, "{}", pty.text());
            pty.is_restored();
        });
    }
}

#[test]
fn ctrl_c_works_in_every_sequence_that_is_begun() {
    let begun: [&[u8]; 9] =
        [b"\x1b[", b"\x1b[1;", b"\x1bO", b"\x1b]0;q", b"\x1bPq", b"\x1b_q", b"\x1b^q", b"\xe2\x82", b"\x9b"];
    everywhere(QUICK, |pty, _| {
        for begun in begun {
            pty.press("m", "Ask for a module");
            pty.send([begun, b"\x03"].concat());
            pty.hides("Ask for a module");
        }
        quits(pty);
    });
}

#[test]
fn esc_and_a_letter_at_once_are_esc_and_the_letter() {
    everywhere(QUICK, |pty, _| {
        pty.press("m", "Ask for a module");
        pty.send("\x1b2");
        pty.hides("Ask for a module");
        pty.shows("> cap_sys_module");
        pty.press("m", "Ask for a module");
        pty.send("\x1bq");
        assert_eq!(pty.ends(), 0, "{}", pty.text());
        pty.is_restored();
    });
}

/// A crashed program has left the terminal in these modes.
#[test]
fn keys_in_newer_forms_work() {
    for (esc, two, ctrl_c) in [
        ("\x1b[27u", "\x1b[50u", "\x1b[99;5u"),
        ("\x1b[27;1:1u\x1b[27;1:3u", "\x1b[50;129u\x1b[50;129:3u", "\x1b[99;69u"),
        ("\x1b[27;1;27~", "\x1b[27;1;50~", "\x1b[27;5;99~"),
    ] {
        everywhere(QUICK, |pty, _| {
            pty.press("m", "Ask for a module");
            pty.send(esc);
            pty.hides("Ask for a module");
            pty.press(two, "> cap_sys_module");
            pty.send(ctrl_c);
            assert_eq!(pty.ends(), 0, "{}", pty.text());
            pty.is_restored();
        });
    }
}
