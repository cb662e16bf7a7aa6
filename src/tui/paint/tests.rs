//! The bytes that a terminal receives, and what it shows.

use std::fs::File;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use vt100::Parser;

use super::super::view;
use super::stream::foreign;
use super::*;
use crate::tui::msg::{Effect, Msg};
use crate::tui::testing::render::{page, row};
use crate::tui::testing::{arbitrary, fixtures};
use crate::tui::text;
use crate::tui::update::update;

#[test]
fn screen_passes_a_copy_on_in_pieces() {
    assert_eq!(through_screen("\x1b]52;c;eA==\x1b\\"), "\x1bP\x1b]52;c;eA==\x07\x1b\\");
    let long = format!("\x1b]52;c;{}\x1b\\", "A".repeat(1000));
    let wrapped = through_screen(&long);
    assert_eq!(wrapped.matches("\x1bP").count(), 5);
    assert!(wrapped.split("\x1b\\").all(|piece| piece.len() <= SCREEN_PIECE + 2));
    assert_eq!((foreign(wrapped.as_bytes()), foreign(long.as_bytes())), (None, None));
}

#[test]
fn what_is_foreign_is_found() {
    let ours = "\x1b[?1049h\x1b[?2026h\x1b[2;1H\x1b[0;1;4;91;107mé■\x1b[0m\x1b[?2026l\x1b]52;c;eA==\x1b\\";
    assert_eq!(foreign(ours.as_bytes()), None);
    let theirs: [&[u8]; 28] = [
        b"\x1b[2K",
        b"\x1b[m",
        b"\x1b[31m",
        b"\x1b[0;5m",
        b"\x1b[0;4;1m",
        b"\x1b[0;38;5;9m",
        b"\x1b[0;31;32m",
        b"\x1b[0;48m",
        b"\x1b[38;5;16m",
        b"\x1b[H",
        b"\x1b[0;0H",
        b"\x1b]0;title\x07",
        b"\x1b]52;c;e\x1bA==\x1b\\",
        b"\x1b]52;p;eA==\x1b\\",
        b"\x1bP1$r\x1b\\",
        b"\x1bc",
        b"\x07",
        b"\n",
        b"\t",
        b"\x7f",
        b"\x18x",
        b"\xff",
        b"\xc2\x9b",
        "\u{202e}".as_bytes(),
        "\u{301}".as_bytes(),
        "\u{200b}".as_bytes(),
        "漢".as_bytes(),
        b"\xe6\xbcx",
    ];
    for theirs in theirs {
        assert!(foreign(&[ours.as_bytes(), theirs, b"after"].concat()).is_some(), "{theirs:?}");
    }
    // Restored in the middle of a frame.
    for part in [&b"\x1b[38;5"[..], b"\x1b", b"\xe6\xbc", b"\x1b]52;c;eA"] {
        assert_eq!(foreign(&[ours.as_bytes(), part, b"\x18\x1b[?2026l\x1b[?1049l\r\nbye"].concat()), None);
    }
}

/// A painter whose terminal is a file, and a terminal that is fed from it.
struct Seen {
    painter: Painter,
    file: File,
    read: u64,
    parser: Parser,
}

impl Seen {
    fn new(model: &Model) -> Self {
        let file = tempfile::tempfile().unwrap();
        let tty = Tty::onto(file.try_clone().unwrap().into());
        let size = (model.columns, model.rows);
        let painter = Painter::new(Arc::new(tty), b"\x1b[?1049h", size, TerminalType::default());
        Self { painter, file, read: 0, parser: Parser::new(size.1, size.0, 0) }
    }

    /// Updates the model and draws. Returns the bytes sent to the terminal.
    fn take(&mut self, model: &mut Model, msg: Msg) -> Vec<u8> {
        let resized = matches!(msg, Msg::Resize { .. });
        for effect in update(model, msg) {
            if let Effect::Copy(bytes) = effect {
                self.painter.copy(&bytes);
            }
        }
        if resized {
            self.painter.repaint((model.columns, model.rows));
            self.parser.screen_mut().set_size(model.rows, model.columns);
        }
        self.painter.draw(model, view::draw).unwrap();
        let mut sent = vec![0; usize::try_from(self.file.metadata().unwrap().len() - self.read).unwrap()];
        self.file.read_exact_at(&mut sent, self.read).unwrap();
        self.read += sent.len() as u64;
        // This terminal does not show the replacement character.
        self.parser.process(String::from_utf8_lossy(&sent).replace('\u{fffd}', "■").as_bytes());
        sent
    }

    /// The cells that differ between the terminal and what was drawn.
    fn differs(&self, model: &Model) -> Option<String> {
        let drawn = page(model);
        (0..model.rows).find_map(|y| {
            let (shown, wanted) = (self.row(y), row(&drawn, y).replace('\u{fffd}', "■"));
            (shown != wanted).then(|| format!("row {y}:\n{shown}\n{wanted}"))
        })
    }

    fn row(&self, y: u16) -> String {
        let screen = self.parser.screen();
        let cells = (0..screen.size().1).filter_map(|x| screen.cell(y, x));
        cells.map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect()
    }
}

/// ctrl-l and a new size: whatever part of it a terminal has taken, no cell is blank that is not so in the page before
/// or after, also where synchronized updates are unknown.
#[test]
fn a_page_is_painted_over_and_never_blank_between() {
    let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
    let mut shown = Seen::new(&model);
    shown.take(&mut model, Msg::Tick(1));
    for (columns, rows) in [(80, 24), (100, 30), (70, 20)] {
        shown.parser.screen_mut().set_size(rows, columns);
        let screen = |seen: &Seen| (0..rows).map(|y| seen.row(y)).collect::<Vec<_>>();
        let before = screen(&shown);
        let mut slow = Parser::new(rows, columns, 0);
        slow.process(&shown.parser.screen().state_formatted());
        let sent = shown.take(&mut model, Msg::Resize { columns, rows });
        let after = screen(&shown);
        assert!(after.iter().filter(|row| !row.trim().is_empty()).count() > 8);
        for byte in sent {
            slow.process(&[byte]);
            let cell = |x, y| slow.screen().cell(y, x).filter(|c| c.has_contents()).map_or(" ", |c| c.contents());
            for y in 0..rows {
                let (old, new) = (&before[usize::from(y)], &after[usize::from(y)]);
                for (x, (old, new)) in (0..).zip(old.chars().zip(new.chars())) {
                    let is = cell(x, y).to_owned();
                    assert!(is == old.to_string() || is == new.to_string(), "`{is}` at {x}, {y}: {old} -> {new}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Keys, names, paths, outputs, comms, sizes, in any order: nothing panics, no dangerous byte reaches the terminal
    /// unescaped, and the terminal shows what was drawn.
    #[test]
    fn nothing_but_the_painters_own_reaches_the_terminal(
        messages in proptest::collection::vec(arbitrary::messages(), 1..60),
        tab in 0usize..4,
        columns in 2u16..210,
        rows in 1u16..65,
    ) {
        let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
        model.tab = crate::tui::model::Tab::ALL[tab];
        let mut shown = Seen::new(&model);
        for msg in messages {
            let sent = shown.take(&mut model, msg);
            prop_assert_eq!(foreign(&sent), None);
            // A terminal of one column cannot show what takes two.
            if model.columns > 1 {
                prop_assert_eq!(shown.differs(&model), None);
            }
        }
    }
}

/// As a terminal counts them, one after another, and as the painter does, which joins some: else a row would end up
/// askew, with remains of what stood there.
#[test]
fn whatever_is_shown_takes_the_same_columns_for_both() {
    let shown = (' '..'\u{20000}').filter(|c| crate::abi::escape::screen(c.to_string().as_bytes()) == c.to_string());
    let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
    for c in shown {
        for before in ['a', 'ｶ', 'क'] {
            let pair = format!("{before}{c}");
            let (end, _) = buffer.set_stringn(0, 0, &pair, 8, ratatui::style::Style::new());
            assert_eq!(usize::from(end), text::width(&pair), "{:x} after {before}", u32::from(c));
        }
    }
}
