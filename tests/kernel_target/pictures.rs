//! Pictures of this machine's kernel as a target, with a helper that it really started.

use crate::Fixture;
use crate::asker::Asker;
use crate::picture::{folder, picture};
use crate::pty::Start;

#[test]
fn the_kernel_and_a_real_why() {
    let Some(fixture) = Fixture::new() else { return };
    let keep = folder();
    let mut pty = Start::khelper(100, 30).args(["--target", "kernel"]).start();
    pty.shows("[kernel]");
    let asker = Asker::start(&fixture.hierarchy, 65534, None, b"bash", "4-e4");
    pty.shows("exit 4");
    pty.whole_frame();
    picture(&pty, keep.as_deref(), "kernel");
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    // The same helper, explained.
    let by = format!("pid:{}", asker.pid());
    fixture.until(&["--target", "kernel", "why", &by], |said| said.contains("Exit "));
    let ledger = fixture.dir.path().join("ledger");
    let args = ["why", &by, "--ledger", ledger.to_str().unwrap()];
    let mut pty = Start::program(100, 12, env!("CARGO_BIN_EXE_khelper")).args(args).start();
    pty.shows("Exit 4");
    assert_eq!(pty.ends(), 0);
    assert!(pty.flat().contains("Asked by \"bash\""), "{}", pty.text());
    picture(&pty, keep.as_deref(), "why");
}
