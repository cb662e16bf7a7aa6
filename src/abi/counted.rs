//! Numbers with their nouns.

use std::fmt::Display;

/// A number and its noun: `1 rule`, `3 rules`, `0 earlier requests`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = plural(&count, "", "s");
    format!("{count} {noun}{plural}")
}

/// What is said of one, or of another number.
pub fn plural<'a, N: PartialEq + From<u8>>(count: &N, one: &'a str, others: &'a str) -> &'a str {
    if *count == N::from(1) { one } else { others }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0u64, 1, 2].map(|count| counted(count, "rule")), ["0 rules", "1 rule", "2 rules"]);
        assert_eq!((plural(&1usize, "is", "are"), plural(&0usize, "is", "are")), ("is", "are"));
    }
}
