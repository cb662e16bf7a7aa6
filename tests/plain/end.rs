//! UMH-2, UMH-4, UMH-5.

use khelper::abi::Errno;
use khelper::abi::era::Era;
use khelper::policy::completion::{Check, End, OnCancel, OnComplete, check};
use proptest::prelude::*;

use super::{STEPS, config};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    Completed(i32),
    CallerLeft,
}

proptest! {
    #![proptest_config(config(256))]
    #[test]
    fn umh_5_the_end_as_a_plain_model_has_it(
        waits: bool,
        commands in prop::collection::vec(prop_oneof![any::<i32>().prop_map(Fact::Completed), Just(Fact::CallerLeft)], 1..STEPS),
    ) {
        let mut end = End::new(waits);
        let mut history = if waits { Vec::new() } else { vec![Fact::CallerLeft] };
        for fact in commands {
            let first = history.first().copied();
            let completed = history.iter().any(|f| matches!(f, Fact::Completed(_)));
            match fact {
                Fact::Completed(result) => {
                    let answer = match (completed, first) {
                        (true, _) => None,
                        (false, Some(Fact::CallerLeft)) => Some(OnComplete::Cleanup),
                        (false, _) => Some(OnComplete::Deliver),
                    };
                    prop_assert_eq!(end.complete(result), answer);
                }
                Fact::CallerLeft => {
                    let answer = match first {
                        Some(Fact::Completed(result)) => OnCancel::Take(result),
                        _ => OnCancel::Abandon,
                    };
                    prop_assert_eq!(end.cancel(), answer);
                }
            }
            history.push(fact);
            let taken = match history[0] {
                Fact::Completed(result) => Some(result),
                Fact::CallerLeft => None,
            };
            prop_assert_eq!(end.result(), taken);
        }
    }

    #[test]
    fn umh_2_the_checks_as_a_plain_model_has_them(
        current: bool,
        path in prop::option::of(prop::sample::select(vec![&b""[..], b"/x", b"/bin/true"])),
        shut: bool,
    ) {
        let era = if current { Era::Current } else { Era::V3_4 };
        let gate = if shut { Err(Errno::EBUSY) } else { Ok(()) };
        let looked: &[(bool, Check)] = if current {
            &[(shut, Check::Busy), (path == Some(b""), Check::Noop)]
        } else {
            &[(path == Some(b""), Check::Noop), (shut, Check::Busy)]
        };
        let first = looked.iter().find(|(holds, _)| *holds).map_or(Check::Go, |(_, check)| *check);
        let answer = if path.is_none() { Check::NoPath } else { first };
        prop_assert_eq!(check(era, path, gate), answer);
    }
}
