//! The memory of the console with as many records as the engine keeps, none of them with output.

use std::path::Path;

use super::flood::Watched;
use super::measure::status;

/// As many as the engine keeps, asked for in pieces.
const RECORDS: u32 = 10_000;
const PIECE: u32 = 1_000;

pub fn records(home: &Path) {
    let argv = [env!("CARGO_BIN_EXE_khelper"), "--set", "kernel.modprobe="].map(Into::into);
    let mut console = Watched::start(&argv, home);
    let before = status(&console.program, "VmRSS:");
    console.show("3", "[3 Activity]");
    for piece in 1..=RECORDS / PIECE {
        console.show(":", "Command");
        console
            .show(&format!("request --repeat {PIECE} flood\r"), &format!("{} requests so far, 0 still", piece * PIECE));
    }
    ["4", "2", "1"].iter().for_each(|screen| console.show(screen, &format!("[{screen} ")));
    let parts = ["VmRSS:", "RssAnon:", "RssFile:"].map(|part| status(&console.program, part));
    let [all, own, files] = parts;
    println!(
        "resident KiB with {RECORDS} records: {all:.0} ({own:.0} its own, {files:.0} of files); before: {before:.0}"
    );
}
