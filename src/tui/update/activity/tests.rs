//! Messages in, model and effects out: the screens Activity and Log.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nix::errno::Errno;

use super::super::update;
use crate::abi::error::{EngineError, Stage};
use crate::abi::event::Level;
use crate::abi::record::{Record, State};
use crate::control::activity::outcomes::{Outcomes, Which};
use crate::control::activity::page::{Anchor, PageRequest};
use crate::control::activity::query::Sort;
use crate::control::export::{Existing, Save, Saved, Unsaved, What};
use crate::control::{Command, Reply};
use crate::tui::dialogs::copy_record::CopyRecord;
use crate::tui::dialogs::detail::Detail;
use crate::tui::dialogs::kill::Kill;
use crate::tui::dialogs::save::{SaveForm, Saving};
use crate::tui::model::log::Line;
use crate::tui::model::record_row::{Row, RowPage};
use crate::tui::model::{Model, Tab};
use crate::tui::msg::{Effect, Msg, Ticket};
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{keys_over, page, screen};

fn key(m: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(m, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn typed(m: &mut Model, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| key(m, if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) })).collect()
}

fn questions(effects: Vec<Effect>) -> Vec<PageRequest> {
    let of = |effect| match effect {
        Effect::Look(question) => Some(*question),
        _ => None,
    };
    effects.into_iter().filter_map(of).collect()
}

fn command(effects: Vec<Effect>) -> Option<(u64, Command)> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Submit { ticket, command } => Some((ticket, command)),
        _ => None,
    })
}

fn looked(m: &mut Model, answer: RowPage) -> Vec<Effect> {
    update(m, Msg::Looked(Box::new(answer)))
}

fn status(m: &Model) -> &str {
    m.status.as_ref().map_or("", |status| &status.text)
}

/// Answers questions until there are none.
fn settle(m: &mut Model, answer: RowPage) {
    while !looked(m, answer.clone()).is_empty() {}
}

/// A model on the screen Activity with these records, the cursor on the one at `at`.
fn with(records: &[Record], at: usize) -> Model {
    let mut s = fixtures::busy(1);
    s.totals.requests = records.len() as u64;
    let mut m = fixtures::model(s, 80, 24);
    assert_eq!(questions(typed(&mut m, "3")).len(), 1);
    looked(&mut m, fixtures::answer(records, 0));
    for _ in 0..at {
        key(&mut m, KeyCode::Down);
        settle(&mut m, fixtures::answer(records, at));
    }
    settle(&mut m, fixtures::answer(records, at));
    m
}

fn three() -> Vec<Record> {
    vec![fixtures::open(3, b"runs", State::Running, Some(5003)), fixtures::record(2, b"failed", 256), fixtures::full(1)]
}

#[test]
fn records_are_read_when_the_screen_is_shown_and_something_changed() {
    let mut m = fixtures::model(fixtures::snapshot(), 80, 24);
    let news = |m: &mut Model, seq| {
        let mut s = fixtures::snapshot();
        s.seq = seq;
        questions(update(m, Msg::Snapshot(Box::new(s))))
    };
    assert!(news(&mut m, 2).is_empty(), "another screen is shown");
    let first = questions(typed(&mut m, "3"));
    assert!(matches!(first[..], [PageRequest { still: false, anchor: Anchor::First, .. }]));
    assert!(news(&mut m, 3).is_empty(), "one at a time");
    assert_eq!(questions(looked(&mut m, fixtures::answer(&three(), 0))).len(), 1, "what came meanwhile");
    assert!(questions(looked(&mut m, fixtures::answer(&three(), 0))).is_empty());
    assert!(news(&mut m, 3).is_empty(), "nothing has changed");
    assert_eq!(news(&mut m, 4).len(), 1);
}

#[test]
fn filters_sort_and_pause_are_in_the_question() {
    let mut m = with(&three(), 0);
    let asked = |m: &mut Model, keys: &str| {
        let mut all = questions(typed(m, keys));
        while let [question] = &questions(looked(m, fixtures::answer(&three(), 0)))[..] {
            all.push(question.clone());
        }
        all.pop()
    };
    assert_eq!(asked(&mut m, "/USB 4121").unwrap().query.words, ["usb", "4121"]);
    asked(&mut m, "\n*usb-*\n");
    assert_eq!(&**m.activity.query().globs.text(), "usb-*");
    typed(&mut m, "o");
    key(&mut m, KeyCode::Down);
    assert_eq!(asked(&mut m, "\n").unwrap().query.which, Outcomes::from(vec![Which::Exited]));
    assert_eq!(asked(&mut m, "O").unwrap().query.which, Outcomes::failures());
    assert!(asked(&mut m, "O").unwrap().query.which.is_all());
    asked(&mut m, "O");
    assert_eq!(asked(&mut m, "s").unwrap().query.sort, Sort::Took);
    assert!(asked(&mut m, "S").unwrap().query.reverse);
    assert!(asked(&mut m, " ").unwrap().still);
    key(&mut m, KeyCode::Esc);
    key(&mut m, KeyCode::Esc);
    assert!(!m.activity.filters() && m.activity.paused.is_some());
    asked(&mut m, " ");
    assert!(m.activity.paused.is_none());
    // Esc closes only the filter that has the focus.
    typed(&mut m, "/x");
    key(&mut m, KeyCode::Esc);
    assert!(m.activity.words.is_empty() && m.activity.typing.is_none());
}

#[test]
fn wrong_globs_are_reported_and_hide_nothing() {
    let mut m = with(&three(), 0);
    typed(&mut m, "*");
    update(&mut m, Msg::Paste(b"a\xff".to_vec()));
    assert!(m.activity.wrong().unwrap().contains("a\\xff"));
    assert!(m.activity.query().globs.text().is_empty());
}

#[test]
fn abandoning_is_asked_of_the_engine_and_its_answer_said() {
    let mut m = with(&three(), 0);
    let (ticket, asked) = command(typed(&mut m, "x")).unwrap();
    assert!(matches!(asked, Command::Abandon(3)));
    update(&mut m, Msg::Replied { ticket, reply: Ok(Reply::Done) });
    assert!(status(&m).starts_with("#3 runs: abandoned"), "{}", status(&m));
    let (ticket, _) = command(typed(&mut m, "x")).unwrap();
    let error = EngineError::new(Stage::Cancel, Errno::ESRCH, "nobody waits for request 3", "it is over");
    update(&mut m, Msg::Replied { ticket, reply: Err(error.into()) });
    assert_eq!(status(&m), "#3 runs: not done: nobody waits for request 3 (ESRCH): it is over");
}

#[test]
fn killing_takes_two_keys_and_then_two_words() {
    let mut m = with(&three(), 0);
    assert!(command(typed(&mut m, "k")).is_none());
    assert!(m.top().is_some_and(|kill: &Kill| kill.pid == 5003 && kill.choice == 0));
    assert!(!m.activity.follow, "the cursor stays on it");
    key(&mut m, KeyCode::Esc);
    assert!(m.dialogs.is_empty());
    let (ticket, term) = command(typed(&mut m, "k\n")).unwrap();
    assert!(matches!(term, Command::Kill { id: 3, signal: 15 }));
    update(&mut m, Msg::Replied { ticket, reply: Ok(Reply::Done) });
    assert!(
        status(&m).contains("(pid 5003): TERM was sent; if the helper stays alive, k again sends KILL"),
        "{}",
        status(&m)
    );
    // The second time, KILL is selected at first.
    let (ticket, kill) = command(typed(&mut m, "k\n")).unwrap();
    assert!(matches!(kill, Command::Kill { id: 3, signal: 9 }));
    let error = EngineError::new(Stage::Process, Errno::ESRCH, "no helper", "it has ended");
    update(&mut m, Msg::Replied { ticket, reply: Err(error.into()) });
    assert_eq!(status(&m), "#3 runs (pid 5003): not done: no helper (ESRCH): it has ended");
    assert!(matches!(command(typed(&mut m, "kt\n")), Some((_, Command::Kill { signal: 15, .. }))));
    for (at, says) in [(1, "it has ended"), (2, "it has ended")] {
        let mut m = with(&three(), at);
        assert!(command(typed(&mut m, "k")).is_none());
        assert!(status(&m).contains(says), "{}", status(&m));
    }
    let mut m = with(&[fixtures::open(9, b"x", State::Waiting, None)], 0);
    typed(&mut m, "k");
    assert!(status(&m).contains("waits for a slot") && m.dialogs.is_empty());
}

#[test]
fn the_same_is_asked_for_again_after_a_look_at_it() {
    let mut m = with(&three(), 1);
    assert!(command(typed(&mut m, "r")).is_none());
    let asked = command(typed(&mut m, "\n")).unwrap().1;
    assert!(matches!(asked, Command::RequestModule { name, wait: true, .. } if name == b"failed"));
    assert!(status(&m).starts_with("asked for failed"));
    // An environment that the console cannot set.
    let mut m = with(&three(), 2);
    typed(&mut m, "r\n");
    assert!(status(&m).contains("cannot be repeated from here"), "{}", status(&m));
}

#[test]
fn a_record_is_copied_as_json_or_as_a_command_line() {
    let mut m = with(&three(), 2);
    let copied =
        |effects: Vec<Effect>| effects.into_iter().find_map(|e| if let Effect::Copy(b) = e { Some(b) } else { None });
    let json = copied(typed(&mut m, "y\n")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((json["id"].as_u64(), json["env"][1].as_str()), (Some(1), Some("X=\\xff")));
    typed(&mut m, "y");
    key(&mut m, KeyCode::Down);
    let line = copied(key(&mut m, KeyCode::Enter)).unwrap();
    assert_eq!(line, br"$'/usr/bin/frob\033[2J' --all $'a\011b'");
    assert!(status(&m).contains("terminal's clipboard"));
}

fn saves(effects: Vec<Effect>) -> Option<(Ticket, Save)> {
    effects.into_iter().find_map(|e| if let Effect::Save { ticket, save } = e { Some((ticket, *save)) } else { None })
}

#[test]
fn records_are_saved_to_a_path_that_is_typed() {
    let mut m = with(&three(), 1);
    let (ticket, save) = saves(typed(&mut m, "w\n")).unwrap();
    assert_eq!((save.path.as_slice(), save.over.is_none()), (&b"khelper-records.jsonl"[..], true));
    assert!(matches!(save.what, What::All(_, None)));
    assert!(saves(typed(&mut m, "\n")).is_none(), "one at a time");
    let failed = Err(Unsaved::Failed("`/x`: EACCES; name another".into()));
    update(&mut m, Msg::Saved { ticket, result: failed });
    let form = m.top::<SaveForm>().unwrap();
    assert!(
        form.error.as_ref().unwrap().contains("EACCES")
            && form.error.as_ref().unwrap().starts_with("nothing was saved")
    );
    // Save the one under the cursor; the file exists; no, another path; yes.
    key(&mut m, KeyCode::Tab);
    key(&mut m, KeyCode::Right);
    let (ticket, save) = saves(typed(&mut m, "\n")).unwrap();
    assert!(matches!(&save.what, What::One(record) if record.id == 2));
    let existing = Existing::new(&std::fs::metadata("/").unwrap());
    let exists = || Err(Unsaved::Exists(existing.clone()));
    update(&mut m, Msg::Saved { ticket, result: exists() });
    assert!(m.top().is_some_and(|f: &SaveForm| matches!(f.stage, Saving::Asking(_))));
    key(&mut m, KeyCode::Esc);
    assert!(m.top().is_some_and(|f: &SaveForm| matches!(f.stage, Saving::Typing)));
    let (ticket, save) = saves(typed(&mut m, "\n")).unwrap();
    assert!(save.over.is_none(), "the yes was not given");
    update(&mut m, Msg::Saved { ticket, result: exists() });
    let (ticket, save) = saves(typed(&mut m, "\n")).unwrap();
    assert!(save.over.is_some_and(|yes| yes.allows(&existing)));
    let saved = Saved { path: "/x".into(), records: 1, bytes: 700 };
    update(&mut m, Msg::Saved { ticket, result: Ok(saved) });
    assert!(m.dialogs.is_empty());
    assert_eq!(status(&m), "saved 1 record, 700 bytes: /x");
}

#[test]
fn a_pause_is_saved_as_it_is_shown() {
    let mut m = with(&three(), 0);
    typed(&mut m, " ");
    assert!(matches!(saves(typed(&mut m, "w\n")).unwrap().1.what, What::All(_, Some(3))));
}

#[test]
fn the_page_of_a_record_keeps_the_cursor_and_knows_its_keys() {
    let mut m = with(&three(), 0);
    assert!(m.activity.follow);
    typed(&mut m, "\n");
    assert!(m.top::<Detail>().is_some() && m.dialogs.len() == 1 && !m.activity.follow);
    key(&mut m, KeyCode::Down);
    typed(&mut m, "k");
    assert!(m.dialogs[0].get::<Detail>().is_some() && m.top::<Kill>().is_some() && m.dialogs.len() == 2);
    key(&mut m, KeyCode::Esc);
    let (_, save) = saves(typed(&mut m, "w\n")).unwrap();
    assert!(matches!(save.what, What::One(_)), "from its page a record is saved alone");
    key(&mut m, KeyCode::Esc);
    typed(&mut m, "q");
    assert!(m.dialogs.is_empty() && m.tab == Tab::Activity);
    let mut m = with(&[], 0);
    typed(&mut m, "\nkrxy");
    assert!(m.dialogs.is_empty() && status(&m).contains("no record here"));
    m.snapshot.totals.requests = 1;
    typed(&mut m, "\n");
    assert!(m.dialogs.is_empty() && status(&m).contains("still reading"));
}

#[test]
fn read_only_looks_and_copies_but_does_nothing() {
    let mut m = with(&three(), 1);
    m.options.read_only = true;
    for c in "krwx".chars() {
        m.status = None;
        assert!(command(typed(&mut m, &c.to_string())).is_none());
        assert!(m.dialogs.is_empty() && status(&m).contains("read-only"), "{c}: {}", status(&m));
    }
    typed(&mut m, "y");
    assert!(m.top::<CopyRecord>().is_some());
}

#[test]
fn a_helper_that_runs_under_the_cursor_is_read_again_by_the_second() {
    let mut m = with(&three(), 0);
    assert_eq!(questions(update(&mut m, Msg::Tick(91_000_000))).len(), 1);
    let mut m = with(&three(), 1);
    assert!(questions(update(&mut m, Msg::Tick(91_000_000))).is_empty());
}

fn lines(n: u64) -> Vec<Line> {
    let level = |n| [Level::Info, Level::Warning, Level::Error][(n % 3) as usize];
    (0..n).map(|n| Line::new(level(n), "12:00:00.000".into(), Some(n), &format!("line {n}"))).collect()
}

#[test]
fn the_log_is_filtered_followed_and_copied() {
    let mut m = fixtures::model(fixtures::snapshot(), 80, 24);
    typed(&mut m, "4");
    update(&mut m, Msg::Logged(lines(90)));
    assert_eq!(m.log.line().unwrap().text, "line 89");
    assert_eq!(m.log.top, 90 - crate::tui::layout::log::rows(&m));
    key(&mut m, KeyCode::Up);
    update(&mut m, Msg::Logged(vec![Line::new(Level::Error, String::new(), None, "newest")]));
    assert_eq!(m.log.line().unwrap().text, "line 88");
    typed(&mut m, "ll");
    assert_eq!((m.log.shown.len(), m.log.level), (31, Level::Error));
    typed(&mut m, "/line 8\n");
    assert_eq!(m.log.shown.len(), 7, "{:?}", m.log.line());
    key(&mut m, KeyCode::Home);
    let copy = typed(&mut m, "y");
    assert!(matches!(&copy[..], [Effect::Copy(b)] if b == b"12:00:00.000 error #8 line 8"), "{copy:?}");
    key(&mut m, KeyCode::Esc);
    key(&mut m, KeyCode::Esc);
    assert_eq!((m.log.shown.len(), m.log.level), (91, Level::Info));
    typed(&mut m, "f");
    assert_eq!(m.log.line().unwrap().text, "newest");
    typed(&mut m, "f");
    assert!(!m.log.follow);
}

#[test]
fn the_screens_are_turned_both_ways() {
    let mut m = fixtures::model(fixtures::snapshot(), 80, 24);
    let tabs: Vec<Tab> = (0..5)
        .map(|_| {
            key(&mut m, KeyCode::Tab);
            m.tab
        })
        .collect();
    assert_eq!(tabs, [Tab::Masks, Tab::Activity, Tab::Log, Tab::Rules, Tab::Overview]);
    key(&mut m, KeyCode::BackTab);
    assert_eq!(m.tab, Tab::Rules);
}

#[test]
fn answers_after_the_screen_was_left_do_no_harm() {
    let mut m = fixtures::model(fixtures::snapshot(), 80, 24);
    typed(&mut m, "31");
    assert!(looked(&mut m, fixtures::answer(&three(), 0)).is_empty());
    update(&mut m, Msg::Saved { ticket: 77, result: Err(Unsaved::Failed("why".into())) });
    assert_eq!(status(&m), "nothing was saved: why");
    let error = Arc::new(fixtures::record(1, b"x", 0));
    update(&mut m, Msg::Replied { ticket: 78, reply: Ok(Reply::Answered(error)) });
}

/// The console with three helpers that run, `one` twice, on the screen Activity.
fn three_run() -> Model {
    let mut s = fixtures::busy(3);
    for live in &mut s.running[..2] {
        live.title = b"one"[..].into();
    }
    let mut m = fixtures::model(s, 120, 40);
    typed(&mut m, "3");
    let open = |id, name: &[u8]| fixtures::open(id, name, State::Running, Some(5000 + id as i32));
    let records = [open(3, b"dummy"), open(2, b"one"), open(1, b"one")];
    settle(&mut m, fixtures::answer(&records, 0));
    m
}

/// Draws, so that the list counts as read.
fn drawn(m: &mut Model) {
    page(m);
    super::super::shown(m);
}

#[test]
fn marked_requests_are_killed_together_after_their_number_is_typed() {
    let mut m = three_run();
    typed(&mut m, "v");
    key(&mut m, KeyCode::Down);
    typed(&mut m, "vk");
    let shown = screen(&m);
    for words in ["Kill 2 helpers?", "of the embedded engine", "▸ dummy, pid 5003", "▸ one, pid 5001", "type 2:"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    drawn(&mut m);
    assert!(typed(&mut m, "\n").is_empty() && typed(&mut m, "3\n").is_empty(), "the number is wrong");
    assert!(screen(&m).contains("not done: type 2"));
    key(&mut m, KeyCode::Backspace);
    drawn(&mut m);
    let effects = typed(&mut m, "2\n");
    let sent: Vec<_> = effects.into_iter().filter_map(|effect| command(vec![effect])).collect();
    let signals = sent.iter().map(|(_, command)| format!("{command:?}")).collect::<Vec<_>>().join(" ");
    assert!(signals.contains("Kill { id: 1, signal: 15 }") && signals.contains("Kill { id: 3, signal: 15 }"));
    assert_eq!(sent.len(), 2);
    assert_eq!(m.activity.had_term, [1, 3]);
    // One message for all of them.
    let error = EngineError::new(Stage::Process, Errno::ESRCH, "it has ended", "look again");
    update(&mut m, Msg::Replied { ticket: sent[0].0, reply: Ok(Reply::Done) });
    update(&mut m, Msg::Replied { ticket: sent[1].0, reply: Err(error.into()) });
    assert!(status(&m).starts_with("2 helpers: the signal was sent to 1 of 2; 1 not: it has ended"), "{}", status(&m));
    assert!(m.waiting_messages.is_empty() && m.bulks.is_empty());
    // Those that had TERM get KILL.
    drawn(&mut m);
    typed(&mut m, "k");
    drawn(&mut m);
    let again = typed(&mut m, "2\n");
    assert!(again.iter().all(|effect| format!("{effect:?}").contains("signal: 9")) && again.len() == 2);
}

#[test]
fn all_that_match_are_marked_and_esc_takes_the_marks_away() {
    let mut m = three_run();
    let open = |id, name: &[u8]| fixtures::open(id, name, State::Running, Some(5000 + id as i32));
    let records = [open(3, b"dummy"), open(2, b"one"), open(1, b"one")];
    keys_over(&mut m, &records, "/one\nV");
    assert_eq!(m.activity.marked.iter().copied().collect::<Vec<_>>(), [1, 2]);
    assert!(status(&m).starts_with("2 running requests that match are marked"));
    typed(&mut m, "x");
    let shown = screen(&m);
    assert!(shown.contains("Abandon 2 waits?") && shown.contains("one ×2, pid 5001 5002"), "{shown}");
    drawn(&mut m);
    let effects = typed(&mut m, "2\n");
    assert!(effects.iter().all(|effect| format!("{effect:?}").contains("Abandon(")) && effects.len() == 2);
    for key_ in [KeyCode::Esc, KeyCode::Esc] {
        drawn(&mut m);
        key(&mut m, key_);
    }
    assert!(m.activity.marked.is_empty());
    // Without marks the keys act on the row under the cursor.
    typed(&mut m, "k");
    assert!(screen(&m).contains("Kill 2 helpers?"), "the row has two");
}

#[test]
fn a_read_only_console_kills_nothing_that_is_marked() {
    let mut m = three_run();
    m.options.read_only = true;
    let records = [fixtures::open(3, b"dummy", State::Running, Some(5003))];
    for act in ["Vk", "Vx", "K", "X"] {
        keys_over(&mut m, &records, act);
        assert!(m.dialogs.is_empty() && status(&m).contains("read-only"), "{act}: {}", status(&m));
    }
}

#[test]
fn a_record_of_another_day_has_its_date_and_the_sort_key_a_column() {
    let mut m = with(&three(), 0);
    (m.columns, m.rows) = (120, 40);
    let mut page = fixtures::answer(&three(), 0);
    page.rows[1].day = "1969-12-31".to_owned();
    page.rows[0].day = "1970-01-01".to_owned();
    settle(&mut m, page);
    let shown = screen(&m);
    assert!(shown.contains(" 12-31 12:03:44 ") && shown.contains(" 01-01 12:03:44 "), "{shown}");
    typed(&mut m, "sss");
    settle(&mut m, fixtures::answer(&three(), 0));
    let shown = screen(&m);
    assert!(shown.contains(" memory ") && shown.contains("1480 KiB"), "{shown}");
}

/// Two helpers of one name run, and one of another; three requests of one name failed, the last one after a success.
fn folded() -> (Model, Vec<Record>) {
    let open = |id, name: &[u8]| fixtures::open(id, name, State::Running, Some(5000 + id as i32));
    let mut records = vec![open(1, b"one"), open(2, b"one"), open(3, b"dummy")];
    records.extend([4, 5, 7].map(|id| fixtures::record(id, b"zfs", 256)));
    records.push(fixtures::record(6, b"ext4", 0));
    let mut m = three_run();
    m.snapshot.totals.requests = 7;
    m.activity = crate::tui::model::activity::Activity::default();
    keys_over(&mut m, &records, "13");
    (m, records)
}

fn rows_shown(m: &Model) -> Vec<(u64, u64)> {
    m.activity.answer.rows.iter().map(|row| (row.id, row.times())).collect()
}

#[test]
fn equal_requests_share_a_row_until_they_are_unfolded() {
    let (mut m, records) = folded();
    assert_eq!(rows_shown(&m), [(7, 3), (6, 1), (3, 1), (2, 2)]);
    let shown = screen(&m);
    assert!(shown.contains("1-4 of 4 rows of 7") && shown.contains(" ×3 "), "{shown}");
    keys_over(&mut m, &records, "f+");
    assert_eq!(rows_shown(&m).len(), 7);
    // The cursor keeps its request, whichever row that is in.
    keys_over(&mut m, &records, "↓↓");
    assert_eq!(m.activity.at, Some((2, 5)));
    keys_over(&mut m, &records, "+");
    assert_eq!((m.activity.at, m.activity.row().map(|row| row.id)), (Some((0, 5)), Some(7)));
    assert_eq!(m.row_at_cursor().map(|row| (row.id, row.times())), Some((5, 3)));
    let shown = screen(&m);
    assert!(shown.contains(">#7 ") && shown.contains("#5 module zfs"), "{shown}");
    // A filter is applied before requests are folded.
    keys_over(&mut m, &records, "/#5\n");
    keys_over(&mut m, &records, "\n");
    assert_eq!(m.activity.at.map(|(index, _)| index), Some(0));
}

#[test]
fn a_mark_on_a_row_is_on_all_its_requests() {
    let (mut m, records) = folded();
    keys_over(&mut m, &records, "v");
    assert_eq!(m.activity.marked.iter().copied().collect::<Vec<_>>(), [4, 5, 7]);
    assert_eq!(status(&m), "a row of 3 requests: 3 requests are marked now");
    let shown = screen(&m);
    assert!(shown.contains("*#7 ") && shown.contains("3 marked"), "{shown}");
    // Partly marked: the mark says so, and the next one completes it.
    m.activity.marked.remove(&5);
    keys_over(&mut m, &records, "↑");
    assert!(screen(&m).contains("-#7 "));
    keys_over(&mut m, &records, "v");
    assert_eq!(m.activity.marked.len(), 3);
    keys_over(&mut m, &records, "↑v");
    assert!(m.activity.marked.is_empty());
}

#[test]
fn without_marks_the_keys_act_on_every_request_of_the_row() {
    let (mut m, records) = folded();
    keys_over(&mut m, &records, "⇲");
    assert_eq!(m.activity.row().map(Row::times), Some(2));
    keys_over(&mut m, &records, "k");
    let shown = screen(&m);
    assert!(shown.contains("Kill 2 helpers?") && shown.contains("one ×2, pid 5001 5002"), "{shown}");
    drawn(&mut m);
    assert!(keys_over(&mut m, &records, "1\n").is_empty());
    key(&mut m, KeyCode::Backspace);
    drawn(&mut m);
    assert_eq!(keys_over(&mut m, &records, "2\n").len(), 2);
    // Nothing of this row runs.
    keys_over(&mut m, &records, "⇱k");
    assert!(m.dialogs.is_empty() && status(&m) == "3 requests: none of them has a helper that runs", "{}", status(&m));
}

/// The filter, the key and the number; whatever does not match lives on.
#[test]
fn everything_that_matches_is_killed_by_one_key_and_its_number() {
    let (mut m, records) = folded();
    assert!(keys_over(&mut m, &records, "/one\nK").is_empty());
    let shown = screen(&m);
    assert!(shown.contains("Kill 2 helpers?") && shown.contains("one ×2, pid 5001 5002"), "{shown}");
    assert!(keys_over(&mut m, &records, "3\n").is_empty(), "the number is wrong");
    assert!(screen(&m).contains("not done: type 2"));
    let sent = keys_over(&mut m, &records, "⌫2\n");
    let kills = sent.iter().filter(|effect| format!("{effect:?}").contains("Kill { id: "));
    assert_eq!((sent.len(), kills.count()), (2, 2), "{sent:?}");
    // Marks on others are not acted on.
    keys_over(&mut m, &records, "⎋⎋⎋⇱v/dummy\nX");
    assert!(screen(&m).contains("Abandon 1 wait?"), "{}", screen(&m));
    keys_over(&mut m, &records, "⎋⎋⎋/zfs\nK");
    assert!(m.dialogs.is_empty() && status(&m) == "nothing to do: no running request matches", "{}", status(&m));
}

#[test]
fn an_answer_that_comes_after_the_filters_have_changed_kills_nothing() {
    let (mut m, records) = folded();
    let (ticket, _) = command(typed(&mut m, "K")).unwrap();
    keys_over(&mut m, &records, "/one\n");
    update(&mut m, Msg::Replied { ticket, reply: Ok(Reply::Matching(vec![1, 2, 3])) });
    assert!(m.dialogs.is_empty() && m.activity.marked.is_empty());
    assert!(status(&m).starts_with("nothing is marked"), "{}", status(&m));
}

#[test]
fn the_record_below_the_rows_is_read_to_its_end() {
    let mut m = with(&[fixtures::full(1)], 0);
    (m.columns, m.rows) = (120, 40);
    let records = [fixtures::full(1)];
    keys_over(&mut m, &records, "s");
    let before = screen(&m);
    assert!(before.contains("more lines: right reads; enter opens") && !before.contains("chain"), "{before}");
    keys_over(&mut m, &records, "→⇲");
    let after = screen(&m);
    assert!(after.contains("chain") && after.contains("stdout") && after.contains("left goes back"), "{after}");
    assert_eq!(m.activity.at, Some((0, 1)), "the cursor is still on its row");
    assert!(!m.activity.follow);
    // Up and down scroll until the keys go back to the rows.
    let end = m.activity.scrolled();
    keys_over(&mut m, &records, "↑↑");
    assert_eq!(m.activity.scrolled(), end - 2);
    keys_over(&mut m, &records, "⎋");
    assert!(!m.activity.reading);
    // Without room for the record the key opens it.
    (m.columns, m.rows) = (40, 10);
    keys_over(&mut m, &records, "→");
    assert!(m.top::<Detail>().is_some());
}

/// Modprobe of 2 asks for what 1 is loading; 4 and 5 were asked for by 3.
fn asked() -> Vec<Record> {
    let by = |id, asked_by, name: &[u8], raw| Record { asked_by, ..fixtures::record(id, name, raw) };
    vec![
        by(1, None, b"snd", 256),
        by(2, Some(1), b"snd", 256),
        by(3, Some(2), b"helper", 0),
        by(4, Some(3), b"ext4", 0),
        by(5, Some(3), b"ext4", 0),
        by(6, None, b"zfs", 0),
    ]
}

#[test]
fn the_tree_shows_who_asked_whom() {
    let (mut m, _) = folded();
    let records = asked();
    let shown = |m: &Model| -> Vec<(u64, u32, bool)> {
        let place = |row: &Row| row.branch.map_or((row.id, 99, false), |b| (row.id, b.depth, b.is_loop));
        m.activity.answer.rows.iter().map(place).collect()
    };
    keys_over(&mut m, &records, "⇱a");
    assert_eq!(shown(&m), [(6, 0, false), (1, 0, false), (2, 1, true), (3, 2, false), (5, 3, false)]);
    let page = screen(&m);
    for words in ["tree, newest first", "└─↻ snd", " └─helper", "  └─ext4"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // What a filter hides is left out; what is below it stays below the nearest that is shown.
    keys_over(&mut m, &records, "/snd\n");
    assert_eq!(shown(&m), [(1, 0, false), (2, 1, true)]);
    keys_over(&mut m, &records, "⎋⎋⎋+");
    assert_eq!(shown(&m).len(), 6);
    keys_over(&mut m, &records, "a");
    assert_eq!(shown(&m)[0], (6, 99, false));
    assert!(status(&m) == "a list again");
}
