//! The first bytes of a line: most lines are passed over by them.

use super::Wall;
use super::fields::{leading_number, number};

/// What every line of these versions begins with.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// When the line was written.
    pub(crate) wall: Wall,
    n: &'a [u8],
    /// The other fields.
    pub(crate) rest: &'a [u8],
}

impl<'a> Opening<'a> {
    /// `None` if it does not begin as a line of this version does.
    pub(crate) fn of(line: &'a [u8]) -> Option<Self> {
        let (wall, rest) = wall_of(line)?;
        let rest = rest.strip_prefix(b",\"n\":")?;
        let (n, rest) = rest.split_at(rest.iter().position(|b| *b == b',')?);
        Some(Self { wall, n, rest: &rest[1..] })
    }

    /// The number of the line.
    pub(crate) fn n(&self) -> Option<u64> {
        number(self.n).ok()
    }

    /// Whether it is about a request that is over; of no other line the id comes first.
    pub(crate) fn is_end(&self) -> bool {
        self.rest.starts_with(b"\"id\":")
    }

    /// Whether it is about a helper of the segment's run that was started.
    pub(crate) fn is_start(&self) -> bool {
        self.rest.starts_with(b"\"event\":\"started\",")
    }
}

fn wall_of(line: &[u8]) -> Option<(Wall, &[u8])> {
    let rest = [&b"{\"v\":1,\"t\":"[..], b"{\"v\":2,\"t\":"].iter().find_map(|begin| line.strip_prefix(*begin))?;
    let digits = if rest.first() == Some(&b'-') { &rest[1..] } else { rest };
    let (n, length) = leading_number(digits)?;
    let wall = Wall::try_from(n).ok()?;
    Some((if digits.len() < rest.len() { -wall } else { wall }, &digits[length..]))
}

/// When a line was written, from its first bytes alone; `None` if it does not begin as a line of this version does.
pub(crate) fn time_of(line: &[u8]) -> Option<Wall> {
    let (wall, rest) = wall_of(line)?;
    rest.starts_with(b",").then_some(wall)
}
