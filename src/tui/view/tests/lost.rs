//! A target that cannot be reached.

use super::*;
use crate::control::target::LinkState;

fn lost(columns: u16, rows: u16, theme: Theme) -> Model {
    let mut model = fixtures::model(fixtures::busy(12), columns, rows);
    model.theme = theme;
    let link = LinkState::Lost { why: "it closed the connection".into() };
    let info = crate::control::target::TargetInfo { link, ..model.link.info.clone() };
    update(&mut model, Msg::Target(Box::new(info)));
    model
}

#[test]
fn its_last_state_is_muted_with_its_time_and_the_cursor_stays() {
    for (columns, rows_) in [(120, 40), (200, 60)] {
        let model = lost(columns, rows_, Theme::ansi());
        let shown = page(&model);
        let all = rows(&shown);
        assert!(all[0].ends_with(" CONNECTION LOST 12:03:44"), "{}", all[0]);
        let body = Areas::now(&model).body;
        let cells = || body.rows().flat_map(|row| row.columns()).map(|at| &shown[(at.x, at.y)]);
        let reversed = |cell: &ratatui::buffer::Cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED);
        assert!(cells().filter(|cell| !reversed(cell)).all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let reversed = cells().filter(|cell| reversed(cell)).count();
        assert!(reversed > 20, "{reversed} cells of the row under the cursor");
    }
    for (columns, rows_) in [(80, 24), (40, 10)] {
        assert!(screen(&lost(columns, rows_, Theme::ansi())).contains(" CONNECTION LOST"));
    }
    // Without colours nothing is muted.
    let mut plain = lost(120, 40, Theme::plain());
    let bold = |model: &Model| page(model).content().iter().filter(|cell| !cell.modifier.is_empty()).count();
    let muted = bold(&plain);
    plain.link.info.link = LinkState::Up;
    assert!(muted + 40 >= bold(&plain) && muted > 40);
}

#[test]
fn the_message_follows_the_attempts_until_it_is_dismissed() {
    let mut model = lost(120, 40, Theme::ansi());
    let fails = |model: &mut Model, why: &str| {
        let link = LinkState::Lost { why: why.into() };
        let info = crate::control::target::TargetInfo { link, ..model.link.info.clone() };
        update(model, Msg::Target(Box::new(info)));
    };
    fails(&mut model, "it closed the connection; tries again after 3 s");
    assert!(screen(&model).contains("tries again after 3 s"), "{}", screen(&model));
    fails(&mut model, "it closed the connection; tries again after 6 s");
    let shown = screen(&model);
    assert!(shown.contains("tries again after 6 s") && !shown.contains("after 3 s"), "{shown}");
    assert!(model.waiting_messages.is_empty());
    keys(&mut model, "⎋");
    fails(&mut model, "it closed the connection; tries again after 12 s");
    assert!(model.status.is_none() && !screen(&model).contains("tries again"), "{}", screen(&model));
}

#[test]
fn what_is_typed_stays_in_its_dialog() {
    for (keys_, typed) in [("mfoo", "> name        foo"), ("c/bin/x", "> path        /bin/x")] {
        let mut model = lost(80, 24, Theme::ansi());
        keys(&mut model, keys_);
        keys(&mut model, "\n");
        let shown = screen(&model);
        assert!(shown.contains(typed) && shown.contains("nothing was sent"), "{shown}");
        assert!(model.pending.is_empty());
        model.link.info.link = LinkState::Up;
        keys(&mut model, "\n");
        assert_eq!((model.dialogs.len(), model.pending.len()), (0, 1));
    }
}
