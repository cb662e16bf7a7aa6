//! Checks the architecture map in src/lib.rs: imports point to lower floors, no files import each other in a circle,
//! the console and the command line do not use the engine, unsafe code is only in src/sys, and files and functions are
//! short. `checker` tests these rules on made-up sources.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod allowed;
mod checker;
mod floors;
mod graph;
mod paths;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use graph::Graph;
use source::{before_tests, code, functions, tokens};

/// The most lines of a file before its tests.
const FILE: usize = 300;
/// The most lines of a function.
const FUNCTION: usize = 60;
/// Files that may be longer: the path, the most lines, and the reason.
const LONGER: &[(&str, usize, &str)] = &[
    ("src/sys/probe.rs", 320, "one list of the fields of a helper's initial state"),
    ("src/tui/keymap/table.rs", 350, "one table of every key"),
    ("src/tui/run.rs", 320, "the loop and its threads start and end in one place"),
];

/// All source files, by path relative to the root of the crate.
fn sources() -> BTreeMap<String, String> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = BTreeMap::new();
    walk(root, &root.join("src"), &mut out);
    assert!(out.len() > 40, "the sources were not found: {:?}", out.keys());
    out
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn imports_point_to_a_lower_floor() {
    let of = |(path, text): (String, String)| {
        let found = floors::violations(&floors::module_of(&path), &tokens(&code(&text)));
        found.into_iter().map(move |v| format!("{path}: {v}")).collect::<Vec<_>>()
    };
    none(sources().into_iter().flat_map(of).collect());
}

#[test]
fn every_module_has_a_floor_and_forbids_unsafe_code() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let module = floors::module_of(&path);
        if module.len() > 1 || path == "src/lib.rs" || module.first().is_some_and(|m| m == "sys") {
            continue;
        }
        if !text.lines().any(|l| l == "#![forbid(unsafe_code)]") {
            problems.push(format!("{path} lacks #![forbid(unsafe_code)]"));
        }
    }
    none(problems);
}

#[test]
fn unsafe_code_lives_in_sys() {
    let unsafe_in = |(path, text): (String, String)| {
        let line = tokens(&code(&text)).into_iter().find(|t| t.text == "unsafe")?.line;
        (!path.starts_with("src/sys/")).then(|| format!("{path}: line {line} has unsafe code"))
    };
    none(sources().into_iter().filter_map(unsafe_in).collect());
}

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        // The file contains only tests.
        if path.ends_with("/tests.rs") {
            continue;
        }
        let lines = before_tests(&code);
        let most = LONGER.iter().find(|(long, ..)| *long == path).map_or(FILE, |(_, most, _)| *most);
        if lines > most {
            problems.push(format!("{path} has {lines} lines before its tests; the limit is {most}"));
        }
        let head = code.lines().take(lines).collect::<Vec<_>>().join("\n");
        for (name, line, length) in functions(&tokens(&head)).into_iter().filter(|(.., length)| *length > FUNCTION) {
            problems.push(format!("{path}: line {line}: {name} has {length} lines; the limit is {FUNCTION}"));
        }
    }
    let gone = LONGER.iter().filter(|(path, ..)| !Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists());
    problems.extend(gone.map(|(path, ..)| format!("{path} does not exist: remove it from the list")));
    none(problems);
}

fn graph() -> Graph {
    Graph::new(sources().iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    none(graph::circles(&graph().imports(), allowed::CIRCLES));
}

#[test]
fn no_rooms_of_one_folder_use_each_other_in_a_circle() {
    let mut imports = graph().imports();
    imports.retain(|i| !allowed::CIRCLES.contains(&(i.from.as_str(), i.to.as_str())));
    none(graph::circles(&graph::between_rooms(&imports), allowed::ROOMS));
}

#[test]
fn the_console_and_the_command_line_use_nothing_of_the_engine() {
    none(graph::unlisted(&graph().uses_of("engine", &["tui", "cli", "verbs"]), allowed::ENGINE));
}
