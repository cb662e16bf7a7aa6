//! Everybody who waits for a helper of the kernel.

use crate::sys::linux::waiting::{Waiter, Waiting};

/// Everybody who waits for a helper, and so may have asked a question that is open. One who was killed since, or who is not
/// waited for, is unknown: where more helpers are waited for than there are requesters, the unknown one may be any helper's.
#[derive(Clone, Debug)]
pub struct Waiters(pub(super) Vec<Waiter>);

impl Waiters {
    /// Looks at every thread of this machine: that takes some milliseconds.
    pub fn now() -> Self {
        Self::of(&Waiting::now())
    }

    fn of(waiting: &Waiting) -> Self {
        let mut all: Vec<Waiter> = waiting.requesters.iter().map(|tid| Waiter::of(*tid)).collect();
        if all.len() < waiting.workers {
            all.push(Waiter::default());
        }
        Self(all)
    }

    /// Whether there is one alone, who is known.
    pub fn is_one(&self) -> bool {
        matches!(&self.0[..], [one] if one.ids.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_more_than_requesters_means_that_one_is_unknown() {
        let count = |workers, requesters| requesters_of(workers, requesters).len();
        assert_eq!([count(0, 0), count(1, 1), count(2, 1), count(1, 0), count(1, 2)], [0, 1, 2, 1, 2]);
    }

    fn requesters_of(workers: usize, count: usize) -> Vec<Waiter> {
        Waiters::of(&Waiting { requesters: vec![-1; count], workers }).0
    }
}
