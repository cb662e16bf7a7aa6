//! Lists of globs over module names: the grammar of `khelper.deny` and `khelper.allow` (REQ-2), and of the console's
//! filter by name.
//!
//! A list contains globs separated by blanks or commas. In a glob, `*` matches any run of bytes, `?` any single byte,
//! `[a-z]` one byte of a class, `[!a-z]` one byte outside it, and a backslash makes the next character literal. As in
//! modprobe, `-` and `_` are equal and case matters. Ambiguous text is refused: a deny list that does not mean what its
//! author intended would let modules through.

use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::ParseError;
use super::escape::screen;
use super::wildcard::wildcard;

/// Characters beside letters and digits that stand for themselves.
const PLAIN: &str = "_-.:+()%/=@";

/// A list of globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globs {
    /// The globs, a blank between them.
    text: Arc<str>,
    /// In the order of the text.
    globs: Arc<[Tokens]>,
}

type Tokens = Box<[Token]>;

/// How a byte is compared: as it is, or with `-` and `_` equal.
type Fold = fn(u8) -> u8;

/// One glob.
#[derive(Clone, Debug)]
pub struct Glob {
    tokens: Tokens,
    text: Arc<str>,
    fold: Fold,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.tokens == other.tokens
    }
}
impl Eq for Glob {}

impl Glob {
    /// A glob over module names, in which `-` and `_` are equal.
    ///
    /// # Errors
    /// `EINVAL`, with a message that names the fault.
    pub fn of_module(text: &str) -> Result<Self, ParseError> {
        Self::with(text, fold)
    }

    /// A glob over other names: every byte counts.
    ///
    /// # Errors
    /// As for [`Self::of_module`].
    pub fn exact(text: &str) -> Result<Self, ParseError> {
        Self::with(text, |byte| byte)
    }

    fn with(text: &str, fold: Fold) -> Result<Self, ParseError> {
        let tokens = parse_glob(text, fold).map_err(|fault| fault.of(text))?;
        Ok(Self { tokens, text: text.into(), fold })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &[u8]) -> bool {
        matches(&self.tokens, text, self.fold)
    }

    /// The only text that it matches, folded; `None` if it has a wildcard.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.tokens.iter().map(Token::byte).collect()
    }

    /// The runs of letters that every text that it matches has, [`BEGIN`] before the first letter of a text and [`END`]
    /// behind its last one. With true: a text that has the one run matches.
    pub fn pieces(&self) -> (Vec<Box<[u16]>>, bool) {
        let letters = self.tokens.iter().map(|token| token.byte().map(u16::from));
        let whole: Vec<_> = [Some(BEGIN)].into_iter().chain(letters).chain([Some(END)]).collect();
        let runs = whole.split(Option::is_none).map(|run| run.iter().flatten().copied().collect::<Box<[u16]>>());
        let pieces: Vec<_> = runs.filter(|run| !matches!(**run, [] | [BEGIN] | [END])).collect();
        let only_runs = self.tokens.iter().all(|token| matches!(token, Token::Byte(_) | Token::Run));
        let is_enough = only_runs && pieces.len() <= 1;
        (pieces, is_enough)
    }
}

/// What stands before the first letter of a text, in a piece of a glob.
pub const BEGIN: u16 = 256;
/// What stands behind the last one.
pub const END: u16 = 257;

impl Glob {
    /// The same with nothing but `*`, `?` and bytes, as [`super::compiled`] has patterns, and whether it matches exactly the
    /// same; else it matches more.
    pub fn widened(&self) -> (Vec<u8>, bool) {
        let mut is_same = true;
        let mut of = |token: &Token| match token {
            Token::Byte(byte) if !matches!(byte, b'*' | b'?') => *byte,
            Token::Any => b'?',
            Token::Run => b'*',
            Token::Byte(_) | Token::Class(_) => {
                is_same = false;
                b'?'
            }
        };
        (self.tokens.iter().map(&mut of).collect(), is_same)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This byte, as [`fold`] gives it.
    Byte(u8),
    /// Any one byte.
    Any,
    /// Any run of bytes, including an empty one.
    Run,
    Class(Box<Set>),
}

/// A set of bytes. Members are looked up as [`fold`] gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
    }
    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] & 1 << (byte % 64) != 0
    }
    fn invert(&mut self) {
        self.0 = self.0.map(|word| !word);
    }
}

impl Default for Globs {
    fn default() -> Self {
        Self { text: "".into(), globs: Arc::default() }
    }
}

impl Globs {
    /// Reads a list. An empty text, or one of blanks alone, is the empty list.
    ///
    /// `EINVAL`, with a message that names the glob and its fault, for a glob that does not follow the grammar, for
    /// text that is not UTF-8 or contains control characters, and for commas without a glob.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let bad = |why: &str, advice| ParseError::invalid(format!("the list `{}` {why}", screen(text)), advice);
        let example = "give globs separated by blanks or commas, as in `usb-* snd?`";
        let text = std::str::from_utf8(text).map_err(|_| bad("is not UTF-8", example))?;
        if text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
            return Err(bad("contains a control character", example));
        }
        let words = || text.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|word| !word.is_empty());
        if words().next().is_none() && text.contains(',') {
            return Err(bad("has commas and no glob", "give an empty text for an empty list"));
        }
        let globs =
            words().map(|word| parse_glob(word, fold).map_err(|fault| fault.of(word))).collect::<Result<_, _>>()?;
        Ok(Self { text: words().collect::<Vec<_>>().join(" ").into(), globs })
    }

    /// The text of the list: the globs, separated by blanks.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
    /// Whether the list has no glob.
    pub fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }
    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = Glob> + '_ {
        let words = self.text.split(' ');
        self.globs.iter().zip(words).map(|(tokens, text)| Glob { tokens: tokens.clone(), text: text.into(), fold })
    }
    /// The first glob that matches, as it was written.
    pub fn find(&self, name: &[u8]) -> Option<&str> {
        let at = self.globs.iter().position(|glob| matches(glob, name, fold))?;
        self.text.split(' ').nth(at)
    }
}

impl Serialize for Globs {
    /// Writes the text of the list.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}
impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(d)?.as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// A list with this text and no globs, for tests of code that only shows the text.
#[cfg(test)]
impl<T: Into<Arc<str>>> From<T> for Globs {
    fn from(text: T) -> Self {
        Self { text: text.into(), globs: Arc::default() }
    }
}

/// `-` and `_` are the same letter (modprobe(8)).
pub fn fold(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

impl Token {
    fn byte(&self) -> Option<u8> {
        if let Self::Byte(byte) = self { Some(*byte) } else { None }
    }
    /// Whether it matches this folded byte.
    fn matches(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => true,
            Self::Run => false,
            Self::Class(set) => set.has(byte),
        }
    }
}

fn matches(glob: &[Token], name: &[u8], fold: Fold) -> bool {
    let is_run = |at: usize| matches!(glob.get(at), Some(Token::Run));
    let next = |at: usize, byte: u8| glob.get(at).filter(|token| token.matches(fold(byte))).map(|_| at + 1);
    wildcard(name, glob.len(), is_run, next)
}

/// What is wrong with a glob, and what to write instead.
struct Fault(String, &'static str);

impl Fault {
    fn new(what: impl Into<String>, advice: &'static str) -> Self {
        Self(what.into(), advice)
    }
    fn unclosed() -> Self {
        let advice =
            "close it with `]`, or write `\\[` for the bracket itself; blanks and commas end a glob in brackets too";
        Self::new("has a `[` without its `]`", advice)
    }
    fn of(self, glob: &str) -> ParseError {
        ParseError::invalid(format!("the glob `{}` {}", screen(glob.as_bytes()), self.0), self.1)
    }
}

fn parse_glob(glob: &str, fold: Fold) -> Result<Tokens, Fault> {
    let (mut tokens, mut chars) = (Vec::new(), glob.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '*' => tokens.push(Token::Run),
            '?' => tokens.push(Token::Any),
            '[' => tokens.push(Token::Class(Box::new(class(&mut chars, fold)?))),
            '\\' => tokens.push(Token::Byte(fold(escaped(&mut chars)?))),
            c if c.is_alphanumeric() || PLAIN.contains(c) => {
                tokens.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| Token::Byte(fold(byte))));
            }
            c => {
                let what = format!("contains `{}`, which has no meaning in a glob", screen(c.to_string().as_bytes()));
                let advice =
                    "name each module or glob by itself; a backslash before a character stands for the character";
                return Err(Fault::new(what, advice));
            }
        }
    }
    Ok(tokens.into())
}

/// The character after a backslash.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Result<u8, Fault> {
    let next = chars.next().filter(char::is_ascii_graphic).and_then(|c| u8::try_from(c).ok());
    next.ok_or_else(|| {
        let advice = "write `\\\\` for a backslash; blanks and commas end a glob, `?` matches them in a name";
        Fault::new("has a backslash that no printable ASCII character follows", advice)
    })
}

/// Parses a class after its `[`, up to and including its `]`. A leading `]` is a member, and so is a `-` at either end.
fn class(chars: &mut Peekable<Chars<'_>>, fold: Fold) -> Result<Set, Fault> {
    let mut set = Set::default();
    let negated = chars.next_if_eq(&'!').is_some();
    if chars.peek() == Some(&'^') {
        return Err(Fault::new("has `[^`, which programs interpret differently", "write `[!` for all but these"));
    }
    let (mut first, mut after_range) = (true, false);
    loop {
        if !first && chars.next_if_eq(&']').is_some() {
            break;
        }
        first = false;
        let dash = chars.peek() == Some(&'-');
        let low = member(chars)?;
        let high = range_end(chars, low)?;
        if dash && after_range && chars.peek() != Some(&']') {
            return Err(Fault::new("has a range that continues another", "put a literal `-` first or last"));
        }
        (low..=high.unwrap_or(low)).for_each(|byte| set.insert(byte));
        after_range = high.is_some();
    }
    if set.has(b'-') {
        set.insert(fold(b'-'));
    }
    if negated {
        set.invert();
    }
    Ok(set)
}

/// The upper end of a range, if one begins here.
fn range_end(chars: &mut Peekable<Chars<'_>>, low: u8) -> Result<Option<u8>, Fault> {
    let mut ahead = chars.clone();
    if ahead.next() != Some('-') || ahead.peek() == Some(&']') {
        return Ok(None);
    }
    chars.next();
    let high = member(chars)?;
    if low > high {
        let show = |byte| screen(&[byte]);
        let what = format!("has the range `{}-{}`, which is empty", show(low), show(high));
        return Err(Fault::new(what, "put the lower end of a range first"));
    }
    Ok(Some(high))
}

/// One member of a class, or an end of a range.
fn member(chars: &mut Peekable<Chars<'_>>) -> Result<u8, Fault> {
    match chars.next().ok_or_else(Fault::unclosed)? {
        '\\' if chars.peek().is_none() => Err(Fault::unclosed()),
        '\\' => escaped(chars),
        '[' if chars.peek().is_some_and(|c| matches!(c, ':' | '.' | '=')) => {
            Err(Fault::new("has a named class within brackets", "write the letters themselves, as in `[a-z0-9]`"))
        }
        c => u8::try_from(c).ok().filter(u8::is_ascii_graphic).ok_or_else(|| {
            let what = format!("has `{}` in a class, which matches single bytes", screen(c.to_string().as_bytes()));
            Fault::new(what, "write the letter outside of brackets, or `?` for each of its bytes")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(list: &str, name: &str) -> bool {
        Globs::parse(list.as_bytes()).unwrap().find(name.as_bytes()).is_some()
    }

    #[test]
    fn req_2_a_list_is_separated_by_blanks_or_commas() {
        for list in ["usb*,snd*", "usb*, snd*", " usb*\t,\nsnd* ,, ", "x usb* snd*", "x,y\r\nusb*\x0csnd*"] {
            for name in ["usb-storage", "snd_pcm"] {
                assert!(finds(list, name), "{list:?} {name}");
            }
            assert!(!finds(list, "usc"), "{list:?}");
        }
        let list = Globs::parse(b" usb*,\tsnd*\n").unwrap();
        assert_eq!((&**list.text(), list.find(b"snd-x"), list.is_empty()), ("usb* snd*", Some("snd*"), false));
        let long = (0..10_000).map(|n| format!("m{n}x")).collect::<Vec<_>>().join(",");
        assert!(finds(&long, "m9999x") && !finds(&long, "m9999"));
        assert!(Globs::parse(b" \n\t").unwrap().is_empty());
    }

    #[test]
    fn req_2_hyphen_and_underscore_are_the_same_letter() {
        for (glob, name) in [
            ("usb-storage", "usb_storage"),
            ("usb_storage", "usb-storage"),
            ("snd-*", "snd_pcm"),
            ("*_x", "a-x"),
            ("a[_]b", "a-b"),
            ("a[x-]b", "a_b"),
            ("a[+--]b", "a_b"),
            ("a[A-z]b", "a-b"),
            ("a\\-b", "a_b"),
            ("a[\\-x]b", "a_b"),
        ] {
            assert!(finds(glob, name), "{glob} {name}");
        }
        for glob in ["a[!-]b", "a[!_]b", "a[!A-z]b", "a[a-c]b"] {
            assert!(!finds(glob, "a-b") && !finds(glob, "a_b"), "{glob}");
        }
        assert!(finds("a[a-c]b", "abb") && finds("a[!-]b", "axb"));
        assert!(!finds("usb-storage", "usbstorage") && !finds("usb-storage", "USB-storage"), "case matters");
    }

    #[test]
    fn req_2_classes_and_backslashes() {
        for (glob, yes, no) in [
            ("[]x]", "]", "["),
            ("[!]x]", "[", "]"),
            ("[a-c1]", "b", "d"),
            ("[a\\]b]", "]", "\\"),
            ("\\*", "*", "a"),
            ("\\[a]", "[a]", "a"),
            ("a\\\\", "a\\", "a"),
            ("[*?]", "?", "x"),
            ("é?", "éx", "ex"),
            ("fs-??", "fs-é", "fs-e"),
        ] {
            let list = if glob == "\\[a]" { "\\[a\\]" } else { glob };
            assert!(finds(list, yes) && !finds(list, no), "{list}");
        }
        let any = Globs::parse(b"a*\x3f").unwrap();
        assert!(any.find(b"a\n\xff").is_some() && any.find(b"a").is_none());
    }

    #[test]
    fn req_2_a_malformed_glob_is_refused_and_named() {
        for (list, glob, what) in [
            ("ok [ab", "`[ab`", "has a `[` without its `]`"),
            ("[", "`[`", "has a `[` without its `]`"),
            ("[]", "`[]`", "has a `[` without its `]`"),
            ("[!]", "`[!]`", "has a `[` without its `]`"),
            ("[a-", "`[a-`", "has a `[` without its `]`"),
            ("[a\\", "`[a\\\\`", "has a `[` without its `]`"),
            ("[a,b]", "`[a`", "has a `[` without its `]`"),
            ("x[z-a]", "`x[z-a]`", "has the range `z-a`, which is empty"),
            ("[a-c-e]", "`[a-c-e]`", "has a range that continues another"),
            ("[^a]", "`[^a]`", "has `[^`"),
            ("[[:alpha:]]", "`[[:alpha:]]`", "has a named class"),
            ("[é]", "`[é]`", "has `é` in a class"),
            ("usb\\", "`usb\\\\`", "has a backslash that no"),
            ("usb\\ snd", "`usb\\\\`", "has a backslash that no"),
            ("a]", "`a]`", "contains `]`"),
            ("usb{a,b}", "`usb{a`", "contains `{`"),
            ("usb*;snd*", "`usb*;snd*`", "contains `;`"),
            ("usb*|snd*", "`usb*|snd*`", "contains `|`"),
            ("'usb*'", "`'usb*'`", "contains `'`"),
            ("* !usb", "`!usb`", "contains `!`"),
            ("usb\u{a0}snd", "`usb\u{a0}snd`", "contains `\u{a0}`"),
            ("usb\u{200b}", "`usb\\xe2\\x80\\x8b`", "contains `\\xe2\\x80\\x8b`"),
            ("usb\u{ff0c}snd", "`usb\\xef\\xbc\\x8csnd`", "contains `\\xef\\xbc\\x8c`"),
        ] {
            let error = Globs::parse(list.as_bytes()).unwrap_err();
            assert!(error.why().starts_with(&format!("the glob {glob} {what}")), "{list}: {error}");
        }
        for (list, what) in [
            (&b"a\xff"[..], "is not UTF-8"),
            (b"a\x1bb", "contains a control character"),
            (b"usb\0", "contains a control character"),
            (b"a\x0bb", "contains a control character"),
            (b" , ,", "has commas and no glob"),
        ] {
            let error = Globs::parse(list).unwrap_err();
            assert!(error.why().ends_with(what), "{error}");
        }
    }

    /// With backtracking at every `*` this would take longer than the age of the universe.
    #[test]
    fn req_2_many_stars_do_not_multiply() {
        let glob = "*a".repeat(500) + "b";
        assert!(!finds(&glob, &"a".repeat(4096)));
        assert!(finds(&glob, &("a".repeat(4096) + "b")));
    }
}
