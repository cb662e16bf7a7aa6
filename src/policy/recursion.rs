//! The chain of requesters (REQ-12). It is shown with every refusal, and affects a decision only for an engine that
//! runs below another engine.

use crate::abi::actor::ChainLink;

/// Marks the links that are helpers of this engine. `helper_of` gives the request of a link.
pub fn chain(mut ancestry: Vec<ChainLink>, helper_of: impl Fn(&ChainLink) -> Option<u64>) -> Vec<ChainLink> {
    for link in &mut ancestry {
        link.helper_of = helper_of(link);
    }
    ancestry
}

/// Refuses requests of an engine below a process that runs the same executable: each engine would start another one,
/// without end.
pub fn engine_within(same_executable_above: Option<i32>) -> Result<(), String> {
    match same_executable_above {
        None => Ok(()),
        Some(pid) => Err(format!(
            "this engine runs below another engine of the same program (pid {pid}): engines would start one another without end"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Comm;

    #[test]
    fn req_12_links_that_are_helpers_are_marked() {
        let link = |pid| ChainLink { pid, comm: Comm::new(b"sh"), known: true, helper_of: None };
        let chain = chain(vec![link(10), link(11)], |link| (link.pid == 11).then_some(7));
        assert_eq!(chain.iter().map(|l| l.helper_of).collect::<Vec<_>>(), [None, Some(7)]);
        assert!(engine_within(Some(3)).is_err() && engine_within(None).is_ok());
    }
}
