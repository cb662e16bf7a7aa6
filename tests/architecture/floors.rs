//! The floors: which module may import which.

use crate::source::{Token, closing};

/// The modules of the crate, planned ones included, and their floors. A module imports only itself and modules of lower
/// floors; two modules of one floor do not use each other.
pub const FLOORS: [(&str, u8); 14] = [
    ("abi", 0),
    ("policy", 1),
    ("sys", 1),
    ("engine", 2),
    ("kernel", 2),
    ("control", 3),
    ("ledger", 4),
    ("verbs", 4),
    ("wire", 4),
    ("cli", 5),
    ("daemon", 5),
    ("remote", 5),
    ("tui", 5),
    ("app", 6),
];

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The path of the module that a file is: `src/tui/view/masks.rs` is `[tui, view, masks]`, `src/lib.rs` is `[]`.
pub fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    if matches!(inside, "lib" | "main") {
        return Vec::new();
    }
    inside.split('/').map(str::to_owned).collect()
}

/// All imports of a file that do not point to a lower floor, and those that cannot be resolved.
pub fn violations(module: &[String], tokens: &[Token]) -> Vec<String> {
    let Some(own) = module.first() else { return Vec::new() };
    let Some(from) = floor(own) else { return vec![format!("`{own}` has no floor: add it to the map")] };
    let judge = |(target, line): (String, usize)| match floor(&target) {
        _ if target == *own => None,
        Some(to) if to < from => None,
        Some(_) => Some(format!("line {line}: `{own}` imports `{target}`, which is not below it")),
        None => Some(format!("line {line}: the module `{target}` has no floor")),
    };
    targets(module, tokens).into_iter().filter_map(judge).collect()
}

/// The top-level modules of the crate that the file names, by `crate::` or by `super::`.
fn targets(module: &[String], tokens: &[Token]) -> Vec<(String, usize)> {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let mut out = Vec::new();
    // Where each open inline module ends.
    let mut inline: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        inline.retain(|end| at < *end);
        match text(at) {
            "mod" if text(at + 2) == "{" => inline.push(closing(tokens, at + 2)),
            "crate" if text(at + 1) == "::" => under_root(tokens, at + 2, &mut out),
            // `pub(crate)` names no module; `use crate as root` would hide the modules that it names.
            "crate" if text(at + 1) != ")" => out.push(("crate".to_owned(), tokens[at].line)),
            "super" => {
                let mut climbed = 1;
                while text(at + 1) == "::" && text(at + 2) == "super" {
                    climbed += 1;
                    at += 2;
                }
                if text(at + 1) == "::" {
                    let depth = module.len() + inline.len();
                    if climbed >= depth {
                        under_root(tokens, at + 2, &mut out);
                    } else if text(at + 2) == "{" {
                        // `super::{super::x}` is not followed, so it is not allowed.
                        let group = &tokens[at + 3..closing(tokens, at + 2).min(tokens.len())];
                        out.extend(group.iter().filter(|t| t.text == "super").map(|t| (t.text.clone(), t.line)));
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// `abi::x`, or each of `{abi::x, engine::{y, z}}`.
fn under_root(tokens: &[Token], at: usize, out: &mut Vec<(String, usize)>) {
    let Some(first) = tokens.get(at) else { return };
    if first.text != "{" {
        out.push((first.text.clone(), first.line));
        return;
    }
    let end = closing(tokens, at).min(tokens.len());
    let mut item = at + 1;
    while item < end {
        out.push((tokens[item].text.clone(), tokens[item].line));
        while item < end && tokens[item].text != "," {
            item = if tokens[item].text == "{" { closing(tokens, item) } else { item } + 1;
        }
        item += 1;
    }
}
