//! REQ-2: lists of globs. The model tries every way to match, byte by byte.

use khelper::policy::authorize::{Globs, judge_name};
use proptest::prelude::*;

use super::config;

#[derive(Clone, Debug)]
enum Piece {
    Byte(u8),
    Any,
    Run,
    /// Whether it is negated; ranges of bytes, single ones included.
    Class(bool, Vec<(u8, u8)>),
}

/// Few letters, so that names and globs often meet; both spellings of the same letter and their neighbours.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(b'-'), 3 => Just(b'_'), 3 => prop::sample::select(&b"abAz09^`,.]["[..]), 1 => Just(b'!')]
}

fn range() -> impl Strategy<Value = (u8, u8)> {
    let graphic = || byte().prop_filter("a list ends there", |b| *b != b',');
    prop_oneof![
        2 => graphic().prop_map(|b| (b, b)),
        1 => (graphic(), graphic()).prop_map(|(a, b)| (a.min(b), a.max(b))),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        6 => byte().prop_filter("a list ends there", |b| *b != b',').prop_map(Piece::Byte),
        1 => Just(Piece::Any),
        2 => Just(Piece::Run),
        3 => (any::<bool>(), prop::collection::vec(range(), 1..4)).prop_map(|(not, of)| Piece::Class(not, of)),
    ]
}

/// As a person would write it; what means something is escaped, and sometimes what does not.
fn written(pieces: &[Piece]) -> String {
    let escaped =
        |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("\\{}", char::from(b)) };
    let plain = |b: u8| if b"-_.".contains(&b) { char::from(b).to_string() } else { escaped(b) };
    let one = |piece: &Piece| match piece {
        Piece::Byte(b) => plain(*b),
        Piece::Any => "?".to_owned(),
        Piece::Run => "*".to_owned(),
        Piece::Class(not, of) => {
            let ranges =
                of.iter().map(|(a, b)| if a == b { escaped(*a) } else { format!("{}-{}", escaped(*a), escaped(*b)) });
            format!("[{}{}]", if *not { "!" } else { "" }, ranges.collect::<String>())
        }
    };
    pieces.iter().map(one).collect()
}

/// The byte and the other spelling of it.
fn spellings(b: u8) -> Vec<u8> {
    if b"-_".contains(&b) { b"-_".to_vec() } else { vec![b] }
}

fn fits(pieces: &[Piece], name: &[u8]) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
    if let Piece::Run = first {
        return (0..=name.len()).any(|skipped| fits(rest, &name[skipped..]));
    }
    let Some((b, after)) = name.split_first() else { return false };
    let one = match first {
        Piece::Byte(own) => spellings(*b).contains(own),
        Piece::Class(not, of) => {
            *not != spellings(*b).iter().any(|b| of.iter().any(|(low, high)| low <= b && b <= high))
        }
        Piece::Any | Piece::Run => true,
    };
    one && fits(rest, after)
}

fn list() -> impl Strategy<Value = Vec<Vec<Piece>>> {
    prop::collection::vec(prop::collection::vec(piece(), 1..7), 0..4)
}

fn text(list: &[Vec<Piece>], separator: &str) -> String {
    list.iter().map(|glob| written(glob)).collect::<Vec<_>>().join(separator)
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn req_2_a_list_matches_what_the_model_matches(
        list in list(),
        separator in prop::sample::select(&[" ", ",", ", ", "\t\n", ",,"][..]),
        name in prop::collection::vec(byte(), 0..9),
    ) {
        let text = text(&list, separator);
        let globs = Globs::parse(text.as_bytes()).unwrap();
        let first = list.iter().find(|glob| fits(glob, &name)).map(|glob| written(glob));
        prop_assert_eq!(globs.find(&name), first.as_deref(), "{:?} {:?}", text, name);
        // A list reads back as itself.
        prop_assert_eq!(&Globs::parse(globs.text().as_bytes()).unwrap(), &globs);
    }

    #[test]
    fn req_2_the_spelling_of_a_name_changes_no_verdict(
        allow in list(), deny in list(), name in prop::collection::vec(byte(), 1..9), other in any::<u64>(),
    ) {
        let [allow, deny] = [allow, deny].map(|list| Globs::parse(text(&list, " ").as_bytes()).unwrap());
        let respelled: Vec<u8> = name.iter().enumerate().map(|(at, b)| {
            if b"-_".contains(b) { b"-_"[usize::from(other >> at & 1 == 1)] } else { *b }
        }).collect();
        let verdict = |name: &[u8]| judge_name(&allow, &deny, name).is_ok();
        prop_assert_eq!(verdict(&name), verdict(&respelled));
    }

    #[test]
    fn req_2_no_text_is_read_and_then_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(globs) = Globs::parse(&bytes) {
            prop_assert_eq!(Globs::parse(globs.text().as_bytes()).ok(), Some(globs));
        }
    }
}
