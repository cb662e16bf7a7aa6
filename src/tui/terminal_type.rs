//! What the terminal can show, judged by its type (`TERM`), the locale and the multiplexer. terminfo is not read: the
//! few types that matter are known by name, and every other type is treated as a modern terminal.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The number of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// None; only bold, underlined and reversed text.
    None,
    /// Eight; their bright forms exist only as bold text.
    Eight,
    /// Sixteen or more.
    #[default]
    Sixteen,
}

/// What receives a copy by OSC 52.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clipboard {
    /// The terminal itself.
    #[default]
    Terminal,
    /// tmux(1), which drops the copy unless `set-clipboard` is `on`.
    Tmux,
    /// screen(1), which passes on a wrapped copy.
    Screen,
    /// A window of tmux or screen; which of them is unknown (it runs on another machine, or one runs within the other).
    TmuxOrScreen,
    /// Nothing: the Linux console and hardware terminals have no clipboard.
    Unavailable,
}

/// Capabilities of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalType {
    /// Its colours.
    pub colours: Colours,
    /// It shows only ASCII: its font has nothing else, or the locale is not UTF-8.
    pub ascii: bool,
    /// What receives a copy.
    pub clipboard: Clipboard,
}

impl TerminalType {
    /// Judges by the environment of this process.
    pub fn from_env() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(env: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let family = Family::of(&term);
        // As setlocale(3) does for LC_CTYPE: the first variable that is set and not empty decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let clipboard = match (family, set("TMUX").is_some(), set("STY").is_some()) {
            (Family::Console | Family::Hardware, ..) => Clipboard::Unavailable,
            // Only tmux sets this type.
            (_, true, true) if term.starts_with("tmux") => Clipboard::Tmux,
            (_, true, true) => Clipboard::TmuxOrScreen,
            (_, true, false) => Clipboard::Tmux,
            (_, false, true) => Clipboard::Screen,
            (_, false, false) if term.starts_with("tmux") => Clipboard::Tmux,
            (_, false, false) if term.starts_with("screen") => Clipboard::TmuxOrScreen,
            (_, false, false) => Clipboard::Terminal,
        };
        let monochrome = term.split('-').skip(1).any(|part| part == "m" || part == "mono");
        let colours = match family {
            _ if monochrome => Colours::None,
            Family::Hardware | Family::Unknown => Colours::None,
            Family::Console => Colours::Eight,
            Family::Emulator if term == "screen" => Colours::Eight,
            Family::Emulator => Colours::Sixteen,
        };
        let ascii = matches!(family, Family::Console | Family::Hardware) || !locale.is_some_and(|name| is_utf8(&name));
        Self { colours, ascii, clipboard }
    }
}

/// The families of types that differ from a modern terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// The console of Linux or of a BSD: 8 colours and a small font.
    Console,
    /// A DEC terminal or an emulation, as the getty of a serial line sets it: no colours.
    Hardware,
    /// No type is set.
    Unknown,
    /// Everything else.
    Emulator,
}

impl Family {
    fn of(term: &str) -> Self {
        let digits =
            |prefix: &str| term.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        match term {
            "" | "unknown" => Self::Unknown,
            _ if term.split('-').next() == Some("linux") || digits("cons") => Self::Console,
            "pcansi" | "ansi" => Self::Console,
            _ if digits("vt") || term.starts_with("dec-vt") => Self::Hardware,
            _ => Self::Emulator,
        }
    }
}

/// Whether the codeset of a locale (`de_DE.UTF-8`, `C.utf8@euro`, or `UTF-8` alone, which some ssh clients send) is UTF-8.
fn is_utf8(locale: &OsStr) -> bool {
    let name: Vec<u8> = locale.as_bytes().iter().filter(|b| **b != b'-').map(u8::to_ascii_lowercase).collect();
    let codeset = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
    codeset.split(|b| *b == b'@').next() == Some(b"utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(env: &[(&str, &str)]) -> TerminalType {
        TerminalType::of(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        let term = ("TERM", "xterm-256color");
        for (env, ascii) in [
            (&[][..], true),
            (&[("LANG", "")], true),
            (&[("LANG", "en_US.UTF-8")], false),
            (&[("LANG", "C.utf8")], false),
            (&[("LC_CTYPE", "UTF-8")], false),
            (&[("LANG", "de_DE.UTF-8@euro")], false),
            (&[("LANG", "de_DE@euro")], true),
            (&[("LANG", "en_US")], true),
            (&[("LANG", "en_US.ISO-8859-1")], true),
            (&[("LANG", "UTF-8.ISO-8859-1")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], true),
            (&[("LC_ALL", "C.UTF-8"), ("LANG", "C")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], false),
            (&[("LC_CTYPE", "POSIX"), ("LANG", "en_US.UTF-8")], true),
        ] {
            assert_eq!(of(&[env, &[term]].concat()).ascii, ascii, "{env:?}");
        }
    }

    #[test]
    fn a_type_says_what_it_can_show() {
        use Colours::{Eight, None, Sixteen};
        for (term, colours, ascii) in [
            ("linux", Eight, true),
            ("linux-16color", Eight, true),
            ("cons25", Eight, true),
            ("cons25-m", None, true),
            ("pcansi", Eight, true),
            ("ansi", Eight, true),
            ("vt100", None, true),
            ("vt102", None, true),
            ("vt220", None, true),
            ("vt220-8bit", None, true),
            ("VT320", None, true),
            ("dec-vt220", None, true),
            ("", None, false),
            ("unknown", None, false),
            ("xterm", Sixteen, false),
            ("xterm-mono", None, false),
            ("rxvt-m", None, false),
            ("screen", Eight, false),
            ("screen-256color", Sixteen, false),
            ("tmux", Sixteen, false),
            ("vte-256color", Sixteen, false),
            ("st-meta", Sixteen, false),
        ] {
            let kind = of(&[("TERM", term), ("LANG", "C.UTF-8")]);
            assert_eq!((kind.colours, kind.ascii), (colours, ascii), "{term}");
        }
    }

    #[test]
    fn a_multiplexer_is_known_by_its_variable_or_its_type() {
        use Clipboard::{Screen, Terminal, Tmux, TmuxOrScreen, Unavailable};
        let (tmux, sty) = (("TMUX", "/tmp/tmux-0/default,1,0"), ("STY", "1.pts-0.host"));
        for (term, env, clipboard) in [
            ("xterm", &[][..], Terminal),
            ("screen-256color", &[tmux], Tmux),
            ("xterm", &[tmux], Tmux),
            ("tmux-256color", &[], Tmux),
            ("screen", &[sty], Screen),
            ("screen", &[], TmuxOrScreen),
            ("screen", &[tmux, sty], TmuxOrScreen),
            ("tmux-256color", &[tmux, sty], Tmux),
            ("xterm", &[("TMUX", "")], Terminal),
            ("linux", &[], Unavailable),
            ("vt220", &[], Unavailable),
        ] {
            assert_eq!(of(&[env, &[("TERM", term)]].concat()).clipboard, clipboard, "{term} {env:?}");
        }
    }
}
