//! The lists of files in the packages for Debian and for distributions with rpm, and the scripts that go with them.
//! `packaging/test` installs the former for real, which takes longer.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Source, and the name that it is installed by or the folder that it goes to.
type Files = BTreeMap<String, String>;

fn manifest() -> toml::Table {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn assets(tool: &str, one: fn(&toml::Value) -> (&str, &str)) -> Files {
    let manifest = manifest();
    let all = manifest["package"]["metadata"][tool]["assets"].as_array().unwrap().iter().map(one);
    all.map(|(from, to)| (from.to_owned(), format!("/{}", to.trim_start_matches('/')))).collect()
}

fn deb() -> Files {
    assets("deb", |asset| (asset[0].as_str().unwrap(), asset[1].as_str().unwrap()))
}

fn rpm() -> Files {
    assets("generate-rpm", |asset| (asset["source"].as_str().unwrap(), asset["dest"].as_str().unwrap()))
}

/// Whether a source of a list, which may have a `*` in its file name, means this path.
fn means(source: &str, path: &str) -> bool {
    source.split_once('*').map_or(source == path, |(before, after)| path.starts_with(before) && path.ends_with(after))
}

#[test]
fn every_unit_page_and_completion_is_in_both_packages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for list in [deb(), rpm()] {
        for folder in ["assets/man", "assets/completions", "assets/systemd", "assets/profiles"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
                let found = list.iter().find(|(source, _)| means(source, &path));
                let (_, to) = found.unwrap_or_else(|| panic!("{path} is not installed"));
                if let Some(section) = path.strip_prefix("assets/man/").and_then(|name| name.rsplit('.').next()) {
                    assert_eq!(to, &format!("/usr/share/man/man{section}/"), "{path}");
                }
            }
        }
    }
}

#[test]
fn both_packages_install_the_same_files_at_the_same_places() {
    let (mut deb, mut rpm) = (deb(), rpm());
    // Where the distributions themselves differ.
    for (source, in_deb, in_rpm) in [
        (
            "assets/completions/_khelper",
            Some("/usr/share/zsh/vendor-completions/_khelper"),
            "/usr/share/zsh/site-functions/_khelper",
        ),
        ("packaging/deb/copyright", Some("/usr/share/doc/khelper/copyright"), "/usr/share/licenses/khelper/copyright"),
        ("LICENSE-APACHE", None, "/usr/share/licenses/khelper/LICENSE-APACHE"),
    ] {
        assert_eq!(deb.remove(source).as_deref(), in_deb, "{source}");
        assert_eq!(rpm.remove(source).as_deref(), Some(in_rpm), "{source}");
    }
    assert!(deb.remove("packaging/deb/lintian-overrides").is_some());
    let program = (deb.remove("target/release/khelper").unwrap(), rpm.remove("target/release/khelper").unwrap());
    assert_eq!(program, ("/usr/bin/".into(), "/usr/bin/khelper".into()));
    assert_eq!(deb, rpm);
}

/// No file of the package is a configuration file of dpkg's: what is in /etc belongs to the administrator.
#[test]
fn nothing_is_installed_outside_usr() {
    for to in deb().values().chain(rpm().values()) {
        assert!(to.starts_with("/usr/"), "{to}");
    }
}

/// The package for rpm owns files alone.
#[test]
fn the_folders_of_khelper_go_with_the_package_for_rpm() {
    let script = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/rpm/postun")).unwrap();
    let line = script.lines().find(|line| line.contains("for folder in ")).unwrap().trim_end_matches("; do");
    let removed: Vec<&str> = line.split(' ').filter(|word| word.starts_with('/')).collect();
    for to in rpm().values() {
        let folder = to.trim_end_matches(|c| c != '/').trim_end_matches('/');
        let own = Path::new(folder).ancestors().filter(|folder| folder.to_str().unwrap().contains("/khelper"));
        let places: Vec<_> = own.map(|folder| removed.iter().position(|one| Path::new(one) == folder)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{to}: {removed:?}");
    }
}

#[test]
fn the_sources_are_there_and_the_scripts_can_be_read_by_a_shell() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in deb().into_keys().chain(rpm().into_keys()).filter(|source| !source.starts_with("target/")) {
        let folder = root.join(&source).parent().unwrap().to_owned();
        let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let found = files.any(|file| means(&source, file.strip_prefix(root).unwrap().to_str().unwrap()));
        assert!(found, "{source}");
    }
    let scripts = ["deb/postinst", "deb/prerm", "deb/postrm", "rpm/post", "rpm/preun", "rpm/postun"];
    for script in scripts {
        let path = root.join("packaging").join(script);
        let read = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(read.status.success(), "{script}: {}", String::from_utf8_lossy(&read.stderr));
    }
}
