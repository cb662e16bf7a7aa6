//! A rehearsal on the kernel's target: both runs are real, in an engine of this process, and the kernel's knobs stay as
//! they are.

use std::fs;
use std::sync::Arc;

use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::knob::Key;
use khelper::abi::mask::MaskExpr;
use khelper::abi::record::Record;
use khelper::control::command::Rehearse;
use khelper::control::kernel_knobs::KernelKnobs;
use khelper::control::{Command, Reply};

const KNOWN: CapMask = CapMask::up_to(40);

#[test]
fn a_program_runs_under_the_draft_and_under_the_masks_of_the_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let masks = dir.path().join("proc/sys/kernel/usermodehelper");
    fs::create_dir_all(&masks).unwrap();
    // All but cap_chown.
    fs::write(masks.join("bset"), "4294967294\t511\n").unwrap();
    fs::write(masks.join("inheritable"), "4294967295\t511\n").unwrap();
    let knobs = KernelKnobs::below(dir.path(), KNOWN);
    let (module, chown) = (CapMask::only(Capability::SYS_MODULE), CapMask::from_bits(1));
    // A draft cannot give back what the kernel's mask lacks.
    let bset = Some(MaskExpr::Exactly(KNOWN.minus(module)));
    let path = Some(Arc::from(&b"/bin/sh"[..]));
    let args = vec![b"-c".to_vec(), b"echo $0; exit 3".to_vec()];
    let wanted = Command::Rehearse(Rehearse { path, args, bset, inheritable: None });
    let Some(Ok(Reply::Rehearsed(both))) = knobs.perform(&wanted) else { panic!("not rehearsed") };
    let live = both.live.unwrap();
    for run in [&both.draft, &live] {
        assert_eq!(run.status.and_then(|status| status.exit_code()), Some(3), "{run:?}");
        assert_eq!(run.output.as_ref().unwrap().stdout, b"/bin/sh\n");
    }
    assert!(!both.as_live);
    let own = |record: &Record| record.own.as_deref().map(|own| (own.bset, own.inheritable));
    assert_eq!(own(&live), Some((KNOWN.minus(chown), KNOWN)));
    assert_eq!(own(&both.draft), Some((KNOWN.minus(module | chown), KNOWN)));
    // The probe is khelper itself, which this process is not.
    let probe = Command::Rehearse(Rehearse { path: None, args: Vec::new(), bset: None, inheritable: None });
    let refused = knobs.perform(&probe).unwrap().unwrap_err();
    assert!(refused.to_string().contains("without a probe"), "{refused}");
    assert_eq!(knobs.read(Key::Bset).unwrap().mask(), Some(KNOWN.minus(chown)));
}
