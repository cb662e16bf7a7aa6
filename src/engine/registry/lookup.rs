//! What the registry knows about single requests.

use std::sync::Arc;

use super::kept::Kept;
use super::{Entry, Registry};
use crate::abi::actor::Actor;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;
use crate::engine::call::Call;
use crate::engine::cancel::Cancel;
use crate::policy::recursion::Asker;

impl Registry {
    /// The live requests, oldest first.
    pub(in crate::engine) fn live(&self) -> impl ExactSizeIterator<Item = &Live> {
        self.live.values().map(|e| &e.live)
    }
    /// The ended records, newest first.
    pub(in crate::engine) fn ended(&self) -> impl ExactSizeIterator<Item = &Kept> {
        self.ended.newest()
    }
    /// At most `most` ended records from serial number `from` on, oldest first, and the serial number of the first one.
    /// Records are numbered from 0 as they end; the number is larger than `from` if older records were dropped.
    pub(in crate::engine) fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Kept>) {
        let first = from.max(self.first);
        let at = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        (first, self.ended.from(at).take(most).cloned().collect())
    }
    /// At most `most` live requests with ids above `id`, oldest first, each with its record as it was when made.
    pub(in crate::engine) fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        let after = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
        self.live.range(after).take(most).map(|(_, e)| (e.live.clone(), e.draft.clone())).collect()
    }
    /// Whether a request ever had this id.
    pub(in crate::engine) fn knows(&self, id: u64) -> bool {
        id > self.before_first && id <= self.last_id
    }
    /// The call of a live request, once it has one.
    pub(in crate::engine) fn call(&self, id: u64) -> Option<Arc<Call>> {
        self.live.get(&id)?.call.clone()
    }
    /// Whether a request has not ended and has no call yet: it waits for a slot, or is still being checked.
    pub(in crate::engine) fn is_waiting(&self, id: u64) -> bool {
        self.live.get(&id).is_some_and(|entry| entry.call.is_none())
    }
    /// The record of a live request as it was when made.
    pub(in crate::engine) fn draft(&self, id: u64) -> Option<Arc<Record>> {
        Some(self.live.get(&id)?.draft.clone())
    }
    /// The `Cancel` that ends the wait of a live request's caller.
    pub(in crate::engine) fn cancel(&self, id: u64) -> Option<Cancel> {
        Some(self.live.get(&id)?.cancel.clone())
    }
    /// Notes the actor that ends the wait of a live request's caller; the first actor counts.
    pub(in crate::engine) fn note_abandoned_by(&mut self, id: u64, actor: Arc<Actor>) {
        if let Some(entry) = self.live.get_mut(&id) {
            entry.abandoned_by.get_or_insert(actor);
        }
    }
    /// The request whose helper made this live request.
    pub(in crate::engine) fn asked_by(&self, id: u64) -> Option<&Asker> {
        self.live.get(&id)?.asked_by.as_deref()
    }
    /// `top` and the requests below it, as far as they have not ended, oldest first.
    pub(in crate::engine) fn live_below(&self, top: u64) -> Vec<Live> {
        let below = |e: &&Entry| e.live.id == top || e.asked_by.as_ref().is_some_and(|asker| asker.is_below(top));
        self.live.range(top..).map(|(_, e)| e).filter(below).map(|e| e.live.clone()).collect()
    }
    /// The request that a chain began with, as far as its members are known: the oldest one above `id`.
    pub(in crate::engine) fn first_of(&self, id: u64) -> u64 {
        let mut first = id;
        loop {
            let asker = self.asked_by(first).and_then(|asker| asker.way_up().last().map(|top| top.id));
            let ended = || self.ended().find(|record| record.id() == first)?.asked_by();
            match asker.or_else(ended).filter(|above| *above < first) {
                Some(above) => first = above,
                None => return first,
            }
        }
    }
}
