//! Changes of knobs are confirmed and undone; answers are shown one after another.

use crate::over::engine;
use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, QUICK, everywhere, quits};

#[test]
fn a_changed_path_is_undone_by_a_key() {
    everywhere(QUICK, |pty, room| {
        pty.press("e", "Edit kernel.modprobe");
        pty.send("/bin/true\r");
        pty.shows("─ Change kernel.modprobe?");
        pty.says("to `/bin/true`");
        // Back to the field, which keeps what was typed.
        pty.send(ESC);
        pty.says("> path /bin/true");
        pty.send("\r\r");
        // Until the answer, the question is open.
        pty.hides("esc back");
        if room {
            pty.says("(U undoes it)");
        }
        pty.press("U", "─ Undo the last change");
        pty.says("`/bin/true` ->");
        pty.send(ENTER);
        pty.hides("─ Undo the last change");
        pty.says("undone and read back");
        pty.press("e", "Edit kernel.modprobe");
        pty.unsays("live: `/bin/true`");
        pty.send(ESC);
        pty.hides("Edit kernel.modprobe");
        quits(pty);
    });
}

#[test]
fn a_gate_is_undone_from_the_palette() {
    everywhere(QUICK, |pty, room| {
        pty.press("g", "freeze and drain");
        pty.send("d\r");
        pty.says("disable and drain: done");
        pty.press("\x10", "Every action");
        pty.send("undo the last");
        pty.send(ENTER);
        pty.shows("─ Undo the last change");
        pty.says("`disabled` -> `enabled`");
        pty.send(ENTER);
        pty.says("undone and read back");
        if room {
            pty.hides("GATE SHUT");
        }
        pty.send("U");
        pty.says("nothing to undo");
        quits(pty);
    });
}

/// Two helpers end while no key is pressed. Neither answer covers the other.
#[test]
fn two_answers_at_once_are_both_read() {
    let (_engine, options) = engine(QUICK, &[]);
    for (columns, rows) in [(120, 40), (80, 24), (40, 10)] {
        let mut pty = Start::khelper(columns, rows).args(&options).start();
        pty.shows(crate::steps::TARGET);
        two(&mut pty);
        quits(&mut pty);
    }
}

fn two(pty: &mut Pty) {
    // Both calls are sent in one write, before the first answer can be drawn.
    pty.send("c\x15/bin/true\rc\x15/bin/false\r");
    pty.says("(+1) #");
    pty.says("/bin/");
    let first = if pty.flat().contains("/bin/true: ✓") { "/bin/true: ✓ exit 0" } else { "/bin/false: ✗ exit 1" };
    let second = if first.contains("true") { "/bin/false: ✗ exit 1" } else { "/bin/true: ✓ exit 0" };
    // A key that does nothing: the next answer is shown, and after it none.
    pty.send("\x1b[24~");
    pty.says(second);
    pty.unsays("(+1)");
    pty.frame_after(|pty| pty.send("\x1b[24~"));
    pty.unsays(second);
}
