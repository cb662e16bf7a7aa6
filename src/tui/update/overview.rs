//! The screen Overview: moves the cursor, and opens what is under it.

use ratatui::layout::Rect;

use crate::control::MaskKnob;
use crate::control::text::outcome::Severity;
use crate::tui::dialogs::{self, command_line, detail, page};
use crate::tui::keymap::Action;
use crate::tui::layout::overview::places;
use crate::tui::model::overview::{Item, KnobRow};
use crate::tui::model::{Model, Tab, warnings};
use crate::tui::panels::knobs;

/// Handles a key of the screen. Returns `false` if it is not a key of this screen.
pub(super) fn act(model: &mut Model, action: Action) -> bool {
    if model.tab != Tab::Overview || !model.dialogs.is_empty() || !model.link.seen {
        return false;
    }
    match action {
        Action::Up => step(model, -1),
        Action::Down => step(model, 1),
        Action::First => step(model, isize::MIN),
        Action::Last => step(model, isize::MAX),
        Action::Left => sideways(model, false),
        Action::Right => sideways(model, true),
        Action::Open => open(model),
        Action::Fold => fold(model),
        _ => return false,
    }
    true
}

/// Moves the cursor through the rows of its column, and from one panel to the next.
pub(super) fn step(model: &mut Model, by: isize) {
    let plan = places(model);
    let Some((column, _)) = plan.order.iter().find(|(_, item)| Some(*item) == plan.at) else { return };
    let column = column.unwrap_or(0);
    let here: Vec<Item> = plan
        .order
        .iter()
        .filter(|(other, _)| other.is_none_or(|other| other == column))
        .map(|(_, item)| *item)
        .collect();
    let at = here.iter().position(|item| Some(*item) == plan.at).unwrap_or(0);
    model.overview.at = here.get(at.saturating_add_signed(by).min(here.len() - 1)).copied();
}

/// Moves the cursor to the nearest row of the column at that side.
fn sideways(model: &mut Model, right: bool) {
    let plan = places(model);
    let items = &plan.items;
    let Some((_, here)) = items.iter().find(|(item, _)| Some(*item) == plan.at) else { return };
    let aside = |row: &Rect| if right { row.x >= here.right() } else { row.right() <= here.x };
    let nearest = items.iter().filter(|(_, row)| aside(row)).min_by_key(|(_, row)| {
        let across = if right { row.x } else { u16::MAX - row.x };
        (across, row.y.abs_diff(here.y))
    });
    if let Some((item, _)) = nearest {
        model.overview.at = Some(*item);
    }
}

fn fold(model: &mut Model) {
    model.overview.unfolded ^= true;
    let words = if model.overview.unfolded { "every request has a row" } else { "equal requests share a row" };
    model.say(Severity::Quiet, words);
}

/// A click on a row chooses it; on the chosen row, it opens it.
pub(super) fn click(model: &mut Model, item: Item) {
    if places(model).at == Some(item) {
        open(model);
    } else {
        model.overview.at = Some(item);
    }
}

/// Opens what is under the cursor.
fn open(model: &mut Model) {
    match places(model).at {
        Some(Item::Warning(at)) => {
            let Some(text) = warnings::all(model).into_iter().nth(at).map(|warning| warning.text) else { return };
            page::open(model, "Warning", vec![text]);
        }
        Some(Item::Running(id) | Item::Ended(id)) => detail::open_from_overview(model, id),
        Some(Item::Knob(knob)) => edit(model, knob),
        None => {}
    }
}

/// Opens what changes a knob.
fn edit(model: &mut Model, knob: KnobRow) {
    let masks = |model: &mut Model, column| {
        (model.masks.column, model.tab) = (column, Tab::Masks);
    };
    match knob {
        KnobRow::Modprobe => drop(dialogs::open(model, Action::Path)),
        KnobRow::Gate => drop(dialogs::open(model, Action::Gate)),
        KnobRow::Bset => masks(model, MaskKnob::Bset),
        KnobRow::Inheritable => masks(model, MaskKnob::Inheritable),
        KnobRow::Limit | KnobRow::Allow | KnobRow::Deny => {
            if !model.refuses("changing a knob") {
                let line = format!("set {}=", knobs::keys(knob)[0].name());
                command_line::open_with(model, line.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::control::Reply;
    use crate::tui::dialogs::command_line::CommandLine;
    use crate::tui::dialogs::detail::Detail;
    use crate::tui::dialogs::gate::Gate;
    use crate::tui::dialogs::page::Page;
    use crate::tui::dialogs::path::PathForm;
    use crate::tui::layout::overview::{PLANS, now};
    use crate::tui::msg::{Effect, Msg};
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};
    use crate::tui::update::update;

    fn at(model: &Model) -> Option<Item> {
        now(model).at
    }

    #[test]
    fn a_key_lays_the_screen_out_once_and_what_changed_before_it_counts() {
        let press = |model: &mut Model, code: KeyCode| update(model, Msg::Key(KeyEvent::from(code)));
        let mut model = fixtures::model(fixtures::busy(3), 120, 40);
        screen(&model);
        for code in [KeyCode::Down, KeyCode::Right, KeyCode::Down, KeyCode::Left, KeyCode::Up, KeyCode::Enter] {
            let before = PLANS.get();
            press(&mut model, code);
            screen(&model);
            let of_activity = usize::from(code == KeyCode::Enter);
            assert_eq!(PLANS.get() - before, 1 - of_activity, "{code:?}");
        }
        // Another state, and no frame between two keys.
        let asked = |drawn: bool| {
            let mut model = fixtures::model(fixtures::busy(3), 120, 40);
            if drawn {
                screen(&model);
            }
            let mut other = fixtures::busy(5);
            other.running.iter_mut().for_each(|live| live.title = format!("m{}", live.id).as_bytes().into());
            update(&mut model, Msg::Snapshot(Box::new(other)));
            press(&mut model, KeyCode::Down);
            press(&mut model, KeyCode::Down);
            at(&model)
        };
        assert_eq!((asked(true), asked(false).is_some()), (asked(false), true));
    }

    #[test]
    fn the_cursor_walks_through_the_panels_of_its_column() {
        let mut one = fixtures::model(fixtures::busy(2), 80, 24);
        let mut seen = vec![at(&one)];
        for _ in 0..12 {
            keys(&mut one, "↑");
        }
        for _ in 0..12 {
            seen.push(at(&one));
            keys(&mut one, "↓");
        }
        let knobs = KnobRow::ALL.map(|knob| Some(Item::Knob(knob)));
        let lists = [Item::Running(1), Item::Ended(1001), Item::Ended(1000), Item::Ended(1000), Item::Ended(1000)];
        let wanted: Vec<_> = [Some(Item::Running(1))].into_iter().chain(knobs).chain(lists.map(Some)).collect();
        assert_eq!(seen, wanted);
        // In two columns, it changes the column sideways alone.
        let mut two = fixtures::model(fixtures::busy(2), 120, 40);
        keys(&mut two, "↓↓↓");
        assert_eq!(at(&two), Some(Item::Running(1)));
        keys(&mut two, "→");
        assert_eq!(at(&two), Some(Item::Ended(1000)));
        keys(&mut two, "⇱");
        assert_eq!(at(&two), Some(Item::Knob(KnobRow::Modprobe)));
        keys(&mut two, "←");
        assert_eq!(at(&two), Some(Item::Running(1)));
    }

    #[test]
    fn the_cursor_stays_with_its_request() {
        let mut model = fixtures::model(fixtures::busy(1), 80, 24);
        keys(&mut model, "↓");
        assert_eq!(at(&model), Some(Item::Ended(1001)));
        let mut s = fixtures::busy(1);
        s.last.insert(0, std::sync::Arc::new(fixtures::record(1002, b"zfs", 256)));
        update(&mut model, Msg::Snapshot(Box::new(s.clone())));
        assert_eq!(at(&model), Some(Item::Ended(1001)));
        // It ends while the cursor is on it.
        keys(&mut model, "↑↑");
        assert_eq!(at(&model), Some(Item::Running(1)));
        (s.running, s.live_total) = (Vec::new(), 0);
        s.last.insert(0, std::sync::Arc::new(fixtures::record(1, b"other", 9)));
        update(&mut model, Msg::Snapshot(Box::new(s)));
        assert_eq!(at(&model), Some(Item::Ended(1)));
    }

    #[test]
    fn enter_opens_what_is_under_the_cursor() {
        let open = |item: Item| {
            let mut s = fixtures::busy(1);
            s.warnings = vec![fixtures::drain_failed(1)];
            let mut model = fixtures::model(s, 80, 24);
            model.overview.at = Some(item);
            keys(&mut model, "\n");
            model
        };
        assert!(open(Item::Warning(0)).top::<Page>().is_some_and(|page| page.lines[0].contains("gave up")));
        assert!(open(Item::Knob(KnobRow::Modprobe)).top::<PathForm>().is_some());
        assert!(open(Item::Knob(KnobRow::Gate)).top::<Gate>().is_some());
        let masks = open(Item::Knob(KnobRow::Inheritable));
        assert_eq!((masks.tab, masks.masks.column), (Tab::Masks, MaskKnob::Inheritable));
        for (knob, line) in [
            (KnobRow::Limit, "set khelper.max_concurrent="),
            (KnobRow::Allow, "set khelper.allow="),
            (KnobRow::Deny, "set khelper.deny="),
        ] {
            let model = open(Item::Knob(knob));
            assert!(model.top::<CommandLine>().is_some() && model.line.typed.bytes() == line.as_bytes());
        }
        let mut record = open(Item::Ended(1000));
        assert!(record.top::<Detail>().is_some() && record.tab == Tab::Activity);
        keys(&mut record, "⎋");
        assert_eq!((record.tab, record.dialogs.len()), (Tab::Overview, 0));
    }

    /// The record is read, whatever Activity showed before.
    #[test]
    fn the_record_that_is_opened_is_the_one_under_the_cursor() {
        let mut model = fixtures::model(fixtures::busy(1), 80, 24);
        keys(&mut model, "3");
        update(&mut model, Msg::Looked(Box::default()));
        keys(&mut model, "/nothing\n");
        // The words as they stand, and then their letters.
        for _ in 0..3 {
            update(&mut model, Msg::Looked(Box::default()));
        }
        keys(&mut model, "1↓↓");
        let effects = update(&mut model, Msg::Key(crossterm::event::KeyCode::Enter.into()));
        let asked = effects.iter().any(|effect| match effect {
            Effect::Look(page) => {
                let near = format!("{:?}", page.anchor);
                near.contains("id: 1000") && page.query.words.is_empty()
            }
            _ => false,
        });
        assert!(asked, "{effects:?}");
        update(&mut model, Msg::Looked(Box::new(fixtures::answer(&[fixtures::record(1000, b"ext4", 0)], 0))));
        assert!(screen(&model).contains("#1000 module ext4"), "{}", screen(&model));
        // A reply meanwhile changes nothing.
        update(&mut model, Msg::Replied { ticket: 99, reply: Ok(Reply::Done) });
        assert!(screen(&model).contains("#1000 module ext4"));
    }

    #[test]
    fn a_click_chooses_and_a_second_one_opens() {
        use crate::tui::msg::{Click, Mouse};
        let mut model = fixtures::model(fixtures::busy(1), 80, 24);
        let row = screen(&model).lines().position(|row| row.contains("#1000 ext4")).unwrap();
        let click = Mouse { what: Click::Press, x: 20, y: u16::try_from(row).unwrap() };
        update(&mut model, Msg::Mouse(click));
        assert_eq!((at(&model), model.dialogs.len()), (Some(Item::Ended(1000)), 0));
        update(&mut model, Msg::Mouse(click));
        assert!(model.top::<Detail>().is_some());
    }
}
