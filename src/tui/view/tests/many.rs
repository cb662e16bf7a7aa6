//! The time picker, the question before an undo, and acts on many requests, at every size.

use super::rules::tried;
use super::states::{refused, state, with_records};
use super::styles::every_size_shows;
use super::*;
use crate::abi::record::State;
use crate::abi::rules_mode::Mode;
use crate::control::{Change, Key};

/// A knob that this console has changed, and the question before the value of before is set again.
fn undo(m: &mut Model) {
    keys(m, ":set kernel.modprobe=/bin/echo\n");
    let path = |path: &str| crate::control::KnobValue::Path(path.as_bytes().into());
    let change = Change::new(Key::Modprobe, path("/sbin/modprobe"), path("/bin/echo"));
    let ticket = m.last_ticket();
    m.snapshot.knobs.modprobe = Arc::from(&b"/bin/echo"[..]);
    update(m, Msg::Replied { ticket, reply: Ok(Reply::Written(vec![change])) });
    keys(m, "U");
}

/// Nine helpers that run, all of them marked, and these keys.
fn marked(m: &mut Model, typed: &str) {
    let records: Vec<_> = (1..=9)
        .rev()
        .map(|id| fixtures::open(id, format!("stuck{id}").as_bytes(), State::Running, Some(5000 + id as i32)))
        .collect();
    with_records(m, &records, 0, "");
    m.activity.marked.extend(1..=9);
    keys(m, typed);
}

fn nine() -> Snapshot {
    let mut busy = fixtures::busy(9);
    for live in &mut busy.running {
        live.title = format!("stuck{}", live.id).as_bytes().into();
    }
    busy
}

#[test]
fn times_undo_and_acts_on_many() {
    state("times", &fixtures::busy(2), |m| keys(m, "3i"));
    state("times_refused", &fixtures::busy(2), |m| keys(m, "3isince 2026-13-01"));
    state("undo", &fixtures::snapshot(), undo);
    state("undo_refused", &fixtures::snapshot(), |m| {
        undo(m);
        keys(m, "\n");
        refused(m);
    });
    state("abandon_many", &nine(), |m| marked(m, "x"));
    state("abandon_many_early", &nine(), |m| marked(m, "x9\n"));
    state("kill_many", &nine(), |m| marked(m, "k"));
}

#[test]
fn times_undo_acts_on_many_and_the_mode_of_the_rules_have_styles() {
    let times = |typed: &'static str| {
        move |columns, rows| {
            let mut model = fixtures::model(fixtures::busy(2), columns, rows);
            keys(&mut model, typed);
            model
        }
    };
    every_size_shows(
        times("3i"),
        &[
            ("> all ", |t| t.selected),
            ("session ", |t| t.text),
            ("> time", |t| t.title),
            ("enter shows all", |t| t.text),
        ],
    );
    every_size_shows(times("3isince 2026-13-01"), &[("for example", |t| t.dim), ("✗ give a time", |t| t.bad)]);
    let undo = |is_refused: bool| {
        move |columns, rows| {
            let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
            undo(&mut model);
            if is_refused {
                keys(&mut model, "\n");
                refused(&mut model);
            }
            model
        }
    };
    every_size_shows(
        undo(false),
        &[("to the embedded", |t| t.text), ("kernel.modprobe: ", |t| t.title), ("enter sets the value", |t| t.text)],
    );
    every_size_shows(undo(true), &[("✗ kernel.modprobe was not", |t| t.bad)]);
    let many = |typed: &'static str| {
        move |columns, rows| {
            let mut model = fixtures::model(nine(), columns, rows);
            marked(&mut model, typed);
            model
        }
    };
    every_size_shows(
        many("k"),
        &[("of the embedded", |t| t.text), ("TERM to each", |t| t.text), ("> type 9:", |t| t.title)],
    );
    every_size_shows(many("x"), &[("their callers get", |t| t.text)]);
    let mode = |typed: &'static str| {
        move |columns, rows| {
            let mut model = tried(Mode::Audit, None, columns, rows);
            keys(&mut model, typed);
            model
        }
    };
    every_size_shows(mode("s"), &[("off, at once", |t| t.text), ("> enforce for 10", |t| t.selected)]);
    every_size_shows(
        mode("se\n"),
        &[("khelper.rules.mode: ", |t| t.title), ("after 10 minutes", |t| t.text), ("enter enforces", |t| t.text)],
    );
    every_size_shows(mode("sc\n"), &[("it stays so", |t| t.warn)]);
}
