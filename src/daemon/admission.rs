//! How many connections each user may have, and how many commands in progress.

use crate::abi::sorted::SortedMap;

/// The most connections at one time.
pub const MOST: usize = 1024;
/// The most connections of a user that is neither user 0 nor the engine's.
const SHARE: usize = MOST / 4;
/// What is kept for user 0 and the engine's own user.
const KEPT: usize = MOST / 8;

/// Counts connections by user.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    own: u32,
    counts: SortedMap<u32, usize>,
    total: usize,
}

impl Admission {
    /// At most `most` connections, and never more than [`MOST`]. `own` is the engine's user.
    pub fn new(most: usize, own: u32) -> Self {
        Self { most: most.clamp(1, MOST), own, counts: SortedMap::new(), total: 0 }
    }

    /// Counts a connection of this user. The error is the reason why it is refused.
    pub fn enter(&mut self, uid: u32) -> Result<(), String> {
        let count = self.counts.get(&uid).copied().unwrap_or(0);
        let owner = uid == 0 || uid == self.own;
        let kept = if owner { 0 } else { KEPT.min(self.most / 8) };
        if self.total + kept >= self.most {
            return Err(format!("the daemon has {} connections, and accepts no more of uid {uid}", self.total));
        }
        if !owner && count >= SHARE.min(self.most / 4).max(1) {
            return Err(format!("uid {uid} has {count} connections, which is its share"));
        }
        *self.counts.or_insert(uid, || 0) += 1;
        self.total += 1;
        Ok(())
    }

    /// A connection of this user is over.
    pub fn leave(&mut self, uid: u32) {
        if let Some(count) = self.counts.get_mut(&uid) {
            *count -= 1;
            self.total -= 1;
            if *count == 0 {
                self.counts.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_share_and_the_owner_always_gets_in() {
        let mut admission = Admission::new(usize::MAX, 77);
        for _ in 0..SHARE {
            admission.enter(1000).unwrap();
        }
        assert!(admission.enter(1000).unwrap_err().contains("share"));
        for uid in 1001..1004 {
            for _ in 0..SHARE {
                let _ = admission.enter(uid);
            }
        }
        assert_eq!(admission.total, MOST - KEPT, "the rest is for the owner");
        for _ in 0..KEPT / 2 {
            admission.enter(0).unwrap();
            admission.enter(77).unwrap();
        }
        assert!(admission.enter(0).unwrap_err().contains("1024 connections"));
        admission.leave(1000);
        admission.enter(77).unwrap();
        (0..3).for_each(|_| admission.leave(9));
        assert_eq!(admission.total, MOST, "a user without connections changes nothing");
    }

    #[test]
    fn few_descriptors_mean_few_connections() {
        let mut admission = Admission::new(8, 0);
        assert!(admission.enter(5).is_ok() && admission.enter(5).is_ok() && admission.enter(5).is_err());
        assert_eq!((0..20).filter(|_| admission.enter(0).is_ok()).count(), 6);
    }
}
