//! A screen as a picture.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// The size of a cell of DejaVu Sans Mono, for viewers that do not support `textLength`; box lines meet.
const CELL: (f32, f32) = (8.43, 16.3);
/// The 16 colours of xterm on black.
const PALETTE: [&str; 16] = [
    "#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5", "#767676", "#f14c4c",
    "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
];
const TEXT: &str = "#d4d4d4";
const GROUND: &str = "#1e1e1e";

#[derive(Clone, PartialEq)]
struct Look {
    text: String,
    ground: String,
    bold: bool,
    faint: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let colour = |colour, default: &str| match colour {
            Color::Default => default.to_owned(),
            Color::Idx(at) => PALETTE.get(usize::from(at)).copied().unwrap_or(default).to_owned(),
            Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        };
        let (mut text, mut ground) = (colour(cell.fgcolor(), TEXT), colour(cell.bgcolor(), GROUND));
        if cell.inverse() {
            std::mem::swap(&mut text, &mut ground);
        }
        Self { text, ground, bold: cell.bold(), faint: cell.dim(), underlined: cell.underline() }
    }
}

/// Every run of cells with the same style is one text, as wide as its cells in any font.
pub fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (f32::from(columns) * CELL.0 + 16.0, f32::from(rows) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, monospace\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut run: Option<(u16, String, Look)> = None;
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
            let look = Look::of(cell);
            let text = if cell.has_contents() { cell.contents() } else { " " };
            match &mut run {
                Some((_, said, same)) if *same == look => said.push_str(text),
                _ => {
                    put(&mut out, row, column, run.take());
                    run = Some((column, text.to_owned(), look));
                }
            }
        }
        put(&mut out, row, columns, run);
    }
    out + "</svg>\n"
}

fn put(out: &mut String, row: u16, end: u16, run: Option<(u16, String, Look)>) {
    let Some((start, text, look)) = run else { return };
    let (x, y) = (f32::from(start) * CELL.0 + 8.0, f32::from(row) * CELL.1 + 8.0);
    let width = f32::from(end - start) * CELL.0;
    if look.ground != GROUND {
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            CELL.1, look.ground
        )
        .unwrap();
    }
    let blanks = text.len() - text.trim_start().len();
    let said = text.trim();
    if said.is_empty() {
        return;
    }
    let cells = |text: &str| u16::try_from(unicode_width::UnicodeWidthStr::width(text)).unwrap();
    let (x, width) = (x + blanks as f32 * CELL.0, f32::from(cells(said)) * CELL.0);
    let bold = if look.bold { " font-weight=\"bold\"" } else { "" };
    let faint = if look.faint { " fill-opacity=\"0.6\"" } else { "" };
    let line = if look.underlined { " text-decoration=\"underline\"" } else { "" };
    let said = said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" xml:space=\"preserve\" fill=\"{}\"{bold}{faint}{line}>{said}</text>",
        y + 13.0,
        look.text
    )
    .unwrap();
}
