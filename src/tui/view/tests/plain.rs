//! Terminals that show only ASCII, and screen readers, which follow the terminal's cursor.

use ratatui::layout::Position;

use super::*;
use crate::abi::event::Level;
use crate::tui::model::log::Line;
use crate::tui::testing::arbitrary;
use crate::tui::testing::render::cursor;

/// Every screen and dialog, by its keys.
const EVERYWHERE: [&str; 24] = [
    "",
    "2 ",
    "m",
    "m\n",
    "c",
    "c\n",
    "e",
    "g",
    "?",
    "2 w",
    "2R",
    "2 p",
    "2 p\n",
    ":x\n",
    ":get -a\n",
    ":help\n",
    "2f",
    "q",
    "2/x",
    "2P",
    "2 y",
    "3",
    "3\n",
    "4",
];

/// A name, a path, an error and lines that are not ASCII.
fn foreign(columns: u16, rows: u16) -> Model {
    let mut s = fixtures::busy(2);
    s.knobs.modprobe = Arc::from("/opt/modprobé".as_bytes());
    s.knobs.deny = "größe".into();
    s.last.insert(0, Arc::new(fixtures::record(9, "café".as_bytes(), 256)));
    s.warnings = vec![fixtures::logged(1, Level::Error, "a hook said “no”")];
    let mut model = fixtures::model(s, columns, rows);
    model.ascii = true;
    update(&mut model, Msg::PathWarnings(vec!["`/opt/modprobé` is missing".into()]));
    let record = fixtures::record(9, "café".as_bytes(), 256);
    keys(&mut model, "3");
    update(&mut model, Msg::Looked(Box::new(fixtures::answer(std::slice::from_ref(&record), 0))));
    keys(&mut model, "1");
    model
}

#[test]
fn on_a_terminal_of_ascii_data_is_escaped_and_nothing_else_is_sent() {
    for (columns, rows) in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        for typed in EVERYWHERE {
            let mut model = foreign(columns, rows);
            keys(&mut model, typed);
            for cell in page(&model).content() {
                assert!(cell.symbol().is_ascii(), "{typed} at {columns}: {}", cell.symbol());
            }
        }
    }
    let mut model = foreign(120, 40);
    let says = |model: &Model, what: &str| {
        let screen = screen(model);
        assert!(screen.contains(what), "{what}:\n{screen}");
    };
    says(&model, r"#9 caf\xc3\xa9 ");
    says(&model, r"/opt/modprob\xc3\xa9");
    says(&model, r"gr\xc3\xb6\xc3\x9fe");
    says(&model, r"a hook said \xe2\x80\x9cno\xe2\x80\x9d");
    keys(&mut model, "mé");
    says(&model, r"> name        \xc3\xa9 ");
    // The cursor is after the escaped letter: four cells per byte.
    let at = cursor(&model).unwrap();
    let row = rows(&page(&model))[usize::from(at.y)].clone();
    assert!(row.chars().take(usize::from(at.x)).collect::<String>().ends_with(r"\xc3\xa9"), "{row}");
    // Its error, in the same way.
    keys(&mut model, &"ü".repeat(30));
    keys(&mut model, "\n");
    says(&model, "| x the module name has 62 bytes");
}

#[test]
fn escaped_data_keeps_the_frame_and_the_columns() {
    for (columns, rows_) in [(40, 10), (80, 24), (120, 40)] {
        let mut model = foreign(columns, rows_);
        keys(&mut model, "mé\n");
        keys(&mut model, "m");
        let drawn = rows(&page(&model));
        let edges: Vec<usize> =
            drawn.iter().filter(|row| row.starts_with('|') || row.contains("| >")).map(|r| r.len()).collect();
        assert!(edges.iter().all(|edge| *edge == edges[0]), "{drawn:?}");
        // The command that will run is wrapped, never cut.
        let argv = drawn.join(" ");
        assert!(argv.contains(r"runs '/opt/modprob\xc3\xa9' -q --"), "{argv}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_in_is_drawn_in_ascii(
        messages in proptest::collection::vec(arbitrary::messages(), 1..40),
        tab in 0usize..4,
        columns in 1u16..130,
        rows in 1u16..45,
    ) {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        (model.ascii, model.tab) = (true, Tab::ALL[tab]);
        for msg in messages {
            update(&mut model, msg);
            let page = page(&model);
            for cell in page.content() {
                prop_assert!(cell.symbol().is_ascii(), "{}", cell.symbol());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A braille display has a row to show, whatever the screen shows.
    #[test]
    fn the_cursor_is_always_on_the_screen(
        messages in proptest::collection::vec(arbitrary::messages(), 1..40),
        tab in 0usize..4,
        columns in 20u16..210,
        rows in 6u16..65,
    ) {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        model.tab = Tab::ALL[tab];
        for msg in messages {
            update(&mut model, msg);
            if model.columns >= 20 && model.rows >= 6 {
                let at = cursor(&model);
                prop_assert!(at.is_some_and(|at| at.x < model.columns && at.y < model.rows), "{at:?}\n{}", screen(&model));
            }
        }
    }
}

/// The keys, and the text at the cursor: in a list the row's mark, in a field the position of the next character.
const CURSORS: [(&str, &str); 20] = [
    ("", " ▸    #1 dummy"),
    ("2", "> cap_sys_module"),
    ("2↓", "> cap_sys_rawio"),
    ("2⇲", "> cap_checkpoint_restore"),
    ("2/net", " "),
    ("2/net\n", "> cap_net_"),
    ("3", ">#9"),
    ("3↓", ">#8"),
    ("4", ">"),
    ("4↑", ">"),
    ("g", "> freeze and drain"),
    ("g↓", "> disable and drain"),
    ("m", " "),
    ("mfoo←", "o"),
    ("m\t", "> wait"),
    ("2P↓", "> modules and firmware"),
    ("2 y↓", "> "),
    ("2 p", "> what"),
    ("2f", "─ cap_sys_module"),
    (":get -a\n", "kernel.modprobe ="),
];

#[test]
fn the_cursor_stands_on_what_is_chosen() {
    for (columns, rows_) in SIZES {
        for (typed, what) in CURSORS {
            let records = [fixtures::record(9, b"nine", 0), fixtures::record(8, b"eight", 256)];
            let mut model = fixtures::model(fixtures::busy(1), columns, rows_);
            keys(&mut model, "3");
            update(&mut model, Msg::Looked(Box::new(fixtures::answer(&records, 0))));
            let lines = ["one", "two"].map(|text| Line::new(Level::Warning, "12:03:44.017".to_owned(), None, text));
            update(&mut model, Msg::Logged(lines.into()));
            keys(&mut model, "1");
            keys(&mut model, typed);
            let Position { x, y } = cursor(&model).unwrap_or_else(|| panic!("{typed}: no cursor"));
            let row: String = rows(&page(&model))[usize::from(y)].chars().skip(usize::from(x)).collect();
            let row = format!("{row} ");
            assert!(row.starts_with(&what[..what.len().min(14)]), "{typed} at {columns}: {what:?} is not {row:?}");
        }
    }
}
