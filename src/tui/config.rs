//! The operator's settings, in `$XDG_CONFIG_HOME/khelper/console.toml`: the theme, ASCII or not, and the keys.
//!
//! A setting that is unknown or invalid is an error that names its line; otherwise the operator would find out at a bad
//! moment that a key does nothing. If the file cannot be read, the defaults are used and a warning is shown, since the
//! operator may be unable to repair that (another user's home, a broken mount).

use std::fmt;
use std::io;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::abi::error::io_words;
use crate::abi::escape::screen;

use super::keymap::{self, Keymap, Rebind};
use super::theme::Theme;
use super::user_files::{self, UserFolder};
use crate::abi::escape::screen_again;

/// The largest file that is read, in bytes; no sensible settings are longer.
const BYTES: u64 = 256 * 1024;

/// The settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The theme, if one is set.
    pub theme: Option<Theme>,
    /// `true`: draw only ASCII; `false`: draw every symbol; unset: as the terminal's type and the locale say.
    pub ascii: Option<bool>,
    /// The folder that holds `modules.dep`, if it is not the running kernel's in /lib/modules.
    pub modules: Option<PathBuf>,
    /// The keys.
    pub keys: Keymap,
    /// Why the file could not be read, escaped; the defaults are used then.
    pub warning: Option<String>,
}

/// An error in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    file: PathBuf,
    /// The line, counted from 1; 0 means the whole file.
    line: usize,
    why: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = screen(self.file.as_os_str().as_encoded_bytes());
        match self.line {
            0 => write!(f, "{file}: {}", self.why),
            line => write!(f, "{file}:{line}: {}", self.why),
        }
    }
}

/// Reads the settings. Returns the defaults if there is no file or it cannot be read.
pub fn read() -> Result<Settings, SettingsError> {
    let Some(folder) = UserFolder::find("XDG_CONFIG_HOME", ".config") else { return Ok(Settings::default()) };
    let file = folder.file("console.toml");
    let unreadable = |why: &str| {
        let name = screen(file.as_os_str().as_encoded_bytes());
        let warning = format!("console.toml cannot be read: {why}; using the defaults instead of {name}");
        Settings { warning: Some(warning), ..Settings::default() }
    };
    let bytes = match user_files::read(&file, BYTES) {
        Ok((bytes, true)) => bytes,
        Ok((_, false)) => return Ok(unreadable(&format!("it is longer than {} KiB", BYTES / 1024))),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Settings::default());
        }
        Err(e) => return Ok(unreadable(&io_words(&e))),
    };
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        (1 + before.iter().filter(|b| **b == b'\n').count(), "this line is not UTF-8".to_owned())
    });
    text.and_then(|text| parse(&text)).map_err(|(line, why)| SettingsError { file, line, why })
}

type Wrong = (usize, String);

fn parse(text: &str) -> Result<Settings, Wrong> {
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
    let at = |spanned: std::ops::Range<usize>| line(spanned.start);
    let table = DeTable::parse(text).map_err(|e| (e.span().map_or(0, at), screen_again(e.message())))?.into_inner();
    let mut settings = Settings::default();
    let mut rebound = Vec::new();
    for (name, value) in &table {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("theme", DeValue::String(theme)) => {
                settings.theme = Some(Theme::named(theme).map_err(|why| (at(value.span()), why))?);
            }
            ("ascii", DeValue::Boolean(ascii)) => settings.ascii = Some(*ascii),
            ("modules", DeValue::String(folder)) if folder.starts_with('/') => {
                settings.modules = Some(folder.as_ref().into());
            }
            ("modules", _) => {
                return Err((
                    at(value.span()),
                    "modules must be the absolute path of a folder with modules.dep".into(),
                ));
            }
            ("ascii", _) => return Err((at(value.span()), "ascii must be true or false".into())),
            ("theme", _) => {
                return Err((at(value.span()), format!("theme must be one of: {}", Theme::NAMES.join(", "))));
            }
            ("keys", DeValue::Table(contexts)) => {
                for (context, rows) in contexts {
                    let DeValue::Table(rows) = rows.get_ref() else {
                        return Err((at(context.span()), "write keys as ACTION = KEYS under [keys.CONTEXT]".into()));
                    };
                    for (action, keys) in rows {
                        let line = at(action.span());
                        let wrong = |why| (line, why);
                        let keys = list(keys).map_err(wrong)?;
                        let (context, action) =
                            (screen(context.get_ref().as_bytes()), screen(action.get_ref().as_bytes()));
                        rebound.push(Rebind::new(&context, &action, keys, line).map_err(wrong)?);
                    }
                }
            }
            (other, _) => {
                let why = format!(
                    "unknown setting `{}`; the settings are theme, ascii, modules and [keys.CONTEXT]",
                    screen(other.as_bytes())
                );
                return Err((at(name.span()), why));
            }
        }
    }
    settings.keys = Keymap::new(rebound)?;
    Ok(settings)
}

/// Reads one key or a list of keys.
fn list(value: &Spanned<DeValue<'_>>) -> Result<Vec<keymap::Key>, String> {
    let one = |value: &DeValue<'_>| {
        let text = value.as_str().ok_or("keys must be strings, such as \"w\" or [\"w\", \"ctrl-r\"]")?;
        keymap::parse(text).ok_or_else(|| {
            format!("unknown key `{}` (write a character, F1, ctrl-r, page-up)", screen(text.as_bytes()))
        })
    };
    match value.get_ref() {
        DeValue::Array(keys) => keys.iter().map(|key| one(key.get_ref())).collect(),
        key => one(key).map(|key| vec![key]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Action, Context};
    use proptest::prelude::*;

    #[test]
    fn a_theme_and_keys_are_taken() {
        let text = "theme = \"colour-blind\"\n[keys.masks]\napply = \"W\"\nundo = [\"u\", \"ctrl-_\"]\n";
        assert_eq!(
            parse(text).unwrap_err(),
            (4, "unknown key `ctrl-_` (write a character, F1, ctrl-r, page-up)".into())
        );
        let settings = parse(&text.replace("ctrl-_", "ctrl-b")).unwrap();
        assert_eq!(settings.theme, Some(Theme::colour_blind()));
        let find = |key| settings.keys.find(&[Context::Masks], keymap::parse(key).unwrap());
        assert_eq!((find("W"), find("w"), find("ctrl-b")), (Some(Action::Apply), None, Some(Action::Undo)));
        assert_eq!(settings.keys.key(Action::Apply), "W");
        assert_eq!((parse("").unwrap().theme, parse("").unwrap().ascii), (None, None));
        assert_eq!(["true", "false"].map(|b| parse(&format!("ascii = {b}")).unwrap().ascii), [Some(true), Some(false)]);
    }

    #[test]
    fn what_means_nothing_names_its_line() {
        for (text, line, why) in [
            ("\ntheme = \"pink\"", 2, "unknown theme `pink`"),
            ("theme = 3", 1, "theme must be one of"),
            ("\nascii = \"yes\"", 2, "ascii must be true or false"),
            ("nonsense = 1", 1, "unknown setting `nonsense`"),
            ("[keys.masks]\napplay = \"w\"", 2, "`masks` has no `applay`; it has toggle"),
            ("[keys.maskz]\napply = \"w\"", 2, "unknown context `maskz`"),
            ("[keys.masks]\napply = \"both\"", 2, "unknown key `both`"),
            ("[keys.masks]\napply = []", 2, "needs at least one key"),
            ("[keys.masks]\n\nundo = \"p\"", 3, "`p` already means `rehearse` in `masks`"),
            ("[keys.masks]\nundo = \"m\"", 2, "`m` already means `module` in `screens`"),
            ("[keys.masks]\nundo = \"X\"\napply = \"X\"", 3, "`X` already means `undo`"),
            ("[keys.help]\ndown = \"j\"", 2, "could no longer be typed"),
            ("[keys.anywhere]\nrepaint = \"r\"", 2, "could no longer be typed"),
            ("keys = 1", 1, "unknown setting `keys`"),
            ("[keys]\nmasks = 1", 2, "write keys as"),
            ("[keys.masks]\napply = \"w", 2, ""),
            ("theme = \"ansi\"\ntheme = \"ansi\"", 2, "duplicate key"),
        ] {
            let (at, says) = parse(text).unwrap_err();
            assert!(at == line && says.contains(why), "{text:?}: {at}: {says}");
        }
    }

    #[test]
    fn two_keys_can_change_places() {
        let keys = parse("[keys.masks]\nundo = \"z\"\ndiscard = \"u\"").unwrap().keys;
        assert_eq!(keys.key(Action::Undo), "z");
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        let printed = Keymap::default().settings();
        assert_eq!(parse(&printed).unwrap().keys.settings(), printed);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "(\\PC|\n|[a-z.=\"\\[\\] ]){0,80}") {
            if let Err((line, why)) = parse(&text) {
                prop_assert!(line <= text.lines().count().max(1) + 1);
                prop_assert!(!why.is_empty());
            }
        }
    }
}
