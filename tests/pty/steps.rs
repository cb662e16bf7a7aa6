//! The steps of journeys: each waits until the screen shows its effect.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;
use vt100::Screen;

use crate::over::{OWN, engine};
use crate::pty::{Pty, Start, flat};

pub const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (40, 10), (200, 60)];
pub use crate::over::TARGET;
pub const ENTER: &str = "\r";
pub const ESC: &str = "\x1b";
const PAGE_DOWN: &str = "\x1b[6~";
pub const QUICK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/quick");
pub const FAILING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/failing");
pub const HOLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pty/hold");

/// Runs in every size at the same time; from 80 x 24 on there is room for everything important.
pub fn everywhere(modprobe: &str, journey: impl Fn(&mut Pty, bool) + Sync) {
    with(&[], modprobe, journey);
}

/// The same, with these options.
pub fn with(options: &[&str], modprobe: &str, journey: impl Fn(&mut Pty, bool) + Sync) {
    let (_folder, modprobe) = short(modprobe);
    in_each_size(|start, room| {
        let (_engine, options) = engine(&modprobe, options);
        journey(&mut start(options), room);
    });
}

/// The same with helpers that last until they are released. Each console has its own.
pub fn gated(journey: impl Fn(&mut Pty, bool, &mut Gate) + Sync) {
    in_each_size(|start, room| {
        let mut gate = Gate::new("m");
        let (_engine, options) = engine(gate.modprobe(), &[]);
        journey(&mut start(options), room, &mut gate);
    });
}

/// Runs `journey` in every size at the same time, with what starts the console with these options.
fn in_each_size(journey: impl Fn(&dyn Fn(Vec<String>) -> Pty, bool) + Sync) {
    // The test reads nobody's history, and leaves none behind.
    let state = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            let (journey, state) = (&journey, state.path());
            let start = move |options| {
                let mut pty = Start::khelper(columns, rows).args(options).env("XDG_STATE_HOME", state).start();
                pty.shows(TARGET);
                pty
            };
            scope.spawn(move || journey(&start, columns >= 80));
        }
    });
}

/// A modprobe whose helpers last until they are released. Dropping it releases all.
pub struct Gate {
    _folder: TempDir,
    modprobe: String,
    gate: File,
}

impl Gate {
    /// With a modprobe of this name.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
        let (modprobe, gate) = (folder.path().join(name), folder.path().join("gate"));
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pty/gated"), &modprobe).unwrap();
        mkfifo(&gate, Mode::S_IRWXU).unwrap();
        // Opened for reading and writing, so that neither side waits for the other to open it.
        let gate = OpenOptions::new().read(true).write(true).open(gate).unwrap();
        Self { _folder: folder, modprobe: modprobe.to_str().unwrap().to_owned(), gate }
    }

    pub fn modprobe(&self) -> &str {
        &self.modprobe
    }

    /// Lets this many helpers end, even those that do not wait yet.
    pub fn release(&mut self, helpers: usize) {
        self.gate.write_all("\n".repeat(helpers).as_bytes()).unwrap();
    }
}

/// A short name for a program of this checkout, in a folder that is removed with the first value; other paths stay. The
/// text that fits on a small screen must not depend on where the tests were built.
pub fn short(file: &str) -> (TempDir, String) {
    let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
    let Ok(program) = Path::new(file).strip_prefix(env!("CARGO_MANIFEST_DIR")) else {
        return (folder, file.to_owned());
    };
    let name = folder.path().join(program.file_name().unwrap());
    symlink(file, &name).unwrap();
    (folder, name.to_str().unwrap().to_owned())
}

pub fn quits(pty: &mut Pty) {
    pty.send("q");
    // The snapshot may be older than the end that was just read.
    if !pty.is_over_before("no helper is alive") {
        pty.send(ENTER);
    }
    assert_eq!(pty.ends(), 0, "{}", pty.text());
    pty.is_restored();
}

/// Quits while a draft is open, after the warning about its loss.
pub fn quits_without_the_draft(pty: &mut Pty) {
    pty.press("q", "─ Quit?");
    pty.says("the draft of ");
    pty.says("will be lost");
    pty.send(ESC);
    pty.hides("─ Quit?");
    pty.press("\x03", "─ Quit?");
    pty.send(ENTER);
    assert_eq!(pty.ends(), 0, "{}", pty.text());
    pty.is_restored();
}

/// This many slots are taken, in the wide and the narrow form.
pub fn taken(pty: &mut Pty, slots: u32) {
    taken_of(pty, slots, 50);
}

/// The same with a limit below fifty.
pub fn taken_of(pty: &mut Pty, slots: u32, limit: u32) {
    let says = [format!("{slots} of {limit}"), format!("{slots}/{limit}")];
    pty.until(&says[0], |s| says.iter().any(|words| s.contents().contains(words)));
}

/// The helper of this row has a process; a slot is taken before.
pub fn runs(pty: &mut Pty, row: &str) {
    pty.until(row, |s| s.contents().lines().any(|line| line.contains(row) && line.contains("pid ")));
}

/// This many helpers in one row have a process each.
pub fn run_together(pty: &mut Pty, helpers: usize) {
    let count = format!("×{helpers}");
    pty.until("all run", |s| s.contents().lines().any(|row| row.contains(&count) && row.contains("runs")));
}

/// Types a line into the console's command line, which accepts it.
pub fn command(pty: &mut Pty, line: &str) {
    pty.press(":", "─ Command");
    pty.send(format!("{line}\r"));
    pty.hides("─ Command");
}

/// Both runs of a rehearsal have ended: the page says what the comparison tells.
pub fn compared(pty: &mut Pty) {
    let told = ["≠ They differ", "? This proves nothing", "= The same in both", "≠ It ends the same"];
    pty.until("what the comparison tells", |screen| told.iter().any(|words| screen.contents().contains(words)));
}

/// Drops one capability from the live bounding set, by applying a draft.
pub fn drop_cap_chown(pty: &mut Pty) {
    pty.press("2", "> cap_sys_module");
    pty.send("\x1b[H");
    pty.send(" ");
    pty.says("drops cap_chown");
    pty.press("w", "enter applies");
    // At 40 x 10 it must be scrolled to its end.
    pty.send("\x1b[6~\r");
    pty.hides("Apply the draft");
}

/// Requests a module this many times.
pub fn ask(pty: &mut Pty, name: &str, times: u32) {
    pty.press("m", "Ask for a module");
    // The dialog remembers the text and the focus.
    while !pty.text().contains("> name") {
        pty.frame_after(|pty| pty.send("\t"));
    }
    pty.send("\x15");
    pty.press(name, name);
    // Not with tab, which completes the name where there are modules.
    pty.send("\x1b[B\x1b[B\x15");
    pty.press(&times.to_string(), &format!("how many    {times}"));
    pty.send(ENTER);
    pty.hides("Ask for a module");
}

/// Presses a key whose answer is a message; again if the answer to something earlier replaced the message.
pub fn press_until(pty: &mut Pty, key: &str, says: &str) {
    for _ in 0..12 {
        pty.frame_after(|pty| pty.send(key));
        if pty.flat().contains(says) {
            return;
        }
    }
    pty.says(says);
}

/// Waits until the message line begins with these words. A panel or the log may have them before: a key that is pressed
/// then has not read the message.
pub fn answers(pty: &mut Pty, says: &str) {
    pty.until(says, |s| is_message(&s.contents(), says));
}

/// Whether the message above the keys, of one row or more, begins with these words.
fn is_message(text: &str, says: &str) -> bool {
    let rows: Vec<&str> = text.lines().collect();
    let begins = |at: usize| {
        let words = rows[at..].join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        // Others may wait behind it.
        let words = words.strip_prefix("(+").and_then(|rest| Some(rest.split_once(") ")?.1)).unwrap_or(&words);
        words.starts_with(says)
    };
    (rows.len().saturating_sub(6)..rows.len()).any(begins)
}

/// Waits for a message. Earlier ones that were not read yet come before it: they are dismissed.
pub fn told(pty: &mut Pty, says: &str) {
    let earlier = |text: &str| text.lines().find(|line| line.starts_with("(+")).map(str::to_owned);
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    loop {
        pty.until(says, |s| flat(&s.contents()).contains(says) || earlier(&s.contents()).is_some());
        let text = pty.text();
        let (false, Some(line)) = (flat(&text).contains(says), earlier(&text)) else { return };
        // Once: a second key would dismiss the next one.
        pty.send(ESC);
        pty.until("the next message", |s| !s.contents().contains(&line));
    }
}

/// Checks that the cursor is on this row.
pub fn on(pty: &mut Pty, row: &str) {
    pty.until(row, |s| s.contents().lines().any(|line| line.starts_with('>') && line.contains(row)));
}

/// How many lines of a page are above the screen, as its frame says: `(3 up, 2 down)`, `(3 more up)`.
fn above(screen: &Screen) -> usize {
    let of = |row: &str| {
        let (before, _) = row.split_once(" up, ").or_else(|| row.split_once(" more up)"))?;
        before.rsplit_once('(')?.1.parse().ok()
    };
    screen.contents().lines().find_map(of).unwrap_or(0)
}

/// Whether the page goes on below the screen.
pub fn has_more(pty: &Pty) -> bool {
    pty.text().contains(" down)")
}

/// Turns a page, and waits until it is turned: a frame for another reason may come before.
pub fn turns(pty: &mut Pty) {
    let here = above(pty.screen());
    pty.send(PAGE_DOWN);
    pty.until("the next page", |s| above(s) > here);
}

/// Turns the pages until one shows `what`, wherever lines break.
pub fn page_shows(pty: &mut Pty, what: &str) {
    loop {
        pty.until(what, |s| flat(s).contains(what) || s.contents().contains(" down)"));
        if pty.flat().contains(what) {
            return;
        }
        turns(pty);
    }
}

/// Opens the page of the record under the cursor.
pub fn opens(pty: &mut Pty) {
    pty.press(ENTER, "esc back");
}

/// Leaves a page or a dialog by a lone ESC: with a key directly behind it, it could be a chord.
pub fn leaves(pty: &mut Pty) {
    pty.send(ESC);
    pty.hides("esc back");
}

/// Quits and kills the helpers that run. Those of a daemon are not the console's to kill.
pub fn kills_what_is_left(pty: &mut Pty) {
    if !OWN {
        return quits(pty);
    }
    pty.press("q", "Quit?");
    pty.press("k", "> kill");
    pty.send(ENTER);
    assert_eq!(pty.ends(), 0, "{}", pty.text());
    pty.is_restored();
}
