//! Who asked whom (REQ-12): the chain of requesters of a request, the tree of requests, and the loops in it. All of it
//! is shown and never decides whether a request is served. Only two rules decide something: a request of an engine that
//! runs below another engine is refused, and so is a request of a chain that is being ended.

mod chain;
mod tree;

pub use chain::{Asker, Chain, LONGEST, Session, chain, members};
pub use tree::{Node, Row, forest, loop_in, named};

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

    #[test]
    fn req_12_an_engine_below_another_one_is_refused() {
        assert!(engine_within(Some(3)).is_err() && engine_within(None).is_ok());
    }
}
