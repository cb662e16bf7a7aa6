//! Terminals with fewer features: no UTF-8, no colours, a clipboard behind a multiplexer. And screen readers, which
//! follow the terminal's cursor.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use nix::sys::signal::{Signal, kill};

use crate::pty::{Pty, Start, pid_after};
use crate::steps::{ENTER, ESC, FAILING, QUICK, SIZES, ask, everywhere, quits};

/// The environment, and options.
type Said = (&'static [(&'static str, &'static str)], &'static [&'static str]);

/// No locale, independent of the tests' own.
fn start(columns: u16, rows: u16, (env, options): Said) -> Start {
    let nothing = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(|name| (name, ""));
    let start = Start::khelper(columns, rows).args(options).args(["--set", &format!("kernel.modprobe={FAILING}")]);
    nothing.chain(env.iter().copied()).fold(start, |start, (name, value)| start.env(name, value))
}

const ASCII: [Said; 8] = [
    (&[("TERM", "vt220"), ("LC_ALL", "C")], &[]),
    (&[("TERM", "vt220"), ("LC_ALL", "C.UTF-8")], &[]),
    (&[("TERM", "vt102"), ("LANG", "en_US.ISO-8859-1")], &[]),
    (&[("TERM", "linux"), ("LANG", "C.UTF-8")], &[]),
    (&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")], &[]),
    (&[("LC_CTYPE", "C"), ("LANG", "en_US.UTF-8")], &[]),
    (&[], &[]),
    (&[("LC_ALL", "C.UTF-8")], &["--ascii"]),
];

/// Names, paths, typed text, errors and the exit report, on every screen: only ASCII bytes.
#[test]
fn without_utf_8_every_byte_is_ascii() {
    let folder = tempfile::Builder::new().prefix("k").rand_bytes(4).tempdir_in("/tmp").unwrap();
    let helper = folder.path().join("schläft");
    std::os::unix::fs::symlink("/bin/sleep", &helper).unwrap();
    let escaped = format!(r"{}/schl\xc3\xa4ft", folder.path().display());
    for (at, said) in ASCII.into_iter().enumerate() {
        let (columns, rows) = SIZES[at % 2];
        let mut pty = start(columns, rows, said).start();
        pty.shows("[engine]");
        pty.press("m", "- Ask for a module");
        pty.send("caf\u{e9}");
        pty.says(r"> name caf\xc3\xa9");
        pty.says(r"runs ");
        pty.send(ENTER);
        pty.says(r"#1 caf\xc3\xa9: x exit 1 (raw 256) . ");
        pty.press("c", "- Call a helper");
        pty.send(format!("{}\t60 'x\r", helper.display()));
        pty.says("x the quote ' is not closed");
        pty.send("\x7f\x7f\t\x1b[C\x1b[C\r");
        pty.says(&format!("#2 {escaped}: "));
        for screen in ["2", "3", "4", "1"] {
            pty.press(screen, &format!("[{screen} "));
        }
        pty.press("3", r"caf\xc3\xa9");
        pty.press("q", "Quit?");
        pty.press("l", "> leave");
        pty.send(ENTER);
        assert_eq!(pty.ends(), 0, "{said:?}");
        assert!(pty.wrote.is_ascii(), "{said:?}: {}", String::from_utf8_lossy(&pty.wrote));
        let (_, last) = pty.text().rsplit_once("left running").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(last.lines().collect::<String>().contains(&escaped), "{last}");
        kill(pid_after(&last.lines().collect::<String>(), "(pid ").unwrap(), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn with_utf_8_signs_are_drawn_as_they_are() {
    let utf_8: [Said; 3] = [
        (&[("LANG", "C.UTF-8")], &[]),
        (&[("LC_CTYPE", "UTF-8"), ("LANG", "C")], &[]),
        (&[("LC_ALL", "en_US.utf8"), ("LANG", "C")], &[]),
    ];
    for said in utf_8 {
        let mut pty = start(80, 24, said).start();
        pty.shows("━ Knobs ━");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
    // The settings override the terminal's type, and `--ascii` overrides the settings.
    let config = tempfile::tempdir().unwrap();
    std::fs::create_dir(config.path().join("khelper")).unwrap();
    for (setting, said, shows) in [
        ("ascii = false", (&[][..], &[][..]), "━ Knobs ━"),
        ("ascii = true", (&[("LC_ALL", "C.UTF-8")], &[]), "= Knobs ="),
        ("ascii = false", (&[], &["--ascii"]), "= Knobs ="),
    ] {
        std::fs::write(config.path().join("khelper/console.toml"), setting).unwrap();
        let mut pty = start(80, 24, said).env("XDG_CONFIG_HOME", config.path()).start();
        pty.shows(shows);
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

/// The codes of every SGR sequence that was sent.
pub fn styles(pty: &Pty) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(&pty.wrote).into_owned();
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let (codes, _) = rest.split_once('m')?;
        codes.bytes().all(|b| b.is_ascii_digit() || b == b';').then(|| codes.to_owned())
    });
    sequences.map(|codes| codes.split(';').map(|code| code.parse().unwrap()).collect()).collect()
}

/// A terminal of 16 or 8 colours, or none, gets no others, and text never has colour 8.
#[test]
fn a_terminal_is_sent_the_colours_that_it_has() {
    let sent = |term: &str, theme: &str| {
        let config = tempfile::tempdir().unwrap();
        std::fs::create_dir(config.path().join("khelper")).unwrap();
        std::fs::write(config.path().join("khelper/console.toml"), theme).unwrap();
        let start = Start::khelper(120, 40).args(["--set", &format!("kernel.modprobe={FAILING}")]);
        let mut pty = start.env("TERM", term).env("XDG_CONFIG_HOME", config.path()).start();
        pty.shows("[engine]");
        ask(&mut pty, "foo", 1);
        pty.says("exit 1 (raw 256)");
        for screen in ["2", "3", "4"] {
            pty.press(screen, &format!("[{screen} "));
        }
        quits(&mut pty);
        styles(&pty)
    };
    let (normal, bright) =
        (|code: &u8| matches!(code, 30..=37 | 40..=47), |code: &u8| matches!(code, 90..=97 | 100..=107));
    for theme in ["", "theme = \"high-contrast\"", "theme = \"colour-blind\"", "theme = \"plain\""] {
        let all = sent("xterm", theme).concat();
        assert!(!all.iter().any(|code| matches!(code, 38 | 48 | 90)), "{theme}: {all:?}");
        assert_eq!(all.iter().any(|code| normal(code) || bright(code)), !theme.contains("plain"), "{theme}: {all:?}");
        let eight = sent("linux", theme).concat();
        assert!(!eight.iter().any(|code| *code == 2 || bright(code)), "{theme}: {eight:?}");
        assert_eq!(eight.iter().any(normal), !theme.contains("plain"), "{theme}: {eight:?}");
        for term in ["vt220", "vt100", "xterm-mono", "cons25-m"] {
            let none = sent(term, theme);
            assert!(none.iter().flatten().all(|code| matches!(code, 0 | 1 | 4 | 7)), "{term}, {theme}: {none:?}");
            assert!(none.iter().any(|codes| codes.contains(&7)), "{term}, {theme}: what is chosen is reversed");
        }
    }
    assert!(sent("xterm", "").concat().contains(&2), "what matters less is faint");
}

/// The terminal's cursor is on the selected row, or in a field where the next letter goes.
#[test]
fn the_terminals_cursor_stands_on_the_chosen_row() {
    everywhere(QUICK, |pty, _| {
        let at = |pty: &mut Pty, what: &'static str| {
            pty.until(what, |screen| {
                let (row, column) = screen.cursor_position();
                let line = screen.rows(column, screen.size().1 - column).nth(usize::from(row)).unwrap_or_default();
                !screen.hide_cursor() && line.starts_with(what)
            });
        };
        ask(pty, "foo", 2);
        pty.says("2 of 2 answered");
        pty.send("2");
        at(pty, "> cap_sys_module");
        pty.send("\x1b[B");
        at(pty, "> cap_sys_rawio");
        pty.send("3");
        at(pty, ">#2");
        pty.press("+", "every request has a row");
        pty.send("\x1b[B");
        at(pty, ">#1");
        pty.send("g");
        at(pty, "> freeze and drain");
        pty.send("\x1b[B");
        at(pty, "> disable and drain");
        pty.send(ESC);
        pty.hides("> disable");
        pty.send("musb\x1b[D\x1b[D");
        at(pty, "sb");
        pty.send("\t");
        at(pty, "> wait");
        pty.send(ESC);
        pty.hides("> wait");
        quits(pty);
    });
}

/// The message names what receives a copy, as far as it is known, and the option that tmux needs.
#[test]
fn a_copy_within_a_multiplexer_says_what_becomes_of_it() {
    let osc = b"\x1b]52;c;";
    for (columns, rows) in SIZES {
        for (env, says, wrapped) in [
            (
                &[("TMUX", "/tmp/tmux-0/default,1,0"), ("TERM", "tmux-256color")][..],
                "sent to tmux, which passes it on only with `set -g set-clipboard on`",
                false,
            ),
            (&[("STY", "1.pts-0.host"), ("TERM", "screen")], "was sent through screen to its terminal", true),
            (
                &[("TERM", "screen-256color")],
                "sent to tmux or screen: tmux passes it on only with `set -g set-clipboard on`",
                false,
            ),
            (&[], "was sent to the terminal's clipboard", false),
        ] {
            let start = Start::khelper(columns, rows);
            let mut pty = env.iter().fold(start, |start, (name, value)| start.env(name, value)).start();
            pty.press("2", "> cap_sys_module");
            pty.press("y", "Copy the draft");
            pty.send(ENTER);
            // On a narrow screen the end of the exit report is cut, and lines break anywhere.
            pty.says(&says[..says.len().min(if columns < 80 { 30 } else { 200 })]);
            assert!(pty.wrote.windows(osc.len()).any(|bytes| bytes == osc));
            assert_eq!(pty.wrote.windows(2).any(|bytes| bytes == b"\x1bP"), wrapped, "{env:?}");
            pty.send("q");
            assert_eq!(pty.ends(), 0);
        }
    }
}
