use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::*;
use crate::abi::actor::Comm;
use crate::abi::cap::{CapMask, Capability};
use crate::abi::depth::Depth;
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::mask::MaskExpr;
use crate::abi::snapshot::{ChainEnded, LeftProcess, Snapshot};
use crate::abi::wait::WaitMode;
use crate::control::export::{Existing, Unsaved};
use crate::control::rehearsal::Rehearsed;
use crate::control::text::outcome::Severity;
use crate::control::{Change, Command, Key, KnobValue, MaskKnob, Reply};
use crate::tui::dialogs::apply::Apply;
use crate::tui::dialogs::command_line::CommandLine;
use crate::tui::dialogs::confirm::Confirm;
use crate::tui::dialogs::gate::Gate;
use crate::tui::dialogs::help::Help;
use crate::tui::dialogs::module::Module;
use crate::tui::dialogs::page::Page;
use crate::tui::dialogs::path::PathForm;
use crate::tui::dialogs::quit::{Quit, Quitting};
use crate::tui::dialogs::rehearsal::RehearsalPage;
use crate::tui::dialogs::reset::Reset;
use crate::tui::dialogs::save::SaveForm;
use crate::tui::keymap::{self, Keymap, Rebind};
use crate::tui::model::{Pending, Tab};
use crate::tui::testing::fixtures::{self, KNOWN};
use crate::tui::testing::render::keys as press;

mod kernel;
mod names;
mod undo;

const SYS_MODULE: CapMask = CapMask::only(Capability::SYS_MODULE);

fn model() -> Model {
    fixtures::model(fixtures::snapshot(), 80, 24)
}

/// Presses a key after the screen was drawn.
fn key(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    shown(model);
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn ctrl(model: &mut Model, c: char) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
}

fn chord(model: &mut Model, c: char) -> Vec<Effect> {
    update(model, Msg::Chord(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT)))
}

/// Types text, `\n` for enter; the effects of all of it.
fn type_in(model: &mut Model, text: &str) -> Vec<Effect> {
    let press = |c| key(model, if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) });
    // A module name is looked up while it is typed.
    text.chars().flat_map(press).filter(|effect| !matches!(effect, Effect::FindModules(_))).collect()
}

fn commands(effects: Vec<Effect>) -> Vec<(u64, Command)> {
    let submitted = |effect| match effect {
        Effect::Submit { ticket, command } => (ticket, command),
        other => panic!("{other:?} is no command"),
    };
    effects.into_iter().map(submitted).collect()
}

fn reply(model: &mut Model, ticket: u64, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    update(model, Msg::Replied { ticket, reply })
}

fn take(model: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    update(model, Msg::Snapshot(Box::new(snapshot)))
}

fn status(model: &Model) -> &str {
    model.status.as_ref().map_or("", |s| s.text.as_str())
}

fn path(text: &str) -> KnobValue {
    KnobValue::Path(text.as_bytes().into())
}

fn written(key: Key, before: CapMask, after: CapMask, not_granted: CapMask) -> Change {
    Change { not_granted, ..Change::new(key, before, after) }
}

#[test]
fn a_module_is_asked_for_as_often_as_was_typed() {
    let mut m = model();
    assert!(type_in(&mut m, "mdummy").is_empty());
    key(&mut m, KeyCode::Tab);
    key(&mut m, KeyCode::Char(' '));
    key(&mut m, KeyCode::Tab);
    ctrl(&mut m, 'u');
    let asked = commands(type_in(&mut m, "80\n"));
    assert_eq!(asked.len(), 80);
    for (at, (ticket, command)) in asked.iter().enumerate() {
        assert_eq!(*ticket, at as u64 + 1);
        assert!(matches!(command, Command::RequestModule { name, wait: false, .. } if name == b"dummy"));
    }
    assert!(m.dialogs.is_empty());
    for (ticket, _) in asked.into_iter().rev() {
        let record = if ticket <= 50 {
            fixtures::record(ticket, b"dummy", 0)
        } else {
            fixtures::refused(ticket, b"dummy", Stage::Limit, Errno::ENOMEM, "50 are in progress")
        };
        reply(&mut m, ticket, Ok(Reply::Answered(Arc::new(record))));
    }
    assert_eq!(status(&m), "dummy: 80 of 80 answered: 30 ∞ refused by the limit (ENOMEM), 50 ✓ exit 0");
    assert_eq!(m.status.as_ref().unwrap().mood, Severity::Warned, "though the last of them, or most, did well");
    assert!(m.batches.is_empty() && m.pending.is_empty());
}

#[test]
fn esc_and_a_key_at_once_are_both_unless_the_chord_is_bound() {
    let mut m = model();
    type_in(&mut m, "mdum");
    assert_eq!(m.dialogs.len(), 1);
    // Esc leaves the dialog, and the letter is a key of the screen.
    assert!(chord(&mut m, '2').is_empty());
    assert_eq!((m.dialogs.len(), m.tab), (0, Tab::Masks));
    // The letter is not typed into a field: the dialog that it belonged to is closed.
    type_in(&mut m, "m");
    assert!(matches!(&chord(&mut m, 'q')[..], [Effect::Quit { code: 0 }]));
    let rebound = Rebind::new("screens", "overview", vec![keymap::parse("alt-2").unwrap()], 1).unwrap();
    let mut m = model();
    m.keys = Keymap::new(vec![rebound]).unwrap();
    type_in(&mut m, "3");
    chord(&mut m, '2');
    assert_eq!(m.tab, Tab::Overview);
    // A terminal that reports Alt itself is unambiguous: this is neither Esc nor the letter.
    type_in(&mut m, "m");
    update(&mut m, Msg::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)));
    assert_eq!(m.dialogs.len(), 1);
}

#[test]
fn the_draft_is_undone_redone_and_taken_from_a_preset() {
    let mut m = model();
    type_in(&mut m, "2 ");
    assert!(!m.masks.draft(MaskKnob::Bset).contains(SYS_MODULE));
    type_in(&mut m, "u");
    assert_eq!((m.masks.drafts(), status(&m)), ([KNOWN; 2], "undone: the draft is the same as live"));
    ctrl(&mut m, 'r');
    assert_eq!(status(&m), "redone: bset live -> draft: drops cap_sys_module");
    type_in(&mut m, "z");
    type_in(&mut m, "u");
    assert!(!m.masks.draft(MaskKnob::Bset).contains(SYS_MODULE));
    // A preset fills both drafts in one step and submits nothing.
    assert!(type_in(&mut m, "P\n").is_empty());
    assert_eq!(m.masks.drafts(), [SYS_MODULE; 2]);
    type_in(&mut m, "u");
    assert_eq!(m.masks.draft(MaskKnob::Inheritable), KNOWN);
    type_in(&mut m, "uuuu");
    assert_eq!(status(&m), "nothing to undo in this draft");
}

#[test]
fn filtered_keys_change_the_rows_that_are_shown() {
    let mut m = model();
    type_in(&mut m, "2/net_");
    assert!(m.masks.filtering);
    // Text and not keys.
    type_in(&mut m, "q");
    key(&mut m, KeyCode::Backspace);
    type_in(&mut m, "\nn");
    assert!(!m.masks.filtering);
    assert_eq!(KNOWN.minus(m.masks.draft(MaskKnob::Bset)), CapMask::from_bits(0b1111 << 10));
    type_in(&mut m, "/");
    key(&mut m, KeyCode::Esc);
    type_in(&mut m, "n");
    assert!(m.masks.draft(MaskKnob::Bset).is_empty());
}

#[test]
fn a_form_of_the_draft_is_copied_whole() {
    let mut m = model();
    type_in(&mut m, "2 y");
    let effects = type_in(&mut m, "\n");
    let [Effect::Copy(bytes)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(bytes, b"kernel.usermodehelper.bset = 4294901759\t511");
    assert!(status(&m).starts_with("bset as sysctl was sent to the terminal's clipboard"));
}

fn line_error(m: &Model) -> &str {
    m.line.error.as_deref().unwrap_or_default()
}

/// The commands of a line, which is remembered.
fn line(m: &mut Model, text: &str) -> Vec<(u64, Command)> {
    let mut effects = type_in(m, &format!(":{text}\n"));
    assert!(matches!(effects.pop(), Some(Effect::Remember(kept)) if kept == text.as_bytes()), "{:?}", m.line.error);
    commands(effects)
}

#[test]
fn a_line_asks_as_the_shell_does() {
    let mut m = model();
    let mut effects = type_in(&mut m, ":request --nowait --parallel 2 --repeat 2 a b\n");
    assert!(matches!(effects.pop(), Some(Effect::Remember(_))));
    let [Effect::Series { ticket, batch }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((batch.commands.len(), batch.total, batch.parallel), (2, 4, 2));
    assert!(matches!(&batch.commands[1], Command::RequestModule { name, wait: false, .. } if name == b"b"));
    for (id, raw) in [(1, 0), (2, 0), (3, 256), (4, 256)] {
        reply(&mut m, *ticket, Ok(Reply::Answered(Arc::new(fixtures::record(id, b"a", raw)))));
    }
    assert_eq!(status(&m), "a b: 4 of 4 answered: 2 ✓ exit 0, 2 ✗ exit 1 (raw 256)");
    assert!(m.pending.is_empty() && m.batches.is_empty());

    let asked = line(&mut m, "run --bset cap_sys_module -- /bin/sh -c 'exit 3'");
    assert!(matches!(&asked[0].1, Command::Call(call) if call.args == [&b"-c"[..], b"exit 3"] && call.bset.is_some()));
    // What is answered at once keeps its line until then.
    let mut done = |text: &str| {
        let (ticket, command) = line(&mut m, text).remove(0);
        assert!(m.top::<CommandLine>().is_some() && m.line.typed.bytes() == text.as_bytes());
        assert!(key(&mut m, KeyCode::Enter).is_empty(), "it is asked for once");
        reply(&mut m, ticket, Ok(Reply::Done));
        assert!(m.dialogs.is_empty(), "{text}");
        command
    };
    assert!(matches!(done("kill -s KILL 7"), Command::Kill { id: 7, signal: 9 }));
    assert!(matches!(done("abandon 7"), Command::Abandon(7)));
    assert!(matches!(done("gate freezing"), Command::Write(w) if w[0] == (Key::Gate, Depth::Freezing.into())));
    assert!(matches!(done("reset loop-messages"), Command::ResetLoopMessages));
    assert_eq!(m.line.history.len(), 6);
}

#[test]
fn a_line_that_sets_masks_makes_a_draft_that_is_confirmed() {
    let mut m = model();
    assert!(line(&mut m, "set kernel.usermodehelper.bset=-cap_sys_module").is_empty());
    assert_eq!(m.masks.draft(MaskKnob::Bset), KNOWN.minus(SYS_MODULE));
    assert!(m.top().is_some_and(|apply: &Apply| apply.phrase == "drop cap_sys_module"));
    // The draft was made for the question and is dropped with it.
    key(&mut m, KeyCode::Esc);
    assert!(m.dialogs.is_empty() && m.masks.changed(&m.snapshot).is_empty());
    m.snapshot.knobs.inheritable = SYS_MODULE;
    m.masks.settle(MaskKnob::Inheritable, SYS_MODULE);
    assert!(line(&mut m, "reset inheritable").is_empty());
    assert!(m.top().is_some_and(|reset: &Confirm<Reset>| reset.question.knob == MaskKnob::Inheritable));
    key(&mut m, KeyCode::Esc);
    // Other knobs are written at once, the gate by itself.
    let written = line(&mut m, "set kernel.modprobe=/bin/true khelper.gate=enabled khelper.deny=x*");
    let keys = |c: &Command| match c {
        Command::Write(writes) => writes.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(keys(&written[0].1), [Key::Modprobe, Key::Deny]);
    assert_eq!(keys(&written[1].1), [Key::Gate]);
}

#[test]
fn a_line_that_means_nothing_stays_and_says_why() {
    for (text, why) in [
        ("nonsense", "unrecognized subcommand"),
        ("set khelper.live=1", "khelper.live"),
        ("set nonsense=1", "nonsense"),
        ("set kernel.usermodehelper.bset=full kernel.modprobe=/x", "masks are confirmed first"),
        ("set kernel.usermodehelper.bset=1", "kernel.usermodehelper.bset"),
        ("run -- 'x", "the quote ' is not closed"),
        ("request --repeat 4000000 a", "more than one command may make"),
        ("kill x", "invalid value"),
        ("reset bset", "nothing to reset: kernel.usermodehelper.bset is full already"),
        ("set kernel.usermodehelper.bset=full", "nothing to apply: the draft is the same as live"),
        ("run -- relative", "call: the path `relative` is relative (EINVAL): give the whole path"),
        ("request a ''", "a module name cannot be empty (EINVAL): name the module, as in `dummy`"),
    ] {
        let mut m = model();
        assert!(type_in(&mut m, &format!(":{text}\n")).is_empty());
        assert!(line_error(&m).contains(why), "{text}: {}", line_error(&m));
        assert!(m.top::<CommandLine>().is_some() && m.line.typed.bytes() == text.as_bytes());
        assert!(m.line.history.is_empty() && m.masks.changed(&m.snapshot).is_empty());
        type_in(&mut m, "x");
        assert_eq!(line_error(&m), "");
    }
    // Hostile bytes come back escaped.
    let mut m = model();
    type_in(&mut m, ":");
    update(&mut m, Msg::Paste(b"\x1b[2J\xff".to_vec()));
    type_in(&mut m, "\n");
    assert!(line_error(&m).contains("\\x1b[2J") && !line_error(&m).contains('\u{1b}'), "{}", line_error(&m));
}

#[test]
fn a_read_only_line_reads() {
    let mut m = model();
    m.options.read_only = true;
    let refused = [
        "set kernel.modprobe=/x",
        "request a",
        "run -- /x",
        "probe",
        "gate enabled",
        "reset bset",
        "kill 1",
        "abandon 1",
    ];
    for text in refused {
        assert!(type_in(&mut m, &format!(":{text}\n")).is_empty(), "{text}");
        assert!(line_error(&m).contains("--read-only") && m.top::<CommandLine>().is_some(), "{text}");
        key(&mut m, KeyCode::Esc);
    }
    // They are recalled all the same.
    assert_eq!(m.line.history, refused.map(|text| text.as_bytes().to_vec()));
    assert!(line(&mut m, "get kernel.modprobe khelper.gate").is_empty());
    let page = m.top::<Page>().unwrap();
    assert_eq!(page.lines, ["kernel.modprobe = /sbin/modprobe", "khelper.gate = enabled"]);
}

#[test]
fn an_invalid_form_says_why_and_keeps_what_was_typed() {
    let mut m = model();
    assert!(type_in(&mut m, "m\n").is_empty());
    assert!(m.module.error.as_ref().unwrap().contains("cannot be empty"));
    let long = "x".repeat(56);
    assert!(type_in(&mut m, &format!("{long}\n")).is_empty());
    assert!(m.module.error.as_ref().unwrap().contains("ENAMETOOLONG"), "{:?}", m.module.error);
    assert_eq!(m.module.name.bytes(), long.as_bytes());
    key(&mut m, KeyCode::Esc);
    key(&mut m, KeyCode::Char('m'));
    assert_eq!(m.module.name.bytes(), long.as_bytes());
    key(&mut m, KeyCode::End);
    key(&mut m, KeyCode::Backspace);
    assert_eq!(commands(type_in(&mut m, "\n")).len(), 1);

    for count in ["0", "201", "+1", "1x", ""] {
        let mut m = model();
        type_in(&mut m, "mdummy");
        m.module.focus = 2;
        ctrl(&mut m, 'u');
        assert!(type_in(&mut m, &format!("{count}\n")).is_empty(), "{count}");
        assert!(m.module.error.as_ref().unwrap().contains("from 1 to 200"));
    }
}

/// Every field that holds text when it is opened, how it is opened, and what it holds when a letter was typed.
#[test]
fn text_that_a_field_holds_when_it_opens_is_replaced_by_what_is_typed() {
    type Holds = fn(&Model) -> Vec<u8>;
    let save: Holds = |m| m.top::<SaveForm>().unwrap().path.bytes().to_vec();
    let path: Holds = |m| m.top::<PathForm>().unwrap().path.bytes().to_vec();
    let fields: [(&str, &str, &str, &str, Holds); 12] = [
        ("mdummy⎋", "m", "", "dummy", |m| m.module.name.bytes().to_vec()),
        ("m", "", "\t\t", "1", |m| m.module.count.bytes().to_vec()),
        ("c/bin/a⎋", "c", "", "/bin/a", |m| m.call.path.bytes().to_vec()),
        ("c\t-v⎋", "c", "\t", "-v", |m| m.call.args.bytes().to_vec()),
        ("c\t\t\tfull⎋", "c", "\t\t\t", "full", |m| m.call.masks[0].bytes().to_vec()),
        ("c\t\t\t\tempty⎋", "c", "\t\t\t\t", "empty", |m| m.call.masks[1].bytes().to_vec()),
        ("e", "", "", "/sbin/modprobe", path),
        ("3w", "", "", "khelper-records.jsonl", save),
        ("2 p→\tusb⎋", "p", "\t", "usb", |m| m.rehearse.module.bytes().to_vec()),
        ("2 p→→\t/bin/b⎋", "p", "\t", "/bin/b", |m| m.rehearse.path.bytes().to_vec()),
        ("2/net\n", "/", "", "net", |m| m.masks.filter.bytes().to_vec()),
        ("4/warn\n", "/", "", "warn", |m| m.log.words.bytes().to_vec()),
    ];
    for (before, opens, goes, held, holds) in fields {
        let opened = |then: &str| {
            let mut m = model();
            press(&mut m, &format!("{before}{opens}{goes}"));
            assert_eq!(holds(&m), held.as_bytes(), "{before}{opens}");
            press(&mut m, then);
            String::from_utf8(holds(&m)).unwrap()
        };
        assert_eq!((opened("x"), opened("xy")), ("x".into(), "xy".into()), "{before}{opens}: replaced");
        assert_eq!(
            (opened("→xy"), opened("←→xy")),
            (format!("{held}xy"), format!("{held}xy")),
            "{before}{opens}: kept"
        );
        assert_eq!(opened("⇱x"), format!("x{held}"), "{before}{opens}: kept");
    }
    // Both filters of Activity; pasted text replaces as typed text does.
    let mut m = model();
    press(&mut m, "3/foo\n*usb*\n/");
    update(&mut m, Msg::Paste(b"bar baz".to_vec()));
    assert_eq!((m.activity.words.bytes(), m.activity.globs.bytes()), (&b"bar baz"[..], &b"usb*"[..]));
    press(&mut m, "\n*");
    key(&mut m, KeyCode::Backspace);
    assert_eq!((m.activity.words.bytes(), m.activity.globs.bytes()), (&b"bar baz"[..], &b""[..]));
}

/// What one field is typed in leaves the others as they were, selected until they are typed in themselves; a click into
/// the field with the focus keeps its text.
#[test]
fn a_field_stays_selected_until_it_is_typed_in() {
    let mut m = model();
    press(&mut m, "cold\t-a⎋cnew\t\t⎋");
    assert_eq!((m.call.path.bytes(), m.call.args.bytes()), (&b"new"[..], &b"-a"[..]));
    assert!(!m.call.path.is_selected() && m.call.args.is_selected());
    press(&mut m, "c\t\t\t\t\t");
    assert!(m.call.path.is_selected(), "walking through the fields is no typing");
    click(&mut m, "> path");
    press(&mut m, "er");
    assert_eq!(m.call.path.bytes(), b"newer");

    press(&mut m, "⎋e");
    click(&mut m, "> path");
    press(&mut m, "2");
    assert!(crate::tui::testing::render::screen(&m).contains("> path  /sbin/modprobe2 "));

    press(&mut m, "⎋3w");
    let saves = |m: &Model| m.top().map(|form: &SaveForm| (form.path.bytes().to_vec(), form.focus)).unwrap();
    click(&mut m, "> file");
    press(&mut m, "2");
    assert_eq!(saves(&m), (b"khelper-records.jsonl2".to_vec(), 0));
    click(&mut m, "what ");
    assert_eq!(saves(&m).1, 1, "a click puts the focus on another field");
}

/// Clicks into the row that has this text, at a column within the frame of a dialog.
fn click(m: &mut Model, text: &str) {
    let rows = crate::tui::testing::render::rows(&crate::tui::testing::render::page(m));
    let y = rows.iter().position(|row| row.contains(text)).unwrap();
    update(m, Msg::Mouse(crate::tui::msg::Mouse { what: crate::tui::msg::Click::Press, x: 20, y: y as u16 }));
}

#[test]
fn the_next_request_is_for_one_module_whatever_the_last_was_for() {
    let mut m = model();
    press(&mut m, "mdummy\t\t80");
    assert_eq!(commands(key(&mut m, KeyCode::Enter)).len(), 80);
    press(&mut m, "m");
    assert_eq!((m.module.name.bytes(), m.module.count.bytes()), (&b"dummy"[..], &b"1"[..]));
    let asked = commands(type_in(&mut m, "snd-foo\n"));
    let [(_, Command::RequestModule { name, .. })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(name, b"snd-foo");
    // Text that was typed and not used is kept, including the count.
    press(&mut m, "mloop\t\t7⎋m");
    assert_eq!((m.module.name.bytes(), m.module.count.bytes()), (&b"loop"[..], &b"7"[..]));
}

/// Typing replaces a default name as a whole.
#[test]
fn a_file_is_never_saved_under_two_names_in_one() {
    let mut m = model();
    press(&mut m, "3w");
    let [Effect::Save { ticket, save }] = &key(&mut m, KeyCode::Enter)[..] else { panic!() };
    assert_eq!(save.path, b"khelper-records.jsonl");
    let file = tempfile::NamedTempFile::new().unwrap();
    let there = Existing::new(&file.as_file().metadata().unwrap());
    update(&mut m, Msg::Saved { ticket: *ticket, result: Err(Unsaved::Exists(there)) });
    press(&mut m, "⎋other.jsonl");
    let [Effect::Save { ticket, save }] = &key(&mut m, KeyCode::Enter)[..] else { panic!() };
    assert_eq!(save.path, b"other.jsonl");
    // Text that was typed by hand and refused is edited further, not replaced.
    update(&mut m, Msg::Saved { ticket: *ticket, result: Err(Unsaved::Failed("a full disk".into())) });
    press(&mut m, "2");
    let [Effect::Save { save, .. }] = &key(&mut m, KeyCode::Enter)[..] else { panic!() };
    assert_eq!(save.path, b"other.jsonl2");
}

#[test]
fn one_answer_is_reported_in_full() {
    let mut m = model();
    let asked = commands(type_in(&mut m, "mfoo\n"));
    reply(&mut m, asked[0].0, Ok(Reply::Answered(Arc::new(fixtures::record(7, b"foo", 256)))));
    assert_eq!(status(&m), "#7 foo: ✗ exit 1 (raw 256) · 12 ms");
    let asked = commands(type_in(&mut m, "m\n"));
    let why = "the gate is disabled: no helper is started; enable the gate";
    let record = fixtures::refused(8, b"fo\x1b", Stage::Gate, Errno::EBUSY, why);
    reply(&mut m, asked[0].0, Ok(Reply::Answered(Arc::new(record))));
    assert_eq!(status(&m), format!("#8 fo\\x1b: ‖ refused by the gate (EBUSY) · 12 ms — {why}"));
}

#[test]
fn a_call_has_its_arguments_its_wait_and_its_masks() {
    let mut m = model();
    type_in(&mut m, "c/bin/sh");
    key(&mut m, KeyCode::Tab);
    type_in(&mut m, "-c 'exit 3'");
    key(&mut m, KeyCode::Tab);
    key(&mut m, KeyCode::Right);
    key(&mut m, KeyCode::Tab);
    type_in(&mut m, "nonsense");
    assert!(key(&mut m, KeyCode::Enter).is_empty());
    assert!(m.call.error.is_some() && m.call.focus == 3);
    ctrl(&mut m, 'u');
    type_in(&mut m, "cap_sys_module");
    let [(_, Command::Call(call))] = &commands(key(&mut m, KeyCode::Enter))[..] else { panic!() };
    assert_eq!((call.path.as_slice(), call.wait), (&b"/bin/sh"[..], WaitMode::EXEC));
    assert_eq!(call.args, [b"-c".to_vec(), b"exit 3".to_vec()]);
    assert_eq!((call.bset, call.inheritable), (Some(MaskExpr::Exactly(SYS_MODULE)), None));

    let mut m = model();
    type_in(&mut m, "cbin/sh\n");
    assert!(m.call.error.as_ref().unwrap().contains("relative"));
}

#[test]
fn pasted_text_goes_into_fields_only_and_byte_for_byte() {
    let mut m = model();
    assert!(update(&mut m, Msg::Paste(b"q\n".to_vec())).is_empty());
    assert!(status(&m).contains("text fields only") && m.dialogs.is_empty());
    key(&mut m, KeyCode::Char('m'));
    let effects = update(&mut m, Msg::Paste(b"a\x1b[31m\n\xff".to_vec()));
    assert!(effects.iter().all(|effect| matches!(effect, Effect::FindModules(_))), "{effects:?}");
    let [(_, Command::RequestModule { name, .. })] = &commands(key(&mut m, KeyCode::Enter))[..] else { panic!() };
    assert_eq!(name, b"a\x1b[31m\n\xff");
    // A list takes no text.
    key(&mut m, KeyCode::Char('g'));
    update(&mut m, Msg::Paste(b"e\n".to_vec()));
    assert!(matches!(m.top(), Some(Gate(0))));
}

#[test]
fn sys_6_the_path_is_checked_written_and_read_back() {
    let mut m = model();
    key(&mut m, KeyCode::Char('e'));
    ctrl(&mut m, 'u');
    type_in(&mut m, "bin/echo");
    assert!(key(&mut m, KeyCode::Enter).is_empty());
    let form = m.top::<PathForm>().unwrap();
    assert!(form.error.as_ref().unwrap().contains("relative"));
    key(&mut m, KeyCode::Home);
    type_in(&mut m, "/");
    assert!(key(&mut m, KeyCode::Enter).is_empty(), "it asks first");
    let asked = crate::tui::testing::render::screen(&m);
    assert!(asked.contains("from  `/sbin/modprobe`") && asked.contains("to    `/bin/echo`"), "{asked}");
    assert!(asked.contains("to the embedded engine (pid 4121)"), "{asked}");
    let [(ticket, Command::Write(writes))] = &commands(key(&mut m, KeyCode::Enter))[..] else { panic!() };
    assert_eq!(writes[..], [(Key::Modprobe, path("/bin/echo"))]);
    assert!(key(&mut m, KeyCode::Enter).is_empty(), "one write at a time");
    let refused = ControlError::Denied("writing needs cap_x".into());
    reply(&mut m, *ticket, Err(refused));
    let form = m.top::<PathForm>().unwrap();
    let why = "kernel.modprobe was not changed: writing needs cap_x (EPERM): ask for it";
    assert!(form.error.as_ref().unwrap().starts_with(why));
    assert_eq!(form.path.bytes(), b"/bin/echo");
    assert_eq!(status(&m), "", "it is reported once");
    let [(ticket, _)] = &commands(key(&mut m, KeyCode::Enter))[..] else { panic!() };
    let w = Change {
        warnings: vec!["anyone can replace it".into()],
        ..Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/bin/echo"))
    };
    reply(&mut m, *ticket, Ok(Reply::Written(vec![w])));
    assert!(m.dialogs.is_empty());
    assert_eq!(status(&m), "kernel.modprobe: `/sbin/modprobe` -> `/bin/echo`; anyone can replace it (U undoes it)");
    let mut s = fixtures::snapshot();
    s.knobs.modprobe = Arc::from(&b"/bin/echo"[..]);
    take(&mut m, s.clone());
    assert!(m.notices.is_empty(), "our own write is not another writer's");
    s.knobs.modprobe = Arc::from(&b"/bin/o\nther"[..]);
    take(&mut m, s);
    let said = "kernel.modprobe was changed by another writer: `/bin/echo` -> `/bin/o\\x0ather`";
    assert_eq!(m.notices, [(0, said.to_owned())]);
}

#[test]
fn the_gate_drains_and_opens() {
    let mut m = model();
    let gate = |m: &mut Model, keys: &str| commands(type_in(m, keys)).remove(0);
    let (ticket, command) = gate(&mut m, "gd\n");
    assert!(matches!(command, Command::Write(w) if w == [(Key::Gate, Depth::Disabled.into())]));
    let error = EngineError::new(Stage::Gate, Errno::EAGAIN, "held out: #3 foo", "wait for these calls");
    reply(&mut m, ticket, Err(error.into()));
    assert_eq!(status(&m), "khelper.gate: disable and drain: held out: #3 foo (EAGAIN): wait for these calls");
    assert!(matches!(gate(&mut m, "gf\n").1, Command::Write(w) if w == [(Key::Gate, Depth::Freezing.into())]));
    assert!(matches!(gate(&mut m, "ge\n").1, Command::SetDepth(Depth::Enabled)));
}

#[test]
fn keys_of_the_draft_change_nothing_that_is_live() {
    let mut m = model();
    key(&mut m, KeyCode::Char('2'));
    assert!(key(&mut m, KeyCode::Char(' ')).is_empty());
    assert_eq!(m.masks.draft(MaskKnob::Bset), KNOWN.minus(SYS_MODULE));
    key(&mut m, KeyCode::Right);
    assert!(type_in(&mut m, "n").is_empty());
    assert!(m.masks.draft(MaskKnob::Inheritable).is_empty());
    assert!(type_in(&mut m, "i").is_empty());
    assert_eq!(m.masks.draft(MaskKnob::Inheritable), KNOWN);
    assert_eq!(m.masks.changed(&m.snapshot), [MaskKnob::Bset]);
    assert!(type_in(&mut m, "z").is_empty());
    assert!(m.masks.changed(&m.snapshot).is_empty());
    key(&mut m, KeyCode::End);
    key(&mut m, KeyCode::Down);
    assert_eq!(m.masks.cursor, 40);
    key(&mut m, KeyCode::Home);
    assert_eq!(m.masks.cursor, 0);
}

#[test]
fn both_masks_go_in_one_write_and_are_read_back() {
    let mut m = model();
    type_in(&mut m, "2");
    m.masks.cursor = 0;
    type_in(&mut m, " ");
    key(&mut m, KeyCode::Right);
    type_in(&mut m, " ");
    let chown = CapMask::from_bits(1);
    assert!(type_in(&mut m, "w").is_empty());
    let [(ticket, Command::Write(writes))] = &commands(type_in(&mut m, "\n"))[..] else { panic!() };
    let value = KnobValue::from(CapMask::from_bits(0x1fffffffffe));
    assert_eq!(writes[..], [(Key::Bset, value.clone()), (Key::Inheritable, value)]);
    let after = KNOWN.minus(chown);
    let answers = [Key::Bset, Key::Inheritable].map(|key| written(key, KNOWN, after, CapMask::EMPTY)).to_vec();
    reply(&mut m, *ticket, Ok(Reply::Written(answers)));
    assert!(m.dialogs.is_empty() && m.masks.changed(&m.snapshot).is_empty());
    assert_eq!(m.snapshot.knobs.bset, after);
    assert!(status(&m).contains("`~cap_chown`, exactly as asked: dropped cap_chown"), "{}", status(&m));
}

#[test]
fn dropping_cap_sys_module_is_typed_out() {
    let mut m = model();
    type_in(&mut m, "2 w");
    assert!(type_in(&mut m, "\n").is_empty());
    let apply = m.top::<Apply>().unwrap();
    assert!(apply.error.as_ref().unwrap().contains("drop cap_sys_module"));
    assert!(type_in(&mut m, "drop cap_sys\n").is_empty());
    assert_eq!(commands(type_in(&mut m, "_module\n")).len(), 1);
}

#[test]
fn emptying_a_mask_is_typed_out() {
    let mut m = model();
    type_in(&mut m, "2n");
    key(&mut m, KeyCode::Right);
    assert!(type_in(&mut m, "nwempty bset and empty inheritable\n").is_empty());
    let apply = m.top::<Apply>().unwrap();
    assert!(apply.error.as_ref().unwrap().contains("read the whole list first"));
    // Both lists, page by page.
    key(&mut m, KeyCode::PageDown);
    key(&mut m, KeyCode::PageDown);
    key(&mut m, KeyCode::Backspace);
    assert!(key(&mut m, KeyCode::Enter).is_empty());
    let [(_, Command::Write(writes))] = &commands(type_in(&mut m, "e\n"))[..] else { panic!() };
    assert_eq!(writes[1].1, CapMask::EMPTY.into());
}

#[test]
fn sys_4_what_was_not_granted_is_said() {
    let mut s = fixtures::snapshot();
    s.knobs.bset = KNOWN.minus(CapMask::from_bits(1));
    let mut m = fixtures::model(s, 80, 24);
    type_in(&mut m, "2a");
    assert!(type_in(&mut m, "w").is_empty());
    assert!(status(&m).contains("cannot be regained: cap_chown"), "{}", status(&m));
    m.masks.cursor = 1;
    type_in(&mut m, " w");
    let [(ticket, _)] = &commands(type_in(&mut m, "\n"))[..] else { panic!() };
    let (before, after) = (KNOWN.minus(CapMask::from_bits(1)), KNOWN.minus(CapMask::from_bits(3)));
    let answer = written(Key::Bset, before, after, CapMask::from_bits(1));
    reply(&mut m, *ticket, Ok(Reply::Written(vec![answer])));
    assert!(status(&m).ends_with("not as asked: cap_chown not granted"), "{}", status(&m));
    assert!(m.masks.changed(&m.snapshot).is_empty());
}

#[test]
fn a_live_mask_that_another_writer_changes_rebases_the_draft_and_asks_again() {
    let mut m = model();
    m.masks.cursor = 0;
    type_in(&mut m, "2 w");
    let mut s = fixtures::snapshot();
    s.knobs.bset = KNOWN.minus(SYS_MODULE);
    take(&mut m, s);
    assert_eq!(m.masks.draft(MaskKnob::Bset), KNOWN.minus(SYS_MODULE).minus(CapMask::from_bits(1)));
    assert!(m.masks.note.as_ref().unwrap().contains("it lost cap_sys_module; the draft was rebased"));
    assert!(m.notices[0].1.starts_with("kernel.usermodehelper.bset was changed by another writer"));
    let apply = m.top::<Apply>().unwrap();
    assert!(apply.error.as_ref().unwrap().contains("read the list again"));
    assert_eq!(apply.changes[0].1, CapMask::from_bits(1));
}

#[test]
fn our_own_write_is_no_surprise_whichever_comes_first() {
    let mut m = model();
    m.masks.cursor = 0;
    let [(ticket, _)] = &commands(type_in(&mut m, "2 w\n"))[..] else { panic!() };
    let after = KNOWN.minus(CapMask::from_bits(1));
    let mut s = fixtures::snapshot();
    s.knobs.bset = after;
    take(&mut m, s.clone());
    reply(&mut m, *ticket, Ok(Reply::Written(vec![written(Key::Bset, KNOWN, after, CapMask::EMPTY)])));
    take(&mut m, s);
    assert!(m.notices.is_empty() && m.masks.note.is_none() && m.masks.changed(&m.snapshot).is_empty());
}

#[test]
fn sys_8_a_reset_is_its_own_act() {
    let mut s = fixtures::snapshot();
    s.knobs.bset = SYS_MODULE;
    let mut m = fixtures::model(s, 80, 24);
    type_in(&mut m, "2");
    assert!(type_in(&mut m, "R").is_empty());
    let [(ticket, Command::Reset(MaskKnob::Bset))] = &commands(type_in(&mut m, "\n"))[..] else { panic!() };
    reply(&mut m, *ticket, Ok(Reply::Written(vec![written(Key::Bset, SYS_MODULE, KNOWN, CapMask::EMPTY)])));
    assert_eq!((m.snapshot.knobs.bset, m.masks.draft(MaskKnob::Bset)), (KNOWN, KNOWN));
    assert!(m.dialogs.is_empty() && status(&m).contains("was reset"));
}

#[test]
fn the_rehearsal_runs_under_the_draft_and_under_live() {
    let mut m = model();
    let asked = commands(type_in(&mut m, "2 p\n"));
    let [(draft, Command::Probe { bset, inheritable })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(*bset, Some(MaskExpr::Exactly(KNOWN.minus(SYS_MODULE))));
    assert_eq!(*inheritable, Some(MaskExpr::Exactly(KNOWN)));
    let error = EngineError::new(Stage::Path, Errno::ENOENT, "no probe", "give one");
    // The second run begins when the first has ended.
    let second = commands(reply(&mut m, *draft, Err(error.into())));
    let [(live, Command::Probe { bset: None, inheritable: None })] = &second[..] else { panic!("{second:?}") };
    reply(&mut m, *live, Ok(Reply::Answered(Arc::new(fixtures::record(2, b"probe", 0)))));
    let r = m.top::<RehearsalPage>().unwrap();
    assert!(matches!(&r.rehearsal.runs[1], Rehearsed::Ended(record) if record.id == 2));
    assert!(matches!(&r.rehearsal.runs[0], Rehearsed::Failed(why) if why == "no probe (ENOENT): give one"));
}

#[test]
fn a_rehearsal_that_was_left_begins_no_second_run() {
    let mut m = model();
    // Any program: the values change in both directions.
    type_in(&mut m, "2 p");
    key(&mut m, KeyCode::Left);
    key(&mut m, KeyCode::Tab);
    type_in(&mut m, "/bin/sh");
    key(&mut m, KeyCode::Tab);
    let asked = commands(type_in(&mut m, "-c 'exit 3'\n"));
    let [(ticket, Command::Call(call))] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((&call.path[..], call.args.join(&b'|')), (&b"/bin/sh"[..], b"-c|exit 3".to_vec()));
    assert_eq!(call.bset, Some(MaskExpr::Exactly(KNOWN.minus(SYS_MODULE))));
    key(&mut m, KeyCode::Esc);
    let said = &m.status.as_ref().unwrap().text;
    assert!(said.contains("the run under the draft continues (see Activity)"), "{said}");
    assert!(reply(&mut m, *ticket, Ok(Reply::Answered(Arc::new(fixtures::record(1, b"sh", 768))))).is_empty());
}

#[test]
fn quitting_with_nothing_alive_asks_nothing() {
    let mut m = model();
    assert!(matches!(type_in(&mut m, "q")[..], [Effect::Quit { code: 0 }]));
    assert!(matches!(ctrl(&mut m, 'c')[..], [Effect::Quit { code: 0 }]));
    key(&mut m, KeyCode::Char('g'));
    assert!(matches!(ctrl(&mut m, 'c')[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn where_text_is_typed_ctrl_c_is_about_that() {
    let mut m = model();
    for (screen, open) in [('1', "mdummy"), ('1', "c"), ('1', "e"), ('1', "?drain"), ('2', "p")] {
        key(&mut m, KeyCode::Char(screen));
        type_in(&mut m, open);
        assert!(ctrl(&mut m, 'c').is_empty() && m.dialogs.is_empty(), "{open}");
    }
    assert_eq!(m.module.name.bytes(), b"dummy");
    // A field with a list of values belongs to the same dialog.
    type_in(&mut m, "m");
    key(&mut m, KeyCode::Tab);
    assert!(ctrl(&mut m, 'c').is_empty() && m.dialogs.is_empty());
    type_in(&mut m, "2/net");
    assert!(ctrl(&mut m, 'c').is_empty());
    assert!(!m.masks.filtering && m.masks.filter.is_empty());
    // A dismissed line is recalled.
    type_in(&mut m, ":set khelper.deny=x");
    assert!(ctrl(&mut m, 'c').is_empty() && m.dialogs.is_empty());
    type_in(&mut m, ":");
    key(&mut m, KeyCode::Up);
    assert_eq!(m.line.typed.bytes(), b"set khelper.deny=x");
}

#[test]
fn a_draft_that_would_be_lost_is_asked_about() {
    let mut m = model();
    type_in(&mut m, "2 ");
    for quit in ["q", "\x03"] {
        assert!(if quit == "q" { type_in(&mut m, quit) } else { ctrl(&mut m, 'c') }.is_empty());
        assert!(m.top::<Quit>().is_some());
        // The message is not about a helper.
        type_in(&mut m, "k");
        key(&mut m, KeyCode::Esc);
        assert!(m.dialogs.is_empty() && !m.masks.changed(&m.snapshot).is_empty());
    }
    type_in(&mut m, "q");
    assert!(take(&mut m, fixtures::snapshot()).is_empty());
    assert!(matches!(key(&mut m, KeyCode::Enter)[..], [Effect::Quit { code: 0 }]));
    // With helpers too: the question stays until the last of them has ended, and closes once a choice was made.
    let mut m = fixtures::model(fixtures::busy(1), 80, 24);
    type_in(&mut m, "2 q");
    assert!(take(&mut m, fixtures::snapshot()).is_empty());
    take(&mut m, fixtures::busy(1));
    type_in(&mut m, "w\n");
    assert!(matches!(take(&mut m, fixtures::snapshot())[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn a_line_that_the_engine_refuses_stays() {
    let mut m = model();
    let text = "set khelper.max_concurrent=51 khelper.gate=disabled";
    let asked = line(&mut m, text);
    let no = |why| EngineError::new(Stage::Gate, Errno::EAGAIN, why, "wait").into();
    reply(&mut m, asked[0].0, Err(no("one")));
    reply(&mut m, asked[1].0, Err(no("two")));
    assert!(m.top::<CommandLine>().is_some() && m.line.typed.bytes() == text.as_bytes());
    let both = "khelper.max_concurrent was not changed: one (EAGAIN): wait\n\
                khelper.gate was not changed: two (EAGAIN): wait";
    assert_eq!((line_error(&m), status(&m)), (both, ""));
    // An operator who has left the line, or types another one, gets the answer as a message.
    ctrl(&mut m, 'u');
    let kill = line_again(&mut m, "kill 7");
    key(&mut m, KeyCode::Esc);
    reply(&mut m, kill, Err(no("gone")));
    assert_eq!(status(&m), "#7: SIGTERM: not done: gone (EAGAIN): wait");
    type_in(&mut m, ":");
    let kill = line_again(&mut m, "kill 8");
    type_in(&mut m, "8");
    reply(&mut m, kill, Ok(Reply::Done));
    assert_eq!((m.line.typed.bytes(), status(&m)), (&b"kill 88"[..], "#8: SIGTERM"));
    assert!(m.top::<CommandLine>().is_some());
}

#[test]
fn req_12_what_outlives_its_chain_is_reported() {
    let mut m = model();
    type_in(&mut m, ":");
    let end = line_again(&mut m, "kill --chain 9");
    let left = LeftProcess { pid: 70, comm: Comm::new(b"sh"), certain: true };
    let ended = ChainEnded { signalled: vec![9], left_processes: vec![left], ..ChainEnded::default() };
    reply(&mut m, end, Ok(Reply::ChainEnded(ended)));
    assert_eq!(line_error(&m), "#9: SIGTERM to its chain: #9 signalled; still running: pid 70 \"sh\"");
}

/// Types a line into the open command line; returns its only ticket.
fn line_again(m: &mut Model, text: &str) -> u64 {
    let mut effects = type_in(m, &format!("{text}\n"));
    assert!(matches!(effects.pop(), Some(Effect::Remember(_))));
    commands(effects).remove(0).0
}

#[test]
fn the_help_of_the_line_is_a_page_and_errors_keep_their_lines() {
    let mut m = model();
    assert!(line(&mut m, "help").is_empty());
    let page = m.top::<Page>().unwrap();
    assert!(
        page.lines.len() > 10 && page.lines.iter().any(|line| line.contains("set") && line.contains("Write knobs"))
    );
    key(&mut m, KeyCode::Esc);
    assert!(line(&mut m, "run --help").is_empty());
    assert!(m.top().is_some_and(|page: &Page| page.lines.len() > 10));
    key(&mut m, KeyCode::Esc);
    type_in(&mut m, ":request --foo x\n");
    assert!(line_error(&m).lines().count() > 2, "{}", line_error(&m));
}

#[test]
fn what_a_filter_cannot_hold_is_said() {
    let mut m = model();
    for screen in ["2", "3", "4"] {
        type_in(&mut m, &format!("{screen}/"));
        update(&mut m, Msg::Paste(vec![b'x'; 10_240]));
        assert!(status(&m).starts_with("10240 bytes do not fit into a field"), "{screen}");
        key(&mut m, KeyCode::Esc);
        m.status = None;
    }
}

#[test]
fn a_message_goes_with_its_screen_unless_it_is_bad_news() {
    let mut m = model();
    type_in(&mut m, "2z");
    assert_eq!(status(&m), "there is no draft to discard");
    type_in(&mut m, "1");
    assert_eq!(status(&m), "");
    m.say(Severity::Bad, "trouble");
    type_in(&mut m, "2");
    assert_eq!(status(&m), "trouble");
    // Nor does it stay when the next dialog opens.
    type_in(&mut m, "z");
    assert_eq!(status(&m), "there is no draft to discard");
    // Trouble that was read comes back, until it is dismissed.
    type_in(&mut m, ":");
    assert_eq!(status(&m), "trouble");
    key(&mut m, KeyCode::Esc);
    key(&mut m, KeyCode::Esc);
    assert_eq!(status(&m), "");
    // A paste that is inserted clears the message that one was not.
    let mut m = model();
    update(&mut m, Msg::Paste(b"x".to_vec()));
    assert!(status(&m).contains("was ignored"));
    type_in(&mut m, "m");
    key(&mut m, KeyCode::Tab);
    update(&mut m, Msg::Paste(b"x".to_vec()));
    assert!(status(&m).contains("was ignored"));
    key(&mut m, KeyCode::BackTab);
    update(&mut m, Msg::Paste(b"x".to_vec()));
    assert_eq!((m.module.name.bytes(), status(&m)), (&b"x"[..], ""));
}

fn warned(m: &Model) -> Vec<String> {
    crate::tui::model::warnings::all(m).into_iter().map(|warning| warning.text).collect()
}

#[test]
fn warnings_are_taken_away_and_come_back_when_it_happens_again() {
    let mut s = fixtures::overflowing();
    // Of several callers the log's line of one may come after the refusal of another.
    s.totals.refused_limit_at = Some(0);
    s.warnings.insert(0, fixtures::drain_failed(3));
    let mut m = fixtures::model(s.clone(), 80, 24);
    m.path_warnings = vec!["`/x` cannot be executed".into()];
    let runaway = "12:03:44 runaway loop? 30 refused by the limit: too many requests at once";
    let logged = "12:03:44 request_module: runaway loop modprobe dummy (×5)";
    let drain = "12:03:44 the drain gave up after 5 s and the gate is enabled again; still running: #3 foo";
    let path = "kernel.modprobe: `/x` cannot be executed (e edits the path)";
    assert_eq!(warned(&m), [runaway, logged, drain, path]);
    // The message is dismissed first; on another screen nothing is dismissed.
    m.say(Severity::Quiet, "x");
    key(&mut m, KeyCode::Esc);
    type_in(&mut m, "4");
    key(&mut m, KeyCode::Esc);
    type_in(&mut m, "1");
    assert_eq!(warned(&m).len(), 4);
    key(&mut m, KeyCode::Esc);
    assert_eq!(warned(&m), [drain, path]);
    take(&mut m, s.clone());
    assert_eq!(warned(&m), [drain, path], "the same again is no news");
    s.totals.refused_limit += 2;
    take(&mut m, s.clone());
    assert_eq!(warned(&m), [&runaway.replace("30", "2 more"), drain, path]);
    for left in [2, 1, 0, 0] {
        key(&mut m, KeyCode::Esc);
        assert_eq!(warned(&m).len(), left);
    }
    s.warnings.insert(0, fixtures::drain_failed(4));
    take(&mut m, s);
    assert_eq!(warned(&m), [drain]);
}

#[test]
fn a_reset_and_a_gate_that_works_take_their_warnings_along() {
    let mut s = fixtures::overflowing();
    s.warnings.insert(0, fixtures::drain_failed(3));
    let mut m = fixtures::model(s, 80, 24);
    let (ticket, _) = line(&mut m, "reset loop-messages").remove(0);
    assert_eq!(warned(&m).len(), 3);
    reply(&mut m, ticket, Ok(Reply::Done));
    assert_eq!(status(&m), "khelper.loop_messages: counted from 0 again");
    assert_eq!(
        warned(&m),
        ["12:03:44 the drain gave up after 5 s and the gate is enabled again; still running: #3 foo"]
    );
    let (ticket, _) = commands(type_in(&mut m, "ge\n")).remove(0);
    assert_eq!(warned(&m).len(), 1);
    reply(&mut m, ticket, Ok(Reply::Done));
    assert!(warned(&m).is_empty());
}

#[test]
fn what_was_asked_before_quitting_is_answered_by_the_operator() {
    let mut m = fixtures::model(fixtures::busy(1), 80, 24);
    assert!(type_in(&mut m, "q").is_empty());
    assert!(take(&mut m, fixtures::busy(1)).is_empty() && take(&mut m, fixtures::snapshot()).is_empty());
    assert!(crate::tui::testing::render::screen(&m).contains("no helper is alive"));
    assert!(matches!(type_in(&mut m, "\n")[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn umh_14_quitting_waits_for_the_last_helper() {
    let mut m = fixtures::model(fixtures::busy(2), 80, 24);
    assert!(type_in(&mut m, "qw").is_empty());
    let asked = commands(type_in(&mut m, "\n"));
    assert!(matches!(asked[..], [(_, Command::SetDepth(Depth::Disabled))]));
    assert!(take(&mut m, fixtures::busy(1)).is_empty());
    assert!(matches!(take(&mut m, fixtures::snapshot())[..], [Effect::Quit { code: 0 }]));

    let mut m = fixtures::model(fixtures::busy(2), 80, 24);
    type_in(&mut m, "qw\n");
    let back = commands(key(&mut m, KeyCode::Esc));
    assert!(matches!(back[..], [(_, Command::SetDepth(Depth::Enabled))]));
    assert!(m.dialogs.is_empty() && take(&mut m, fixtures::snapshot()).is_empty());
}

#[test]
fn umh_14_quitting_kills_by_term_then_kill() {
    let mut m = fixtures::model(fixtures::busy(2), 80, 24);
    let signals = |effects: Vec<Effect>| -> Vec<(u64, i32)> {
        let of = |(_, command)| match command {
            Command::Kill { id, signal } => Some((id, signal)),
            _ => None,
        };
        commands(effects).into_iter().filter_map(of).collect()
    };
    assert_eq!(signals(type_in(&mut m, "qk\n")), [(1, 15), (2, 15)]);
    assert!(signals(update(&mut m, Msg::Tick(91_000_000))).is_empty());
    let mut s = fixtures::busy(3);
    s.now = 91_500_000;
    assert_eq!(signals(take(&mut m, s)), [(3, 15)], "one that was queued gets its turn");
    assert_eq!(signals(update(&mut m, Msg::Tick(92_000_000))), [(1, 9), (2, 9), (3, 9)]);
    assert!(signals(update(&mut m, Msg::Tick(93_000_000))).is_empty());
    let quit = m.top::<Quit>().unwrap();
    assert!(matches!(&quit.stage, Quitting::Killing { termination, .. } if termination.signalled() == (3, 3)));
    assert!(matches!(take(&mut m, fixtures::snapshot())[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn quitting_leaves_them_running_or_goes_back() {
    let mut m = fixtures::model(fixtures::busy(2), 80, 24);
    assert!(ctrl(&mut m, 'c').is_empty());
    assert!(ctrl(&mut m, 'c').is_empty());
    assert_eq!(m.dialogs.len(), 1);
    key(&mut m, KeyCode::Esc);
    assert!(m.dialogs.is_empty());
    assert!(matches!(type_in(&mut m, "ql\n")[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn a_signal_ends_the_console() {
    let mut m = fixtures::model(fixtures::busy(2), 80, 24);
    assert!(matches!(update(&mut m, Msg::Signal(Signal::SIGTERM))[..], [Effect::Quit { code: 143 }]));
}

#[test]
fn read_only_refuses_with_words() {
    let mut m = model();
    m.options.read_only = true;
    m.tab = crate::tui::model::Tab::Masks;
    let footer = m.keys.footer(m.chain(), true);
    assert!(footer.iter().all(|(row, _)| !["module", "apply", "gate"].contains(&row.label)) && footer.len() > 5);
    for c in "mceg wpR".chars() {
        m.status = None;
        assert!(type_in(&mut m, &c.to_string()).is_empty());
        assert!(m.dialogs.is_empty(), "{c}");
        assert!(c == ' ' || status(&m).contains("read-only"), "{c}: {}", status(&m));
    }
    m.snapshot = fixtures::busy(1);
    assert!(matches!(type_in(&mut m, "q")[..], [Effect::Quit { code: 0 }]));
}

#[test]
fn stopping_and_repainting_work_in_dialogs_too() {
    let mut m = model();
    for keys in ["", "m", "?"] {
        type_in(&mut m, keys);
        assert!(matches!(ctrl(&mut m, 'z')[..], [Effect::Suspend]));
        assert!(matches!(ctrl(&mut m, 'l')[..], [Effect::Repaint]));
    }
}

#[test]
fn the_help_is_searched_by_typing() {
    let mut m = model();
    key(&mut m, KeyCode::Char('m'));
    key(&mut m, KeyCode::F(1));
    type_in(&mut m, "drain");
    let help = m.top::<Help>().unwrap();
    assert_eq!(help.search.bytes(), b"drain");
    key(&mut m, KeyCode::Esc);
    assert!(m.top::<Module>().is_some());
}

#[test]
fn a_timer_is_needed_only_while_something_moves() {
    let mut m = model();
    assert!(!m.needs_tick());
    take(&mut m, fixtures::busy(1));
    assert!(m.needs_tick());
    let mut s = fixtures::snapshot();
    (s.now, s.totals.launched) = (91_000_000, 1);
    take(&mut m, s);
    assert!(!m.needs_tick(), "a graph of the past stands still");
}

#[test]
fn a_command_that_panicked_may_have_done_its_part() {
    let mut m = model();
    let why = "khelper panicked while it performed this command";
    let error = || EngineError::new(Stage::Process, Errno::ECANCELED, why, "this is a bug").into();
    let kill = m.submit(Pending::Helper("#1 foo".into(), "TERM sent"), Command::Abandon(1));
    let set = m.submit(Pending::Set(vec![Key::Deny]), Command::ResetLoopMessages);
    for (effect, said) in [(kill, "#1 foo: perhaps done: "), (set, "khelper.deny was perhaps changed: ")] {
        let Effect::Submit { ticket, .. } = effect else { panic!() };
        reply(&mut m, ticket, Err(error()));
        assert!(status(&m).starts_with(&format!("{said}{why}")), "{}", status(&m));
        // It has been read.
        shown(&mut m);
        key(&mut m, KeyCode::Esc);
    }
}

#[test]
fn a_reply_to_an_unknown_ticket_says_nothing() {
    let mut m = model();
    assert!(reply(&mut m, 99, Ok(Reply::Done)).is_empty());
    assert_eq!(m.status, None);
}
