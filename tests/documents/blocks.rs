//! The fenced blocks of a document.

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The line of its first fence.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    pub lines: Vec<String>,
    pub kind: Kind,
    /// Why it is not tried, as the paragraph above it says.
    pub untried: Option<String>,
    /// What has to be there, as the paragraph above it says: `root`, or the names of programs.
    pub needs: Vec<String>,
}

#[derive(Debug)]
pub enum Kind {
    Commands(Vec<Command>),
    /// The text of a file, which the line above names.
    File(String, String),
    Text,
}

/// A command and what it prints.
#[derive(Debug)]
pub struct Command {
    pub line: usize,
    pub text: String,
    pub expected: Vec<String>,
}

/// The blocks of a document, or the line of a mistake and what is wrong.
pub fn parse(text: &str) -> Result<Vec<Block>, String> {
    let (mut blocks, mut above) = (Vec::new(), String::new());
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        let Some(language) = text.strip_prefix("```") else {
            if text.is_empty() {
                // A blank line between a paragraph and its block.
                above.push('\n');
            } else {
                let new = above.ends_with('\n');
                above = if new { String::new() } else { above + " " };
                above.push_str(text);
            }
            continue;
        };
        let mut inner = Vec::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, text)) => inner.push(text.to_owned()),
                None => return Err(format!("{line}: a block without an end")),
            }
        }
        blocks.push(block(line, language, inner, above.trim())?);
        above.clear();
    }
    Ok(blocks)
}

fn block(line: usize, language: &str, lines: Vec<String>, above: &str) -> Result<Block, String> {
    let untried = between(above, "*Not tried here: ", ".*").map(str::to_owned);
    let needs = between(above, "*Needs ", ".*").unwrap_or_default();
    let needs = needs.split([' ', ',']).filter(|word| !word.is_empty() && *word != "and").map(str::to_owned).collect();
    let kind = if language == "console" {
        Kind::Commands(commands(line, &lines)?)
    } else if let Some(name) = above.strip_suffix("`:").and_then(|above| above.rsplit('`').next()) {
        Kind::File(name.to_owned(), lines.join("\n") + "\n")
    } else {
        Kind::Text
    };
    Ok(Block { line, language: language.to_owned(), lines, kind, untried, needs })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.rsplit_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

fn commands(fence: usize, lines: &[String]) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    for (line, text) in (fence + 1..).zip(lines) {
        if let Some(text) = text.strip_prefix("$ ").or_else(|| text.strip_prefix("# ")) {
            commands.push(Command { line, text: text.to_owned(), expected: Vec::new() });
            continue;
        }
        let Some(command) = commands.last_mut() else {
            return Err(format!("{line}: output before the first prompt"));
        };
        match text.strip_prefix("> ") {
            Some(more) if command.expected.is_empty() => command.text = format!("{}\n{more}", command.text),
            _ => command.expected.push(text.clone()),
        }
    }
    if commands.is_empty() {
        return Err(format!("{fence}: a console block without a prompt"));
    }
    Ok(commands)
}

#[test]
fn a_block_has_commands_output_and_marks() {
    let text = "Words.\n\n*Needs root and promtool.*\n\n```console\n# a \\\n> b\nout\n$ c\n```\n\nA file, `x/y.conf`:\n\n```ini\nk = v\n```\n\
                *Not tried here: it needs a moon.*\n```console\n$ d\n```\n";
    let blocks = parse(text).unwrap();
    let Kind::Commands(commands) = &blocks[0].kind else { panic!("{blocks:?}") };
    assert_eq!((commands[0].text.as_str(), commands[0].line), ("a \\\nb", 6));
    assert_eq!((commands[0].expected.join("|").as_str(), commands[1].text.as_str()), ("out", "c"));
    assert_eq!((blocks[0].line, blocks[0].needs.join("|").as_str(), &blocks[0].untried), (5, "root|promtool", &None));
    assert!(matches!(&blocks[1].kind, Kind::File(name, text) if name == "x/y.conf" && text == "k = v\n"));
    assert_eq!(blocks[2].untried.as_deref(), Some("it needs a moon"));
    assert!(blocks[2].needs.is_empty());
    assert!(parse("```console\nout\n```\n").unwrap_err().starts_with("2: output"));
    assert!(parse("```console\n$ a\n").unwrap_err().starts_with("1: a block"));
}
