//! modprobe.d(5): aliases, blacklists, commands in place of a module, soft dependencies.

use crate::abi::escape::screen;

use super::normalized;

/// What the files say together, each list in the order of the files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `alias WILDCARD MODULE`.
    pub aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// `blacklist MODULE`: its internal aliases are ignored.
    pub blacklist: Vec<Vec<u8>>,
    /// `install MODULE COMMAND`: the command runs in place of the module.
    pub install: Vec<(Vec<u8>, Vec<u8>)>,
    /// `remove MODULE COMMAND`.
    pub remove: Vec<(Vec<u8>, Vec<u8>)>,
    /// `options MODULE OPTION...`.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// `softdep MODULE pre: MODULE... post: MODULE...`.
    pub softdep: Vec<Softdep>,
}

/// Modules that are loaded before and after another one, if they can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Softdep {
    /// The module; a pattern.
    pub of: Vec<u8>,
    /// Those before it.
    pub pre: Vec<Vec<u8>>,
    /// Those after it.
    pub post: Vec<Vec<u8>>,
}

/// A line that modprobe ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Counted from 1: the line where it begins.
    pub line: u32,
    /// What is wrong with it.
    pub why: String,
}

impl Config {
    /// Adds the lines of a file. Never fails: modprobe ignores lines without a meaning, and so does this.
    pub fn add(&mut self, text: &[u8]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for (number, line) in lines(text) {
            if let Err(why) = self.line(&line) {
                remarks.push(Remark { line: number, why });
            }
        }
        remarks
    }

    /// Adds `modprobe.blacklist=` of the kernel's command line (proc_cmdline(5)).
    pub fn add_command_line(&mut self, text: &[u8]) {
        let words = text.split(|b| b.is_ascii_whitespace());
        let lists = words.filter_map(|word| word.strip_prefix(b"modprobe.blacklist="));
        let names = lists.flat_map(|list| list.split(|b| *b == b','));
        self.blacklist.extend(names.filter(|name| !name.is_empty()).filter_map(normalized));
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.first().is_none_or(|first| *first == b'#') {
            return Ok(());
        }
        let (command, rest) = next(line);
        let (first, after) = next(rest);
        let name = || normalized(first).ok_or_else(|| format!("`{}` has a bracket too much", screen(first)));
        let lacks = |what: &str| Err(format!("`{}` lacks {what}", screen(command)));
        match command {
            b"" => return Ok(()),
            b"alias" => {
                let module = next(after).0;
                if first.is_empty() || module.is_empty() {
                    return lacks("the alias or its module");
                }
                let module = normalized(module).ok_or_else(|| format!("`{}` is no module", screen(module)))?;
                self.aliases.push((name()?, module));
            }
            b"blacklist" if first.is_empty() => return lacks("its module"),
            b"blacklist" => self.blacklist.push(name()?),
            b"install" | b"remove" | b"options" | b"softdep" => {
                if first.is_empty() || after.is_empty() {
                    return lacks("its module or what follows");
                }
                let name = name()?;
                match command {
                    b"install" => self.install.push((name, after.to_vec())),
                    b"remove" => self.remove.push((name, after.to_vec())),
                    b"options" => self.options.push((name, after.to_vec())),
                    _ => self.softdep.push(softdep(name, after)),
                }
            }
            b"include" | b"config" => return Err(format!("modprobe does not read `{}` any more", screen(command))),
            other => return Err(format!("no command is called `{}`", screen(other))),
        }
        Ok(())
    }
}

/// The next word, and what follows it after one separator or more, as strtok_r(3) finds them.
fn next(text: &[u8]) -> (&[u8], &[u8]) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text[start..].iter().position(blank).map_or(text.len(), |length| start + length);
    // The separator itself is taken; blanks after it belong to what follows.
    (&text[start..end], text.get(end + 1..).unwrap_or_default())
}

fn softdep(of: Vec<u8>, text: &[u8]) -> Softdep {
    let mut all = Softdep { of, ..Softdep::default() };
    let mut is_post = None;
    for word in text.split(|b| b.is_ascii_whitespace() || *b == 0x0b).filter(|word| !word.is_empty()) {
        match (word, is_post) {
            (b"pre:", _) => is_post = Some(false),
            (b"post:", _) => is_post = Some(true),
            (word, Some(true)) => all.post.push(word.to_vec()),
            (word, Some(false)) => all.pre.push(word.to_vec()),
            (_, None) => {}
        }
    }
    all
}

/// The lines of a file of modprobe.d(5) with their numbers, counted from 1. A backslash before the newline joins a line
/// with the next one.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (u32, Vec<u8>)> + '_ {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (mut line, mut begins) = (Vec::new(), None);
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let part = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            number += 1;
            begins.get_or_insert(number);
            // A backslash that another one precedes is a byte of the line.
            let ends = part.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
            line.extend(&part[..part.len() - usize::from(ends)]);
            if !ends {
                break;
            }
        }
        Some((begins.unwrap_or(number), line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_without_a_meaning_are_named_with_their_number() {
        let mut all = Config::default();
        let text = b"# a comment\n\nblack\\\nlist a-b\nnonsense x\nalias x\ninclude y\nsoftdep m pre: a post: b c\n";
        let remarks = all.add(text);
        let said: Vec<_> = remarks.iter().map(|remark| format!("{}: {}", remark.line, remark.why)).collect();
        assert_eq!(
            said,
            [
                "5: no command is called `nonsense`",
                "6: `alias` lacks the alias or its module",
                "7: modprobe does not read `include` any more"
            ]
        );
        assert_eq!(all.blacklist, [b"a_b"]);
        assert_eq!((all.softdep[0].pre.len(), all.softdep[0].post.len()), (1, 2));
        all.add_command_line(b"quiet modprobe.blacklist=x-y,z root=/dev/vda\n");
        assert_eq!(all.blacklist, [&b"a_b"[..], b"x_y", b"z"]);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..300), words in "(alias|install|softdep|blacklist|[a\\\\ \n\\[\\]-]){0,30}") {
            let mut all = Config::default();
            all.add(&text);
            let lines = words.lines().count();
            prop_assert!(all.add(words.as_bytes()).len() <= lines);
        }
    }
}
