//! The screens of a demo with its tour, and the first screen of a machine without modprobe.

use super::*;

#[test]
fn the_tour_stands_on_every_screen() {
    for (name, typed) in [("tour_overview", ""), ("tour_masks", "⎋⎋2"), ("tour_page", "⎋3\n")] {
        for (columns, rows) in SIZES {
            let mut model = fixtures::demo(fixtures::busy(3), columns, rows);
            for c in typed.chars() {
                keys(&mut model, &c.to_string());
                if model.tab == Tab::Activity {
                    let records = [fixtures::record(1000, b"ext4", 0)];
                    update(&mut model, Msg::Looked(Box::new(fixtures::answer(&records, 0))));
                }
            }
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(&model));
        }
    }
}

/// Every step fits in two lines from 80 columns on, and in one with a word about what is hidden at 40.
#[test]
fn no_step_is_cut() {
    for (columns, rows) in SIZES {
        let mut model = fixtures::demo(fixtures::busy(1), columns, rows);
        for at in 0..8 {
            for typed in ["", "?"] {
                keys(&mut model, typed);
                let screen = screen(&model);
                let tour: Vec<&str> =
                    screen.lines().skip_while(|row| !row.contains(&format!("Tour {}", at + 1))).collect();
                assert!(!tour.is_empty() && !tour[..tour.len() - 1].join("\n").contains('…'), "{columns}: {screen}");
                assert!(rows > 10 || tour[0].ends_with("; why hidden"), "{screen}");
            }
            keys(&mut model, "⎋");
            model.turn_tour(true);
        }
    }
}

#[test]
fn a_screen_too_small_for_the_tour_has_none() {
    let model = fixtures::demo(fixtures::busy(1), 40, 7);
    assert!(!screen(&model).contains("Tour"), "{}", screen(&model));
}

#[test]
fn the_first_screen_without_modprobe_says_what_can_be_done() {
    for (columns, rows) in SIZES {
        let mut s = fixtures::snapshot();
        (s.totals, s.last, s.running) = Default::default();
        let mut model = fixtures::model(s, columns, rows);
        let missing = "`/sbin/modprobe` cannot be examined: No such file or directory (ENOENT)";
        update(&mut model, Msg::PathWarnings(vec![missing.into()]));
        insta::assert_snapshot!(format!("no_modprobe_{columns}x{rows}"), screen(&model));
    }
    at_every_size("take_tour", &fixtures::snapshot(), "d");
}
