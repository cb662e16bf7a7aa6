//! The knobs and their lock, `umh_sysctl_lock` (SYS-7, SYS-9). The lock is held to copy or change values, never across
//! I/O or a launch.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::era::Era;
use crate::abi::error::ParseError;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::mask::MaskExpr;
use crate::policy::authorize::Globs;
use crate::policy::limit::{MAX_KMOD_CONCURRENT, ceiling};
use crate::policy::masks;

use super::sync::{Mutex, lock};

/// A copy of every writable knob.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) path: Arc<[u8]>,
    pub(super) bset: CapMask,
    pub(super) inheritable: CapMask,
    /// Counts the changes of the masks. A worker keeps the generation that it was narrowed for.
    pub(super) generation: u64,
    pub(super) era: Era,
    pub(super) max_concurrent: u32,
    pub(super) allow: Globs,
    pub(super) deny: Globs,
    /// Whether a request has been made: the era is fixed from then on (SYS-9).
    requested: bool,
}

/// One write of a knob, already parsed.
#[derive(Clone, Debug)]
pub enum KnobWrite {
    /// `kernel.modprobe`.
    Modprobe(Arc<[u8]>),
    /// `kernel.usermodehelper.bset`.
    Bset(MaskExpr),
    /// `kernel.usermodehelper.inheritable`.
    Inheritable(MaskExpr),
    /// `bset` back to full (SYS-8).
    ResetBset,
    /// `inheritable` back to full (SYS-8).
    ResetInheritable,
    /// `khelper.era`.
    Era(Era),
    /// `khelper.max_concurrent`.
    MaxConcurrent(u32),
    /// `khelper.allow`.
    Allow(Globs),
    /// `khelper.deny`.
    Deny(Globs),
}

impl KnobWrite {
    /// The knob that this writes.
    pub const fn key(&self) -> Key {
        match self {
            Self::Modprobe(_) => Key::Modprobe,
            Self::Bset(_) | Self::ResetBset => Key::Bset,
            Self::Inheritable(_) | Self::ResetInheritable => Key::Inheritable,
            Self::Era(_) => Key::Era,
            Self::MaxConcurrent(_) => Key::MaxConcurrent,
            Self::Allow(_) => Key::Allow,
            Self::Deny(_) => Key::Deny,
        }
    }
}

/// The knobs.
pub(super) struct Sysctl {
    umh_sysctl_lock: Mutex<Values>,
    known: CapMask,
}

impl Sysctl {
    /// The knobs with their values at start (SYS-8).
    pub(super) fn new(known: CapMask) -> Self {
        let values = Values {
            path: b"/sbin/modprobe"[..].into(),
            bset: known,
            inheritable: known,
            generation: 0,
            era: Era::V3_4,
            max_concurrent: MAX_KMOD_CONCURRENT,
            allow: Globs::default(),
            deny: Globs::default(),
            requested: false,
        };
        Self { umh_sysctl_lock: Mutex::new(values), known }
    }

    /// All capabilities of the running kernel.
    pub(super) fn known(&self) -> CapMask {
        self.known
    }

    /// A copy of all knobs, made under one hold of the lock.
    pub(super) fn copy(&self) -> Values {
        lock(&self.umh_sysctl_lock).clone()
    }

    /// The current modprobe path.
    pub(super) fn path(&self) -> Arc<[u8]> {
        lock(&self.umh_sysctl_lock).path.clone()
    }

    /// The current `khelper.max_concurrent`: the limit on requests, without the part that depends on threads-max in era
    /// 3.4. Reads no file, so it may be called under the lock of the slots.
    pub(super) fn slots(&self) -> u32 {
        lock(&self.umh_sysctl_lock).max_concurrent.min(MAX_KMOD_CONCURRENT)
    }

    /// Like [`Self::copy`], for a request: the era is fixed from now on.
    pub(super) fn copy_for_request(&self) -> Values {
        let mut values = lock(&self.umh_sysctl_lock);
        values.requested = true;
        values.clone()
    }

    /// Applies all of `writes` under one hold of the lock, or none of them (SYS-9). The error names the knob.
    pub(super) fn write(
        &self,
        writes: &[KnobWrite],
        threads_max: Option<u32>,
    ) -> Result<Vec<Change>, (Key, ParseError)> {
        let mut values = lock(&self.umh_sysctl_lock);
        let mut next = values.clone();
        let changes = writes
            .iter()
            .map(|write| apply(&mut next, write, self.known, threads_max).map_err(|e| (write.key(), e)))
            .collect::<Result<Vec<_>, _>>()?;
        if (next.bset, next.inheritable) != (values.bset, values.inheritable) {
            next.generation += 1;
        }
        *values = next;
        Ok(changes)
    }
}

fn apply(
    values: &mut Values,
    write: &KnobWrite,
    known: CapMask,
    threads_max: Option<u32>,
) -> Result<Change, ParseError> {
    let key = write.key();
    Ok(match write {
        KnobWrite::Modprobe(path) => {
            let before = std::mem::replace(&mut values.path, path.clone());
            Change::new(key, KnobValue::Path(before), KnobValue::Path(path.clone()))
        }
        KnobWrite::Bset(expr) => narrow(key, &mut values.bset, *expr, known),
        KnobWrite::Inheritable(expr) => narrow(key, &mut values.inheritable, *expr, known),
        KnobWrite::ResetBset => put(key, &mut values.bset, known, CapMask::EMPTY),
        KnobWrite::ResetInheritable => put(key, &mut values.inheritable, known, CapMask::EMPTY),
        KnobWrite::Era(era) => {
            if values.requested && *era != values.era {
                return Err(ParseError::with(
                    Errno::EBUSY,
                    "the era is fixed by the first request",
                    "start an engine with `--set khelper.era=current`",
                ));
            }
            let before = std::mem::replace(&mut values.era, *era);
            Change::new(key, KnobValue::Era(before), KnobValue::Era(*era))
        }
        KnobWrite::MaxConcurrent(max) => {
            let most = ceiling(values.era, threads_max);
            if *max < 1 || *max > most {
                return Err(ParseError::invalid(
                    format!("{max} is not in the range from 1 to {most}"),
                    format!(
                        "give a number from 1 to {most}: a kernel has no more slots, and 0 would refuse all requests"
                    ),
                ));
            }
            Change::new(key, std::mem::replace(&mut values.max_concurrent, *max), *max)
        }
        KnobWrite::Allow(globs) => lists(key, &mut values.allow, globs),
        KnobWrite::Deny(globs) => lists(key, &mut values.deny, globs),
    })
}

fn lists(key: Key, live: &mut Globs, globs: &Globs) -> Change {
    let before = std::mem::replace(live, globs.clone());
    Change::new(key, KnobValue::Globs(before), KnobValue::Globs(globs.clone()))
}

fn narrow(key: Key, live: &mut CapMask, expr: MaskExpr, known: CapMask) -> Change {
    let write = masks::write(*live, expr.resolve(*live, known));
    put(key, live, write.after, write.not_granted)
}

fn put(key: Key, live: &mut CapMask, after: CapMask, not_granted: CapMask) -> Change {
    let before = std::mem::replace(live, after);
    Change { not_granted, ..Change::new(key, before, after) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Capability;
    use crate::abi::error::Explain;

    const KNOWN: CapMask = CapMask::up_to(40);

    #[test]
    fn sys_8_at_start() {
        let v = Sysctl::new(KNOWN).copy();
        assert_eq!(
            (&*v.path, v.bset, v.inheritable, v.era, v.max_concurrent),
            (&b"/sbin/modprobe"[..], KNOWN, KNOWN, Era::V3_4, 50)
        );
    }

    #[test]
    fn sys_4_a_write_only_intersects_and_says_what_was_not_granted() {
        let sysctl = Sysctl::new(KNOWN);
        let module = CapMask::only(Capability::SYS_MODULE);
        sysctl.write(&[KnobWrite::Bset(MaskExpr::Exactly(module))], None).unwrap();
        let c = sysctl.write(&[KnobWrite::Bset(MaskExpr::Exactly(KNOWN))], None).unwrap();
        assert_eq!((c[0].masks(), c[0].not_granted), (Some((module, module)), KNOWN.minus(module)));
        assert_eq!(c[0].after.to_string(), "65536\t0");
    }

    #[test]
    fn sys_9_all_or_none() {
        let sysctl = Sysctl::new(KNOWN);
        let empty = KnobWrite::Bset(MaskExpr::Exactly(CapMask::EMPTY));
        let (key, _) = sysctl.write(&[empty.clone(), KnobWrite::MaxConcurrent(51)], None).unwrap_err();
        assert_eq!((key, sysctl.copy().bset), (Key::MaxConcurrent, KNOWN));
        sysctl.write(&[KnobWrite::Era(Era::Current)], None).unwrap();
        sysctl.copy_for_request();
        assert_eq!(sysctl.write(&[empty, KnobWrite::Era(Era::V3_4)], None).unwrap_err().1.errno(), Errno::EBUSY);
        assert_eq!((sysctl.copy().bset, sysctl.copy().generation), (KNOWN, 0));
    }

    #[test]
    fn req_3_max_concurrent_from_1_to_the_limit() {
        let sysctl = Sysctl::new(KNOWN);
        let set = |n, threads| sysctl.write(&[KnobWrite::MaxConcurrent(n)], threads).is_ok();
        assert!(
            !set(0, None) && set(1, None) && set(50, None) && !set(51, None) && !set(21, Some(40)) && set(20, Some(40))
        );
    }

    #[test]
    fn sys_8_reset_puts_a_mask_back_to_full() {
        let sysctl = Sysctl::new(KNOWN);
        let empty = MaskExpr::Exactly(CapMask::EMPTY);
        sysctl.write(&[KnobWrite::Bset(empty), KnobWrite::Inheritable(empty)], None).unwrap();
        sysctl.write(&[KnobWrite::ResetBset], None).unwrap();
        assert_eq!((sysctl.copy().bset, sysctl.copy().inheritable), (KNOWN, CapMask::EMPTY));
        assert_eq!(sysctl.copy().generation, 2, "a worker that was narrowed before is not used again");
    }
}
