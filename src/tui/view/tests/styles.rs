//! The styles of the screens under each theme: colours and modifiers of the cells that matter; style is never the only
//! carrier of a meaning.

use ratatui::style::{Modifier, Style};

use super::*;
use crate::abi::record::{Outcome, Record};
use crate::control::text::outcome::ended_in_words;
use crate::tui::text;

/// A check: after these keys, the first cell of this text has this style of the theme.
type Look = (&'static str, &'static str, fn(&Theme) -> Style);

const LOOKS: [Look; 51] = [
    ("", "embedded engine", |t| t.target),
    ("", "[engine]", |t| t.target_tab),
    ("", " GATE SHUT ", |t| t.badge_bad),
    ("", " SLOTS FULL", |t| t.badge_bad),
    ("", "[1 Overview]", |t| t.tab),
    ("", "2 Masks", |t| t.text),
    ("", "Knobs ─", |t| t.title),
    ("", "Running 50", |t| t.focus),
    ("", "━", |t| t.frame),
    ("", "─", |t| t.dim),
    ("", "/sbin/modprobe", |t| t.title),
    ("", "‖ gate disabled", |t| t.bad),
    ("", "▸ 50 running, no slot", |t| t.bad),
    ("", "■", |t| t.bad),
    ("", "50 of 50, FULL", |t| t.bad),
    ("", "! 12:03:44 runaway loop?", |t| t.bad),
    ("", "! 12:03:44 the drain gave up", |t| t.warn),
    ("", "refused by the limit (", |t| t.warn),
    ("", "✗    #2", |t| t.bad),
    ("", "exit 1", |t| t.bad),
    ("", "✓    #1", |t| t.good),
    ("", "×50", |t| t.selected),
    ("4", "the log is empty", |t| t.dim),
    ("", "g gate", |t| t.key),
    ("2 ", "> cap_sys_module", |t| t.selected),
    ("2 ↓", "· drops", |t| t.draft),
    ("2 ", "draft open", |t| t.draft),
    ("2 ", "cap_sys_module  ", |t| t.selected),
    ("2 ", "━ Capab", |t| t.frame),
    ("2 ", "Capabilities 7-", |t| t.focus),
    ("2 ", "drops        ", |t| t.dim),
    ("2 ", "not yet: p runs", |t| t.warn),
    ("2 ", "~cap_sys_module", |t| t.title),
    ("2 ", "modprobe cannot", |t| t.bad),
    ("2", "modprobe cannot", |t| t.text),
    ("2 →", "[inherit]", |t| t.title),
    ("2w", "nothing to apply", |t| t.text),
    ("2 w", "cap_sys_module: modprobe", |t| t.bad),
    ("2 w", "all -> ~cap_sys_module", |t| t.title),
    ("2 w", "✗ not by a write", |t| t.bad),
    ("2 w", "19 letters missing", |t| t.dim),
    ("2 w\n", "✗ not done", |t| t.bad),
    ("m", "> name", |t| t.title),
    ("m\n", "✗ a module name", |t| t.bad),
    ("g", "> ", |t| t.selected),
    ("mx", "runs /sbin/modprobe", |t| t.text),
    ("c/x", "argv: /x", |t| t.text),
    ("2", "allows", |t| t.dim),
    ("e", "/sbin/modprobe  ", |t| t.prefilled),
    ("e", "selected: typing replaces it", |t| t.dim),
    ("e→", "/sbin/modprobe  ", |t| t.field),
];

fn themes() -> [(&'static str, Theme); 4] {
    Theme::NAMES.map(|name| (name, Theme::by_name(name).unwrap()))
}

/// Full slots, a shut gate, an outcome of each severity.
fn eventful() -> Snapshot {
    let mut s = fixtures::overflowing();
    s.gate = Depth::Disabled;
    s.totals = Default::default();
    s.totals.refused_limit = 30;
    s.warnings.insert(0, fixtures::drain_failed(1));
    s.last.truncate(1);
    s.last.push(Arc::new(fixtures::record(2, b"bad", 256)));
    s.last.push(Arc::new(fixtures::record(1, b"good", 0)));
    s
}

fn shown(state: &Snapshot, theme: Theme, typed: &str, (columns, rows): (u16, u16)) -> Buffer {
    let mut model = fixtures::model(state.clone(), columns, rows);
    model.theme = theme;
    keys(&mut model, typed);
    page(&model)
}

/// The first cell of `what`.
fn find(shown: &Buffer, what: &str) -> Option<(u16, u16)> {
    rows(shown).iter().enumerate().find_map(|(y, row)| {
        let (before, _) = row.split_once(what)?;
        Some((u16::try_from(text::width(before)).unwrap(), u16::try_from(y).unwrap()))
    })
}

#[test]
fn every_theme_shows_what_it_says() {
    let state = eventful();
    for (name, theme) in themes() {
        for (typed, what, wanted) in LOOKS {
            let shown = shown(&state, theme, typed, (99, 40));
            let at = find(&shown, what).unwrap_or_else(|| panic!("{typed}: no {what}:\n{}", rows(&shown).join("\n")));
            let (cell, wanted) = (&shown[at], wanted(&theme));
            let colours = (wanted.fg.unwrap_or(Color::Reset), wanted.bg.unwrap_or(Color::Reset));
            assert_eq!((cell.fg, cell.bg), colours, "{name}, {typed}: {what}");
            assert_eq!(cell.modifier, wanted.add_modifier, "{name}, {typed}: {what}");
        }
    }
}

/// A text, and the style of its first cell.
pub(super) type Styled = (&'static str, fn(&Theme) -> Style);

/// Checks in every theme and size that the first cell of each text has this style of the theme.
pub(super) fn every_size_shows(set: impl Fn(u16, u16) -> Model, looks: &[Styled]) {
    for ((name, theme), (columns, rows_)) in themes().into_iter().flat_map(|theme| SIZES.map(|size| (theme, size))) {
        let mut model = set(columns, rows_);
        model.theme = theme;
        let shown = page(&model);
        for (what, wanted) in looks {
            let at = find(&shown, what).unwrap_or_else(|| panic!("no {what}:\n{}", rows(&shown).join("\n")));
            let (cell, wanted) = (&shown[at], wanted(&theme));
            let colours = (wanted.fg.unwrap_or(Color::Reset), wanted.bg.unwrap_or(Color::Reset));
            assert_eq!((cell.fg, cell.bg), colours, "{name}, {columns} columns: {what}");
            assert_eq!(cell.modifier, wanted.add_modifier, "{name}, {columns} columns: {what}");
        }
    }
}

/// What differs, what failed and what worked have their styles, and their signs.
#[test]
fn a_rehearsal_has_styles() {
    let looks: [Look; 10] = [
        ("", "Rehearsal 12", |t| t.focus),
        ("", "━", |t| t.frame),
        ("", "program  ", |t| t.dim),
        ("", "/sbin/modprobe -q", |t| t.title),
        ("", "≠ They differ: under the draft it fails", |t| t.bad),
        ("", "✗ exit 1", |t| t.bad),
        ("", "✓ exit 0", |t| t.good),
        ("", "~cap_sys_module  ", |t| t.draft),
        ("", "≠ ended", |t| t.dim),
        ("", "modprobe: ERROR", |t| t.text),
    ];
    for (name, theme) in themes() {
        let mut model = fixtures::model(fixtures::snapshot(), 120, 40);
        model.theme = theme;
        states::fails_under_the_draft(&mut model);
        let shown = page(&model);
        for (_, what, wanted) in looks {
            let at = find(&shown, what).unwrap_or_else(|| panic!("no {what}:\n{}", rows(&shown).join("\n")));
            let wanted = wanted(&theme);
            assert_eq!(shown[at].fg, wanted.fg.unwrap_or(Color::Reset), "{name}: {what}");
            assert_eq!(shown[at].modifier, wanted.add_modifier, "{name}: {what}");
        }
    }
}

/// The purpose of each theme: its colours, and what is distinct without colours.
#[test]
fn themes_keep_to_their_colours() {
    use Color::{Black, Cyan, Green, LightBlue, LightCyan, LightGreen, LightMagenta, LightYellow};
    use Color::{LightRed, Magenta, Red, Reset, White, Yellow};
    let allowed: [(&str, &[Color], &[Color]); 4] = [
        ("ansi", &[Reset, Cyan, Green, Red, Yellow, Magenta], &[Reset]),
        ("plain", &[Reset], &[Reset]),
        (
            "high-contrast",
            &[Reset, White, Black, LightCyan, LightGreen, LightMagenta, LightRed, LightYellow],
            &[Reset, Black, White, Red, LightCyan],
        ),
        ("colour-blind", &[Reset, Black, Cyan, LightYellow, Yellow, LightBlue, White], &[Reset, LightYellow]),
    ];
    for ((name, fg, bg), (_, theme)) in allowed.into_iter().zip(themes()) {
        assert_eq!(Theme::by_name(name), Some(theme));
        for typed in
            LOOKS.map(|(typed, ..)| typed).iter().chain(&["3", "4", "?", "2P", "2 y", "q", "c\n", ":x\n", "2R"])
        {
            for cell in shown(&eventful(), theme, typed, (120, 40)).content() {
                assert!(fg.contains(&cell.fg) && bg.contains(&cell.bg), "{name}, {typed}: {:?} {:?}", cell.fg, cell.bg);
            }
        }
        // Good and bad, live and draft, selected and other rows, keys and words all differ.
        for (one, other) in [(theme.good, theme.bad), (theme.text, theme.draft), (theme.text, theme.selected)] {
            assert_ne!(one, other, "{name}");
        }
        assert_ne!(theme.key, theme.text, "{name}");
        // In the selected row nothing is faint or coloured; what is bad stays bold.
        assert_eq!(theme.chosen(Style::new().add_modifier(Modifier::DIM)), theme.selected, "{name}");
        assert_eq!(theme.chosen(theme.bad), theme.selected.add_modifier(Modifier::BOLD), "{name}");
    }
    let bold = |style: Style| style.add_modifier.contains(Modifier::BOLD);
    let plain = Theme::plain();
    assert!(bold(plain.bad) && bold(plain.warn) && bold(plain.draft) && !bold(plain.good) && !bold(plain.text));
    assert!(plain.selected.add_modifier.contains(Modifier::REVERSED));
    assert!(themes().iter().all(|(_, theme)| theme.prefilled != theme.field), "selected and typed text look different");
}

/// The words and symbols are the same in every theme: no meaning depends on colour.
#[test]
fn the_text_is_the_same_in_every_theme() {
    for size in SIZES {
        for typed in LOOKS.map(|(typed, ..)| typed).iter().chain(&["3", "4", "2f", "2P", "qk\n", "?"]) {
            let of = |theme| rows(&shown(&eventful(), theme, typed, size));
            let [ansi, others @ ..] = themes().map(|(_, theme)| of(theme));
            assert!(others.iter().all(|other| *other == ansi), "{typed} at {size:?}");
        }
    }
}

/// One record of each outcome.
fn every_ending() -> Vec<Record> {
    let refused = |id, stage, errno| fixtures::refused(id, b"x", stage, errno, "why");
    let other = |id, outcome, stage, errno| Record { outcome, ..refused(id, stage, errno) };
    let mut records = vec![
        fixtures::record(1, b"x", 0),
        fixtures::record(2, b"x", 256),
        fixtures::record(3, b"x", 9),
        fixtures::record(4, b"x", 0x8b),
        other(5, Outcome::ExecFailed, Stage::Exec, Errno::ENOENT),
        other(6, Outcome::ExecFailed, Stage::Process, Errno::EAGAIN),
        other(7, Outcome::Abandoned, Stage::Cancel, Errno::EINTR),
        other(8, Outcome::Lost, Stage::Lost, Errno::ECHILD),
        Record { outcome: Outcome::Noop, ..fixtures::record(9, b"x", 0) },
    ];
    records.extend((10..).zip(fixtures::REFUSALS).map(|(id, (stage, errno))| refused(id, stage, errno)));
    records
}

/// Each has its own symbol and word, on every screen that shows outcomes, in every size, also without colours and on a
/// terminal that shows only ASCII.
#[test]
fn every_ending_has_its_symbol_and_word_on_the_screen() {
    for (size, ascii) in SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
        for tab in ["1", "3"] {
            let mut seen = Vec::new();
            for record in every_ending() {
                let mut s = fixtures::snapshot();
                s.last = vec![Arc::new(record.clone())];
                let mut model = fixtures::model(s, size.0, size.1);
                (model.theme, model.ascii) = (Theme::plain(), ascii);
                keys(&mut model, tab);
                update(&mut model, Msg::Looked(Box::new(fixtures::answer(std::slice::from_ref(&record), 0))));
                let ending = ended_in_words(&record);
                let id = if tab == "1" { format!("#{} x ", record.id) } else { format!(">#{} ", record.id) };
                let row = rows(&page(&model)).into_iter().find(|row| row.contains(&id)).unwrap();
                // The Overview has columns.
                let row = row.split(['│', '|']).find(|row| row.contains(&id)).unwrap().to_owned();
                let word = ending.words.split(' ').next().unwrap().trim_end_matches(',');
                let (before, _) = row.split_once(&format!(" {word}")).unwrap_or_else(|| panic!("no {word}: {row}"));
                // In the list of the Overview the sign is the first in the row.
                let symbol = match tab {
                    "1" => row.trim_start().split(' ').next(),
                    _ => before.rsplit(' ').next(),
                };
                let symbol = symbol.unwrap();
                assert!(ascii || symbol == ending.symbol.to_string(), "{row}");
                assert!(!seen.contains(&symbol.to_owned()), "{row}: its symbol is another's too");
                seen.push(symbol.to_owned());
            }
        }
    }
}
