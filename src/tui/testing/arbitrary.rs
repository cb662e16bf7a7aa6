//! Arbitrary input from operators, helpers and requesters, for property tests.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nix::errno::Errno;
use proptest::prelude::*;
use proptest::sample::select;

use crate::abi::actor::{Actor, ChainLink, Comm, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::event::Level;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::log::{LogKind, LogLine};
use crate::abi::record::{Args, Kind, Output, Record, State};
use crate::abi::safe_text::SafeText;
use crate::control::rules::{Asking, Denied, RuleUse, RulesView};
use crate::control::{Key, Reply};
use crate::policy::rules::Mode;

use super::fixtures;
use crate::abi::escape::screen_again;
use crate::control::export::{Existing, Saved, Unsaved};
use crate::control::modules::{Candidate, Found, NameKind};
use crate::tui::model::log::Line;
use crate::tui::model::record_row::RowPage;
use crate::tui::msg::{Click, Mouse, Msg};

/// Each could change a terminal's state, or the columns of a screen.
const NASTY: [&[u8]; 22] = [
    b"\x1b[2J\xc2\x9b31m",
    b"\x9b31m\x90q\x9c\x84",
    b"\x1b]0;own\x07",
    b"\x1b]52;c;b3du\x1b\\",
    b"\x1bPq#0\x1b\\\x1b_G\x1b\\\x1bc",
    b"\xc2\x9d0;own\xc2\x9c",
    b"\x0e\x0f\x08\x7f\x00\x18\x1a",
    b"\t\r\n\x07\x0b\x0c",
    b"\\x1b\\",
    b"\xff\xfe\xc3\x28\xed\xa0\x80\xf4\x90\x80\x80",
    "\u{202e}\u{200b}e\u{301}\u{2066}x\u{2069}".as_bytes(),
    "\u{61c}\u{200f}\u{feff}\u{ad}\u{2028}\u{2029}\u{85}".as_bytes(),
    "漢字\u{3000}ｶﾞ\u{ff9e}\u{ff76}".as_bytes(),
    "👩\u{200d}👩 👍🏽🏽 🇩🇪🇩 ☃\u{fe0f} 1\u{fe0f}\u{20e3}".as_bytes(),
    "각\u{1100}\u{1161}\u{11a8}\u{115f}\u{3164}\u{ffa0}".as_bytes(),
    "กำ ກຳ क्षि का தி ស្ត្រី".as_bytes(),
    "لا\u{600}١ \u{fdfd} ܀".as_bytes(),
    "\u{e0001}\u{e0041}\u{fff9}\u{fffc}\u{e000}\u{10ffff}\u{2800}\u{a0}".as_bytes(),
    "\u{1d173}\u{13430}\u{34f}\u{180e}\u{17b4}".as_bytes(),
    b"a-name-that-is-much-longer-than-every-column-of-every-screen-that-there-is-and-goes-on-and-on-and-on-for-ever",
    b"'\"`$(){}[]<>|&;*?~#! -q --",
    b"",
];

/// A name, a path, an argument, an output.
pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let nasty = || select(NASTY.to_vec()).prop_map(<[u8]>::to_vec);
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..24),
        6 => nasty(),
        2 => (nasty(), nasty()).prop_map(|(one, other)| [one, other].concat()),
        2 => "\\PC{0,12}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<char>(), 0..12).prop_map(|text| text.into_iter().collect::<String>().into()),
        1 => (nasty(), 100usize..4_000).prop_map(|(one, times)| one.repeat(times / one.len().max(1))),
    ]
}

/// Any message to the console.
pub fn messages() -> impl Strategy<Value = Msg> {
    prop_oneof![
        24 => keys(),
        4 => (0u16..210, 0u16..65, 0usize..3).prop_map(|(x, y, what)| {
            Msg::Mouse(Mouse { what: [Click::Press, Click::WheelUp, Click::WheelDown][what], x, y })
        }),
        3 => bytes().prop_map(Msg::Paste),
        2 => (1u16..210, 1u16..65).prop_map(|(columns, rows)| Msg::Resize { columns, rows }),
        1 => any::<u64>().prop_map(|now| Msg::Tick(now >> 20)),
        1 => bytes().prop_map(|b| Msg::PathWarnings(vec![text(&b).into()])),
        1 => bytes().prop_map(|b| Msg::Notice(text(&b))),
        4 => (bytes(), any::<u64>(), 0u32..60).prop_map(|(name, bits, n)| state(&name, bits, n)),
        4 => (1u64..40, bytes(), any::<i32>()).prop_map(|(ticket, name, raw)| answer(ticket, &name, raw)),
        5 => (bytes(), 0usize..300, any::<usize>(), any::<u8>())
            .prop_map(|(name, n, at, kind)| looked(&name, n, at, kind)),
        3 => (bytes(), 0usize..40).prop_map(|(name, n)| logged(&name, n)),
        3 => (bytes(), 0usize..40, 0usize..40).prop_map(|(name, rules, denied)| of_rules(&name, rules, denied)),
        2 => (1u64..40, bytes()).prop_map(|(ticket, name)| saved(ticket, &name)),
        1 => prop::collection::vec(bytes(), 0..4)
            .prop_map(|names| Msg::Profiles(names.iter().map(|name| screen_again(&text(name))).collect())),
        2 => (bytes(), bytes(), 0usize..9).prop_map(|(typed, name, n)| found(typed, &name, n)),
    ]
}

/// Bound keys are more frequent.
fn keys() -> impl Strategy<Value = Msg> {
    let code = prop_oneof![
        6 => proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        1 => any::<char>().prop_map(KeyCode::Char),
        6 => select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Left,
            KeyCode::Right, KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Backspace,
            KeyCode::Delete, KeyCode::F(1),
        ]),
        10 => select("12345mcegwpRfqani z/uPy:*oOsSkxrwlt".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
    ];
    let modifiers = prop_oneof![8 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL)];
    (code, modifiers, 0u8..12).prop_map(|(code, modifiers, alt)| match alt {
        0 => Msg::Chord(KeyEvent::new(code, modifiers | KeyModifiers::ALT)),
        _ => Msg::Key(KeyEvent::new(code, modifiers)),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn actor(name: &[u8]) -> Actor {
    Actor::new(Origin::Library, 1, 0, 0, name)
}

fn state(name: &[u8], bits: u64, n: u32) -> Msg {
    let mut s = fixtures::busy(n);
    s.knobs.bset = fixtures::KNOWN & CapMask::from_bits(bits);
    s.knobs.modprobe = name.into();
    (s.knobs.deny, s.knobs.allow) = (text(name).into(), text(name).into());
    s.running.push(fixtures::live(70, name, bits));
    s.running[0].actor = actor(name).into();
    s.live_total = s.running.len();
    s.slots.holders.push(70);
    let mut failed = fixtures::refused(71, name, Stage::Hook, Errno::EPERM, "why");
    failed.said = Some(text(name).into());
    s.last.push(Arc::new(failed));
    s.last.push(Arc::new(whole(72, name)));
    s.warnings = vec![LogLine { at: 1, kind: LogKind::Runaway { module: name.into() } }];
    Msg::Snapshot(Box::new(s))
}

/// A record with this text in every place that comes from outside.
fn whole(id: u64, name: &[u8]) -> Record {
    let link = |helper_of| ChainLink { pid: 7, comm: Comm::new(name), known: true, helper_of };
    Record {
        kind: Kind::Helper,
        path: name.into(),
        args: Args::List(vec![name.into(), name.into(), b"--"[..].into()].into()),
        env: Arc::from(vec![b"HOME=/"[..].into(), name.into()]),
        said: Some(text(name).into()),
        actor: actor(name).into(),
        output: Some(Arc::new(Output { stdout: name.repeat(3), stderr: [b"x\n", name].concat(), dropped: 1 })),
        chain: vec![link(None), link(Some(1))].into(),
        caps: Some(CapSets::default().into()),
        ..fixtures::full(id)
    }
}

fn answer(ticket: u64, name: &[u8], raw: i32) -> Msg {
    let record = |record: Record| Ok(Reply::Answered(Arc::new(record)));
    let reply = match raw.rem_euclid(6) {
        0 => record(Record { path: name.into(), ..fixtures::record(ticket, name, raw) }),
        1 => Ok(Reply::Written(vec![Change {
            warnings: vec![text(name).into()],
            ..Change::new(
                [Key::Bset, Key::Modprobe, Key::Deny][raw as usize % 3],
                KnobValue::Path(name.into()),
                [CapMask::from_bits(raw.unsigned_abs().into()).into(), KnobValue::Globs(text(name).into())]
                    [raw as usize % 2]
                    .clone(),
            )
        }])),
        2 => Ok(Reply::Value(KnobValue::Path(name.into()))),
        3 => record(whole(ticket, name)),
        4 => Err(EngineError::new(Stage::Gate, Errno::EAGAIN, text(name), "wait").into()),
        _ => Err(ControlError::Denied(text(name))),
    };
    Msg::Replied { ticket, reply }
}

fn looked(name: &[u8], n: usize, at: usize, kind: u8) -> Msg {
    let one = |id: usize| {
        let id = id as u64 + 1;
        let record = match kind % 5 {
            0 => fixtures::record(id, name, i32::from(kind)),
            1 => fixtures::open(id, name, State::Running, Some(7)),
            2 => whole(id, name),
            3 => fixtures::open(id, name, State::Waiting, None),
            _ => fixtures::refused(id, name, Stage::Hook, Errno::EPERM, &text(name)),
        };
        Record { path: name.into(), actor: actor(name).into(), ..record }
    };
    let records: Vec<Record> = (0..n).rev().map(one).collect();
    let mut answer = fixtures::answer(&records, if n == 0 { 0 } else { at % n });
    if kind > 250 {
        answer = RowPage { trouble: Some("why".into()), ..RowPage::default() };
    }
    Msg::Looked(Box::new(answer))
}

/// The log's lines are escaped when they are made.
fn of_rules(name: &[u8], rules: usize, denied: usize) -> Msg {
    let text = || SafeText::escape(name);
    let last = Asking { at: -1, pid: 7, uid: Some(0), comm: text(), place: text() };
    let one = |at: usize| RuleUse {
        file: text(),
        line: 7,
        text: text(),
        denies: at.is_multiple_of(2),
        never_after: at.checked_sub(1),
        times: at as u64,
        last: Some(last.clone()),
    };
    let lately =
        |at| Denied { rule: at, enforced: at > 9, asked: text(), because: text(), times: 3, last: last.clone() };
    Msg::Rules(Ok(RulesView {
        mode: Mode::Audit,
        rules: (0..rules).map(one).collect(),
        lately: (0..denied).map(lately).collect(),
        ..RulesView::default()
    }))
}

fn logged(name: &[u8], n: usize) -> Msg {
    let line = |n: usize| {
        let level = [Level::Info, Level::Warning, Level::Error][n % 3];
        Line::new(level, "12:00:00.000".into(), Some(n as u64), &screen_again(&text(name)))
    };
    Msg::Logged((0..n).map(line).collect())
}

fn found(typed: Vec<u8>, name: &[u8], n: usize) -> Msg {
    let kinds = [NameKind::Loadable, NameKind::Loaded, NameKind::BuiltIn, NameKind::Alias(name.into())];
    let one = |at: usize| Candidate { name: [&typed[..], name].concat(), kind: kinds[at % 4].clone() };
    let trouble = n.is_multiple_of(3).then(|| screen_again(&text(name)));
    let (candidates, stands_for) = ((0..n).map(one).collect(), (0..n % 5).map(one).collect());
    Msg::Modules(Box::new(Found { candidates, more: n > 5, stands_for, trouble, typed }))
}

fn saved(ticket: u64, name: &[u8]) -> Msg {
    let text = screen_again(&text(name));
    let result = match ticket % 3 {
        0 => Ok(Saved { path: text, records: ticket, bytes: 1 }),
        1 => Err(Unsaved::Failed(text)),
        _ => Err(Unsaved::Exists(Existing::new(&std::fs::metadata("/").unwrap()))),
    };
    Msg::Saved { ticket, result }
}
