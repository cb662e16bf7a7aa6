//! The capability sets of the calling thread: read, and cut (UMH-10, UMH-11). A set is never widened.

use caps::CapSet;
use nix::errno::Errno;
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_ambient_set, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::abi::birth::{Enforcement, SetsPlan};
use crate::abi::cap::{CapMask, CapSets, Capability};

/// The five sets. A set that cannot be read is empty: less is claimed than may be there.
pub(super) fn of_this_thread(known: CapMask) -> CapSets {
    let (inheritable, permitted, effective) = match capabilities(None) {
        Ok(sets) => (mask(sets.inheritable), mask(sets.permitted), mask(sets.effective)),
        Err(_) => Default::default(),
    };
    let those = |holds: fn(CapabilitySet) -> rustix::io::Result<bool>| {
        known.iter().filter(|c| holds(single(*c)).unwrap_or(false)).collect::<CapMask>()
    };
    CapSets {
        inheritable,
        permitted,
        effective,
        bounding: those(capability_is_in_bounding_set),
        ambient: those(capability_is_in_ambient_set),
    }
}

/// Cuts this thread so that what it starts is born within `plan`. The bounding set itself if that can be; else the
/// thread's own sets, and then the helper must get `no_new_privs`.
pub(super) fn narrow(now: &mut CapSets, plan: &SetsPlan) -> Enforcement {
    // Ambient capabilities would survive an exec past every other set.
    if caps::clear(None, CapSet::Ambient).is_err() && !now.ambient.is_empty() {
        return Enforcement::Refused;
    }
    now.ambient = CapMask::EMPTY;
    // Before any capset: dropping needs CAP_SETPCAP.
    let how = if drop_from_bounding(now, plan.bounding).is_ok() { Enforcement::Masks } else { Enforcement::NoNewPrivs };
    let within = |set: CapMask| if how == Enforcement::Masks { set } else { set & plan.bounding };
    let (permitted, effective) = (within(now.permitted), within(now.effective));
    let sets = rustix::thread::CapabilitySets {
        effective: CapabilitySet::from_bits_retain(effective.bits()),
        permitted: CapabilitySet::from_bits_retain(permitted.bits()),
        inheritable: CapabilitySet::from_bits_retain(plan.inheritable.bits()),
    };
    if set_capabilities(None, sets).is_err() {
        return Enforcement::Refused;
    }
    (now.permitted, now.effective, now.inheritable) = (permitted, effective, plan.inheritable);
    how
}

/// Leaves `to` in the bounding set. Nothing to drop needs no privilege.
fn drop_from_bounding(now: &mut CapSets, to: CapMask) -> Result<(), Errno> {
    let excess = now.bounding.minus(to);
    if excess.is_empty() {
        return Ok(());
    }
    if !now.effective.has(Capability::SETPCAP) && now.permitted.has(Capability::SETPCAP) {
        // This thread is the engine's own: it may raise for itself what its host holds but has not raised.
        caps::raise(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(|_| Errno::EPERM)?;
        now.effective = now.effective | CapMask::only(Capability::SETPCAP);
    }
    for cap in excess.iter() {
        remove_capability_from_bounding_set(single(cap)).map_err(|e| Errno::from_raw(e.raw_os_error()))?;
        now.bounding = now.bounding.minus(CapMask::only(cap));
    }
    Ok(())
}

fn single(cap: Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(CapMask::only(cap).bits())
}

fn mask(set: CapabilitySet) -> CapMask {
    CapMask::from_bits(set.bits())
}
