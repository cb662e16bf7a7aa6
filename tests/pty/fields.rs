//! Text that a dialog contains when it opens is selected, so that the first key replaces it. And which text a dialog
//! keeps.

use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, HOLD, QUICK, ask, everywhere, kills_what_is_left, quits, short, taken};

const RIGHT: &str = "\x1b[C";

/// Opens the dialog of this key, with these words in its first field.
fn opens(pty: &mut Pty, key: &str, name: &str) {
    pty.press(key, &format!("─ {name}"));
}

/// The field with this name is marked as selected: by words, or by brackets if there is no room.
fn selected(pty: &mut Pty, name: &str) {
    pty.until("selected", |screen| {
        let row = screen.contents().lines().find(|row| row.contains(name)).unwrap_or_default().to_owned();
        row.contains(" selected") || row.contains('[') && row.contains(']')
    });
}

/// The second request is for the typed name, not for both names joined.
#[test]
fn a_name_is_typed_over_the_last_one() {
    everywhere(QUICK, |pty, _| {
        opens(pty, "m", "Ask for a module");
        pty.send("dummy\r");
        pty.says("#1 dummy: ✓ exit 0");
        opens(pty, "m", "Ask for a module");
        pty.says("> name dummy selected");
        pty.send("snd-foo\r");
        pty.says("#2 snd-foo: ✓ exit 0");
        // A cursor movement keeps it, and so does moving through the fields.
        opens(pty, "m", "Ask for a module");
        pty.says("> name snd-foo selected");
        pty.send("\t\t\t");
        pty.says("> name snd-foo selected");
        pty.send(format!("{RIGHT}bar"));
        pty.says("> name snd-foobar");
        pty.unsays("selected");
        pty.send(ESC);
        pty.hides("─ Ask for a module");
        // The typed text is kept, as the help says; a pasted name replaces it.
        opens(pty, "m", "Ask for a module");
        pty.says("> name snd-foobar selected");
        pty.send("\x1b[200~usb\x1b[201~\r");
        pty.says("#3 usb: ✓ exit 0");
        // Backspace clears it: an empty name is refused.
        opens(pty, "m", "Ask for a module");
        pty.send("\x7f\r");
        pty.says("cannot be empty");
        pty.send(ESC);
        pty.hides("─ Ask for a module");
        quits(pty);
    });
}

/// The count of eighty is used once: the next request is for one.
#[test]
fn the_count_goes_back_to_one_after_a_series() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "dummy", 80);
        taken(pty, 50);
        opens(pty, "m", "Ask for a module");
        pty.send("\t\t");
        pty.says("> how many 1 selected");
        pty.send(ESC);
        pty.hides("─ Ask for a module");
        kills_what_is_left(pty);
    });
}

#[test]
fn a_path_is_typed_over_the_live_one() {
    everywhere(QUICK, |pty, _| {
        opens(pty, "e", "Edit kernel.modprobe");
        selected(pty, "> path");
        pty.send("/bin/true");
        pty.says("> path /bin/true");
        pty.send(ENTER);
        // It asks first, with the old path and the new one.
        pty.shows("─ Change kernel.modprobe?");
        pty.says("to `/bin/true`");
        pty.send(ENTER);
        pty.hides("─ Change kernel.modprobe?");
        opens(pty, "e", "Edit kernel.modprobe");
        pty.says("> path /bin/true selected");
        pty.says("live: `/bin/true`");
        pty.send(ESC);
        pty.hides("─ Edit kernel.modprobe");
        // The same for the path of a call, and its arguments.
        opens(pty, "c", "Call a helper");
        pty.send("/bin/false\t-x\r");
        pty.says("#1 /bin/false: ✗ exit 1");
        opens(pty, "c", "Call a helper");
        pty.says("> path /bin/false selected");
        pty.send("/bin/sh\t-c 'exit 7'\r");
        pty.says("#2 /bin/sh: ✗ exit 7");
        quits(pty);
    });
}

/// The file gets the typed name, and no other file is written.
#[test]
fn records_are_saved_under_the_name_that_was_typed() {
    everywhere(QUICK, |pty, _| {
        let folder = tempfile::Builder::new().prefix("k").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let file = folder.path().join("r");
        ask(pty, "foo", 1);
        pty.says("#1 foo: ✓ exit 0");
        pty.press("3", ">#1");
        opens(pty, "w", "Save records, as JSON lines");
        selected(pty, "> file");
        pty.send(file.to_str().unwrap());
        pty.says(&format!("> file {}", file.display()));
        pty.send(ENTER);
        pty.says("saved 1 record");
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["r"]);
        quits(pty);
    });
}

/// With colours, without them, and on a terminal that has none: reverse video, and words.
#[test]
fn a_selected_text_is_seen_without_colours() {
    // The note behind the text has room only where the text is short.
    let (_folder, quick) = short(QUICK);
    let set = ["--set".to_owned(), format!("kernel.modprobe={quick}")];
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "vt220"), ("TERM", "xterm-mono"), ("TERM", "xterm")] {
        let mut pty = Start::khelper(120, 40).args(&set).env(name, value).start();
        pty.press("e", "Edit kernel.modprobe");
        pty.shows("selected: typing replaces it");
        let (rows, columns) = pty.screen().size();
        let row = pty.text().lines().position(|row| row.contains("> path")).unwrap();
        let row = u16::try_from(row).unwrap();
        assert!(row < rows);
        let reversed = |pty: &Pty| -> String {
            let cells = (0..columns).filter_map(|x| pty.screen().cell(row, x)).filter(|cell| cell.inverse());
            cells.map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect()
        };
        assert_eq!(reversed(&pty), quick, "{name}={value}");
        pty.send(RIGHT);
        pty.unsays("selected");
        assert_eq!(reversed(&pty), "", "{name}={value}");
        pty.send(ESC);
        pty.unsays("> path");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}
