//! The rules of the map in src/lib.rs: imports point down, no files import each other in a circle, the console and the
//! command line use nothing of the engine, unsafe code lives in src/sys, files and functions stay short. `checker` tests
//! the rules themselves on made-up sources.
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

/// Lines of a file before its tests.
const FILE: usize = 300;
/// Lines of a function.
const FUNCTION: usize = 60;
/// Files that may be longer, each for its reason, and how long.
const LONGER: &[(&str, usize, &str)] = &[
    ("src/sys/probe.rs", 320, "one field after another of what a helper is born with"),
    ("src/tui/keymap/table.rs", 350, "one table of every key"),
    ("src/tui/run.rs", 320, "the loop and its threads, started and ended in one place"),
];

/// Every source file, by its path from the root of the crate.
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
            problems.push(format!("{path} does not say #![forbid(unsafe_code)]"));
        }
    }
    none(problems);
}

#[test]
fn unsafe_code_lives_in_sys() {
    let unsafe_in = |(path, text): (String, String)| {
        let line = tokens(&code(&text)).into_iter().find(|t| t.text == "unsafe")?.line;
        (!path.starts_with("src/sys/")).then(|| format!("{path}: line {line} is unsafe"))
    };
    none(sources().into_iter().filter_map(unsafe_in).collect());
}

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        // A file of tests alone.
        if path.ends_with("/tests.rs") {
            continue;
        }
        let lines = before_tests(&code);
        let most = LONGER.iter().find(|(long, ..)| *long == path).map_or(FILE, |(_, most, _)| *most);
        if lines > most {
            problems.push(format!("{path} has {lines} lines before its tests, {most} are the most"));
        }
        let head = code.lines().take(lines).collect::<Vec<_>>().join("\n");
        for (name, line, length) in functions(&tokens(&head)).into_iter().filter(|(.., length)| *length > FUNCTION) {
            problems.push(format!("{path}: line {line}: {name} has {length} lines, {FUNCTION} are the most"));
        }
    }
    let gone = LONGER.iter().filter(|(path, ..)| !Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists());
    problems.extend(gone.map(|(path, ..)| format!("{path} is gone: take it off the list")));
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
