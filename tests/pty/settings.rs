//! What the operator chose, and what the terminal cannot show.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::process::{Command, Output};

use crate::pty::Start;
use crate::steps::SIZES;

fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("khelper")).unwrap();
    std::fs::write(folder.path().join("khelper/console.toml"), settings).unwrap();
    folder
}

fn keys(config: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_khelper")).arg("keys").env("XDG_CONFIG_HOME", config).output().unwrap()
}

#[test]
fn keys_and_theme_are_the_operators() {
    let config = folder("theme = \"high-contrast\"\n[keys.screens]\nquit = \"X\"\nmodule = \"M\"\n");
    for (columns, rows) in SIZES {
        // A theme that was chosen overrules it.
        let plain = Start::khelper(columns, rows).env("NO_COLOR", "1");
        let mut pty = plain.env("XDG_CONFIG_HOME", config.path()).start();
        pty.shows("engine (pid ");
        // Bold and bright, as the theme has it.
        let cell = pty.screen().cell(0, 0).unwrap();
        assert_eq!((cell.bold(), cell.fgcolor()), (true, vt100::Color::Idx(14)));
        pty.press("M", "Ask for a module");
        pty.send("\x1b");
        pty.hides("Ask for a module");
        pty.press("q?", "Keys: type to search");
        pty.press("quit; with", "search quit; with");
        pty.shows("X");
        pty.send("\x1b");
        pty.hides("Keys: type to search");
        pty.send("X");
        assert_eq!(pty.ends(), 0);
        pty.is_restored();
    }
    // What `khelper keys` prints are settings that are taken again.
    let printed = keys(config.path());
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("quit = [\"X\"]") && text.contains("[keys.masks]"), "{text}");
    assert_eq!(keys(folder(&text).path()).stdout, text.as_bytes());
}

/// A theme that was chosen is kept whole under NO_COLOR, which is for those who chose nothing.
#[test]
fn a_chosen_theme_overrules_no_color() {
    let config = folder("theme = \"high-contrast\"\n");
    for (columns, rows) in SIZES {
        let start = Start::khelper(columns, rows).env("XDG_CONFIG_HOME", config.path());
        let mut pty = start.env("NO_COLOR", "1").start();
        pty.shows("engine (pid ");
        let cell = pty.screen().cell(0, 0).unwrap();
        assert_eq!((cell.bold(), cell.fgcolor(), cell.bgcolor()), (true, vt100::Color::Idx(14), vt100::Color::Idx(0)));
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

#[test]
fn settings_that_mean_nothing_name_their_line() {
    for (settings, wanted) in [
        ("theme = \"ansi\"\n[keys.masks]\nundo = \"p\"\n", "console.toml:3: `p` already means `rehearse` in `masks`"),
        ("\ntheme = \"pink\"\n", "console.toml:2: no theme is called `pink`: ansi, plain, high-contrast"),
        ("colour = 1\n", "console.toml:1: `colour` is no setting: theme, ascii and [keys.CONTEXT] are"),
        ("[keys.masks]\nundo = \"\\u202e\"\n", r"console.toml:2: `\xe2\x80\xae` is no key"),
        ("[keys.masks]\nfrob = \"x\"\n", "console.toml:2: "),
        ("[keys.nowhere]\nundo = \"x\"\n", "console.toml:2: "),
        ("theme = \"ansi\"\n\u{1b}[2J = 1\n", "console.toml:2: "),
    ] {
        let config = folder(settings);
        let output = keys(config.path());
        assert_eq!(output.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&output.stderr).contains(wanted), "{output:?}");
        for (columns, rows) in SIZES {
            let mut pty = Start::khelper(columns, rows).env("XDG_CONFIG_HOME", config.path()).start();
            assert_eq!(pty.ends(), 64);
            pty.is_restored();
            assert!(pty.text().replace('\n', "").contains(wanted), "{}", pty.text());
        }
    }
}

#[test]
fn the_linux_console_gets_ascii_and_no_clipboard() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).env("TERM", "linux").start();
        pty.shows("engine (pid ");
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "[#>.]");
        pty.press("y", "Copy the draft");
        pty.send("\r");
        pty.says("was not copied: a terminal of this type (TERM) has no");
        pty.press("P", "Presets");
        assert!(pty.wrote.is_ascii(), "{:?}", String::from_utf8_lossy(&pty.wrote));
        pty.press("\x03", "Quit?");
        pty.send("\r");
        assert_eq!(pty.ends(), 0);
    }
}
