//! Rules with conditions, on a kernel that does not tell who waits for a helper.

use crate::policy::rules::Rules;

/// What such rules do for the shim where no requester is ever found; `None` if no rule looks at who asks, or if this
/// kernel tells what threads wait in. `misnamed` is what it says instead: [`crate::sys::linux::waiting::misnamed`].
pub fn unknown_requesters(rules: &Rules, misnamed: fn() -> Option<String>) -> Option<String> {
    let name = rules.asks_who().then(misnamed)??;
    Some(format!(
        "who asks is not known on this kernel (a reader of a pipe has `{name}` in /proc/PID/wchan), unless its trace tells it \
         to a daemon with --watch-kernel: else, for the shim, rules with conditions deny; such a deny holds for everybody, \
         and such an allow for nobody, root included"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rules::Source;

    fn rules(text: &str) -> Rules {
        Rules::parse(&[Source { path: "x".into(), text: text.as_bytes().to_vec() }]).unwrap()
    }

    #[test]
    fn only_rules_that_look_at_who_asks_are_at_fault_and_only_where_the_kernel_does_not_tell() {
        let (plain, asking) = (rules("deny name x\nallow *\n"), rules("deny name y\nallow name z uid=0\n"));
        let (right, wrong): (fn() -> _, fn() -> _) = (|| None, || Some("do_wait".to_owned()));
        for (rules, misnamed) in [(&plain, right), (&plain, wrong), (&asking, right), (&Rules::default(), wrong)] {
            assert_eq!(unknown_requesters(rules, misnamed), None);
        }
        let said = unknown_requesters(&asking, wrong).unwrap();
        assert!(said.contains("`do_wait`") && said.contains("rules with conditions deny"), "{said}");
    }
}
