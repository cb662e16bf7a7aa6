//! The operator's settings, and what the terminal cannot show.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::pty::Start;
use crate::steps::{SIZES, TARGET};

/// A path that causes no warning.
const QUIET: [&str; 2] = ["--set", "kernel.modprobe=/bin/true"];

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
    let config = folder("theme = \"high-contrast\"\n[keys.screens]\nquit = \"Z\"\nmodule = \"M\"\n");
    for (columns, rows) in SIZES {
        // A chosen theme overrides it.
        let plain = Start::khelper(columns, rows).env("NO_COLOR", "1");
        let mut pty = plain.env("XDG_CONFIG_HOME", config.path()).start();
        pty.shows("[engine]");
        // Bold and bright, as in the theme.
        let (tab, cell) = (pty.screen().cell(0, 0).unwrap(), pty.screen().cell(0, 20).unwrap());
        assert_eq!((tab.fgcolor(), tab.bgcolor()), (vt100::Color::Idx(0), vt100::Color::Idx(14)));
        assert_eq!((cell.bold(), cell.fgcolor()), (true, vt100::Color::Idx(14)));
        pty.press("M", "Ask for a module");
        pty.send("\x1b");
        pty.hides("Ask for a module");
        pty.press("q?", "Keys: type to search");
        pty.press("quit; asks", "search quit; asks");
        pty.shows("Z");
        pty.send("\x1b");
        pty.hides("Keys: type to search");
        pty.send("Z");
        assert_eq!(pty.ends(), 0);
        pty.is_restored();
    }
    // The output of `khelper keys` is a valid settings file.
    let printed = keys(config.path());
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("quit = [\"Z\"]") && text.contains("[keys.masks]"), "{text}");
    assert_eq!(keys(folder(&text).path()).stdout, text.as_bytes());
}

/// `--theme` overrules the settings and NO_COLOR, and `T` switches to the next theme while the console runs.
#[test]
fn a_theme_is_chosen_on_the_command_line_and_switched_while_it_runs() {
    let config = folder("theme = \"plain\"\n");
    for (columns, rows) in SIZES {
        let start =
            Start::khelper(columns, rows).env("XDG_CONFIG_HOME", config.path()).args(["--theme", "ansi"]).args(QUIET);
        let mut pty = start.env("NO_COLOR", "1").start();
        pty.shows("[engine]");
        let colours = |pty: &crate::pty::Pty| {
            let cell = pty.screen().cell(0, 20).unwrap();
            (cell.bold(), cell.fgcolor(), cell.bgcolor())
        };
        assert_eq!(colours(&pty), (true, vt100::Color::Idx(6), vt100::Color::Default));
        let rows = |pty: &crate::pty::Pty| pty.text().lines().map(|row| row.trim_end().to_owned()).collect::<Vec<_>>();
        let text = rows(&pty);
        pty.press("T", "theme plain; ");
        assert_eq!(colours(&pty), (true, vt100::Color::Default, vt100::Color::Default));
        pty.press("T", "theme high-contrast; ");
        assert_eq!(colours(&pty), (true, vt100::Color::Idx(14), vt100::Color::Idx(0)));
        pty.press("T", "theme colour-blind; ");
        pty.press("T", "theme ansi; ");
        assert_eq!(colours(&pty), (true, vt100::Color::Idx(6), vt100::Color::Default));
        // Only the styles have changed.
        pty.send("\x1b");
        pty.hides("theme ansi; ");
        assert_eq!(rows(&pty), text);
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
    let mut pty = Start::khelper(80, 24).args(["--theme", "pink\x1b"]).start();
    assert_eq!(pty.ends(), 64);
    pty.shows(r"unknown theme `pink\x1b`; the themes are: ansi, plain, high-contrast, colour-blind");
}

/// A chosen theme keeps its colours under NO_COLOR, which is for users who chose none.
#[test]
fn a_chosen_theme_overrules_no_color() {
    let config = folder("theme = \"high-contrast\"\n");
    for (columns, rows) in SIZES {
        let start = Start::khelper(columns, rows).env("XDG_CONFIG_HOME", config.path());
        let mut pty = start.env("NO_COLOR", "1").start();
        pty.shows("[engine]");
        let cell = pty.screen().cell(0, 20).unwrap();
        assert_eq!((cell.bold(), cell.fgcolor(), cell.bgcolor()), (true, vt100::Color::Idx(14), vt100::Color::Idx(0)));
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

#[test]
fn settings_that_mean_nothing_name_their_line() {
    for (settings, wanted) in [
        ("theme = \"ansi\"\n[keys.masks]\nundo = \"p\"\n", "console.toml:3: `p` already means `rehearse` in `masks`"),
        ("\ntheme = \"pink\"\n", "console.toml:2: unknown theme `pink`; the themes are: ansi, plain, high-contrast"),
        (
            "colour = 1\n",
            "console.toml:1: unknown setting `colour`; the settings are theme, ascii, modules and [keys.CONTEXT]",
        ),
        ("[keys.masks]\nundo = \"\\u202e\"\n", r"console.toml:2: unknown key `\xe2\x80\xae`"),
        ("[keys.masks]\nfrob = \"x\"\n", "console.toml:2: "),
        ("[keys.nowhere]\nundo = \"x\"\n", "console.toml:2: "),
        ("theme = \"ansi\"\n\u{1b}[2J = 1\n", "console.toml:2: "),
        // Not UTF-8.
        ("theme = \"ansi\"\n# Gr\u{0}\u{dc}n\n", "console.toml:2: this line is not UTF-8"),
    ] {
        let config = folder(settings);
        let file = config.path().join("khelper/console.toml");
        let latin_1 = settings.chars().filter(|c| *c != '\0').map(|c| c as u32 as u8).collect::<Vec<_>>();
        if settings.contains('\0') {
            std::fs::write(file, latin_1).unwrap();
        }
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

/// A file that exists but cannot be read: the console starts with the defaults, and says so.
#[test]
fn settings_that_cannot_be_read_are_a_warning() {
    let places: [fn(&Path); 3] = [
        |file| std::fs::create_dir(file).unwrap(),
        |file| symlink(file, file).unwrap(),
        |file| std::fs::write(file, "#".repeat(300_000)).unwrap(),
    ];
    for (place, why) in places.into_iter().zip(["not a regular file", "Too many", "it is longer than 256 KiB"]) {
        let config = tempfile::tempdir().unwrap();
        std::fs::create_dir(config.path().join("khelper")).unwrap();
        place(&config.path().join("khelper/console.toml"));
        let output = keys(config.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("console.toml cannot be read: ") && said.contains(why), "{said}");
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("quit = [\"q\"]"));
        for (columns, rows) in SIZES {
            let start = Start::khelper(columns, rows).args(QUIET);
            let mut pty = start.env("XDG_CONFIG_HOME", config.path()).start();
            pty.shows(TARGET);
            // At 40 x 10 it is cut.
            pty.shows("console.toml cannot be re");
            if columns >= 80 {
                pty.shows(why);
            }
            pty.send("\x1b");
            pty.hides("console.toml");
            pty.send("q");
            assert_eq!(pty.ends(), 0);
        }
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| std::iter::once(path.clone()).chain(below(&path))).collect()
}

/// Two commands in a console with this HOME: if the history cannot be saved, it says so once.
fn commands_are_kept(home: &str, place: &Path, kept: bool) {
    let start = Start::khelper(120, 40).env("HOME", home).without("XDG_STATE_HOME").without("XDG_CONFIG_HOME");
    let mut pty = start.args(QUIET).within(place).start();
    pty.shows(TARGET);
    for _ in 0..2 {
        pty.press(":", "─ Command");
        pty.press("get khelper.era\r", "Values of the knobs");
        pty.send("\x1b");
        pty.hides("Values of the knobs");
        if !kept {
            pty.shows("the command history is not saved: ");
        }
    }
    if !kept {
        pty.send("\x1b");
        pty.hides("the command history is not saved");
        pty.press(":", "─ Command");
        pty.press("get khelper.gate\r", "Values of the knobs");
        pty.send("\x1b");
        pty.hides("Values of the knobs");
        assert!(!pty.text().contains("the command history is not saved"), "{}", pty.text());
    }
    pty.send("q");
    assert_eq!(pty.ends(), 0);
}

/// Nothing is created if the home folder is missing or belongs to another user.
#[test]
fn a_home_that_is_missing_stays_missing() {
    let place = tempfile::tempdir().unwrap();
    for home in [place.path().join("gone").to_str().unwrap(), "", "relative", "/nonexistent/deeper"] {
        commands_are_kept(home, place.path(), false);
        assert_eq!(below(place.path()).len(), 0, "{home}");
    }
    assert!(!Path::new("/nonexistent").exists());
    commands_are_kept(place.path().to_str().unwrap(), place.path(), true);
    assert!(place.path().join(".local/state/khelper/history").is_file());
}

/// As `sudo` may start it: HOME is still the user's.
#[test]
fn root_leaves_nothing_in_the_home_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: only root can give a folder away\n");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    chown(home.path(), Some(65534), Some(65534)).unwrap();
    commands_are_kept(home.path().to_str().unwrap(), home.path(), false);
    assert_eq!(below(home.path()).len(), 0);
}

#[test]
fn the_linux_console_gets_ascii_and_no_clipboard() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).env("TERM", "linux").start();
        pty.shows("[engine]");
        pty.press("2", "> cap_sys_module");
        pty.press(" ", if columns < 58 { "[#>.]" } else { ". drops  " });
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
