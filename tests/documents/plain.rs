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

/// The commands of khelper that a text names between back quotes, without what follows a character of another syntax.
pub fn inline(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let whole = spans.filter(|span| span.starts_with("khelper ") && !span.contains('\n'));
    whole.map(|span| span.split(['|', ';', '\'', '"']).next().unwrap_or_default().to_owned()).collect()
}

/// The words of a command that `khelper help` does not know: the verb, and options with two dashes.
pub fn unknown_words(command: &str, help: &impl Fn(&str) -> String) -> Vec<String> {
    let words: Vec<_> = command.split_ascii_whitespace().skip(1).take_while(|word| *word != "--").collect();
    let verbs = help("");
    let known = |verb: &str| verbs.lines().any(|line| line.split_ascii_whitespace().next() == Some(verb));
    let mut takes_value = false;
    let at = words.iter().position(|word| {
        let value =
            std::mem::replace(&mut takes_value, ["-t", "--target", "--set", "--host", "--theme"].contains(word));
        !value && !word.starts_with('-')
    });
    let verb = at.map(|at| words[at]).filter(|verb| verb.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut unknown: Vec<_> = verb.filter(|verb| !known(verb)).map(str::to_owned).into_iter().collect();
    if unknown.is_empty() {
        let mut text = verbs + &verb.map(help).unwrap_or_default();
        // A verb may have verbs of its own.
        if let (Some(verb), Some(next)) = (verb, at.and_then(|at| words.get(at + 1)))
            && text.contains(&format!("\n  {next} "))
        {
            text += &help(&format!("{verb} {next}"));
        }
        let options =
            words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
        let known = |option: &str| text.split([' ', ',', '\n', '[', ']']).any(|word| word == option);
        unknown.extend(options.filter(|option| !known(option)).map(str::to_owned));
    }
    unknown
}

#[test]
fn a_verb_and_an_option_are_known_or_not() {
    let help = |verb: &str| match verb {
        "" => "Commands:\n  get  Read knobs\n  shim  Its shim\n  -t, --target <T>\n".to_owned(),
        "shim" => "Commands:\n  install  Write it\n".to_owned(),
        "shim install" => "      --refresh  Replace it\n".to_owned(),
        _ => "      --where  Print where\n".to_owned(),
    };
    let unknown = |command: &str| unknown_words(command, &help).join(" ");
    assert_eq!(unknown("khelper get --where x"), "");
    assert_eq!(unknown("khelper --target kernel get --where -- --no"), "");
    assert_eq!(
        (unknown("khelper shim install --refresh"), unknown("khelper shim install --where")),
        ("".into(), "--where".into())
    );
    assert_eq!((unknown("khelper got"), unknown("khelper get --were")), ("got".into(), "--were".into()));
    assert_eq!(inline("a `khelper get --where | x` b `other` c `khelper ps`"), ["khelper get --where ", "khelper ps"]);
}
