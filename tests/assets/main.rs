//! Manual pages are generated from the program's own definitions and are never stale, and shells complete by them.
//! `KHELPER_ASSETS=write cargo test --test assets` regenerates them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod completion;
mod exit;
mod man;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every generated file, by its path below `assets`.
fn made() -> BTreeMap<PathBuf, Vec<u8>> {
    man::pages().into_iter().map(|(name, text)| (Path::new("man").join(name), text)).collect()
}

#[test]
fn manual_pages_are_not_stale() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let write = std::env::var_os("KHELPER_ASSETS").is_some_and(|value| value == "write");
    for (name, text) in made() {
        let file = assets.join(&name);
        if write {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let there = std::fs::read(&file).unwrap_or_default();
        assert!(there == text, "{} is stale: KHELPER_ASSETS=write cargo test --test assets", name.display());
    }
    let made = made();
    for entry in std::fs::read_dir(assets.join("man")).unwrap() {
        let name = Path::new("man").join(entry.unwrap().file_name());
        assert!(made.contains_key(&name), "{} is no longer generated: delete it", name.display());
    }
}

#[test]
fn every_command_and_option_is_in_them() {
    let files = made();
    let text = |name: &str| String::from_utf8(files[Path::new(name)].clone()).unwrap();
    for command in khelper::cli::definition().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let page = text(&format!("man/khelper-{name}.{}", man::section(name)));
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        for long in shown.filter_map(|arg| arg.get_long()) {
            assert!(page.contains(&long.replace('-', "\\-")), "{name}: --{long}");
        }
    }
    let console = text("man/khelper.1");
    for wanted in [
        "console.toml",
        "NO_COLOR",
        "LC_ALL",
        "SECURITY",
        "EXIT STATUS",
        "ask for a module",
        "rules.d",
        "shim.sock",
        "last\\-good",
    ] {
        assert!(console.contains(wanted), "{wanted}");
    }
    let help = khelper::cli::definition().render_help().to_string();
    for (code, meaning) in khelper::cli::exit::CODES {
        assert!(console.contains(&format!("\\fB{code}\\fR")), "{code}");
        assert!(help.contains(&format!("  {code:<9} {meaning}")), "{code}: {help}");
    }
    for key in khelper::abi::knob::Key::ALL {
        assert!(console.contains(key.name()), "{key}");
    }
}

/// A page has no section twice, and a command's page says what it ends with.
#[test]
fn every_section_is_on_a_page_once() {
    for (name, text) in made() {
        let text = String::from_utf8(text).unwrap();
        let mut titles: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let all = titles.len();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), all, "{}: {titles:?}", name.display());
        assert!(name.extension().unwrap() == "5" || titles.contains(&"EXIT STATUS"), "{}", name.display());
    }
    let page = String::from_utf8(made()[Path::new("man/khelper-why.1")].clone()).unwrap();
    assert!(page.contains(".SH EXIT STATUS\n.TP\n\\fB0\\fR\nthe request was explained\n"), "{page}");
}

/// khelper(1) describes the fields of a record, all of them and in their order.
#[test]
fn every_json_field_is_in_the_manual() {
    use khelper::control::local::Local;
    use khelper::control::record_json::{Entry, Source};
    use khelper::engine::Engine;
    use khelper::sys::fake::{FakeHost, Script};
    let host = FakeHost::new();
    host.script("/sbin/modprobe", Script::default());
    let engine = Engine::builder().host(host).start().unwrap();
    let record = engine.request_module("dummy", true);
    let source = Source::of(&Local::shared(&engine).info());
    let text = serde_json::to_string(&Entry::of(&record, &source)).unwrap();
    let mut at = 0;
    for (field, _) in man::FIELDS {
        let found = text[at..].find(&format!("\"{field}\":"));
        at += found.unwrap_or_else(|| panic!("{field} is not in the JSON, or not at this place: {text}"));
    }
    let serde_json::Value::Object(object) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
    let unknown: Vec<_> = object.keys().filter(|key| !man::FIELDS.iter().any(|(field, _)| field == key)).collect();
    assert!(unknown.is_empty(), "describe these in tests/assets/man.rs: {unknown:?}");
}

/// README.md shows a dozen keys at most; khelper(1) lists them all.
#[test]
fn the_keys_in_the_readme_are_those_of_the_table() {
    use khelper::tui::keymap::{TABLE, name};
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- keys:begin -->").unwrap();
    let (list, _) = rest.split_once("<!-- keys:end -->").unwrap();
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| `")).collect();
    assert!((1..=12).contains(&rows.len()), "{} keys", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').splitn(3, " | ").map(str::trim).collect();
        let key = cells[0].trim_matches('`');
        let is_it = |have: &&khelper::tui::keymap::Binding| {
            have.context.title() == cells[1] && have.help == cells[2] && have.keys.iter().any(|k| name(*k) == key)
        };
        assert!(TABLE.iter().any(|have| is_it(&have)), "{row}");
    }
}

/// Wherever masks are explained, the one sentence of what they do not do stands too, in the same words.
#[test]
fn umh_11_the_truth_about_masks_is_in_every_document() {
    let plain = |text: &str| {
        let roff = text.replace("\\-", "-").replace("\\*(Aq", "'");
        let text = roff.replace("//!", " ").replace(['*', '`'], "");
        text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = plain(khelper::control::text::outcome::MASKS_AND_ROOT);
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    for name in ["README.md", "src/lib.rs"] {
        assert!(plain(&read(name)).contains(&wanted), "{name}");
    }
    let files = made();
    for page in ["khelper.1", "khelper-mask.1", "khelper-probe.1", "khelper-run.1"] {
        let text = String::from_utf8(files[&Path::new("man").join(page)].clone()).unwrap();
        assert!(plain(&text).contains(&wanted), "{page}: {text}");
    }
}
