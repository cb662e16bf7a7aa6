//! Tries the commands of the documents. A fenced block that says `console` holds commands after the prompts `$ ` and
//! `# `, lines of one command after `> `, and what they print. Each document gets a root of its own (`scratch`) and one
//! shell. docs/README.md tells readers and writers what the blocks mean; a block that is not of that form fails.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod compare;
mod plain;
mod session;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use blocks::{Block, Kind};
use session::{Session, Start};

/// The documents whose blocks only have to be commands that khelper and cargo know: those for developers, and the README.
const PLAIN: [&str; 3] = ["README.md", "docs/testing.md", "docs/deviations.md"];

/// Blocks without a command: what the steps of `.ci/full` have printed.
const PRINTED: &str = "docs/full-run.md";

fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document, relative to the sources.
fn documents() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(sources().join("docs")).unwrap();
    let mut all: Vec<_> = docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name())).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    all.push("README.md".into());
    all.sort();
    all
}

fn read(document: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(sources().join(document)).unwrap();
    blocks::parse(&text).unwrap_or_else(|fault| panic!("{}:{fault}", document.display()))
}

#[test]
fn each_command_of_the_documents_does_what_they_say() {
    let (mut faults, mut tried, mut untried) = (String::new(), 0, String::new());
    for document in documents() {
        let name = document.to_str().unwrap();
        if PLAIN.contains(&name) {
            continue;
        }
        match try_document(&document, &mut tried, &mut untried) {
            Ok(()) => {}
            Err(fault) => writeln!(faults, "{name}:{fault}\n").unwrap(),
        }
    }
    println!("{tried} commands tried; not tried, as their documents say:\n{untried}");
    assert!(faults.is_empty(), "{faults}");
}

/// Runs the commands of a document, up to the first that does something else.
fn try_document(document: &Path, tried: &mut usize, untried: &mut String) -> Result<(), String> {
    let mut session = None;
    for block in read(document) {
        let at = block.line;
        let missing = block.needs.iter().find(|needed| !session::has(needed));
        match (&block.kind, &block.untried, missing) {
            (Kind::Commands(commands), Some(why), _) => {
                for command in commands {
                    writeln!(untried, "  {}:{}: {}: {why}", document.display(), command.line, command.text).unwrap();
                }
            }
            (Kind::Commands(commands), None, Some(missing)) => {
                let (file, count) = (document.display(), commands.len());
                common::skipped(&format!("{missing}: {count} commands of {file}, line {at}"));
            }
            (Kind::Commands(commands), None, None) => {
                let session = match &mut session {
                    Some(session) => session,
                    none => match Session::start(sources()) {
                        Start::Ready(started) => none.insert(started),
                        Start::Impossible(why) => {
                            common::skipped(&format!("a root of its own: {}: {why}", document.display()));
                            return Ok(());
                        }
                    },
                };
                block.needs.iter().for_each(|needed| session.provide(needed));
                for command in commands {
                    session.check(command).map_err(|fault| format!("{}: {}\n{fault}", command.line, command.text))?;
                    *tried += 1;
                }
            }
            (Kind::File(name, text), None, None) => {
                if let Some(session) = &mut session {
                    session.write(name, text);
                } else if let Start::Ready(started) = Session::start(sources()) {
                    session.insert(started).write(name, text);
                }
            }
            (Kind::File(..) | Kind::Text, ..) => {}
        }
    }
    Ok(())
}

#[test]
fn every_block_of_the_documents_says_what_it_is() {
    for document in documents() {
        let name = document.to_str().unwrap();
        for block in read(&document) {
            if let (Kind::Text, false) = (&block.kind, PLAIN.contains(&name)) {
                assert!(!block.language.is_empty(), "{name}:{}: a block without a language", block.line);
                let command = block.lines.iter().find(|line| plain::is_command(line) && name != PRINTED);
                assert_eq!(command, None, "{name}:{}: a command that is not tried", block.line);
            }
        }
    }
}

#[test]
fn khelper_and_cargo_know_the_commands_of_the_other_documents() {
    let mut faults = String::new();
    for name in PLAIN {
        for block in read(Path::new(name)).iter().filter(|block| block.language.is_empty()) {
            let mut session = None;
            for (at, line) in (block.line + 1..).zip(&block.lines) {
                for fault in plain::faults(line, sources(), &mut session) {
                    writeln!(faults, "{name}:{at}: {line}\n  {fault}").unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn no_document_names_a_verb_or_an_option_that_khelper_does_not_have() {
    let help = |verb: &str| {
        let mut arguments = vec![if verb.is_empty() { "--help" } else { "help" }];
        arguments.extend(verb.split_ascii_whitespace());
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_khelper")).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let mut faults = String::new();
    for document in documents() {
        let text = std::fs::read_to_string(sources().join(&document)).unwrap();
        for (line, text) in (1..).zip(text.lines()) {
            for command in plain::inline(text) {
                for word in plain::unknown_words(&command, &help) {
                    writeln!(faults, "{}:{line}: `{command}`: khelper has no {word}", document.display()).unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut faults = String::new();
    for document in documents() {
        let text = std::fs::read_to_string(sources().join(&document)).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap_or_default();
            let folder = sources().join(&document).parent().unwrap().to_owned();
            if !file.is_empty() && !folder.join(file).exists() {
                writeln!(faults, "{}: {link}", document.display()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "no such files:\n{faults}");
}
