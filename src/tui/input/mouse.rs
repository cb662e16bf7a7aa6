//! Mouse reports, in the encoding without a limit of size: `ESC [ < button ; x ; y M`, or `m` for a release.

use crate::tui::msg::{Click, Mouse};

/// Decodes a press of the left button or a turn of the wheel; other reports are ignored.
pub(super) fn of_report(report: &[u8], end: u8) -> Option<Mouse> {
    let mut numbers = report.split(|b| *b == b';').map(number);
    let (button, x, y) = (numbers.next()??, numbers.next()??, numbers.next()??);
    // Shift, Alt and Control may be held.
    let what = match (button & !0b1_1100, end) {
        (0, b'M') => Click::Press,
        (64, b'M') => Click::WheelUp,
        (65, b'M') => Click::WheelDown,
        _ => return None,
    };
    numbers.next().is_none().then_some(Mouse { what, x: x.checked_sub(1)?, y: y.checked_sub(1)? })
}

fn number(digits: &[u8]) -> Option<u16> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_and_the_wheel_and_nothing_else() {
        let press = Mouse { what: Click::Press, x: 9, y: 4 };
        assert_eq!(of_report(b"0;10;5", b'M'), Some(press));
        assert_eq!(of_report(b"16;10;5", b'M'), Some(press));
        assert_eq!(of_report(b"65;1;1", b'M'), Some(Mouse { what: Click::WheelDown, x: 0, y: 0 }));
        for report in [&b"0;0;1"[..], b"32;1;1", b"2;1;1", b"0;1", b"0;1;1;1", b"0;+1;1", b"0;99999;1", b""] {
            assert_eq!(of_report(report, b'M'), None, "{report:?}");
        }
        assert_eq!(of_report(b"0;10;5", b'm'), None);
    }
}
