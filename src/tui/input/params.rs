//! The parameters of a control sequence: groups separated by `;`, numbers within a group by `:`.

/// The number of groups stored, and of numbers in each. Further numbers of the last group (the text of a key) are
/// dropped.
const GROUPS: usize = 3;
const NUMBERS: usize = 3;

/// Missing numbers are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    numbers: [[u32; NUMBERS]; GROUPS],
    /// The number of groups.
    pub(super) groups: usize,
}

impl Params {
    /// Returns `None` for parameters of no key: a private prefix, an intermediate byte, a number out of range, too many
    /// groups or digits.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut params = Self::default();
        if bytes.is_empty() {
            return Some(params);
        }
        if bytes.len() > super::PARAMS_MAX {
            return None;
        }
        for group in bytes.split(|b| *b == b';') {
            let numbers = params.numbers.get_mut(params.groups)?;
            for (at, digits) in group.split(|b| *b == b':').enumerate() {
                let number = parse_number(digits)?;
                if let Some(slot) = numbers.get_mut(at) {
                    *slot = number;
                }
            }
            params.groups += 1;
        }
        Some(params)
    }

    /// A number by its group and its place in it, both counted from 0.
    pub(super) fn get(&self, group: usize, at: usize) -> u32 {
        self.numbers.get(group).and_then(|numbers| numbers.get(at)).copied().unwrap_or(0)
    }
}

fn parse_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return Some(0);
    }
    let all = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_numbers_have_their_places() {
        let params = Params::parse(b"97:65;2:1;65:769:770:771").unwrap();
        let of = |group| [0, 1, 2].map(|at| params.get(group, at));
        assert_eq!((params.groups, of(0), of(1), of(2)), (3, [97, 65, 0], [2, 1, 0], [65, 769, 770]));
        assert_eq!(params.get(3, 0) + params.get(0, 3), 0);
        let params = Params::parse(b";5").unwrap();
        assert_eq!((params.groups, params.get(0, 0), params.get(1, 0)), (2, 0, 5));
        assert_eq!(Params::parse(b"").unwrap().groups, 0);
    }

    #[test]
    fn what_no_key_has_is_refused() {
        for bytes in [&b"?1"[..], b"<0", b"1 ", b"1;2;3;4", b"4294967296", b"+1", b"1-", &[b'1'; 200]] {
            assert_eq!(Params::parse(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
