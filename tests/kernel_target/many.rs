//! Many helpers through the watch and the ledger, for a person who looks at the figures.

use std::io::Write;

use serde_json::Value;

use crate::{Fixture, text};

/// `cargo test --release --test kernel_target -- --ignored --nocapture many`.
#[test]
#[ignore = "takes minutes and prints figures"]
fn many_helpers_leave_memory_and_descriptors_of_the_daemon_as_they_were() {
    const PART: usize = 10_000;
    let Some(fixture) = Fixture::new() else { return };
    let parts: usize = std::env::var("KHELPER_TEST_PARTS").map_or(30, |parts| parts.parse().unwrap());
    let mut figures = Vec::new();
    for part in 0..parts {
        fixture.hierarchy.start(part * PART, (part + 1) * PART, 4, |_| ("e0".to_owned(), 0));
        // Every helper of this part has come through: the ledger is written before the next is taken.
        let wanted = ((part + 1) * PART) as u64;
        let status = loop {
            let status: Value = serde_json::from_str(&text(&fixture.over(&["status", "--json"]))).unwrap();
            if status["helpers"].as_u64().unwrap() >= wanted {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        };
        fixture.hierarchy.sweep();
        let (resident, descriptors) = (fixture.daemon.status("VmRSS"), fixture.daemon.descriptors());
        let (lost, missed, ledger) = (&status["lost"], &status["missed"], &status["ledger"]);
        let _ = writeln!(
            std::io::stderr(),
            "{wanted} helpers: resident {resident} KiB, {descriptors} descriptors, {lost} events lost, {missed} missed, \
             ledger {} bytes, {} lines, {} lost",
            ledger["bytes"],
            ledger["written"],
            ledger["lost"]
        );
        figures.push((resident, descriptors));
    }
    // A burst of helpers that are alive at once raises what the daemon holds, once. Growth with every helper shows in the
    // second half too, whose highest values are compared with those of the first.
    let highest = |part: &[(usize, usize)]| {
        let resident = part.iter().map(|(resident, _)| *resident).max().unwrap_or(0);
        (resident, part.iter().map(|(_, descriptors)| *descriptors).max().unwrap_or(0))
    };
    let (first, last) = (highest(&figures[..parts.div_ceil(2)]), highest(&figures[parts / 2..]));
    assert!(last.0 <= first.0 + first.0 / 10 && last.1 <= first.1, "{figures:?}");
}
