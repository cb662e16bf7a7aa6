//! Commands of documents that show no output: that khelper and cargo know them.

use std::path::Path;

use crate::common::skipped;
use crate::session::{Session, Start, starts_daemon};

/// Exit codes of a command that khelper does not understand, or that the document leads to by mistake.
const MISTAKES: [i32; 4] = [64, 69, 76, 101];

/// Whether a line looks like a command of a shell.
pub fn is_command(line: &str) -> bool {
    let line = line.trim_start_matches(['$', '#']).trim_start();
    ["khelper ", "sudo ", "cargo ", "systemctl ", "journalctl "].iter().any(|start| line.starts_with(start))
}

/// What is wrong with a line of a block: `cargo`'s must name targets of the crate, khelper's are run.
pub fn faults(line: &str, sources: &Path, session: &mut Option<Session>) -> Vec<String> {
    let command = line.split("  # ").next().unwrap_or_default().trim();
    if command.contains("cargo ") {
        return unknown_targets(command, sources);
    }
    // A line of a synopsis, or the rest of one.
    if command.is_empty()
        || command.contains(" | ")
        || command.contains("...")
        || command.contains('[')
        || !is_command(command)
    {
        return Vec::new();
    }
    let session = match session {
        Some(session) => session,
        none => match Session::start(sources) {
            Start::Ready(started) => none.insert(started),
            Start::Impossible(why) => {
                skipped(&format!("a root of its own: {why}"));
                return Vec::new();
            }
        },
    };
    command.split("; ").filter_map(|command| fault(command, session)).collect()
}

fn fault(command: &str, session: &mut Session) -> Option<String> {
    let command = command.trim().trim_start_matches("sudo ").replace("$PWD", "/src").replace("target/release", "build");
    let mut words = command.split_ascii_whitespace().skip(1).skip_while(|word| word.starts_with("-"));
    let watches = words.any(|word| word == "watch");
    // A console has no terminal here, and says so with 2; what watches is ended.
    let asked = match (starts_daemon(&command), watches) {
        (true, _) => command.replace('&', ">/dev/null 2>&1 &"),
        (_, true) => format!("timeout 2 {command} </dev/null"),
        _ => format!("{command} </dev/null"),
    };
    match session.run(&asked) {
        Ok((code, output)) if MISTAKES.contains(&code) => Some(format!("exit code {code}: {output}")),
        Ok(_) if starts_daemon(&command) => session.ready().err(),
        Ok(_) => None,
        Err(fault) => Some(fault),
    }
}

/// The targets of cargo that the command names and the crate does not have.
fn unknown_targets(command: &str, sources: &Path) -> Vec<String> {
    let words: Vec<_> = command.split_ascii_whitespace().collect();
    let mut unknown = Vec::new();
    for pair in words.windows(2) {
        let folder = match pair[0] {
            "--test" => "tests",
            "--bench" => "benches",
            "--example" => "examples",
            _ => continue,
        };
        let (file, room) = (format!("{folder}/{}.rs", pair[1]), format!("{folder}/{}/main.rs", pair[1]));
        if !sources.join(&file).exists() && !sources.join(&room).exists() {
            unknown.push(format!("neither {file} nor {room} exists"));
        }
    }
    unknown
}
