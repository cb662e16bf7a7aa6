//! What the finder says, for a person.

use crate::abi::cap::CapMask;
use crate::policy::finder::{
    BASELINES, CONFIRMATIONS, Compared, Doubt, Found, How, Judge, MOST_CAPABILITIES, MOST_RUNS, Refusal,
};

/// The words of a result.
pub const fn verdict(found: &Found) -> &'static str {
    match found {
        Found::Needs { .. } => "found",
        Found::NotConclusive(_) => "not conclusive",
        Found::Refused(_) => "refused",
    }
}

/// The names of a set, with commas; `none` if it is empty.
pub fn names(set: CapMask) -> String {
    let all: Vec<String> = set.iter().map(|cap| cap.name()).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// Why there is no result, and what to do; `None` if there is one.
pub fn why(found: &Found, resets: bool) -> Option<(String, String)> {
    match found {
        Found::Needs { .. } => None,
        Found::NotConclusive(doubt) => Some(doubted(doubt, resets)),
        Found::Refused(refusal) => {
            let (why, advice) = refused(*refusal);
            Some((why, advice.to_owned()))
        }
    }
}

fn doubted(doubt: &Doubt, resets: bool) -> (String, String) {
    let why = match doubt {
        Doubt::Differs(at) => {
            format!("with every capability, run {at} of {BASELINES} ended in another way than the first one")
        }
        Doubt::Drifts => "with every capability it ended in another way after the search than before".to_owned(),
        Doubt::MadeByFirstRun => {
            "without any capability it failed before the first run with all of them, and ends the same \
                                  since: that run may have made what later runs only find"
                .to_owned()
        }
        Doubt::FailsInAnotherWay => {
            "without any capability it failed in another way before the first run with all of them \
                                     than after it: that run may have made what later runs only find"
                .to_owned()
        }
        Doubt::UsedOnce(set) => {
            format!("the first run with every capability used {}, and no later run did", names(*set))
        }
        Doubt::Changed(changes) => format!("the machine is not as before the first run: {}", changes.join("; ")),
        Doubt::Unsteady(set, others) => {
            format!("with {}, {others} of {CONFIRMATIONS} runs ended in another way", names(*set))
        }
    };
    let advice = match (doubt, resets) {
        (Doubt::Unsteady(..), _) => "run it again; if it stays so, its end does not depend on capabilities alone",
        (_, false) => "give a program that undoes each run: --reset PROGRAM",
        (_, true) => "the reset must undo all that the program does, and nothing else may change it meanwhile",
    };
    (why, advice.to_owned())
}

fn refused(refusal: Refusal) -> (String, &'static str) {
    match refusal {
        Refusal::TimesOut => (
            "with every capability it did not end in time".to_owned(),
            "give a longer --timeout, or arguments with which it ends by itself",
        ),
        Refusal::PrintsSets => (
            "its output changes with each capability that is taken away, whichever that is: it shows its own sets"
                .to_owned(),
            "give a program, or arguments, whose output shows what it does and not what it may do",
        ),
        Refusal::TooMany => (
            format!(
                "it seems to need more than {MOST_CAPABILITIES} capabilities: its end may depend on the sets themselves"
            ),
            "split what it does into smaller programs, and look at each of them",
        ),
        Refusal::TooManyRuns => (
            format!("{MOST_RUNS} runs do not suffice: its end may depend on the sets themselves"),
            "split what it does into smaller programs, and look at each of them",
        ),
    }
}

/// The profile that gives a program just this set: a file of profiles.d.
pub fn profile(argv: &str, runs: usize, set: CapMask, judge: &Judge) -> String {
    let all: Vec<String> = set.iter().map(|cap| cap.name()).collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join(" ") };
    let (by, _) = judged(judge);
    format!(
        "# the least that this needs: {argv}\n# found by {runs} runs with the same {by}\n# capabilities alone do not confine \
         uid 0: add a user, paths or a read-only root\ncapabilities = {all}\n"
    )
}

/// By what two ends were compared: `exit status 0, stdout, stderr with numbers aside`, and what was not judged.
pub fn judged(judge: &Judge) -> (String, Vec<&'static str>) {
    let mut parts = vec![match judge.how() {
        How::Exited(code) => format!("exit status {code}"),
        How::Killed(signal) => format!("signal {signal}"),
        // A program that cannot be run has no result.
        How::TimedOut | How::NotExecuted(_) => "its end".to_owned(),
    }];
    let mut varies = Vec::new();
    for (text, compared) in judge.texts() {
        match compared {
            Compared::Exactly => parts.push(text.name().to_owned()),
            Compared::Folded => parts.push(format!("{} with numbers aside, since these vary", text.name())),
            Compared::Not => varies.push(text.name()),
        }
    }
    (parts.join(", "), varies)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::abi::argv_text;
    use crate::abi::cap::Capability;
    use crate::policy::finder::End;
    use crate::policy::profile::{Names, parse};
    use crate::policy::rules::Source;

    #[test]
    fn each_end_without_a_result_says_why_and_what_to_do() {
        let set = CapMask::only(Capability::SETPCAP);
        let doubts = [
            Doubt::Differs(2),
            Doubt::Drifts,
            Doubt::MadeByFirstRun,
            Doubt::FailsInAnotherWay,
            Doubt::UsedOnce(set),
            Doubt::Changed(vec!["the module dummy is loaded".into()]),
            Doubt::Unsteady(set, 3),
        ];
        let refusals = [Refusal::TimesOut, Refusal::PrintsSets, Refusal::TooMany, Refusal::TooManyRuns];
        let all = doubts.map(Found::NotConclusive).into_iter().chain(refusals.map(Found::Refused));
        let mut seen = std::collections::HashSet::new();
        for found in all {
            let (text, advice) = why(&found, false).unwrap();
            assert!(!text.ends_with('.') && !advice.is_empty() && seen.insert(text.clone()), "{text}");
        }
        let advice = |resets| why(&Found::NotConclusive(Doubt::Differs(2)), resets).unwrap().1;
        assert!(advice(false).contains("--reset PROGRAM") && !advice(true).contains("--reset PROGRAM"));
    }

    proptest! {
        /// Whatever the arguments are, the parser of profiles reads the set that was found, and nothing else.
        #[test]
        fn the_profile_is_read_as_just_the_set_that_was_found(bits in any::<u64>(), arg in any::<Vec<u8>>()) {
            let known = CapMask::up_to(40);
            let set = CapMask::from_bits(bits) & known;
            let end = End { how: How::Exited(0), check: None, texts: Default::default() };
            let argv = argv_text::join([&b"/bin/x"[..], &arg, b"a\nuser = root"]);
            let text = profile(&argv, 20, set, &Judge::of(&[&end]).unwrap());
            let source = Source { path: "/etc/khelper.d/profiles.d/x.profile".into(), text: text.clone().into_bytes() };
            let read = parse(&source, known, &Names { user: &|_| None, group: &|_| None });
            let read = read.unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
            prop_assert!(read.user.is_none() && read.paths.is_none() && read.calls.is_none());
            let sets = read.sets.map(|sets| (sets.bounding, sets.inheritable, sets.permitted, sets.ambient));
            prop_assert_eq!(sets, Some((set, set, set, CapMask::EMPTY)));
        }
    }

    #[test]
    fn what_varies_is_not_among_what_was_judged() {
        let end = |stdout: &str, stderr: &str| End {
            how: How::Exited(3),
            check: None,
            texts: [stdout.into(), stderr.into(), Vec::new(), Vec::new()],
        };
        let judge = Judge::of(&[&end("a", "at 1"), &end("b", "at 22")]).unwrap();
        let (by, varies) = judged(&judge);
        assert_eq!(by, "exit status 3, stderr with numbers aside, since these vary");
        assert_eq!(varies, ["stdout"]);
    }
}
