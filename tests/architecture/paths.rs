//! Finds the names that a file uses: its `use` items and the paths in its code. Code that only tests compile is
//! ignored.

use crate::source::{Token, closing};

/// A name that a `use` item brings into a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The inline modules that contain the item.
    pub inside: Vec<String>,
    /// The path as written, which starts with `crate`, `self`, `super` or another name.
    pub path: Vec<String>,
    /// The name in the module; `*` for a glob.
    pub name: String,
    pub line: usize,
}

/// A path of two or more segments outside `use` items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub inside: Vec<String>,
    pub path: Vec<String>,
    pub line: usize,
}

/// The names that a file uses.
#[derive(Debug, Default)]
pub struct Names {
    pub uses: Vec<Use>,
    pub mentions: Vec<Mention>,
}

/// Returns the tokens without the items that are compiled only for tests, and the modules that `#[cfg(test)] mod x;`
/// declares. A file that starts with `#![cfg(test)]` has no tokens left.
pub fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let (mut kept, mut modules, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        let open = if text(at + 1) == "!" { at + 2 } else { at + 1 };
        if text(at) != "#"
            || text(open) != "["
            || !is_for_tests(&tokens[open..=closing(tokens, open).min(tokens.len() - 1)])
        {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        if open == at + 2 {
            return (Vec::new(), modules);
        }
        let item = after_attributes(tokens, at);
        let name = if text(item) == "pub" { after_visibility(tokens, item) } else { item };
        if text(name) == "mod" && text(name + 2) == ";" {
            modules.push(text(name + 1).to_owned());
        }
        at = end_of_item(tokens, item);
    }
    (kept, modules)
}

/// Whether an attribute is a `cfg` that is true only in tests: `test` or `all(test, ...)`.
fn is_for_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().map(|t| t.text.as_str()).collect();
    matches!(words[..], ["[", "cfg", "(", "test", ")", "]"] | ["[", "cfg", "(", "all", "(", "test", ",", ..])
}

fn after_attributes(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|t| t.text == "#") && tokens.get(at + 1).is_some_and(|t| t.text == "[") {
        at = closing(tokens, at + 1) + 1;
    }
    at
}

fn after_visibility(tokens: &[Token], at: usize) -> usize {
    if tokens.get(at + 1).is_some_and(|t| t.text == "(") { closing(tokens, at + 1) + 1 } else { at + 1 }
}

/// Returns the end of the item, statement, field or arm that starts at `start`: after its `;`, its block or its comma.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let first = if text(start) == "pub" { after_visibility(tokens, start) } else { start };
    let to_semicolon =
        matches!(text(first), "use" | "let" | "static" | "type") || text(first) == "const" && text(first + 1) != "fn";
    let keyword = to_semicolon
        || matches!(
            text(first),
            "fn" | "impl" | "struct" | "enum" | "trait" | "mod" | "unsafe" | "const" | "extern" | "async"
        );
    let mut at = start;
    while at < tokens.len() {
        match text(at) {
            ";" => return at + 1,
            "," if !keyword => return at + 1,
            // The end of the block that contains the last field or statement.
            "}" | ")" | "]" => return at,
            "{" if !to_semicolon => return closing(tokens, at) + 1,
            "{" | "(" | "[" => at = closing(tokens, at),
            _ => {}
        }
        at += 1;
    }
    at
}

/// Reads the names from tokens that [`without_tests`] returned.
pub fn names(tokens: &[Token]) -> Names {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let mut names = Names::default();
    // The inline modules that contain `at`, and where each ends.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        inside.retain(|(_, end)| at < *end);
        let here = || inside.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                inside.push((text(at + 1).to_owned(), closing(tokens, at + 2)));
                at += 3;
            }
            "mod" if text(at + 2) == ";" => at += 3,
            // Skips the `use<..>` of a type.
            "use" if text(at + 1) != "<" => {
                let found = names.uses.len();
                at = use_tree(tokens, at + 1, &[], &mut names.uses);
                names.uses[found..].iter_mut().for_each(|item| item.inside = here());
            }
            first if is_word(first) && text(at + 1) == "::" && is_word(text(at + 2)) => {
                let (mut path, line) = (vec![first.to_owned()], tokens[at].line);
                while text(at + 1) == "::" && is_word(text(at + 2)) {
                    path.push(text(at + 2).to_owned());
                    at += 2;
                }
                names.mentions.push(Mention { inside: here(), path, line });
                at += 1;
            }
            _ => at += 1,
        }
    }
    names
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one tree of a `use` item, which starts at `at` after `prefix`. Returns where it ends.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], out: &mut Vec<Use>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let mut path = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |t| t.line);
    loop {
        match text(at) {
            "{" => {
                let end = closing(tokens, at);
                at += 1;
                while at < end {
                    at = use_tree(tokens, at, &path, out);
                    at += usize::from(text(at) == ",");
                }
                return end + 1;
            }
            "::" => at += 1,
            "*" => {
                out.push(Use { inside: Vec::new(), path, name: "*".to_owned(), line });
                return at + 1;
            }
            word if is_word(word) => {
                // `self` in a group is the path of the group.
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
                if text(at) != "::" {
                    let alias = (text(at) == "as").then(|| text(at + 1).to_owned());
                    let name = alias.clone().or_else(|| path.last().cloned()).unwrap_or_default();
                    out.push(Use { inside: Vec::new(), path, name, line });
                    return if alias.is_some() { at + 2 } else { at };
                }
            }
            _ => return (at + 1).min(tokens.len()),
        }
    }
}
