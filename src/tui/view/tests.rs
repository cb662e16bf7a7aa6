mod kernel;
mod large;
mod lost;
mod many;
mod numbers;
mod plain;
mod reading;
mod rules;
mod states;
mod styles;
mod tour;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nix::errno::Errno;
use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::abi::argv_text;
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::depth::Depth;
use crate::abi::error::Stage;
use crate::abi::launch_spec::Enforcement;
use crate::abi::snapshot::Snapshot;
use crate::control::{MaskKnob, Reply};
use crate::tui::dialogs::apply::Apply;
use crate::tui::dialogs::gate::Gate;
use crate::tui::msg::{Click, Mouse, Msg};
use crate::tui::testing::fixtures::{self, KNOWN};
use crate::tui::testing::render::{keys, page, rows, screen};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::update::update;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 60)];

/// A snapshot of the screen at each size, after these keys.
fn at_every_size(name: &str, state: &Snapshot, typed: &str) {
    for (columns, rows) in SIZES {
        let mut model = fixtures::model(state.clone(), columns, rows);
        keys(&mut model, typed);
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(&model));
    }
}

#[test]
fn overview_empty() {
    at_every_size("overview_empty", &fixtures::snapshot(), "");
}

#[test]
fn overview_busy() {
    at_every_size("overview_busy", &fixtures::busy(12), "");
}

#[test]
fn overview_overflowing() {
    at_every_size("overview_overflowing", &fixtures::overflowing(), "");
}

#[test]
fn overview_refused() {
    let mut s = fixtures::snapshot();
    s.gate = Depth::Disabled;
    s.knobs.modprobe = Arc::from(&b""[..]);
    s.totals.by_outcome[4] = 9;
    s.last = (1..)
        .zip(fixtures::REFUSALS)
        .map(|(id, (stage, errno))| Arc::new(fixtures::refused(id, b"dummy", stage, errno, "why")))
        .collect();
    at_every_size("overview_refused", &s, "");
}

#[test]
fn masks_with_a_draft() {
    let mut s = fixtures::snapshot();
    s.knobs.inheritable = KNOWN.minus(CapMask::from_bits(1 << 16));
    at_every_size("masks_draft", &s, "2 → ");
}

#[test]
fn masks_live() {
    at_every_size("masks_live", &fixtures::snapshot(), "2");
}

/// Every screen that shows masks says that they do not confine root: as much as fits in one line of the screen, and all
/// of it where there is room. On a host that is not root, the text says what applies there.
#[test]
fn umh_11_every_place_of_the_masks_says_what_they_do_not_do() {
    let flat = |model: &Model| {
        let rows = rows(&page(model));
        let rows = crate::tui::testing::render::inside(&rows).unwrap_or(rows);
        let words = rows.iter().flat_map(|row| row.trim_matches([' ', '│']).split_whitespace());
        words.collect::<Vec<_>>().join(" ")
    };
    let whole = crate::control::text::outcome::MASKS_AND_ROOT;
    let places = [("2", false), ("2 ", false), ("2 w", true), ("2f", true), (":mask full\n", true)];
    for (columns, rows_) in SIZES {
        for (typed, wrapped) in places {
            let of = |uid| {
                let mut s = fixtures::snapshot();
                s.uid = uid;
                let mut model = fixtures::model(s, columns, rows_);
                keys(&mut model, typed);
                let mut said = flat(&model);
                // Read to its end.
                if wrapped {
                    for _ in 0..12 {
                        keys(&mut model, "⇟");
                        said += &flat(&model);
                    }
                }
                said
            };
            let (root, other) = (of(0), of(1000));
            assert!(root.contains("masks alone do not confine root"), "{typed} at {columns}: {root}");
            assert!(
                columns < 80 || root.contains(": a helper of uid 0 owns root's files"),
                "{typed} at {columns}: {root}"
            );
            assert!(columns < 80 || !wrapped || root.contains(whole), "{typed} at {columns}: {root}");
            if typed != ":mask full\n" {
                assert!(!other.contains("confine root"), "{typed} at {columns}: {other}");
                let says = "the engine is not root (uid 1000)";
                assert!(columns < 80 || other.contains(says), "{typed} at {columns}: {other}");
            }
        }
        // It takes one row, and continues where it was cut.
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows_);
        keys(&mut model, "2");
        let lines: Vec<String> = rows(&page(&model)).into_iter().filter(|row| row.contains("confine")).collect();
        assert!(lines.len() == 1 && lines[0].ends_with(" …"), "{lines:?}");
    }
}

#[test]
fn masks_filtered_and_their_lists() {
    at_every_size("masks_filter", &fixtures::snapshot(), "2/net");
    at_every_size("presets", &fixtures::snapshot(), "2P");
    at_every_size("copy", &fixtures::snapshot(), "2 y");
}

#[test]
fn dialogs_at_every_size() {
    let s = fixtures::snapshot();
    at_every_size("module", &s, "m\nxtables");
    at_every_size("call", &s, "c/bin/sh\t-c 'exit 3\n");
    at_every_size("path", &s, "e→\u{1}x\n");
    at_every_size("gate", &s, "g");
    at_every_size("apply", &s, "2nw\n");
    let mut narrow = s.clone();
    narrow.knobs.bset = CapMask::from_bits(0b1011);
    at_every_size("reset", &narrow, "2R");
    at_every_size("quit_draft", &s, "2 q");
    at_every_size("line_help", &s, ":help\n");
    at_every_size("line_error", &s, ":request --foo x\n");
    at_every_size("line_waits", &s, ":set khelper.deny=x\n");
    at_every_size("forms", &s, "2 f");
    at_every_size("help", &s, "?drain");
    at_every_size("line", &s, ":set kernel.\t\n");
    at_every_size("line_page", &s, ":mask cap_sys_module\n");
    at_every_size("rehearse", &s, "2 p→\tdummy");
    for (name, typed) in [("palette", ""), ("palette_kill", "kill"), ("palette_none", "zzz")] {
        for (columns, rows) in SIZES {
            let mut model = fixtures::model(s.clone(), columns, rows);
            update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('p'), KeyModifiers::CONTROL)));
            keys(&mut model, typed);
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(&model));
        }
    }
    at_every_size("quit", &fixtures::busy(12), "qk");
    at_every_size("quit_helpers_and_draft", &fixtures::busy(2), "2 →nq");
}

#[test]
fn the_call_dialog_shows_arguments_that_can_be_typed_so() {
    let typed = r#"-c 'say "it"' a\b "it's" '' 'two  blanks'"#;
    let mut model = fixtures::model(fixtures::snapshot(), 120, 40);
    keys(&mut model, &format!("c/bin/sh\t{typed}"));
    let shown = r#"argv: /bin/sh -c 'say "it"' $'a\\b' "it's" '' 'two  blanks'"#;
    assert!(screen(&model).contains(shown), "{}", screen(&model));
    let words = argv_text::split(shown.strip_prefix("argv: ").unwrap().as_bytes()).unwrap();
    assert_eq!(words[1..], argv_text::split(typed.as_bytes()).unwrap());
}

#[test]
fn rehearsal_at_every_size() {
    for (columns, rows) in SIZES {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        keys(&mut model, "2 p\n");
        let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
        let mut under_draft = fixtures::record(1, b"probe", 0);
        under_draft.caps =
            Some(CapSets { permitted: cut, effective: cut, bounding: KNOWN, ..CapSets::default() }.into());
        under_draft.enforced = Some(Enforcement::NoNewPrivs);
        for (ticket, record) in [(1, under_draft), (2, fixtures::record(2, b"probe", 0))] {
            update(&mut model, Msg::Replied { ticket, reply: Ok(Reply::Answered(Arc::new(record))) });
        }
        insta::assert_snapshot!(format!("rehearsal_{columns}x{rows}"), screen(&model));
    }
}

#[test]
fn warnings_say_who_and_what_to_do() {
    let mut s = fixtures::busy(1);
    let mut unconfined = fixtures::record(9, b"fo\x1bo", 0);
    unconfined.enforced = Some(Enforcement::NoNewPrivs);
    s.last.insert(0, Arc::new(unconfined));
    let mut model = fixtures::model(s.clone(), 120, 40);
    update(&mut model, Msg::PathWarnings(vec!["`/sbin/modprobe` is missing".into()]));
    s.knobs.deny = "x\u{1b}y".into();
    update(&mut model, Msg::Snapshot(Box::new(s)));
    let screen = screen(&model);
    for wanted in [
        "! kernel.modprobe: `/sbin/modprobe` is missing (e edits the path)",
        "! 12:03:44 #9 fo\\x1bo: masks enforced by no_new_privs, but CapBnd is not narrowed",
        "! 12:03:44 khelper.deny was changed by another writer: (empty) -> `x\\x1by`",
    ] {
        assert!(screen.contains(wanted), "{wanted}\n{screen}");
    }
}

#[test]
fn masks_that_do_nothing_say_so() {
    let mut s = fixtures::snapshot();
    s.uid = 1000;
    let mut model = fixtures::model(s, 120, 40);
    keys(&mut model, "2");
    let screen = screen(&model);
    let flat = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("not root (uid 1000)"), "{screen}");
    assert!(flat.contains("no effect: khelper has none itself"), "{screen}");
}

#[test]
fn the_target_is_named_on_every_screen_and_dialog() {
    for (columns, rows) in [(40, 3), (40, 10), (80, 24), (120, 40)] {
        for typed in [
            "",
            "2",
            "m",
            "c",
            "e",
            "g",
            "?",
            "2 w",
            "2R",
            "2 p",
            "2 p\n",
            ":x",
            ":get -a\n",
            "2f",
            "q",
            "2/x",
            "2P",
            "2y",
        ] {
            let mut model = fixtures::model(fixtures::busy(1), columns, rows);
            keys(&mut model, typed);
            let first = self::rows(&page(&model)).remove(0);
            let says = if columns < 80 { "pid 4121: kernel untouched" } else { "engine (pid 4121): " };
            assert!(first.starts_with("[engine]  ") && first.contains(says), "{typed}: {first}");
            assert!(first.contains("untouched"), "{typed}: {first}");
        }
    }
}

#[test]
fn meaning_has_a_style_and_no_color_has_none() {
    let mut model = fixtures::model(fixtures::overflowing(), 80, 24);
    let shown = page(&model);
    assert_eq!(shown[(0, 0)].fg, Color::Cyan);
    let (y, row) = rows(&shown).into_iter().enumerate().find(|(_, row)| row.contains(", FULL")).unwrap();
    assert!(row.starts_with(" ■"));
    assert_eq!(shown[(1, u16::try_from(y).unwrap())].fg, Color::Red);
    model.theme = Theme::plain();
    keys(&mut model, "2 w");
    for cell in page(&model).content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[test]
fn the_linux_console_gets_ascii_alone() {
    for typed in
        ["", "2 ", "m", "c", "g", "?", "2 w", "2R", "2 p", "2 p\n", ":x\n", ":get -a\n", "2f", "q", "2/x", "2P", "2 y"]
    {
        let mut model = fixtures::model(fixtures::overflowing(), 80, 24);
        model.ascii = true;
        keys(&mut model, typed);
        for cell in page(&model).content() {
            assert!(cell.symbol().is_ascii(), "{typed}: {}", cell.symbol());
        }
    }
    let mut model = fixtures::model(fixtures::overflowing(), 80, 24);
    model.ascii = true;
    insta::assert_snapshot!("overview_ascii_80x24", screen(&model));
}

#[test]
fn the_colour_blind_theme_has_neither_red_nor_green_and_contrast_is_never_dim() {
    let shown = |theme, typed: &str| {
        let mut model = fixtures::model(fixtures::overflowing(), 120, 40);
        model.theme = theme;
        keys(&mut model, typed);
        page(&model)
    };
    let mut seen = Vec::new();
    for typed in ["", "2 ", "2 w\n", "m\n"] {
        for cell in shown(Theme::colour_blind(), typed).content() {
            assert!(![Color::Red, Color::Green, Color::LightRed, Color::LightGreen].contains(&cell.fg), "{typed}");
            seen.push(cell.fg);
        }
        for cell in shown(Theme::high_contrast(), typed).content() {
            assert!(![Color::DarkGray, Color::Gray].contains(&cell.fg), "{typed}");
            assert!(!cell.modifier.contains(ratatui::style::Modifier::DIM), "{typed}");
        }
    }
    assert!(seen.contains(&Color::LightYellow) && seen.contains(&Color::White));
}

#[test]
fn rebound_keys_are_the_ones_that_are_shown() {
    let mut model = fixtures::model(fixtures::snapshot(), 120, 40);
    let rebind = |context, action, key| crate::tui::keymap::Rebind::new(context, action, vec![key], 1).unwrap();
    let key = |c| (KeyCode::Char(c), KeyModifiers::NONE);
    let both = vec![rebind("screens", "module", key('M')), rebind("masks", "apply", key('W'))];
    model.keys = crate::tui::keymap::Keymap::new(both).unwrap();
    assert!(screen(&model).contains("M asks for a module") && screen(&model).contains("M module"));
    keys(&mut model, "2");
    let flat = screen(&model).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("p rehearses,") && flat.contains("W applies") && flat.contains("W apply"), "{flat}");
    keys(&mut model, " w");
    assert!(model.dialogs.is_empty());
    keys(&mut model, "W");
    assert!(!model.dialogs.is_empty());
}

/// The left button is pressed on the first cell of `what`, as far as the screen shows it.
fn click(model: &mut Model, what: &str) {
    let (y, row) = rows(&page(model)).into_iter().enumerate().find(|(_, row)| row.contains(what)).unwrap();
    let x = text::width(&row[..row.find(what).unwrap()]);
    let (x, y) = (u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
    update(model, Msg::Mouse(Mouse { what: Click::Press, x, y }));
}

#[test]
fn what_is_clicked_is_what_is_shown() {
    for (columns, rows) in SIZES {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        // A small screen has the digits of the other screens alone.
        click(&mut model, if columns < 60 { "2 3 4" } else { "2 Masks" });
        assert_eq!(model.tab, Tab::Masks);
        // A click selects a name or toggles a box, in the draft only.
        click(&mut model, "cap_ipc_owner");
        assert_eq!(model.masks.capability().unwrap().name(), "cap_ipc_owner");
        assert!(model.masks.changed(&model.snapshot).is_empty());
        click(&mut model, "[■]");
        assert_eq!(KNOWN.minus(model.masks.draft(MaskKnob::Bset)), CapMask::from_bits(1 << 15));
        click(&mut model, if columns < 58 { "[■→·]" } else { "· drops  " });
        assert!(model.masks.changed(&model.snapshot).is_empty());
        let before = model.masks.cursor;
        update(&mut model, Msg::Mouse(Mouse { what: Click::WheelDown, x: 0, y: 0 }));
        assert_eq!(model.masks.cursor, before + 3);
        // Fields get the focus; a second click selects the next value of a list. A click never submits anything.
        keys(&mut model, "m");
        click(&mut model, "  wait");
        assert!((model.module.focus, model.module.wait) == (1, true));
        click(&mut model, "> wait");
        assert!((model.module.focus, model.module.wait) == (1, false));
        update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
        keys(&mut model, "g");
        click(&mut model, "disable and");
        assert!(matches!(model.top(), Some(Gate(1))) && model.pending.is_empty());
        // A click does not reach what is behind a dialog.
        update(&mut model, Msg::Mouse(Mouse { what: Click::Press, x: 2, y: 1 }));
        assert_eq!(model.tab, Tab::Masks);
    }
}

#[test]
fn a_draft_is_marked_by_symbol_and_words_too() {
    let mut s = fixtures::snapshot();
    s.knobs.bset = KNOWN.minus(CapMask::from_bits(1 << 16));
    let mut model = fixtures::model(s, 80, 24);
    // In the row under the cursor the colours give way.
    keys(&mut model, "2 ↓");
    let shown = page(&model);
    let (y, row) = rows(&shown).into_iter().enumerate().find(|(_, row)| row.contains("  cap_sys_module")).unwrap();
    assert!(row.contains("✗ lost"), "{row}");
    assert!(screen(&model).contains("✗ cap_sys_module: cannot be regained"), "{}", screen(&model));
    let x = (0..80).find(|x| shown[(*x, u16::try_from(y).unwrap())].symbol() == "✗").unwrap();
    assert_eq!(shown[(x, u16::try_from(y).unwrap())].fg, Color::Red);
}

#[test]
fn drawing_is_cheap_enough_to_be_done_at_every_key() {
    // No figure is asserted: the test only shows that the time does not grow with the number of helpers.
    let mut s = fixtures::busy(10_000);
    s.last = (0..64).map(|id| Arc::new(fixtures::record(id, b"dummy", 256))).collect();
    let model = fixtures::model(s, 120, 40);
    assert_eq!(rows(&page(&model)).len(), 40);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_size_is_drawn(columns in 1u16..130, rows in 1u16..45, at in 0usize..18) {
        let typed = ["", "2", "m", "c", "e", "g", "?", "2 w", "2R", "2 p", "2 p\n", ":x", ":get -a\n", "2f", "q", "2/x", "2P", "2y"][at];
        let mut model = fixtures::model(fixtures::overflowing(), columns, rows);
        keys(&mut model, typed);
        page(&model);
    }
}
