//! The terminal after a panic. It changes the panic hook, so it is a process of its own, in a terminal of its own: the
//! test runs this program again with `KHELPER_PANIC` set.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use khelper::tui::panics::Guard;
use khelper::tui::terminal::Tty;
use pty::{Pty, Start};

const HOW: &str = "KHELPER_PANIC";

fn again(test: &str, how: &str) -> Pty {
    Start::again(80, 24, test).env(HOW, how).env("RUST_BACKTRACE", "0").start()
}

/// Takes the terminal and panics: where it is drawn, or in another thread.
fn panics(how: &str) {
    let tty = Arc::new(Tty::open(true).unwrap());
    let guard = Guard::new(tty.clone(), || ());
    let enter = tty.enter().unwrap();
    let mut out = std::io::stdout();
    out.write_all(&enter).and_then(|()| out.write_all(b"a page\r\n")).and_then(|()| out.flush()).unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
    if how == "here" {
        panic!("what is drawn is wrong");
    }
    thread::spawn(|| panic!("a hook is wrong")).join().unwrap_err();
    out.write_all(b"still here\r\n").and_then(|()| out.flush()).unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
    tty.leave();
    guard.panics().iter().for_each(|text| println!("told later: {text}"));
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_printed() {
    if let Ok(how) = std::env::var(HOW) {
        return panics(&how);
    }
    let mut pty = again("a_panic_gives_the_terminal_back_before_it_is_printed", "here");
    pty.until("the page", |s| s.alternate_screen() && s.contents().contains("a page"));
    assert!(pty.is_raw() && pty.screen().bracketed_paste());
    pty.send("x");
    assert_eq!(pty.ends(), 101);
    pty.is_restored();
    assert!(pty.text().contains("what is drawn is wrong") && !pty.text().contains("a page"), "{}", pty.text());
}

#[test]
fn a_panic_of_another_thread_leaves_the_page_whole() {
    if let Ok(how) = std::env::var(HOW) {
        return panics(&how);
    }
    let mut pty = again("a_panic_of_another_thread_leaves_the_page_whole", "elsewhere");
    pty.shows("a page");
    pty.send("x");
    pty.shows("still here");
    assert!(pty.screen().alternate_screen() && !pty.text().contains("wrong"), "{}", pty.text());
    pty.send("x");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
    pty.until("its message", |s| s.contents().contains("told later: ") && s.contents().contains("a hook is wrong"));
}
