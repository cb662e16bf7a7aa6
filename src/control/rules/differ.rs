//! How two lists of rules differ. The first rule that matches decides, so their order is a part of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::policy::rules::{Rule, Rules};

/// The rules that only one of both lists has: those of the first one, those of the second one. A rule at another place is
/// in both answers; as few as possible are.
pub fn differing<'a>(one: &'a Rules, other: &'a Rules) -> (Vec<&'a Arc<Rule>>, Vec<&'a Arc<Rule>>) {
    let (one, other) = (firsts(one), firsts(other));
    let at: HashMap<&str, usize> = one.iter().enumerate().map(|(at, rule)| (&*rule.text, at)).collect();
    let kept = longest_rising(&other.iter().map(|rule| at.get(&*rule.text).copied()).collect::<Vec<_>>());
    let texts: HashSet<&str> = kept.iter().map(|at| &*other[*at].text).collect();
    let rest = |rules: Vec<&'a Arc<Rule>>| rules.into_iter().filter(|rule| !texts.contains(&*rule.text)).collect();
    (rest(one), rest(other))
}

/// Without those that stand once more behind an equal one: they decide nothing.
fn firsts(rules: &Rules) -> Vec<&Arc<Rule>> {
    let mut seen = HashSet::new();
    rules.rules().iter().filter(|rule| seen.insert(&*rule.text)).collect()
}

/// Where the longest row of rising numbers stands in a list of different ones.
fn longest_rising(list: &[Option<usize>]) -> Vec<usize> {
    // For each length, where the row of that length ends whose last number is the smallest.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; list.len()];
    for (at, number) in list.iter().enumerate().filter_map(|(at, number)| Some((at, (*number)?))) {
        let length = ends.partition_point(|(last, _)| *last < number);
        before[at] = length.checked_sub(1).map(|shorter| ends[shorter].1);
        match ends.get_mut(length) {
            Some(end) => *end = (number, at),
            None => ends.push((number, at)),
        }
    }
    let mut row: Vec<usize> = std::iter::successors(ends.last().map(|(_, at)| *at), |at| before[*at]).collect();
    row.reverse();
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rules::Source;
    use proptest::prelude::*;

    fn rules(names: &[u8]) -> Rules {
        let text: String = names.iter().map(|name| format!("deny name m{name}\n")).collect();
        Rules::parse(&[Source { path: "x.rules".into(), text: text.into_bytes() }]).unwrap()
    }

    fn differ(one: &[u8], other: &[u8]) -> (Vec<String>, Vec<String>) {
        let (one, other) = (rules(one), rules(other));
        let (removed, added) = differing(&one, &other);
        let names = |all: Vec<&Arc<Rule>>| all.iter().map(|rule| rule.text.replace("deny name ", "")).collect();
        (names(removed), names(added))
    }

    #[test]
    fn a_rule_at_another_place_is_a_difference() {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(differ(&[1, 2, 3], &[1, 2, 3]), (of(&[]), of(&[])));
        assert_eq!(differ(&[1, 2, 3], &[1, 3, 4]), (of(&["m2"]), of(&["m4"])));
        assert_eq!(differ(&[1, 2, 3, 4], &[4, 1, 2, 3]), (of(&["m4"]), of(&["m4"])));
        assert_eq!(differ(&[1, 2, 1], &[1, 2, 2]), (of(&[]), of(&[])), "the second of two equal ones decides nothing");
    }

    proptest! {
        /// What is left of both is one list in one order, and without what is listed they are equal.
        #[test]
        fn without_what_differs_both_are_the_same(one in proptest::collection::vec(0u8..9, 0..9),
                                                   other in proptest::collection::vec(0u8..9, 0..9)) {
            let (removed, added) = differ(&one, &other);
            let left = |names: &[u8], without: &[String]| {
                let mut seen = HashSet::new();
                names.iter().filter(|name| seen.insert(**name)).map(|name| format!("m{name}"))
                    .filter(|name| !without.contains(name)).collect::<Vec<_>>()
            };
            prop_assert_eq!(left(&one, &removed), left(&other, &added));
            prop_assert_eq!(removed.is_empty() && added.is_empty(), left(&one, &[]) == left(&other, &[]));
        }
    }
}
