//! The console over this machine's kernel.

use std::sync::Arc;

use super::*;
use crate::abi::event::LossSource;
use crate::abi::record::{Record, State};
use crate::abi::snapshot::{KnownState, Live, WatchState};
use crate::control::host::tests::{hostile, lone_end, not_executed, record};
use crate::control::target::TargetKind;
use crate::control::text::kernel::lost;

/// The kernel's masks, a draft, and what is typed: the screen at each size.
fn at_every_size_of_the_kernel(name: &str, typed: &str) -> Vec<Model> {
    let mut s = watched();
    s.knobs.bset = KNOWN.minus(CapMask::from_bits(1 << 22));
    let of = |(columns, rows): (u16, u16)| {
        let mut model = kernel(&s, columns, rows);
        keys(&mut model, typed);
        insta::assert_snapshot!(format!("kernel_{name}_{columns}x{rows}"), screen(&model));
        model
    };
    SIZES.map(of).into()
}

#[test]
fn the_masks_of_the_kernel_and_every_confirmation_name_it_and_what_is_lost() {
    at_every_size_of_the_kernel("masks", "2 ");
    for model in at_every_size_of_the_kernel("apply", "2 w") {
        let shown = screen(&model);
        assert!(shown.contains("type `drop cap_sys_module until") || model.columns < 80, "{shown}");
        assert!(model.columns < 80 || shown.contains("✗ not before this machine starts again"), "{shown}");
    }
    for (name, typed, phrase) in [
        ("write_path", ":set kernel.modprobe=/opt/m\n", "type `write kernel`:"),
        ("write_modules", ":set kernel.modules_disabled=1\n", "type `no modules until reboot`:"),
        ("write_both", ":set kernel.modprobe=/opt/m kernel.modules_disabled=1\n", "type `no modules until reboot`:"),
    ] {
        for model in at_every_size_of_the_kernel(name, typed) {
            let flat = screen(&model).replace(['│', '\n'], " ");
            let flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(phrase) && flat.contains("this machine's kernel"), "{name}: {flat}");
        }
    }
}

#[test]
fn a_rehearsal_over_the_kernel_says_that_the_kernel_runs_nothing() {
    at_every_size_of_the_kernel("rehearse", "2 p");
    for (columns, rows) in SIZES {
        let mut model = kernel(&watched(), columns, rows);
        keys(&mut model, "2 p\n");
        let command = model.pending.len();
        assert_eq!(command, 1, "one command for both runs");
        let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
        let with = |id, mask| {
            let sets = CapSets { permitted: mask, effective: mask, bounding: mask, ..CapSets::default() };
            Arc::new(Record { caps: Some(sets.into()), ..fixtures::record(id, b"probe", 0) })
        };
        let both = crate::control::command::Rehearsed {
            draft: with(1, cut),
            live: Some(with(2, KNOWN)),
            differences: Vec::new(),
            as_live: false,
        };
        let ticket = model.last_ticket();
        update(&mut model, Msg::Replied { ticket, reply: Ok(Reply::Rehearsed(Box::new(both))) });
        let shown = screen(&model);
        insta::assert_snapshot!(format!("kernel_rehearsal_{columns}x{rows}"), shown);
        assert!(shown.contains("They differ in their"), "{shown}");
        assert!(rows < 24 || shown.contains("the kernel itself runs nothing"), "{shown}");
        keys(&mut model, "⎋");
        assert!(model.rehearsed_draft().is_some_and(|words| words.contains("✓ exit 0 under the draft")));
    }
}

const KERNEL_SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn state(name: &'static str, known: &'static str, unknown: &'static str) -> KnownState {
    let change = if unknown.is_empty() { "" } else { "use Linux 6.12" };
    KnownState { name: name.into(), known: known.into(), unknown: unknown.into(), change: change.into() }
}

fn watched() -> Snapshot {
    let mut s = fixtures::snapshot();
    let ended = [hostile(), lone_end(), not_executed()];
    s.last = (1..).zip(&ended).map(|(id, seen)| Arc::new(Record { id, ..record(seen) })).collect();
    s.now = 90_000_000;
    let unknown = Arc::new(crate::abi::actor::Actor::unknown(0));
    let title: Arc<[u8]> = b"/sbin/req\x1b[2J"[..].into();
    let running = Live { title, state: State::Running, actor: unknown, ..fixtures::live(7, b"", 88_800_000) };
    (s.running, s.live_total, s.live) = (vec![running], 1, 1);
    s.kernel = Some(Box::new(WatchState {
        since: Some(std::time::UNIX_EPOCH),
        states: vec![
            state("trace", "every helper, when it was started, and its command name", ""),
            state("requesters_addresses_hidden", "", "who asked: the kernel hides an address"),
            state("exits", "the raw status of every helper", ""),
        ],
        helpers: 310,
        requesters: 305,
        lost: 0,
        missed: 0,
        failed: None,
    }));
    s
}

fn kernel(s: &Snapshot, columns: u16, rows: u16) -> Model {
    let mut model = fixtures::model(s.clone(), columns, rows);
    model.link.info.kind = TargetKind::Kernel;
    model
}

#[test]
fn the_overview_of_the_kernel_has_its_watch_and_no_slots() {
    for (columns, rows) in KERNEL_SIZES {
        let model = kernel(&watched(), columns, rows);
        let shown = screen(&model);
        insta::assert_snapshot!(format!("kernel_overview_{columns}x{rows}"), shown);
        assert!(shown.contains("not known: requesters") && !shown.contains("gate enabled"), "{shown}");
        assert!(shown.contains("this machine's kernel") || shown.contains("[kernel]"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
    }
}

#[test]
fn losses_and_the_end_of_the_watch_are_badges_on_every_screen() {
    for keys_of in ["", "2", "3", "4"] {
        for (lost_events, failed, badge) in [(3, None, "3 LOST"), (0, Some("read: EIO".into()), "WATCH ENDED")] {
            let mut s = watched();
            let watch = s.kernel.as_mut().unwrap();
            (watch.lost, watch.failed) = (lost_events, failed);
            let mut model = kernel(&s, 120, 40);
            keys(&mut model, keys_of);
            let shown = screen(&model);
            assert!(shown.lines().next().unwrap().contains(badge), "{keys_of}: {shown}");
        }
    }
    assert!(lost(LossSource::Requests, Some(3)).contains("lost 3 trace events"));
}

#[test]
fn a_record_of_the_kernel_says_who_asked_and_what_is_not_known() {
    for (columns, rows) in KERNEL_SIZES {
        let seen = [(3, hostile()), (2, lone_end()), (1, not_executed())];
        let records: Vec<Record> = seen.iter().map(|(id, seen)| Record { id: *id, ..record(seen) }).collect();
        let mut model = kernel(&watched(), columns, rows);
        keys(&mut model, "3");
        for at in 0..records.len() {
            update(&mut model, Msg::Looked(Box::new(fixtures::answer(&records, at))));
            insta::assert_snapshot!(format!("kernel_record_{at}_{columns}x{rows}"), screen(&model));
        }
    }
}
