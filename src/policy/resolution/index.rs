//! The index files that depmod(8) writes: `modules.*.bin`, a tree of letters with big-endian offsets.

use std::fmt;

use super::matches;

/// The first bytes of a file, and the major number of its version.
const MAGIC: u32 = 0xb007_f457;
const VERSION: u32 = 2;
/// What the upper bits of an offset say of a node.
const HAS_PREFIX: u32 = 1 << 31;
const HAS_VALUES: u32 = 1 << 30;
const HAS_CHILDREN: u32 = 1 << 29;
const OFFSET: u32 = (1 << 28) - 1;
/// The most nodes that one search visits, and the longest key: the files of a distribution have some 100,000 nodes.
const NODES: u32 = 1 << 20;
const KEY: usize = 1024;

/// A file is damaged: it points outside of itself, or in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not an index of depmod, or is damaged")
    }
}
impl std::error::Error for Malformed {}

/// An index: values by their keys, which may be patterns.
#[derive(Clone)]
pub struct Index {
    bytes: Box<[u8]>,
    root: u32,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} bytes)", self.bytes.len())
    }
}

/// A value and its priority: values of a lower one come first.
pub type Value<'a> = (u32, &'a [u8]);

struct Node<'a> {
    prefix: &'a [u8],
    first: u8,
    /// Four bytes for each letter from `first` on.
    children: &'a [u8],
    /// The values, after their number.
    values: Option<(u32, &'a [u8])>,
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Malformed)?;
    Ok(u32::from_be_bytes(*four))
}

/// The bytes before the next NUL, and those after it.
fn text(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let end = bytes.iter().position(|b| *b == 0).ok_or(Malformed)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

impl<'a> Node<'a> {
    fn child(&self, letter: u8) -> Option<u32> {
        let at = usize::from(letter.checked_sub(self.first)?) * 4;
        word(self.children, at).ok().filter(|offset| offset & OFFSET != 0)
    }

    fn letters(&self) -> impl Iterator<Item = (u8, u32)> + use<'a> {
        let (first, children) = (self.first, self.children);
        (0..children.len() / 4).filter_map(move |at| {
            let offset = word(children, at * 4).ok().filter(|offset| offset & OFFSET != 0)?;
            Some((first.checked_add(u8::try_from(at).ok()?)?, offset))
        })
    }

    fn each_value(&self, each: &mut dyn FnMut(Value<'a>)) -> Result<(), Malformed> {
        let Some((count, mut rest)) = self.values else { return Ok(()) };
        for _ in 0..count {
            let priority = word(rest, 0)?;
            let (value, after) = text(&rest[4..])?;
            rest = after;
            each((priority, value));
        }
        Ok(())
    }
}

impl Index {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// [`Malformed`] if it is another kind of file, or one of another version.
    pub fn parse(bytes: impl Into<Box<[u8]>>) -> Result<Self, Malformed> {
        let bytes = bytes.into();
        if word(&bytes, 0)? != MAGIC || word(&bytes, 4)? >> 16 != VERSION {
            return Err(Malformed);
        }
        let root = word(&bytes, 8)?;
        Ok(Self { bytes, root })
    }

    fn node(&self, offset: u32, seen: &mut u32) -> Result<Node<'_>, Malformed> {
        *seen += 1;
        if *seen > NODES {
            return Err(Malformed);
        }
        let mut rest = self.bytes.get((offset & OFFSET) as usize..).ok_or(Malformed)?;
        let mut node = Node { prefix: b"", first: 0, children: b"", values: None };
        if offset & HAS_PREFIX != 0 {
            (node.prefix, rest) = text(rest)?;
        }
        if offset & HAS_CHILDREN != 0 {
            let [first, last, after @ ..] = rest else { return Err(Malformed) };
            let count = usize::from(last.checked_sub(*first).ok_or(Malformed)?) + 1;
            (node.first, node.children, rest) =
                (*first, after.get(..count * 4).ok_or(Malformed)?, after.get(count * 4..).ok_or(Malformed)?);
        }
        if offset & HAS_VALUES != 0 {
            node.values = Some((word(rest, 0)?, &rest[4..]));
        }
        Ok(node)
    }

    /// The first value of this very key.
    ///
    /// # Errors
    /// [`Malformed`] if the file is damaged where it is read.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        let (mut offset, mut rest, mut seen) = (self.root, key, 0);
        if offset & OFFSET == 0 {
            return Ok(None);
        }
        loop {
            let node = self.node(offset, &mut seen)?;
            let Some(after) = rest.strip_prefix(node.prefix) else { return Ok(None) };
            let Some((letter, after)) = after.split_first() else {
                let mut found = None;
                node.each_value(&mut |(_, value)| _ = found.get_or_insert(value))?;
                return Ok(found);
            };
            let Some(next) = node.child(*letter) else { return Ok(None) };
            (offset, rest) = (next, after);
        }
    }

    /// The values of every key that matches as a pattern, in the order of their priorities.
    ///
    /// # Errors
    /// [`Malformed`] if the file is damaged where it is read, or a search takes too many steps.
    pub fn find(&self, name: &[u8]) -> Result<Vec<Value<'_>>, Malformed> {
        let mut search = Search { index: self, seen: 0, key: Vec::new(), found: Vec::new() };
        if self.root & OFFSET != 0 {
            search.walk(name)?;
        }
        Ok(search.found)
    }

    /// Calls `each` with every key and its values.
    ///
    /// # Errors
    /// [`Malformed`] if the file is damaged.
    pub fn each(&self, each: &mut dyn FnMut(&[u8], Value<'_>)) -> Result<(), Malformed> {
        let mut search = Search { index: self, seen: 0, key: Vec::new(), found: Vec::new() };
        if self.root & OFFSET == 0 {
            return Ok(());
        }
        let root = self.node(self.root, &mut search.seen)?;
        search.below(&root, 0, &mut |key, node| node.each_value(&mut |value| each(key, value)))
    }
}

struct Search<'a> {
    index: &'a Index,
    seen: u32,
    /// The pattern that leads to the node, from its first wildcard on.
    key: Vec<u8>,
    found: Vec<Value<'a>>,
}

type Visit<'v, 'a> = &'v mut dyn FnMut(&[u8], &Node<'a>) -> Result<(), Malformed>;

impl<'a> Search<'a> {
    /// Follows the letters of the name; where the keys have a wildcard, all that is below is compared.
    fn walk(&mut self, name: &[u8]) -> Result<(), Malformed> {
        let (mut offset, mut rest) = (self.index.root, name);
        loop {
            let node = self.index.node(offset, &mut self.seen)?;
            for (at, letter) in node.prefix.iter().enumerate() {
                if is_wild(*letter) {
                    return self.compare(&node, at, &rest[at..]);
                }
                if rest.get(at) != Some(letter) {
                    return Ok(());
                }
            }
            rest = &rest[node.prefix.len()..];
            for wild in *b"*?[" {
                let Some(child) = node.child(wild) else { continue };
                let child = self.index.node(child, &mut self.seen)?;
                self.key.push(wild);
                self.compare(&child, 0, rest)?;
                self.key.pop();
            }
            let Some((letter, after)) = rest.split_first() else {
                let found = &mut self.found;
                return node.each_value(&mut |value| insert(found, value));
            };
            let Some(next) = node.child(*letter) else { return Ok(()) };
            (offset, rest) = (next, after);
        }
    }

    /// Adds the values of all patterns below that match the rest of the name.
    fn compare(&mut self, node: &Node<'a>, from: usize, rest: &[u8]) -> Result<(), Malformed> {
        let mut found = std::mem::take(&mut self.found);
        let done = self.below(node, from, &mut |key, node| match matches(key, rest) {
            true => node.each_value(&mut |value| insert(&mut found, value)),
            false => Ok(()),
        });
        self.found = found;
        done
    }

    /// Visits the node and all below it, with their keys. `from`: the part of its prefix that belongs to the key.
    fn below(&mut self, node: &Node<'a>, from: usize, visit: Visit<'_, 'a>) -> Result<(), Malformed> {
        let length = self.key.len();
        self.key.extend(&node.prefix[from..]);
        if self.key.len() > KEY {
            return Err(Malformed);
        }
        for (letter, offset) in node.letters() {
            self.key.push(letter);
            let child = self.index.node(offset, &mut self.seen)?;
            self.below(&child, 0, visit)?;
            self.key.pop();
        }
        if node.values.is_some() {
            visit(&self.key, node)?;
        }
        self.key.truncate(length);
        Ok(())
    }
}

fn is_wild(letter: u8) -> bool {
    matches!(letter, b'*' | b'?' | b'[')
}

/// Before those of the same priority, as libkmod does.
fn insert<'a>(found: &mut Vec<Value<'a>>, value: Value<'a>) {
    let at = found.iter().position(|(priority, _)| *priority >= value.0).unwrap_or(found.len());
    found.insert(at, value);
}

#[cfg(test)]
pub(in crate::policy) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    /// Keys, and their values with priorities.
    pub type Keys = Vec<(Vec<u8>, u32, Vec<u8>)>;

    #[derive(Default)]
    struct Trie {
        children: BTreeMap<u8, Trie>,
        values: Vec<(u32, Vec<u8>)>,
    }

    /// Writes an index as depmod does: children first, a run of single letters as a prefix.
    pub fn written(keys: &Keys) -> Vec<u8> {
        let mut root = Trie::default();
        for (key, priority, value) in keys {
            let node = key.iter().fold(&mut root, |node, letter| node.children.entry(*letter).or_default());
            node.values.push((*priority, value.clone()));
        }
        let mut out = [MAGIC.to_be_bytes(), (VERSION << 16 | 1).to_be_bytes(), [0; 4]].concat();
        let offset = write(&root, &mut out);
        out[8..12].copy_from_slice(&offset.to_be_bytes());
        out
    }

    fn write(node: &Trie, out: &mut Vec<u8>) -> u32 {
        let (mut node, mut prefix) = (node, Vec::new());
        while node.values.is_empty() && node.children.len() == 1 {
            let (letter, child) = node.children.first_key_value().unwrap();
            prefix.push(*letter);
            node = child;
        }
        let children: BTreeMap<u8, u32> = node.children.iter().map(|(letter, c)| (*letter, write(c, out))).collect();
        let mut offset = u32::try_from(out.len()).unwrap();
        if !prefix.is_empty() {
            out.extend([&prefix[..], b"\0"].concat());
            offset |= HAS_PREFIX;
        }
        if let (Some((first, _)), Some((last, _))) = (children.first_key_value(), children.last_key_value()) {
            out.extend([*first, *last]);
            for letter in *first..=*last {
                out.extend(children.get(&letter).copied().unwrap_or(0).to_be_bytes());
            }
            offset |= HAS_CHILDREN;
        }
        if !node.values.is_empty() {
            out.extend(u32::try_from(node.values.len()).unwrap().to_be_bytes());
            for (priority, value) in &node.values {
                out.extend([&priority.to_be_bytes()[..], value, b"\0"].concat());
            }
            offset |= HAS_VALUES;
        }
        offset
    }

    fn keys() -> impl Strategy<Value = Keys> {
        proptest::collection::vec(("[a-c*?]{1,6}", 0u32..4, "[m-p]{1,3}"), 1..30).prop_map(|keys| {
            keys.into_iter().map(|(key, priority, value)| (key.into_bytes(), priority, value.into_bytes())).collect()
        })
    }

    proptest! {
        #[test]
        fn a_search_finds_what_trying_every_pattern_finds(keys in keys(), name in "[a-d]{0,6}") {
            let index = Index::parse(written(&keys)).unwrap();
            let mut found: Vec<_> = index.find(name.as_bytes()).unwrap();
            prop_assert!(found.is_sorted_by_key(|(priority, _)| *priority));
            let mut all: Vec<_> =
                keys.iter().filter(|k| matches(&k.0, name.as_bytes())).map(|k| (k.1, &k.2[..])).collect();
            found.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(found, all);
            let value = keys.iter().find(|k| k.0 == name.as_bytes()).map(|k| &k.2[..]);
            prop_assert_eq!(index.get(name.as_bytes()).unwrap(), value);
            let mut listed = 0;
            index.each(&mut |key, (_, value)| {
                assert!(keys.iter().any(|k| k.0 == key && k.2 == value));
                listed += 1;
            }).unwrap();
            prop_assert_eq!(listed, keys.len());
        }

        #[test]
        fn damaged_files_never_panic_and_end(
            keys in keys(), flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            cut in any::<prop::sample::Index>(), name in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut bytes = written(&keys);
            for (at, to) in flips {
                let at = 8 + at.index(bytes.len() - 8);
                bytes[at] = to;
            }
            bytes.truncate(cut.index(2 * bytes.len() + 1));
            if let Ok(index) = Index::parse(bytes) {
                let _ = (index.find(&name), index.get(&name), index.each(&mut |_, _| ()));
            }
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-c*]{0,5}") {
            let head = [&MAGIC.to_be_bytes()[..], &(VERSION << 16).to_be_bytes(), &bytes].concat();
            let _ = Index::parse(bytes);
            if let Ok(index) = Index::parse(head) {
                let _ = (index.find(name.as_bytes()), index.get(name.as_bytes()), index.each(&mut |_, _| ()));
            }
        }
    }

    /// A node whose children are the node itself: every name goes in circles.
    #[test]
    fn a_circle_ends() {
        let (at, node) = (12u32, 12 | HAS_CHILDREN);
        let mut bytes = [MAGIC, VERSION << 16, node].map(u32::to_be_bytes).concat();
        assert_eq!(bytes.len(), at as usize);
        bytes.extend(*b"*b");
        (b'*'..=b'b').for_each(|_| bytes.extend(node.to_be_bytes()));
        let index = Index::parse(bytes).unwrap();
        assert_eq!(index.find(b"aaaa"), Err(Malformed));
        assert_eq!(index.each(&mut |_, _| ()), Err(Malformed));
        assert_eq!(index.get(b"aaaa"), Ok(None));
        assert!(Index::parse(*b"\xb0\x07\xf4\x57\0\x03\0\0\0\0\0\0").is_err(), "a newer version");
    }
}
