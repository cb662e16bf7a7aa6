//! The list of faults.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

/// One fault, as `faults.toml` lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its patch is `tests/planted/NAME.patch`.
    pub name: String,
    /// What the patched code does wrong, in one line.
    pub what: String,
    /// The tests that must fail with it: the test target (`lib` for unit tests), a blank, the full name of the test.
    pub tests: Vec<String>,
    /// Its tests need root; the runner skips it for an ordinary user.
    #[serde(default)]
    pub root: bool,
    /// Its tests boot user-mode Linux; the runner skips it unless $KHELPER_UML names the folder of one.
    #[serde(default)]
    pub uml: bool,
}

/// One test, by its target and its full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    pub target: String,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    #[serde(default)]
    fault: Vec<Fault>,
}

impl Fault {
    /// The path of its patch, relative to the root of the crate.
    pub fn patch(&self) -> String {
        format!("tests/planted/{}.patch", self.name)
    }

    /// Its tests. `read` has checked the format.
    pub fn tests(&self) -> Vec<Test> {
        self.tests.iter().filter_map(|text| test(text)).collect()
    }

    /// Whether an argument selects this fault, by its name or number: `18` selects 18, 18b and so on, `18b` only 18b.
    pub fn is(&self, argument: &str) -> bool {
        let number = self.name.split('-').next().unwrap_or_default();
        [&self.name, number, number.trim_end_matches(|c: char| c.is_ascii_lowercase())].contains(&argument)
    }
}

fn test(text: &str) -> Option<Test> {
    let (target, name) = text.split_once(' ')?;
    (!target.is_empty() && !name.contains(' ')).then(|| Test { target: target.into(), name: name.into() })
}

/// Reads the list in the crate at `root`, and checks that it matches the patches.
pub fn read(root: &Path) -> Result<Vec<Fault>, String> {
    let folder = root.join("tests/planted");
    let list = folder.join("faults.toml");
    let text = std::fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    let faults = toml::from_str::<Faults>(&text).map_err(|e| format!("{}: {e}", list.display()))?.fault;
    let mut names = HashSet::new();
    for fault in &faults {
        if !names.insert(fault.name.clone()) {
            return Err(format!("{} is listed twice", fault.name));
        }
        if fault.tests.is_empty() || fault.tests.iter().any(|t| test(t).is_none()) {
            return Err(format!("{}: tests are written as \"TARGET NAME\", and there is at least one", fault.name));
        }
        if !root.join(fault.patch()).is_file() {
            return Err(format!("{}: there is no {}", fault.name, fault.patch()));
        }
    }
    for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let file = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".patch").filter(|name| !names.contains(*name)) {
            return Err(format!("{name}.patch is not in faults.toml"));
        }
    }
    Ok(faults)
}
