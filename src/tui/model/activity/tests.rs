use super::*;

fn row(id: u64) -> Row {
    let record = crate::tui::testing::fixtures::record(id, id.to_string().as_bytes(), 0);
    Row::of(&record)
}

/// As the reader would answer, over requests 1 to `newest`, newest first.
fn answer(question: &PageRequest, newest: u64) -> RowPage {
    let matched = usize::try_from(newest).unwrap();
    let at = match question.anchor {
        Anchor::First => 0,
        Anchor::Last => matched - 1,
        Anchor::Near { id, by, .. } => usize::try_from(newest - id).unwrap().saturating_add_signed(by).min(matched - 1),
    };
    let first = at.saturating_sub(question.around);
    let last = (at + question.around).min(matched - 1);
    let rows = (first..=last).map(|index| row(newest - index as u64)).collect();
    RowPage { matched, in_rows: matched, looked: matched, first, rows, at: Some(at), ..RowPage::default() }
}

fn settle(activity: &mut Activity, seq: u64, newest: u64) {
    while let Some(question) = activity.ask(seq, 10, 0) {
        activity.take(answer(&question, newest));
        activity.keep_in_sight(10);
    }
}

#[test]
fn one_question_at_a_time_and_none_without_a_cause() {
    let mut a = Activity::default();
    let question = a.ask(1, 10, 0).unwrap();
    assert!(a.ask(2, 10, 0).is_none());
    a.take(answer(&question, 100));
    assert!(a.ask(2, 10, 0).is_some());
    a.take(answer(&question, 100));
    assert!(a.ask(2, 10, 5).is_none(), "nothing has changed");
}

#[test]
fn the_cursor_follows_the_newest_until_it_is_moved() {
    let mut a = Activity::default();
    settle(&mut a, 1, 100);
    settle(&mut a, 2, 150);
    assert_eq!((a.at, a.top), (Some((0, 150)), 0));
    a.move_by(3);
    settle(&mut a, 3, 150);
    assert_eq!(a.at, Some((3, 147)));
    // New ones come above: the cursor keeps its request, and its place on the screen.
    settle(&mut a, 4, 170);
    assert_eq!((a.at, a.top), (Some((23, 147)), 20));
    a.follow();
    settle(&mut a, 5, 170);
    assert_eq!((a.at, a.top), (Some((0, 170)), 0));
}

#[test]
fn far_away_rows_come_with_an_answer_however_many_keys_there_were() {
    let mut a = Activity::default();
    settle(&mut a, 1, 1_000);
    for _ in 0..50 {
        a.move_by(10);
    }
    let question = a.ask(1, 10, 0).unwrap();
    a.move_by(10);
    a.take(answer(&question, 1_000));
    settle(&mut a, 1, 1_000);
    assert_eq!(a.at, Some((510, 490)));
    a.jump(Anchor::Last);
    settle(&mut a, 1, 1_000);
    assert_eq!((a.at, a.top), (Some((999, 1)), 990));
    a.move_by(isize::MIN);
    settle(&mut a, 1, 1_000);
    assert_eq!(a.at, Some((0, 1_000)));
}

#[test]
fn a_move_while_an_answer_is_on_its_way_is_not_undone_by_it() {
    let mut a = Activity::default();
    settle(&mut a, 1, 100);
    a.move_by(1);
    let question = a.ask(2, 10, 0).unwrap();
    a.move_by(4);
    a.take(answer(&question, 130));
    assert_eq!(a.at, Some((35, 95)));
    settle(&mut a, 2, 130);
    assert_eq!(a.at, Some((35, 95)));
}

#[test]
fn paused_asks_only_for_what_the_operator_does() {
    let mut a = Activity::default();
    settle(&mut a, 1, 100);
    a.paused = Some(100);
    settle(&mut a, 2, 100);
    assert!(a.ask(3, 10, 0).is_none());
    a.move_by(1);
    assert!(a.ask(4, 10, 0).is_some_and(|question| question.still));
}

#[test]
fn trouble_is_kept_apart_from_rows() {
    let mut a = Activity::default();
    settle(&mut a, 1, 5);
    a.ask(2, 10, 0).unwrap();
    a.take(RowPage { trouble: Some("why".into()), ..RowPage::default() });
    assert_eq!((a.answer.rows.len(), a.answer.trouble.as_deref()), (5, Some("why")));
    settle(&mut a, 3, 5);
    assert_eq!(a.answer.trouble, None);
}

/// A key that comes before the answer is not lost.
#[test]
fn the_cursor_moves_from_its_request_when_rows_unfold() {
    let mut a = Activity::default();
    let folded = a.ask(1, 10, 0).unwrap();
    a.take(RowPage { in_rows: 1, rows: vec![row(2)], ..answer(&folded, 2) });
    assert_eq!((a.at, a.answer.in_rows), (Some((0, 2)), 1));
    a.fold();
    let first = a.ask(1, 10, 0).unwrap();
    assert!(!first.folded);
    a.move_by(1);
    a.take(answer(&first, 2));
    settle(&mut a, 1, 2);
    assert_eq!(a.at, Some((1, 1)));
}
