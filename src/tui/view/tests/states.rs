//! Every screen and dialog in the states that matter: empty, busy, overflowing, refused.

use super::*;
use crate::abi::cap::ReadSet;
use crate::abi::error::{ControlError, EngineError};
use crate::abi::event::Level;
use crate::abi::record::{Output, Record, State};
use crate::control::export::Unsaved;
use crate::tui::model::record_row::RowPage;

/// A snapshot of the screen at each size, after what was done.
pub(super) fn state(name: &str, snapshot: &Snapshot, act: impl Fn(&mut Model)) {
    for (columns, rows) in SIZES {
        let mut model = fixtures::model(snapshot.clone(), columns, rows);
        act(&mut model);
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(&model));
    }
}

/// The newest command is refused.
pub(super) fn refused(model: &mut Model) {
    let ticket = model.last_ticket();
    let why = "writing kernel knobs needs cap_sys_admin".to_owned();
    update(model, Msg::Replied { ticket, reply: Err(ControlError::Denied(why)) });
}

fn read_only(model: &mut Model, typed: &str) {
    model.options.read_only = true;
    keys(model, typed);
}

/// On the screen Activity, with these records.
pub(super) fn with_records(model: &mut Model, records: &[Record], at: usize, typed: &str) {
    keys(model, "3");
    let look = |model: &mut Model| update(model, Msg::Looked(Box::new(fixtures::answer(records, at))));
    look(model);
    model.activity.follow = false;
    keys(model, typed);
    look(model);
    look(model);
}

fn lacking() -> Snapshot {
    let mut s = fixtures::snapshot();
    s.uid = 1000;
    s.knobs.bset = CapMask::from_bits(0b1011);
    s
}

#[test]
fn overview() {
    let mut s = fixtures::busy(4);
    (s.gate, s.draining, s.slots.waiting, s.queued) = (Depth::Freezing, true, 3, 2);
    s.running[1].abandoned = true;
    (s.running[2].state, s.running[2].pid) = (State::Waiting, None);
    (s.running[3].state, s.running[3].pid) = (State::Queued, None);
    state("overview_draining", &s, |m| keys(m, "g"));
    state("overview_read_only", &fixtures::snapshot(), |m| read_only(m, "m"));

    let mut s = fixtures::busy(1);
    s.knobs.modprobe = Arc::from("/opt/漢字/\u{202e}mod\x1b[2Jprobe".as_bytes());
    (s.knobs.allow, s.knobs.deny) = ("usb-* \x1b]0;x\x07".into(), "*".repeat(90).into());
    s.running.push(fixtures::live(2, "漢字かな交じり文の名前はとても長い漢字かな交じり文".as_bytes(), 1));
    s.running.push(fixtures::live(3, b"\x1b[31mred\n\xff", 89_000_000));
    s.live_total = 3;
    s.last.insert(0, Arc::new(fixtures::record(9, "e\u{301}\u{200b}👍🏽".as_bytes(), 9)));
    let line = fixtures::logged(1, Level::Error, "a hook said \x1b[2J");
    s.warnings = vec![line];
    state("overview_hostile", &s, |m| {
        update(m, Msg::PathWarnings(vec!["`/opt/\x1b` can be replaced by anybody".into()]));
    });
}

#[test]
fn masks() {
    let mut s = fixtures::snapshot();
    (s.knobs.bset, s.knobs.inheritable) = (CapMask::EMPTY, CapMask::EMPTY);
    state("masks_empty", &s, |m| keys(m, "2"));
    state("masks_overflowing", &fixtures::snapshot(), |m| {
        keys(m, "2n→i");
        m.masks.set(MaskKnob::Inheritable, CapMask::from_bits(0x55_5555));
        let mut s = fixtures::snapshot();
        s.knobs.bset = KNOWN.minus(CapMask::from_bits(1 << 16));
        s.host.inheritable = ReadSet::Known(KNOWN);
        update(m, Msg::Snapshot(Box::new(s)));
    });
    state("masks_refused", &lacking(), |m| keys(m, "2aw"));
    state("masks_read_only", &fixtures::snapshot(), |m| read_only(m, "2 w"));
    state("masks_none_match", &fixtures::snapshot(), |m| keys(m, "2/zzz\n"));
}

#[test]
fn umh_10_sets_that_could_not_be_read_are_unknown_on_every_page() {
    let mut s = fixtures::snapshot();
    let page = |s: &Snapshot| {
        let mut model = fixtures::model(s.clone(), 120, 40);
        keys(&mut model, "2");
        screen(&model)
    };
    assert!(!page(&s).contains("unknown") && !page(&s).contains("not known"), "{}", page(&s));
    s.host.bounding = ReadSet::Unreadable;
    let text = page(&s);
    assert!(text.contains("! khelper's own bounding set is unknown"), "{text}");
    assert!(text.contains("■             ?    ") && !text.contains("■    ▐"), "{text}");
    assert!(text.contains("no effect: khelper has none itself"), "{text}");
    (s.host.bounding, s.host.inheritable) = (ReadSet::Known(KNOWN), ReadSet::Unreadable);
    let text = page(&s);
    assert!(text.contains("■             ■ ?") && !text.contains("khelper has none itself"), "{text}");
    let record = Record { caps: None, ..fixtures::record(1, b"x", 0) };
    let facts = crate::control::text::rehearsal::compare(&record, &record, KNOWN);
    assert_eq!(facts.iter().filter(|fact| fact.draft == "unknown").count(), 5, "{facts:?}");
}

#[test]
fn activity() {
    state("activity_none_match", &fixtures::busy(2), |m| {
        keys(m, "3/zzz");
        // The words as they stand, and then their letters.
        for _ in 0..3 {
            update(m, Msg::Looked(Box::new(RowPage { looked: 7, ..RowPage::default() })));
        }
        keys(m, "\n");
    });
    state("activity_trouble", &fixtures::busy(2), |m| {
        keys(m, "3");
        let why = Some("the records cannot be read: no thread could be started (EAGAIN)".to_owned());
        update(m, Msg::Looked(Box::new(RowPage { trouble: why, ..RowPage::default() })));
    });
    state("activity_reading", &fixtures::busy(2), |m| keys(m, "3"));
    state("activity_read_only", &fixtures::snapshot(), |m| read_only(m, "3k"));
}

#[test]
fn forms_that_are_refused() {
    let s = fixtures::snapshot();
    state("module_refused", &s, |m| keys(m, "m\n"));
    let mut off = fixtures::snapshot();
    off.knobs.modprobe = Arc::from(&b""[..]);
    state("module_off", &off, |m| keys(m, "musb-storage\t→\t"));
    state("call_whole", &s, |m| keys(m, "c/bin/sh\t-c 'exit 3'\t→\tcap_net_admin\tempty"));
    state("call_refused", &s, |m| keys(m, "c/bin/true\t\t\tcap_frob\n"));
    state("path_refused", &s, |m| {
        keys(m, "e→x\n\n");
        refused(m);
    });
    state("path_asked", &s, |m| keys(m, "e→x\n"));
    state("path_off", &off, |m| keys(m, "esbin/modprobe\n"));
    state("line_empty", &s, |m| keys(m, ":"));
    state("line_refused", &s, |m| keys(m, ":frobnicate --now\n"));
    state("line_overflowing", &s, |m| keys(m, ":mask cap_\t\t"));
    state("page_overflowing", &s, |m| keys(m, ":get -a\n"));
    state("help_empty", &s, |m| keys(m, "?"));
    state("help_none", &s, |m| keys(m, "?zzz"));
}

#[test]
fn the_draft_on_its_way() {
    state("apply_plain", &fixtures::snapshot(), |m| {
        m.masks.cursor = 0;
        keys(m, "2 → w\n");
    });
    state("apply_refused", &lacking(), |m| {
        keys(m, "2");
        m.masks.set(MaskKnob::Bset, CapMask::from_bits(0b10010));
        keys(m, "w⇟\n");
        refused(m);
    });
    state("reset_refused", &lacking(), |m| {
        keys(m, "2R\n");
        refused(m);
    });
    state("presets_last", &fixtures::snapshot(), |m| keys(m, "2P↓↓↓↓↓↓↓"));
    state("forms_end", &fixtures::snapshot(), |m| keys(m, "2 f⇟⇟⇟⇟⇟⇟⇟⇟"));
}

#[test]
fn rehearsals() {
    let s = fixtures::snapshot();
    state("rehearse_refused", &s, |m| keys(m, "2 p→→\trelative\t'x\n"));
    state("rehearsal_running", &s, |m| keys(m, "2 p\n"));
    state("rehearsal_refused", &s, |m| {
        keys(m, "2 p\n");
        let why = "50 requests are in progress, the limit is 50";
        for ticket in [1, 2] {
            let error = EngineError::new(Stage::Limit, Errno::ENOMEM, why, "wait, or find out who asks");
            update(m, Msg::Replied { ticket, reply: Err(error.into()) });
        }
    });
    state("rehearsal_overflowing", &s, |m| {
        keys(m, "2np→→\t/usr/bin/frob\n");
        for (ticket, raw) in [(1, 256), (2, 11)] {
            let mut record = fixtures::record(ticket, b"/usr/bin/frob", raw);
            let stdout: Vec<u8> = (0..40).flat_map(|n| format!("line {n} \x1b[31m\n").into_bytes()).collect();
            record.output = Some(Output { stdout, stderr: b"cannot".repeat(40), dropped: 0 }.into());
            update(m, Msg::Replied { ticket, reply: Ok(Reply::Answered(Arc::new(record))) });
        }
        keys(m, "⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟⇟");
    });
}

/// modprobe may not load the module under the draft: the differences come first, then what each run wrote.
pub(super) fn fails_under_the_draft(m: &mut Model) {
    keys(m, "2 p→\tdummy\t→\n");
    let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
    let refused = b"modprobe: ERROR: could not insert 'dummy': Operation not permitted\n";
    for (ticket, raw, mask, stderr) in [(1, 256, cut, &refused[..]), (2, 0, KNOWN, b"")] {
        let sets = CapSets { permitted: mask, effective: mask, bounding: mask, ..CapSets::default() };
        let output = Output { stdout: Vec::new(), stderr: stderr.to_vec(), dropped: 0 };
        let record = fixtures::record(ticket, b"/sbin/modprobe", raw);
        let record = Record { caps: Some(sets.into()), output: Some(output.into()), ..record };
        update(m, Msg::Replied { ticket, reply: Ok(Reply::Answered(Arc::new(record))) });
    }
}

#[test]
fn a_rehearsal_that_differs() {
    state("rehearsal_differs", &fixtures::snapshot(), fails_under_the_draft);
    // The Masks screen remembers it.
    state("masks_rehearsed", &fixtures::snapshot(), |m| {
        fails_under_the_draft(m);
        keys(m, "⎋");
    });
    state("apply_rehearsed", &fixtures::snapshot(), |m| {
        fails_under_the_draft(m);
        keys(m, "wdrop cap");
    });
    // The draft is the live masks.
    state("rehearse_nothing", &fixtures::snapshot(), |m| keys(m, "2p"));
}

#[test]
fn ways_to_quit() {
    state("quit_asking", &fixtures::busy(1), |m| keys(m, "ql"));
    state("quit_waiting", &fixtures::busy(3), |m| keys(m, "qw\n"));
    state("quit_killing", &fixtures::busy(300), |m| {
        keys(m, "qk\n");
        update(m, Msg::Tick(93_000_000));
    });
}

#[test]
fn records() {
    let s = fixtures::busy(2);
    let records = [
        fixtures::open(3, b"stubborn", State::Running, Some(5003)),
        fixtures::full(2),
        fixtures::record(1, b"ext4", 0),
    ];
    state("kill_again", &s, |m| {
        m.activity.remember_term(3);
        with_records(m, &records, 0, "k");
    });
    state("kill_refused", &s, |m| with_records(m, &records, 2, "k"));
    state("repeat_refused", &s, |m| with_records(m, &records, 1, "r"));
    let mut called = fixtures::full(2);
    called.env = Arc::from(
        ["HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "X=\u{202e}"].map(|e| e.as_bytes().into()),
    );
    called.timed_out = true;
    state("repeat_call", &s, |m| with_records(m, &[called.clone()], 0, "r"));
    state("record_reading", &s, |m| {
        with_records(m, &records, 0, "\n");
        m.activity.answer.detail = None;
    });
    state("record_refused", &s, |m| {
        let why = "foo is on khelper.deny (foo*)";
        with_records(m, &[fixtures::refused(1, b"foo", Stage::Hook, Errno::EPERM, why)], 0, "\n");
    });
    state("save_writing", &s, |m| with_records(m, &records, 0, "w\n"));
    state("save_refused", &s, |m| {
        with_records(m, &records, 0, "w");
        let all = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        update(m, Msg::Key(all));
        keys(m, "/root/x\n");
        let result =
            Err(Unsaved::Failed("/root/x: Permission denied (EACCES): give a folder that you may write".into()));
        update(m, Msg::Saved { ticket: m.last_ticket(), result });
    });
}
