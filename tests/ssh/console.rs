//! The console over ssh: cut, silent and restored.

use khelper::control::Key;

use crate::far::{Far, Near};
use crate::pty::{Pty, Start};

const ESC: &str = "\x1b";
const WEB1: &[&str] = &["--target", "ssh://web1"];

pub fn start(near: &Near, args: &[&str], columns: u16, rows: u16) -> Pty {
    let start = Start::khelper(columns, rows).args(args).env("PATH", near.path());
    start.without("DISPLAY").env("XDG_CONFIG_HOME", "/nonexistent").start()
}

pub fn quits(pty: &mut Pty) {
    pty.send("q");
    assert_eq!(pty.ends(), 0);
}

#[test]
fn a_console_over_ssh_is_cut_and_restored() {
    let Some(far) = Far::start() else { return };
    let near = Near::new(&[("web1", &far)]);
    far.daemon.set(Key::Modprobe, b"/bin/true");
    for (columns, rows) in [(120, 40), (80, 24)] {
        let mut pty = start(&near, WEB1, columns, rows);
        pty.shows("[web1]");
        pty.shows("web1 kernel");
        // The watch is active before the state is shown.
        pty.shows("enabled");
        pty.press("4", "[4 Log]");
        far.daemon.set(Key::Deny, b"seen");
        pty.says("-> `seen`");
        pty.press("m", "Ask for a module");
        pty.send("\x15foo");
        pty.says("> name foo");
        far.cut();
        pty.shows("CONNECTION LOST");
        // Attempts become rarer, and the message follows them. Below a small dialog is no room for it.
        if rows == 40 {
            pty.says("; tries again after ");
        }
        // Reading works, acting says why not, and what was typed stays.
        pty.send("\r");
        pty.says("nothing was sent");
        pty.says("> name foo");
        for value in [&b"a"[..], b"b", b"c"] {
            far.daemon.set(Key::Deny, value);
        }
        far.join();
        pty.hides("CONNECTION LOST");
        pty.send("\r");
        pty.says("events missed meanwhile: 3");
        pty.send(ESC);
        pty.says("foo: ✓ exit 0");
        assert!(!pty.text().contains("OVERWRITTEN"), "ssh has no terminal: {}", pty.text());
        quits(&mut pty);
        far.is_left();
    }
}

#[test]
fn a_network_that_falls_silent_is_a_lost_connection() {
    let Some(far) = Far::start() else { return };
    let near = Near::new(&[("web1", &far)]);
    near.options("-o ServerAliveInterval=3 -o ServerAliveCountMax=2");
    far.daemon.set(Key::Deny, b"before");
    let mut pty = start(&near, WEB1, 120, 40);
    pty.shows("enabled");
    pty.press("4", "[4 Log]");
    far.daemon.set(Key::Deny, b"seen");
    pty.says("-> `seen`");
    far.fall_silent();
    // ssh notices it by itself.
    pty.says("lost the connection: Timeout, server 127.0.0.1 not responding;");
    far.cut();
    pty.shows("CONNECTION LOST");
    far.join();
    pty.hides("CONNECTION LOST");
    quits(&mut pty);
}

#[test]
fn the_kernel_of_another_machine_is_never_taken_for_this_one() {
    let Some(far) = Far::start() else { return };
    let near = Near::new(&[("web1", &far)]);
    let mut pty = start(&near, WEB1, 120, 40);
    pty.shows("[web1]");
    pty.says("that machine's kernel is untouched");
    // Its daemon watches none, and this machine's own is not shown instead.
    pty.send("t");
    pty.says("the target web1 kernel cannot be shown: this daemon does not watch the kernel");
    pty.shows("[web1]");
    quits(&mut pty);
}
