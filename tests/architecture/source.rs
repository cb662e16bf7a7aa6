//! A small Rust tokenizer that finds paths, words and lengths in a source file. Comments and literals are blanked
//! first, so that words in them are ignored.

/// Returns the source with comments, strings and characters replaced by blanks. Line numbers do not change.
pub fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Returns the end of the comment or literal that starts at `at`, or `at` if none starts there.
fn literal(chars: &[char], at: usize) -> usize {
    let find = |from: usize, end: &str| -> usize {
        let end: Vec<char> = end.chars().collect();
        (from..chars.len()).find(|i| chars[*i..].starts_with(&end)).map_or(chars.len(), |i| i + end.len())
    };
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(at, "\n").saturating_sub(1).max(at + 1),
        '/' if next == Some('*') => block_comment(chars, at),
        '"' => quoted(chars, at + 1, '"'),
        // A character, not a lifetime: `'x'`, `'\n'`.
        '\'' if next == Some('\\') => quoted(chars, at + 1, '\''),
        '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
        'r' if at == 0 || !word(chars[at - 1]) || matches!(chars[at - 1], 'b' | 'c') => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + 1 + hashes) != Some(&'"') {
                return at;
            }
            find(at + hashes + 2, &format!("\"{}", "#".repeat(hashes)))
        }
        _ => at,
    }
}

fn quoted(chars: &[char], mut at: usize, end: char) -> usize {
    while at < chars.len() && chars[at] != end {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        if chars[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if chars[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word or a punctuation character, and its line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// Splits code into tokens. `::` is one token; every other punctuation character is a separate token.
pub fn tokens(code: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if word(first) {
                rest.find(|c| !word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            out.push(Token { text: rest[..length].to_owned(), line: number + 1 });
            rest = rest[length..].trim_start();
        }
    }
    out
}

/// Returns the index of the bracket that closes the one at index `open`.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// The number of lines before the tests.
pub fn before_tests(code: &str) -> usize {
    code.lines().take_while(|l| l.trim() != "#[cfg(test)]").count()
}

/// Each function with a body: its name, its first line and its number of lines.
pub fn functions(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let mut out = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(at + 1).filter(|_| token.text == "fn") else { continue };
        // Not the type `fn(..)`.
        if !name.text.starts_with(word) {
            continue;
        }
        let mut to = at + 1;
        while to < tokens.len() && !matches!(tokens[to].text.as_str(), "{" | ";") {
            to = if matches!(tokens[to].text.as_str(), "(" | "[") { closing(tokens, to) } else { to } + 1;
        }
        if tokens.get(to).is_some_and(|t| t.text == "{") {
            let last = tokens.get(closing(tokens, to)).map_or(token.line, |t| t.line);
            out.push((name.text.clone(), token.line, last + 1 - token.line));
        }
    }
    out
}
