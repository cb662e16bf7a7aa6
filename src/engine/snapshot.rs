//! The state of the engine at one moment.

use crate::abi::actor::Origin;
use crate::abi::snapshot::{Knobs, Slots, Snapshot, Totals};
use crate::policy::limit::ceiling;

use super::handle::Engine;
use super::inner::Inner;
use super::registry::kept::Kept;

/// The most live requests in a snapshot; `live_total` counts them all.
const RUNNING_SHOWN: usize = 256;
/// The most ended records in a snapshot.
const LAST_SHOWN: usize = 64;

impl Engine {
    /// The current state. It includes every event up to `seq`. In a forked child of the engine's process, this is the
    /// state of an engine in which nothing runs, with the gate disabled and a warning that explains it.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        if let Err(error) = self.check_process() {
            return inner.forked_snapshot(&error);
        }
        let (threads_max, host, known) = (inner.host.threads_max(), inner.host.sets(), inner.host.known());
        // Locks the registry first and the rest under it. A change is made before its event is numbered, so the
        // snapshot includes the change of every event up to `seq`.
        let registry = inner.registry.lock();
        let values = inner.sysctl.copy();
        let slots = inner.slots_now(ceiling(values.era, threads_max).min(values.max_concurrent));
        let (gate, draining, running_helpers) = {
            let g = inner.gate.lock();
            (g.depth(), g.draining(), u32::try_from(g.running_helpers()).unwrap_or(u32::MAX))
        };
        let records_lost = registry.sink.as_ref().map_or(0, |sink| sink.lost());
        let me = inner.actors.me(Origin::Library);
        Snapshot {
            seq: registry.bus.seq(),
            now: inner.now(),
            wall: inner.host.clock().wall(),
            pid: me.pid,
            uid: me.uid,
            knobs: Knobs {
                modprobe: values.path,
                bset: values.bset,
                inheritable: values.inheritable,
                era: values.era,
                max_concurrent: values.max_concurrent,
                allow: values.allow,
                deny: values.deny,
            },
            known,
            host,
            gate,
            draining,
            slots,
            running_helpers,
            live: registry.processes,
            queued: registry.queued,
            running: registry.live().take(RUNNING_SHOWN).cloned().collect(),
            live_total: registry.live().len(),
            watchers: registry.bus.watchers(),
            last: registry.ended().take(LAST_SHOWN).map(Kept::record).collect(),
            totals: Totals { records_lost, events_missed: registry.bus.missed(), ..registry.totals.clone() },
            warnings: registry.warnings.iter().cloned().collect(),
            provenance: registry.provenance.clone(),
            ledger: registry.sink.as_ref().and_then(|sink| sink.ledger()),
            kernel: None,
            rules: None,
        }
    }
}

impl Inner {
    fn slots_now(&self, limit: u32) -> Slots {
        let l = self.slots.lock();
        Slots {
            limit,
            concurrent: l.concurrent(),
            waiting: l.waiting(),
            peak: l.peak(),
            holders: l.holders().to_vec(),
            loop_messages: l.loop_messages(),
            suppressed: l.suppressed(),
        }
    }
}
