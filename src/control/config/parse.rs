//! The grammar of configuration files: sysctl.d(5), in systemd's syntax. Pure: bytes in, lines out.
//!
//! A line is `KEY = VALUE`; blanks around both are dropped. The separator of a key is `.` or `/`. A key may be a pattern
//! (glob(7)). `-KEY = VALUE` ignores a failure. `-KEY` alone keeps patterns from setting that key. A line that is empty
//! or that begins with `#` or `;` is a comment.

use crate::abi::escape::screen;
use crate::abi::fnmatch::fnmatch;

/// A line that is not a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u32,
    /// What it says.
    pub kind: Kind<'a>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A value for a key, or for every key that the pattern matches.
    Assignment(Assignment<'a>),
    /// `-KEY`: no pattern sets this key.
    Exclusion(Name),
    /// A line without `=`.
    Malformed(&'a [u8]),
}

/// `KEY = VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The key or pattern.
    pub name: Name,
    /// The value, without the blanks around it; any bytes but a newline.
    pub value: &'a [u8],
    /// Whether a failure is ignored (`-KEY`).
    pub ignore: bool,
}

/// A key or pattern, with `.` for each separator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl Name {
    /// Reads a name with `.` or `/` as separator.
    pub fn new(name: &[u8]) -> Self {
        Self(name.iter().map(|b| if *b == b'/' { b'.' } else { *b }).collect())
    }

    /// The name with dots.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is a pattern.
    pub fn is_pattern(&self) -> bool {
        self.0.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
    }

    /// Whether the pattern matches this key. As in a path, `*` does not match a separator.
    pub fn matches(&self, key: &str) -> bool {
        let mut parts = key.split('.');
        let all = self
            .0
            .split(|b| *b == b'.')
            .all(|glob| parts.next().is_some_and(|part| fnmatch(glob, part.as_bytes(), |byte| byte)));
        all && parts.next().is_none()
    }
}

/// Reads a file. Never fails: a line that has no meaning is [`Kind::Malformed`].
pub fn parse(bytes: &[u8]) -> Vec<Line<'_>> {
    let numbered = (1..).zip(bytes.split(|b| *b == b'\n'));
    numbered.filter_map(|(number, line)| Some(Line { number, kind: kind(line)? })).collect()
}

fn kind(line: &[u8]) -> Option<Kind<'_>> {
    let line = blanks_off(line);
    // A file with the line ends of other systems has lines of one carriage return.
    if line.is_empty() || line == b"\r" || matches!(line[0], b'#' | b';') {
        return None;
    }
    let (ignore, rest) = match line.strip_prefix(b"-") {
        Some(rest) => (true, blanks_off(rest)),
        None => (false, line),
    };
    let Some(at) = rest.iter().position(|b| *b == b'=') else {
        return Some(if ignore { Kind::Exclusion(Name::new(rest)) } else { Kind::Malformed(line) });
    };
    let (name, value) = (Name::new(blanks_off(&rest[..at])), blanks_off(&rest[at + 1..]));
    Some(Kind::Assignment(Assignment { name, value, ignore }))
}

/// Without spaces and tabs at both ends.
pub(super) fn blanks_off(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    &text[start..end]
}

/// What in a value looks like syntax that this format does not have: it is part of the value.
pub fn remark(value: &[u8]) -> Option<String> {
    if value.contains(&b'\r') {
        return Some("a carriage return is part of the value: end lines with a newline alone".into());
    }
    let first = value.first().filter(|b| matches!(b, b'"' | b'\''));
    if first.is_some() && value.len() > 1 && value.last() == first {
        return Some(format!("the quotes are part of the value: {}", screen(value)));
    }
    let comment = value.windows(2).any(|pair| matches!(pair[0], b' ' | b'\t') && matches!(pair[1], b'#' | b';'));
    comment.then(|| format!("a comment needs a line of its own; this one is part of the value: {}", screen(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'a>(name: &str, value: &'a str, ignore: bool) -> Kind<'a> {
        Kind::Assignment(Assignment { name: Name::new(name.as_bytes()), value: value.as_bytes(), ignore })
    }

    #[test]
    fn each_line_means_what_systemd_s_parser_makes_of_it() {
        let exclusion = |name: &str| Kind::Exclusion(Name::new(name.as_bytes()));
        for (line, kind) in [
            ("kernel.modprobe=/x", Some(set("kernel.modprobe", "/x", false))),
            ("  kernel/modprobe \t=\t /a b \t", Some(set("kernel.modprobe", "/a b", false))),
            ("-kernel.modprobe = /x", Some(set("kernel.modprobe", "/x", true))),
            ("- kernel.modprobe=", Some(set("kernel.modprobe", "", true))),
            ("-kernel.modprobe", Some(exclusion("kernel.modprobe"))),
            ("-kernel.*", Some(exclusion("kernel.*"))),
            ("a=b=c", Some(set("a", "b=c", false))),
            ("a = 'x'", Some(set("a", "'x'", false))),
            ("a = x # y", Some(set("a", "x # y", false))),
            ("a = x\r", Some(set("a", "x\r", false))),
            ("=x", Some(set("", "x", false))),
            ("kernel.modprobe /x", Some(Kind::Malformed(b"kernel.modprobe /x"))),
            ("# a = b", None),
            (" \t; a = b", None),
            ("", None),
            (" \t", None),
            ("\r", None),
        ] {
            let lines = parse(line.as_bytes());
            assert_eq!(lines.first().map(|line| line.kind.clone()), kind, "{line:?}");
        }
        let numbers: Vec<_> = parse(b"a=1\n\n#\nb\n-c").iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 4, 5]);
    }

    #[test]
    fn a_pattern_matches_within_one_part_of_a_key() {
        let matches = |name: &str, key: &str| Name::new(name.as_bytes()).matches(key);
        for (pattern, yes, no) in [
            ("kernel.*", "kernel.modprobe", "kernel.usermodehelper.bset"),
            ("kernel/usermodehelper/*", "kernel.usermodehelper.bset", "kernel.modprobe"),
            ("*.*.b*t", "kernel.usermodehelper.bset", "kernel.usermodehelper.inheritable"),
            ("khelper.[a-d]*", "khelper.concurrent", "khelper.era"),
            ("khelper.[!a-d]*", "khelper.era", "khelper.deny"),
            ("khelper.[^e]*y", "khelper.deny", "khelper.era"),
            ("khelper.er?", "khelper.era", "khelper.err.a"),
            ("khelper.max_*_*", "khelper.max_con_x", "khelper.max_concurrent"),
            ("khelper.l[]i]*", "khelper.live", "khelper.loop_messages"),
            ("khelper.e[r", "khelper.e[r", "khelper.era"),
            ("a\\*", "a*", "ab"),
            ("**a*", "xay", "xy"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
        assert!(Name::new(b"a[b").is_pattern() && !Name::new(b"kernel.modprobe").is_pattern());
        // Neither takes longer than the product of the lengths.
        let many = "*a".repeat(10_000);
        assert!(!matches(&many, &"a".repeat(5_000)));
    }

    #[test]
    fn what_is_no_syntax_here_is_remarked_on() {
        for (value, what) in [("/x # y", "comment"), ("/x\t;y", "comment"), ("\"/x\"", "quotes"), ("/x\r", "carriage")]
        {
            assert!(remark(value.as_bytes()).is_some_and(|why| why.contains(what)), "{value:?}");
        }
        for value in ["/x#y", "\"", "\"a", "it's", "#", ""] {
            assert_eq!(remark(value.as_bytes()), None, "{value:?}");
        }
    }
}
