//! The command line of the console.

use crate::pty::Start;
use crate::steps::SIZES;

const QUICK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/quick");

#[test]
fn commands_are_completed_done_and_remembered() {
    for (columns, rows) in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            let set = ["--set".to_owned(), format!("kernel.modprobe={QUICK}")];
            let mut pty = Start::khelper(columns, rows).args(set).env("XDG_STATE_HOME", folder.path()).start();
            pty.shows("engine (pid ");
            pty
        };
        let mut pty = start();
        pty.press(":", "Command");
        pty.press("req\t", "request ");
        pty.press("--repeat 3 dummy\r", "3 of 3 answered");
        pty.press(":", "Command");
        pty.press("set khelper.ma\t", "khelper.max_concurrent=");
        pty.press("99\r", "EINVAL");
        pty.press(":", "Command");
        pty.press("set khelper.max_concurrent=7\r", "`50` -> `7`");
        // Masks are confirmed as ever.
        pty.press(":", "Command");
        pty.press("set kernel.usermodehelper.bset=-cap_sys_module\r", "drop cap_sys_module");
        pty.send("\x1b");
        pty.hides("Apply the draft");
        pty.shows("draft open");
        pty.press(":get khelper.max_concurrent\r", "khelper.max_concurrent = 7");
        pty.send("q");
        pty.hides("As the knobs read");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
        // The next start knows them; what is broken in the file is passed over.
        let file = folder.path().join("khelper/history");
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, [b"\xff\x1b[2J\n\\x\n", &text[..]].concat()).unwrap();
        let mut pty = start();
        pty.press(":", "Command");
        pty.press("\x1b[A", "get khelper.max_concurrent");
        pty.press("\x1b[A\x1b[A", "set khelper.max_concurrent=7");
        pty.send("\x1b");
        pty.hides("Command");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}
