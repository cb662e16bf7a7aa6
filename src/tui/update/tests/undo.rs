//! A changed path is confirmed with old and new, and the last change of a knob can be undone.

use super::*;
use crate::abi::actor::{Actor, Origin};
use crate::abi::knob_value::Provenance;
use crate::tui::dialogs::undo::Undo;
use crate::tui::testing::render::screen;

/// The console after this change of its own.
fn changed(change: &Change) -> Model {
    let mut m = model();
    let ticket = line(&mut m, &format!("set {}={}", change.key, change.after.text())).remove(0).0;
    live(&mut m, change.key, &change.after);
    reply(&mut m, ticket, Ok(Reply::Written(vec![change.clone()])));
    m
}

/// The engine's state shows this value.
fn live(m: &mut Model, key: Key, value: &KnobValue) {
    let mut s = m.snapshot.clone();
    match value {
        KnobValue::Path(path) => s.knobs.modprobe = path.clone(),
        KnobValue::Depth(depth) => s.gate = *depth,
        KnobValue::Number(limit) => s.slots.limit = u32::try_from(*limit).unwrap(),
        KnobValue::Mask(_) if key == Key::Bset => s.knobs.bset = value.mask().unwrap(),
        KnobValue::Mask(_) => s.knobs.inheritable = value.mask().unwrap(),
        other => panic!("{other:?}"),
    }
    take(m, s);
}

/// The writes that undo it, after the confirmation.
fn undone(m: &mut Model) -> (u64, Vec<(Key, KnobValue)>) {
    assert!(type_in(m, "U").is_empty());
    assert!(m.top::<Confirm<Undo>>().is_some(), "{}", screen(m));
    match commands(type_in(m, "\n")).pop() {
        Some((ticket, Command::Write(writes))) => (ticket, writes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn path_gate_and_limit_are_undone_by_the_value_of_before_and_read_back() {
    let changes = [
        Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/bin/echo")),
        Change::new(Key::Gate, Depth::Enabled, Depth::Freezing),
        Change::new(Key::MaxConcurrent, 50u32, 7u32),
    ];
    for change in changes {
        let mut m = changed(&change);
        assert!(status(&m).ends_with("(U undoes it)"), "{}", status(&m));
        type_in(&mut m, "U");
        let asked = screen(&m);
        assert!(asked.contains("to the embedded engine (pid 4121)") && asked.contains(change.key.name()), "{asked}");
        key(&mut m, KeyCode::Esc);
        let (ticket, writes) = undone(&mut m);
        assert_eq!(writes, [(change.key, change.before.clone())]);
        assert!(type_in(&mut m, "\n").is_empty(), "one write at a time");
        let back = Change::new(change.key, change.after.clone(), change.before.clone());
        reply(&mut m, ticket, Ok(Reply::Written(vec![back])));
        assert!(m.dialogs.is_empty());
        assert!(status(&m).starts_with("undone and read back, on the embedded engine (pid 4121): "), "{}", status(&m));
        type_in(&mut m, "U");
        assert!(status(&m).starts_with("nothing to undo"), "{}", status(&m));
    }
}

#[test]
fn what_reads_back_otherwise_is_not_called_undone() {
    let mut m = changed(&Change::new(Key::MaxConcurrent, 50u32, 7u32));
    let (ticket, _) = undone(&mut m);
    reply(&mut m, ticket, Ok(Reply::Written(vec![Change::new(Key::MaxConcurrent, 7u32, 9u32)])));
    assert!(status(&m).contains("it reads back otherwise"), "{}", status(&m));
    // A refusal stays in the dialog, and the change can be undone later.
    let mut m = changed(&Change::new(Key::MaxConcurrent, 50u32, 7u32));
    let (ticket, _) = undone(&mut m);
    reply(&mut m, ticket, Err(ControlError::Denied("writing needs cap_x".into())));
    assert!(screen(&m).contains("writing needs cap_x"), "{}", screen(&m));
    assert!(m.changes.last().is_some());
}

#[test]
fn what_another_writer_changed_meanwhile_is_not_undone() {
    let change = Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/bin/echo"));
    let other = |m: &mut Model| {
        let mut s = m.snapshot.clone();
        s.knobs.modprobe = Arc::from(&b"/bin/x"[..]);
        s.provenance = vec![Provenance {
            change: Change::new(Key::Modprobe, path("/bin/echo"), path("/bin/x")).into(),
            actor: Actor::new(Origin::Outside, 900, 0, 0, b"sysctl").into(),
            at: 1,
            wall: std::time::UNIX_EPOCH,
        }];
        take(m, s);
    };
    let mut m = changed(&change);
    other(&mut m);
    assert!(type_in(&mut m, "U").is_empty() && m.dialogs.is_empty());
    let said = status(&m);
    assert!(said.starts_with("kernel.modprobe is not undone: it is `/bin/x` now, no longer `/bin/echo`"), "{said}");
    assert!(said.contains("by uid 0 \"sysctl\" pid 900"), "{said}");
    // Also while the question is open.
    let mut m = changed(&change);
    type_in(&mut m, "U");
    other(&mut m);
    assert!(type_in(&mut m, "\n").is_empty());
    assert!(screen(&m).contains("is not undone: it is `/bin/x` now"), "{}", screen(&m));
    // And before a path is written: the question is asked again.
    let mut m = model();
    press(&mut m, "e/bin/y\n");
    other(&mut m);
    assert!(type_in(&mut m, "\n").is_empty());
    assert!(screen(&m).contains("from  `/bin/x`") && screen(&m).contains("another writer changed"), "{}", screen(&m));
    assert_eq!(commands(type_in(&mut m, "\n")).len(), 1);
}

#[test]
fn sys_4_a_mask_that_only_narrows_is_not_undone_and_says_why() {
    let mut m = model();
    let narrower = KNOWN.minus(SYS_MODULE);
    live(&mut m, Key::Bset, &narrower.into());
    m.changes.keep(&[written(Key::Bset, KNOWN, narrower, CapMask::EMPTY)]);
    assert!(type_in(&mut m, "U").is_empty() && m.dialogs.is_empty());
    let said = status(&m);
    assert!(said.contains("cannot be undone: a write only drops, it cannot regain cap_sys_module"), "{said}");
    assert!(said.contains("R resets"), "{said}");
    // The undo of a reset narrows the mask again: that is confirmed as every draft is.
    let mut m = model();
    m.changes.keep(&[written(Key::Bset, narrower, KNOWN, CapMask::EMPTY)]);
    type_in(&mut m, "U");
    assert_eq!(m.top::<Apply>().unwrap().phrase, "drop cap_sys_module");
}

#[test]
fn a_read_only_console_and_another_run_undo_nothing() {
    let change = Change::new(Key::MaxConcurrent, 50u32, 7u32);
    let mut m = changed(&change);
    m.options.read_only = true;
    assert!(type_in(&mut m, "U").is_empty() && m.dialogs.is_empty());
    assert!(status(&m).contains("read-only"), "{}", status(&m));
    let mut m = changed(&change);
    let mut info = m.link.info.clone();
    info.run.started += 1;
    update(&mut m, Msg::Target(Box::new(info)));
    assert!(m.changes.last().is_none());
}

#[test]
fn an_unchanged_path_is_not_written() {
    let mut m = model();
    press(&mut m, "e\n");
    assert!(m.dialogs.is_empty());
    assert_eq!(status(&m), "kernel.modprobe is `/sbin/modprobe` already");
}
