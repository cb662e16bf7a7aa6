//! A confirmation must show all that it names before it can be confirmed.

use std::collections::HashSet;

use super::*;
use crate::tui::model::Dialog;
use crate::tui::msg::Effect;
use crate::tui::update::shown;

/// The text between the edges of the dialog: its lines, and the pinned ones.
fn inside(model: &Model) -> Vec<String> {
    let rows = rows(&page(model));
    if let Some(rows) = crate::tui::testing::render::inside(&rows) {
        return rows;
    }
    rows.iter().skip(2).map(|row| row.trim().to_owned()).collect()
}

#[test]
fn what_has_to_be_typed_is_whole_on_every_screen() {
    let said = |model: &Model| inside(model).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    for (columns, rows) in SIZES {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        keys(&mut model, "2");
        for knob in [MaskKnob::Bset, MaskKnob::Inheritable] {
            model.masks.set(knob, CapMask::EMPTY);
        }
        keys(&mut model, "w");
        assert!(said(&model).contains("type `empty bset and empty inheritable`:"), "{columns}: {}", said(&model));
        // Still so with an error below it, and there is room to type.
        keys(&mut model, "x\n");
        assert!(said(&model).contains("type `empty bset and empty inheritable`: "), "{columns}: {}", said(&model));
        assert!(said(&model).contains(": > x") || said(&model).contains(": x"), "{columns}: {}", said(&model));
        assert!(said(&model).contains("✗ "), "{columns}: {}", said(&model));
    }
}

/// Every line of the confirmation, as on a terminal of the same width that is high enough; without the pinned lines.
fn whole(model: &Model) -> Vec<String> {
    let front = Areas::now(model).front;
    // Without a frame, its four columns belong to the text.
    let columns = if front.height < 7 { model.columns + 4 } else { model.columns };
    let mut high = fixtures::model(model.snapshot.clone(), columns, 120);
    high.masks = model.masks.clone();
    high.tab = Tab::Masks;
    keys(&mut high, "w");
    let lines = inside(&high);
    let pinned = |line: &String| ["> type `", "type `", "enter applies"].iter().any(|words| line.starts_with(words));
    lines.into_iter().take_while(|line| !pinned(line)).collect()
}

fn press(model: &mut Model, code: KeyCode, seen: &mut HashSet<String>) -> Vec<Effect> {
    seen.extend(inside(model));
    shown(model);
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn phrase(model: &Model) -> String {
    model.top().map(|apply: &Apply| apply.phrase.clone()).unwrap_or_default()
}

/// The confirmation of a draft that drops these from the live mask.
fn asked(columns: u16, rows: u16, live: [u64; 2], dropped: [u64; 2]) -> Model {
    let mut s = fixtures::snapshot();
    let of = |bits| CapMask::from_bits(bits) & KNOWN;
    (s.knobs.bset, s.knobs.inheritable) = (of(live[0]), of(live[1]));
    let mut model = fixtures::model(s, columns, rows);
    model.masks.set_both([of(live[0] & !dropped[0]), of(live[1] & !dropped[1])]);
    keys(&mut model, "2w");
    model
}

/// At 40x10 the error leaves one line of the list: it goes with the first key that moves on, and one page shows the rest.
#[test]
fn who_typed_before_reading_on_reads_one_page_and_applies() {
    let mut model = fixtures::demo(fixtures::snapshot(), 40, 10);
    keys(&mut model, "2 w");
    let typed = phrase(&model);
    assert_eq!(typed, "drop cap_sys_module");
    keys(&mut model, &format!("{typed}\n"));
    assert!(screen(&model).contains("first (more down)") && model.pending.is_empty(), "{}", screen(&model));
    for key in ["⇟", "↓"] {
        let mut model = fixtures::demo(fixtures::snapshot(), 40, 10);
        keys(&mut model, &format!("2 w{typed}\n{key}"));
        assert!(!screen(&model).contains("✗ not done") && screen(&model).contains("(1 more up)"), "{}", screen(&model));
        keys(&mut model, "\n");
        assert_eq!(model.pending.len(), 1, "{}", screen(&model));
    }
}

/// The answer to the write stays: its reader may have to scroll or enlarge the screen to read all of it.
#[test]
fn what_was_refused_stays_while_the_list_is_scrolled() {
    let mut model = fixtures::model(fixtures::snapshot(), 40, 10);
    keys(&mut model, "2 w");
    let mut apply = model.top::<Apply>().unwrap().clone();
    apply.refused("no room for these words ".repeat(20));
    model.dialogs.pop();
    model.open(apply);
    keys(&mut model, "⇟↓⇞");
    assert!(screen(&model).contains("✗ no room"), "{}", screen(&model));
    update(&mut model, Msg::Resize { columns: 80, rows: 24 });
    assert!(screen(&model).contains("✗ no room"), "{}", screen(&model));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_applied_before_every_line_of_it_was_on_the_screen(
        (columns, rows) in (24u16..88, 5u16..45),
        live in any::<[u64; 2]>(),
        dropped in any::<[u64; 2]>(),
        typed in any::<bool>(),
        steps in proptest::collection::vec((0u8..12, 24u16..88, 5u16..45), 0..30),
    ) {
        let mut model = asked(columns, rows, live, dropped);
        prop_assume!(model.top::<Apply>().is_some());
        let mut seen = HashSet::new();
        if typed {
            for c in phrase(&model).chars() {
                press(&mut model, KeyCode::Char(c), &mut seen);
            }
        }
        for (step, columns, rows) in steps {
            let code = match step {
                0..4 => KeyCode::PageDown,
                4..6 => KeyCode::Down,
                6 => KeyCode::PageUp,
                7 => KeyCode::Up,
                8 => KeyCode::F(1),
                9 => {
                    update(&mut model, Msg::Resize { columns, rows });
                    continue;
                }
                10 => {
                    // Keys faster than the screen: the page between was never shown.
                    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE)));
                    KeyCode::PageDown
                }
                _ => KeyCode::Enter,
            };
            let wanted = if code == KeyCode::Enter { whole(&model) } else { Vec::new() };
            if press(&mut model, code, &mut seen).iter().any(|effect| matches!(effect, Effect::Submit { .. })) {
                for line in wanted {
                    prop_assert!(seen.contains(&line), "{line}\n{}", screen(&model));
                }
                break;
            }
            if code == KeyCode::F(1) {
                press(&mut model, KeyCode::Esc, &mut seen);
            }
        }
    }

    #[test]
    fn who_reads_on_to_the_end_can_apply(
        (columns, rows) in (24u16..130, 8u16..45),
        live in any::<[u64; 2]>(),
        dropped in any::<[u64; 2]>(),
        by_line in any::<bool>(),
    ) {
        let mut model = asked(columns, rows, live, dropped);
        prop_assume!(model.top::<Apply>().is_some());
        let typed = phrase(&model);
        keys(&mut model, &"\n".repeat(2));
        keys(&mut model, &if by_line { "↓" } else { "⇟" }.repeat(60));
        keys(&mut model, &typed);
        prop_assert!(model.pending.is_empty() || model.pending.len() == 1);
        keys(&mut model, "\n");
        prop_assert_eq!(model.pending.len(), 1, "{}", screen(&model));
    }

    #[test]
    fn a_page_passes_nothing_over(columns in 24u16..130, rows in 8u16..45, at in 0usize..5) {
        let typed = ["2 f", "?", ":get -a\n", "2nw", "2np\n"][at];
        let mut model = fixtures::model(fixtures::overflowing(), columns, rows);
        keys(&mut model, typed);
        prop_assume!(!model.dialogs.is_empty());
        let mut end = 0;
        for _ in 0..60 {
            let (lines, shown) = frame::lines(&model).unwrap();
            prop_assert!(shown.start <= end, "{} > {end} of {}", shown.start, lines.len());
            if shown.end == lines.len() {
                break;
            }
            prop_assert!(shown.end > end, "stuck at {end}");
            end = shown.end;
            keys(&mut model, "⇟");
        }
    }
}

#[test]
fn the_frame_of_a_dialog_is_never_underlined() {
    let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
    model.theme = Theme::high_contrast();
    keys(&mut model, "2 w");
    let shown = page(&model);
    let edges: Vec<_> = shown.content().iter().filter(|cell| "│╭╮╰╯".contains(cell.symbol())).collect();
    assert!(edges.len() > 8);
    assert!(edges.iter().all(|cell| !cell.modifier.contains(ratatui::style::Modifier::UNDERLINED)));
}

/// Below 100 columns nothing of the page is left. From there on it is muted, so that it does not read like the dialog;
/// a theme without a muted style leaves it as it is.
#[test]
fn the_page_behind_a_dialog_is_muted_or_gone() {
    let opened = |columns, theme, typed: &str| {
        let mut model = fixtures::model(fixtures::busy(12), columns, 40);
        model.theme = theme;
        keys(&mut model, typed);
        page(&model)
    };
    let narrow = rows(&opened(99, Theme::ansi(), "1g"));
    let outside = |row: &&String| !row.contains(['│', '╭', '╰']);
    assert!(narrow[1..39].iter().filter(outside).all(String::is_empty), "{narrow:?}");
    assert!(narrow.iter().any(|row| row.starts_with('╭') && row.ends_with('╮')), "{narrow:?}");
    for columns in [100, 200] {
        for theme in Theme::NAMES.map(|name| Theme::by_name(name).unwrap()) {
            let (before, after) = (opened(columns, theme, "1"), opened(columns, theme, "1g"));
            let top = rows(&after).iter().position(|row| row.contains('╭')).unwrap();
            let edge = rows(&after)[top].chars().position(|c| c == '╭').unwrap();
            let mut muted = 0;
            for y in 1..39 {
                for x in 0..u16::try_from(edge).unwrap() {
                    let (was, is) = (&before[(x, y)], &after[(x, y)]);
                    assert_eq!(was.symbol(), is.symbol());
                    if theme == Theme::plain() {
                        assert_eq!(was, is);
                        continue;
                    }
                    assert_eq!(
                        (is.fg, is.bg),
                        (theme.dim.fg.unwrap_or(Color::Reset), theme.dim.bg.unwrap_or(Color::Reset))
                    );
                    assert_eq!(is.modifier, theme.dim.add_modifier);
                    muted += usize::from(is != was);
                }
            }
            assert!(theme == Theme::plain() || muted > 10, "{columns}: {muted} cells were muted");
        }
    }
}

#[test]
fn what_ended_with_an_error_is_no_broken_word() {
    let mut model = fixtures::model(fixtures::snapshot(), 40, 10);
    let line = crate::tui::model::log::Line::new(crate::abi::event::Level::Error, "12:00:00.000".into(), None, "x");
    model.log.take(vec![line]);
    keys(&mut model, "4");
    assert!(screen(&model).contains(">err  x"), "{}", screen(&model));
}
