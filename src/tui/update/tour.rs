//! The guided tour: notices from the state of the console that a step was done.

use crate::abi::record::State;
use crate::control::text::outcome::Severity;
use crate::tui::dialogs::detail::Detail;
use crate::tui::dialogs::rehearsal::RehearsalPage;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::model::record_row;
use crate::tui::model::tour::Step;

/// Handles a key of the tour. Returns `false` if it is none, or if this is no demo.
pub(super) fn act(model: &mut Model, action: Action) -> bool {
    if !model.link.info.is_demo() {
        return false;
    }
    match action {
        Action::Tour => model.tour.shown ^= true,
        Action::TourBack => {
            model.tour.shown = true;
            model.turn_tour(false);
        }
        _ => return false,
    }
    true
}

/// Skips the step, if the tour is on the screen.
pub(super) fn skip(model: &mut Model) -> bool {
    if model.tour.shown {
        model.turn_tour(true);
    }
    model.tour.shown
}

/// Goes on, if the current step was done.
pub(super) fn settle(model: &mut Model) {
    if model.tour.shown && is_done(model) {
        model.turn_tour(true);
    }
}

fn is_done(model: &Model) -> bool {
    let drops = |draft: [_; 2]| {
        KNOBS.into_iter().any(|knob| !live(&model.snapshot, knob).minus(draft[knob as usize]).is_empty())
    };
    match model.tour.step() {
        Step::Slots => opened(model).is_some_and(|page| {
            page.record.state != State::Ended && model.snapshot.slots.holders.contains(&page.record.id)
        }),
        Step::Failure => opened(model).is_some_and(|page| {
            let said = page.record.output.as_ref().is_some_and(|output| !output.stderr.is_empty());
            page.record.state == State::Ended && page.ending.mood == Severity::Bad && said
        }),
        Step::Draft => drops(model.masks.drafts()),
        Step::Rehearse => model.top::<RehearsalPage>().is_some_and(|page| {
            let rehearsal = &page.rehearsal;
            drops(rehearsal.draft) && rehearsal.runs.iter().all(|run| run.record().is_some())
        }),
        Step::Apply => {
            KNOBS.into_iter().any(|knob| !model.tour.masks[knob as usize].minus(live(&model.snapshot, knob)).is_empty())
        }
        Step::Effect => {
            opened(model).is_some_and(|page| page.record.id > model.tour.newest && page.record.caps.is_some())
        }
        Step::Target => model.tour.left,
        Step::Quit => false,
    }
}

/// The record whose page is on top.
fn opened(model: &Model) -> Option<&record_row::Detail> {
    model.top::<Detail>().and_then(|_| model.activity.detail())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossterm::event::KeyCode;

    use super::*;
    use crate::abi::cap::CapMask;
    use crate::abi::record::{Output, Record};
    use crate::control::Reply;
    use crate::tui::msg::{Effect, Msg};
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};
    use crate::tui::update::update;

    const MODULES: CapMask = CapMask::from_bits(1 << 16);

    fn demo() -> Model {
        fixtures::demo(fixtures::busy(1), 80, 24)
    }

    fn looked(model: &mut Model, record: Record) {
        update(model, Msg::Looked(Box::new(fixtures::answer(&[record], 0))));
    }

    fn failed(id: u64) -> Record {
        let output = Output { stderr: b"demo: why\n".to_vec(), ..Output::default() };
        Record { output: Some(Arc::new(output)), ..fixtures::record(id, b"zfs", 256) }
    }

    #[test]
    fn a_step_is_done_by_what_is_on_the_screen() {
        let mut model = demo();
        assert_eq!(model.tour.step(), Step::Slots);
        keys(&mut model, "\n");
        assert_eq!(model.tour.step(), Step::Slots, "the record is not read yet");
        looked(&mut model, fixtures::record(1000, b"ext4", 0));
        assert_eq!(model.tour.step(), Step::Slots, "it holds no slot");
        looked(&mut model, fixtures::open(1, b"raid456", State::Running, Some(7)));
        assert_eq!(model.tour.step(), Step::Failure);
        looked(&mut model, fixtures::record(5, b"zfs", 256));
        assert_eq!(model.tour.step(), Step::Failure, "it wrote nothing");
        looked(&mut model, failed(5));
        assert_eq!(model.tour.step(), Step::Draft);
        keys(&mut model, "⎋2");
        assert_eq!(model.tour.step(), Step::Draft);
        keys(&mut model, " ");
        assert_eq!(model.tour.step(), Step::Rehearse);
        keys(&mut model, "p\n");
        for id in [40, 41] {
            assert_eq!(model.tour.step(), Step::Rehearse, "a run has not ended");
            let ticket = model.last_ticket();
            update(&mut model, Msg::Replied { ticket, reply: Ok(Reply::Answered(Arc::new(fixtures::full(id)))) });
        }
        assert_eq!(model.tour.step(), Step::Apply);
        let mut s = model.snapshot.clone();
        s.knobs.bset = s.knobs.bset.minus(MODULES);
        update(&mut model, Msg::Snapshot(Box::new(s)));
        assert_eq!(model.tour.step(), Step::Effect);
        let newest = model.tour.newest;
        assert_eq!(newest, 1001);
        keys(&mut model, "⎋3\n");
        looked(&mut model, fixtures::full(newest));
        assert_eq!(model.tour.step(), Step::Effect, "it is older than the change");
        looked(&mut model, fixtures::full(newest + 1));
        assert_eq!(model.tour.step(), Step::Target);
        model.tour.left = true;
        update(&mut model, Msg::Tick(1));
        assert_eq!(model.tour.step(), Step::Quit);
    }

    #[test]
    fn a_step_can_be_skipped_and_gone_back_to() {
        let mut model = demo();
        keys(&mut model, "⎋⎋");
        assert_eq!(model.tour.step(), Step::Draft);
        keys(&mut model, "D");
        assert_eq!(model.tour.step(), Step::Failure);
        keys(&mut model, "d");
        assert!(!model.tour.shown && !screen(&model).contains("Tour"));
        // Nothing is skipped unseen.
        keys(&mut model, "⎋");
        assert_eq!(model.tour.step(), Step::Failure);
        keys(&mut model, "D");
        assert!(model.tour.shown && model.tour.step() == Step::Slots);
        keys(&mut model, "⎋⎋⎋⎋⎋⎋⎋⎋⎋");
        assert_eq!(model.tour.step(), Step::Quit);
    }

    /// The second time, the mask has lost something already.
    #[test]
    fn applying_again_wants_another_change() {
        let mut model = demo();
        let mut s = model.snapshot.clone();
        s.knobs.bset = s.knobs.bset.minus(MODULES);
        update(&mut model, Msg::Snapshot(Box::new(s)));
        for _ in 0..4 {
            model.turn_tour(true);
        }
        update(&mut model, Msg::Tick(1));
        assert_eq!(model.tour.step(), Step::Apply);
    }

    #[test]
    fn the_tour_is_offered_where_there_is_no_modprobe() {
        let mut s = fixtures::snapshot();
        (s.totals, s.last, s.running, s.live_total) = Default::default();
        let mut model = fixtures::model(s, 80, 24);
        let missing = "`/sbin/modprobe` cannot be examined: No such file or directory (ENOENT)";
        update(&mut model, Msg::PathWarnings(vec![missing.into()]));
        assert!(screen(&model).contains("This machine has no /sbin/modprobe"), "{}", screen(&model));
        let pressed = |model: &mut Model, key| update(model, Msg::Key(KeyCode::into(key)));
        assert!(!screen(&model).contains("Warnings"), "it is said once");
        assert!(matches!(pressed(&mut model, KeyCode::Char('d'))[..], [Effect::Demo]));
        // A warning about something else is not hidden.
        update(&mut model, Msg::Notice("console.toml cannot be read".into()));
        let both = screen(&model);
        assert!(both.contains("Warnings 1") && both.contains("This machine has no"), "{both}");
        // Once something was asked, this console is not given up by one key.
        model.snapshot.totals.requests = 1;
        assert!(!screen(&model).contains("This machine has no"));
        assert!(pressed(&mut model, KeyCode::Char('d')).is_empty());
        assert!(screen(&model).contains("Take the tour?"), "{}", screen(&model));
        assert!(matches!(pressed(&mut model, KeyCode::Enter)[..], [Effect::Demo]));
        keys(&mut model, "⎋");
        // Live helpers would be left behind.
        model.snapshot.live_total = 1;
        assert!(pressed(&mut model, KeyCode::Char('d')).is_empty() && model.dialogs.is_empty());
    }
}
