//! Where a query was stopped, so that it can go on later, in another process too.

use super::super::folder::Name;
use super::super::line::Wall;

/// The order of a segment among all: when it begins, its writer, and its series.
pub(super) type Order = (Wall, u32, bool);

/// The most segments that a position may name: a text from outside is read.
const MOST: usize = 10_000;

/// Where a query was stopped. Segments up to `begun` have been begun; of these, the ones in `open` have lines left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub(super) begun: Order,
    /// Each with the offset of its next line.
    pub(super) open: Vec<(Name, bool, u64)>,
}

impl Position {
    /// The position as text, which [`Position::parse`] reads.
    pub fn text(&self) -> String {
        let (wall, pid, of_failures) = self.begun;
        let mut text = format!("{wall}:{pid}:{}", u8::from(of_failures));
        for (name, of_failures, offset) in &self.open {
            text.push_str(&format!(" {}:{}:{}:{offset}", name.begun, name.pid, u8::from(*of_failures)));
        }
        text
    }

    /// Reads a position, which may come from anybody. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut items = text.split(' ');
        let mut begun = items.next()?.split(':');
        let order = (begun.next()?.parse().ok()?, begun.next()?.parse().ok()?, flag(begun.next()?)?);
        let open = |item: &str| {
            let mut parts = item.split(':');
            let name = Name { begun: parts.next()?.parse().ok()?, pid: parts.next()?.parse().ok()? };
            let position = (name, flag(parts.next()?)?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(position)
        };
        let open = items.take(MOST).map(open).collect::<Option<Vec<_>>>()?;
        begun.next().is_none().then_some(Self { begun: order, open })
    }

    /// The offset of the next line of a segment that has been begun; `None` if it has none left.
    pub(super) fn of(&self, name: &Name, of_failures: bool) -> Option<u64> {
        self.open.iter().find(|(open, series, _)| open == name && *series == of_failures).map(|(_, _, offset)| *offset)
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_position_is_read_back_and_nothing_else_is() {
        let open = vec![(Name { begun: 5, pid: 6 }, false, 7), (Name { begun: -8, pid: 9 }, true, u64::MAX)];
        let position = Position { begun: (-1, 2, true), open };
        assert_eq!(Position::parse(&position.text()), Some(position.clone()));
        assert_eq!(position.of(&Name { begun: -8, pid: 9 }, true), Some(u64::MAX));
        assert_eq!(position.of(&Name { begun: -8, pid: 9 }, false), None);
        for wrong in ["", "1", "1:2", "1:2:2", "1:2:0:4", "1:2:0 ", "1:2:0 1:2:0", "1:2:0 1:2:0:x", "1:2:0  1:2:0:3"] {
            assert_eq!(Position::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_from_outside_makes_it_panic(text in "[0-9: -]{0,40}") {
            if let Some(position) = Position::parse(&text) {
                prop_assert_eq!(Position::parse(&position.text()), Some(position));
            }
        }
    }
}
