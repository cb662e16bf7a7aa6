//! Each counter is beside its name, on every screen and dialog that shows one; names chosen by requesters are escaped.

use super::*;

fn flat(model: &Model) -> String {
    screen(model).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn gate_3_dialogs_and_records_show_the_counter_that_they_name() {
    for (typed, wanted) in [("g", "21 calls in flight"), ("q", "Unfinished: 24, live: 22"), ("3", "501 ")] {
        for (columns, rows) in [(80, 24), (120, 40)] {
            let mut model = fixtures::model(fixtures::distinct(), columns, rows);
            keys(&mut model, typed);
            assert!(flat(&model).contains(wanted), "{typed}: {wanted}\n{}", screen(&model));
        }
    }
}

#[test]
fn names_of_running_requests_are_escaped_wherever_they_are_listed() {
    let mut s = fixtures::busy(2);
    s.running[0].title = b"a\x1b[2Jb"[..].into();
    for typed in ["", "q"] {
        let mut model = fixtures::model(s.clone(), 120, 40);
        keys(&mut model, typed);
        let shown = screen(&model);
        assert!(shown.contains("#1 a\\x1b[2Jb"), "{typed}:\n{shown}");
        assert!(!shown.contains("a[2Jb"), "{typed}: the escape is dropped, not shown:\n{shown}");
    }
}
