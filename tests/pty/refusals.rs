//! Every refusal says what happened and what to do: tables, in three sizes at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::pty::{Pty, Start};
use crate::steps::{
    ESC, HOLD, QUICK, SIZES, ask, command, drop_cap_chown, everywhere, kills_what_is_left, quits,
    quits_without_the_draft, taken, told, with,
};

/// A screen, the keys, the dialog that stays open, and the message.
type Refusal<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

/// Each is refused; then the dialog and the message disappear.
fn refuses(pty: &mut Pty, refusals: &[Refusal]) {
    for (screen, keys, dialog, says) in refusals {
        pty.press(screen, &format!("[{screen} "));
        pty.send(keys);
        pty.says(says);
        if let Some(dialog) = dialog {
            pty.shows(&format!("─ {dialog}"));
            pty.send(ESC);
            pty.hides(&format!("─ {dialog}"));
        }
        if pty.flat().contains(says) {
            pty.send(ESC);
            pty.unsays(says);
        }
    }
}

/// Every key that would change or start something, on every screen; read-only keys still work.
#[test]
fn read_only_refuses_every_key_that_acts() {
    with(&["--read-only"], QUICK, |pty, _| {
        let keys = [
            ("1", "m", "asking for a module"),
            ("1", "c", "calling a helper"),
            ("1", "e", "editing kernel.modprobe"),
            ("1", "g", "changing the gate"),
            ("2", "p", "rehearsing"),
            ("2", "w", "applying the draft"),
            ("2", "R", "resetting a mask"),
            ("3", "k", "killing a helper"),
            ("3", "x", "abandoning a wait"),
            ("3", "r", "repeating a request"),
            ("3", "w", "saving to a file"),
            ("4", "m", "asking for a module"),
        ];
        for (screen, key, what) in keys {
            refuses(pty, &[(screen, key, None, &format!("{what} is refused: this console is read-only"))]);
            // The footer does not offer it either.
            pty.until("no such key", |s| {
                !s.contents().lines().last().unwrap_or_default().starts_with(&format!("{key} "))
            });
        }
        for line in
            ["set khelper.deny=x", "request foo", "run -- /bin/true", "probe", "gate disabled", "reset bset", "kill 1"]
        {
            pty.press(":", "─ Command");
            pty.send(format!("{line}\r"));
            pty.says("✗ this command is refused: this console is read-only");
            pty.send(ESC);
            pty.hides("─ Command");
        }
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "draft open");
        pty.press("y", "─ Copy the draft");
        pty.send(ESC);
        pty.hides("─ Copy the draft");
        pty.press(":get khelper.deny\r", "khelper.deny =");
        pty.send(ESC);
        pty.hides("─ Values of the knobs");
        quits(pty);
    });
}

#[test]
fn what_means_nothing_is_refused_where_it_was_typed() {
    let long = format!("m\x15{}\r", "x".repeat(56));
    let longer = format!("e\x15/{}\r", "x".repeat(255));
    let module = Some("Ask for a module");
    let (call, path, line) = (Some("Call a helper"), Some("Edit kernel.modprobe"), Some("Command"));
    let refusals: [Refusal; 31] = [
        ("1", "m\r", module, "✗ a module name cannot be empty (EINVAL): name the module"),
        ("1", &long, module, "✗ the module name has 56 bytes; the maximum is 55 (ENAMETOOLONG)"),
        ("1", "m\x15x\t\t\x150\r", module, "✗ how many at once: a number from 1 to 200"),
        ("1", "m\t\t\x15201\r", module, "✗ how many at once: a number from 1 to 200"),
        ("1", "c\r", call, "✗ the path is missing: give the program's absolute path, from `/`"),
        ("1", "c\x15bin/x\r", call, "✗ the path is relative: give the absolute path"),
        ("1", "c\x15/bin/x\t'a\r", call, "✗ the quote ' is not closed"),
        ("1", "c\t\x15\t\tcap_frob\r", call, "✗ no capability is called `cap_frob` (EINVAL)"),
        ("1", "e\x15bin/modprobe\r", path, "✗ the path `bin/modprobe` is relative (EINVAL): give the whole path"),
        ("1", &longer, path, "has 256 bytes; the maximum is 255"),
        ("2", "w", None, "nothing to apply: the draft is the same as live"),
        ("2", "u", None, "nothing to undo in this draft"),
        ("2", "\x12", None, "nothing to redo in this draft"),
        ("2", "z", None, "there is no draft to discard"),
        ("2", "p\x1b[C\r", Some("Rehearse: "), "✗ a module name cannot be empty"),
        ("2", "p\x1b[C\trelative\r", Some("Rehearse: "), "✗ give the program's absolute path, from `/`"),
        ("3", "k", None, "there is no record here"),
        ("3", "x", None, "there is no record here"),
        ("3", "r", None, "there is no record here"),
        ("3", "y", None, "there is no record here"),
        ("3", "\r", None, "there is no record here"),
        ("4", "y", None, "no line to copy"),
        ("1", ":frobnicate\r", line, "✗ unrecognized subcommand 'frobnicate'"),
        ("1", ":get nonsense\r", line, "unknown key `nonsense` (EINVAL)"),
        ("1", ":set nonsense\r", line, "`nonsense` is not KEY=VALUE (EINVAL)"),
        ("1", ":set khelper.live=1\r", line, "khelper.live can only be read (EACCES)"),
        ("1", ":set kernel.usermodehelper.bset=cap_x\r", line, "no capability is called `cap_x`"),
        ("1", ":run -- relative\r", line, "call: the path `relative` is relative (EINVAL): give the whole path"),
        ("1", ":request 'x\r", line, "✗ the quote ' is not closed"),
        ("1", ":kill 99\r", line, "#99: SIGTERM: not done: there is no request 99 (ESRCH)"),
        ("1", ":abandon 99\r", line, "#99: abandoned: not done: there is no request 99 (ESRCH)"),
    ];
    everywhere(QUICK, |pty, _| {
        refuses(pty, &refusals);
        // Pasted text goes only into fields.
        refuses(
            pty,
            &[("1", "\x1b[200~q\x1b[201~", None, "the pasted text was ignored: it goes into text fields only")],
        );
        quits(pty);
    });
}

/// A refusal by the engine is shown with its symbol, its word and its errno.
#[test]
fn what_the_engine_refuses_is_told_by_its_rule() {
    // A short path, whatever TMPDIR is: in 40 columns the reason stands behind it.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    let plain = format!("run -- {}", plain.display());
    everywhere(QUICK, |pty, _| {
        for (line, says) in [
            ("set khelper.deny=bad*", "khelper.deny: (empty) -> `bad*`"),
            ("request bad1", "bad1: ⊘ denied by khelper.deny (EPERM)"),
            ("set khelper.deny= khelper.allow=good*", "khelper.allow: (empty) -> `good*`"),
            ("request other", "other: ⊘ denied by khelper.allow (EPERM)"),
            ("request good1", "good1: ✓ exit 0"),
            ("set khelper.allow=", "khelper.allow: `good*` -> (empty)"),
            ("gate freezing", "khelper.gate: freeze and drain: done"),
            ("request late", "late: ‖ refused by the gate (EBUSY)"),
            ("gate enabled", "khelper.gate: enable: done"),
            ("run -- /nowhere/program", "! exec failed (ENOENT): `/nowhere/program`"),
            (&plain, "! exec failed (EACCES)"),
            ("set kernel.modprobe=", "kernel.modprobe is empty now: autoload is off"),
            ("request x", "x: ∅ no-op: the path is empty, autoload is off"),
        ] {
            command(pty, line);
            told(pty, says);
        }
        pty.press(":", "─ Command");
        pty.send("set khelper.era=current\r");
        pty.says("khelper.era: the era is fixed by the first request (EBUSY): start an engine");
        pty.send(ESC);
        pty.hides("─ Command");
        // Each is among the records, with its symbol.
        pty.press("3", "[3 Activity]");
        pty.press("/", "/ ");
        for (word, rows) in [("refused", 1), ("denied", 2), ("no-op", 1), ("EPERM", 2), ("ENOENT", 1)] {
            pty.send(format!("\x15{word}"));
            pty.says(&format!("{rows} of 7"));
        }
        pty.send(ESC);
        pty.hides("/ ENOENT");
        quits(pty);
    });
}

/// The old kernel refuses the 51st request at once.
#[test]
fn the_limit_refuses_at_once() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "foo", 51);
        taken(pty, 50);
        pty.says("foo: 1 of 51 answered: 1 ∞ refused by the limit (ENOMEM)");
        kills_what_is_left(pty);
    });
}

/// The new kernel lets it wait for five seconds first.
#[test]
fn the_throttle_gives_up_after_a_while() {
    let options = ["--set", "khelper.era=current"];
    with(&options, HOLD, |pty, room| {
        ask(pty, "foo", 50);
        taken(pty, 50);
        ask(pty, "bar", 1);
        pty.shows(if room { "waiting for a slot 1" } else { "waiting 1" });
        pty.says("bar: ◷ throttled, no slot in 5 s (ETIME)");
        kills_what_is_left(pty);
    });
    with(&options, "", |pty, _| {
        pty.press("m", "kernel.modprobe is empty: nothing");
        pty.send("x\r");
        pty.says("x: / refused, no path to run (ENOENT)");
        quits(pty);
    });
}

/// A dropped capability cannot be regained: the row says so, and so does the confirmation.
#[test]
fn what_cannot_be_regained_is_said() {
    everywhere(QUICK, |pty, _| {
        drop_cap_chown(pty);
        pty.send(" ");
        pty.says("lost ✗ cap_chown: cannot be");
        pty.send("w");
        pty.says("nothing to apply: a write only drops (z discards the draft); cannot be regained");
        pty.send("\x1b[B ");
        pty.press("w", "─ Apply the draft");
        pty.says("drops cap_dac_override");
        pty.send("\x1b[6~");
        pty.says("will not be granted");
        pty.send(ESC);
        pty.hides("Apply the draft");
        quits_without_the_draft(pty);
    });
}

/// A filter without matches, and an invalid one, say so; without the filter all rows are shown again.
#[test]
fn filters_that_match_nothing_say_so() {
    everywhere(QUICK, |pty, _| {
        command(pty, "set khelper.deny=bad");
        pty.says("khelper.deny: (empty) -> `bad`");
        ask(pty, "foo", 1);
        pty.shows("exit 0");
        for (screen, there, filter, says) in [
            ("2", "[2 Masks]", "/zzz", "0 of 4"),
            ("3", ">#1", "/zzz", "none of 1 record matches: esc shows all"),
            ("3", ">#1", "*zzz", "none of 1 record matches"),
            ("3", ">#1", "*\x1b[200~\x01\x1b[201~", "✗ the list"),
            ("4", "khelper.deny", "/zzz", "no line matches: esc shows all"),
        ] {
            pty.press(screen, there);
            pty.send(filter);
            pty.says(says);
            pty.send(ESC);
            pty.unsays(says);
            pty.shows(there);
        }
        quits(pty);
    });
}

/// A record that has ended, one without a waiting caller, a file that cannot be written.
#[test]
fn what_cannot_be_done_with_a_record_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let (below, itself) = (format!("{}/x", plain.display()), folder.path().display().to_string());
    everywhere(QUICK, |pty, _| {
        ask(pty, "foo", 1);
        told(pty, "#1 foo: ");
        pty.press("3", ">#1");
        refuses(
            pty,
            &[
                ("3", "k", None, "#1 foo: it has ended: nothing to kill"),
                ("3", "x", None, "#1 foo: not done: "),
                ("3", "w\x15\r", Some("Save records"), "✗ the path must not be empty"),
            ],
        );
        for file in [&below, &itself] {
            pty.press("w", "─ Save records");
            pty.send(format!("\x15{file}\r"));
            pty.says_broken(&format!("✗ nothing was saved: `{file}`"));
            pty.send(ESC);
            pty.hides("─ Save records");
            pty.unsays("nothing was saved:");
        }
        quits(pty);
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A console that is a helper of another khelper makes no requests: they would never end.
#[test]
fn an_engine_within_an_engine_asks_for_nothing() {
    for (columns, rows) in SIZES {
        let me = env!("CARGO_BIN_EXE_khelper");
        let script = format!("exec {me} <>/proc/$PPID/fd/0 >&0 2>&0");
        let mut pty = Start::khelper(columns, rows).args(["run", "--", "/bin/sh", "-c", &script]).start();
        pty.shows("[engine]");
        pty.press("m", "Ask for a module");
        pty.send("foo\r");
        pty.says("refused, an engine within an engine (ELOOP)");
        pty.send("q");
        assert_eq!(pty.ends(), 0, "{}", pty.text());
    }
}

/// On the smallest screens the target and the keys stay visible.
#[test]
fn a_terminal_that_is_too_small_keeps_the_target_and_the_keys() {
    everywhere(QUICK, |pty, _| {
        for (columns, rows, keys) in [(40, 3, true), (40, 1, false), (20, 5, true), (12, 4, true)] {
            pty.resize(columns, rows);
            pty.until("target and keys", |s| {
                let (first, last) = (s.rows(0, columns).next().unwrap(), s.rows(0, columns).last().unwrap());
                first.starts_with("[engine]") && (!keys || last.contains("keys"))
            });
        }
        pty.resize(80, 24);
        pty.shows("Knobs");
        quits(pty);
    });
}
