//! The console over this machine's kernel: what it writes is typed out first.

use super::*;
use crate::control::KernelWrite;
use crate::control::target::TargetKind;

fn kernel() -> Model {
    let mut model = model();
    model.link.info.kind = TargetKind::Kernel;
    model
}

/// The writes of a confirmed command. Every one has the consent of its operator, and none is forced.
fn confirmed(effects: Vec<Effect>) -> (u64, Vec<(Key, KnobValue)>) {
    match commands(effects).pop() {
        Some((
            ticket,
            Command::WriteKernel(KernelWrite { writes, until_reboot: true, force: false, persist: false }),
        )) => (ticket, writes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mask_of_the_kernel_is_always_typed_out() {
    let mut m = kernel();
    m.masks.cursor = 0;
    type_in(&mut m, "2 w");
    assert_eq!(m.top::<Apply>().unwrap().phrase, "until reboot");
    assert!(type_in(&mut m, "\n").is_empty());
    assert!(m.top::<Apply>().unwrap().error.as_ref().unwrap().contains("type `until reboot`"));
    let (ticket, writes) = confirmed(type_in(&mut m, "until reboot\n"));
    let after = KNOWN.minus(CapMask::from_bits(1));
    assert_eq!(writes, [(Key::Bset, after.into())]);
    reply(&mut m, ticket, Ok(Reply::Written(vec![written(Key::Bset, KNOWN, after, CapMask::EMPTY)])));
    assert!(m.dialogs.is_empty() && status(&m).contains("exactly as asked"), "{}", status(&m));
    // What an engine asks for is asked for too.
    let mut m = kernel();
    type_in(&mut m, "2 w");
    assert_eq!(m.top::<Apply>().unwrap().phrase, "drop cap_sys_module until reboot");
}

#[test]
fn other_knobs_of_the_kernel_are_confirmed_from_each_door() {
    let of_line = |line: &str| {
        let mut m = kernel();
        type_in(&mut m, &format!(":{line}\n"));
        m
    };
    let path = |text: &str| KnobValue::Path(text.as_bytes().into());
    let mut m = of_line("set kernel.modprobe=/opt/m");
    assert!(type_in(&mut m, "write\n").is_empty(), "not the whole phrase");
    assert_eq!(confirmed(type_in(&mut m, " kernel\n")).1, [(Key::Modprobe, path("/opt/m"))]);
    let mut m = of_line("set kernel.modules_disabled=1");
    assert!(type_in(&mut m, "write kernel\n").is_empty(), "another knob's phrase");
    m.dialogs.clear();
    let mut m = of_line("set kernel.modules_disabled=1");
    let (ticket, writes) = confirmed(type_in(&mut m, "no modules until reboot\n"));
    assert_eq!(writes, [(Key::ModulesDisabled, 1u32.into())]);
    // A refusal is shown where it was asked for.
    let denied = ControlError::Denied("no".into());
    reply(&mut m, ticket, Err(denied));
    assert!(!m.dialogs.is_empty(), "it stays open");
    // The dialog that edits the path.
    let mut m = kernel();
    type_in(&mut m, "e");
    type_in(&mut m, "/opt/x\n");
    let (ticket, writes) = confirmed(type_in(&mut m, "write kernel\n"));
    assert_eq!(writes, [(Key::Modprobe, path("/opt/x"))]);
    let change = crate::control::Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/opt/x"));
    reply(&mut m, ticket, Ok(Reply::Written(vec![change])));
    assert!(m.dialogs.is_empty() && status(&m).contains("/opt/x"), "{}", status(&m));
}
