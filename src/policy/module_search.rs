//! Finds modules by the beginning of a name, and what a whole name stands for, in the index files of depmod(8).
//!
//! As in modprobe(8), `-` and `_` are equal in a name. The lines are hostile bytes; memory is bounded by the number of
//! names that the search keeps.

use crate::abi::fnmatch::fnmatch;
use crate::abi::module::MODULE_NAME_MAX;
use crate::abi::sorted::SortedMap;

/// The files that are read, in the order in which [`Search::line`] must get them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexFile {
    /// `modules.dep`: the modules that can be loaded, `kernel/net/dccp/dccp.ko.xz: ...`.
    Dep,
    /// `modules.builtin`: the modules that are part of the kernel, `kernel/fs/ext4/ext4.ko`.
    Builtin,
    /// `modules.alias`: other names, with wildcards, `alias fs-ext3 ext4`.
    Alias,
    /// `/proc/modules`: the modules that are loaded, `dccp 98304 0 - Live 0x0`.
    Loaded,
}

/// What a name names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A module that can be loaded.
    Loadable,
    /// A module that is loaded.
    Loaded,
    /// A part of the kernel: there is nothing to load.
    BuiltIn,
    /// Another name of this module.
    Alias(Box<[u8]>),
}

/// A name that begins with what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name; it begins with the very bytes that were typed.
    pub name: Vec<u8>,
    /// What it names.
    pub kind: NameKind,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What was typed.
    pub typed: Vec<u8>,
    /// The names that begin with it, in order: the very name that was typed comes first.
    pub candidates: Vec<Candidate>,
    /// There are more names than were kept.
    pub more: bool,
    /// The modules that the typed name stands for, the first few: by its own name or by an alias.
    pub stands_for: Vec<Candidate>,
    /// Why nothing, or not everything, could be read; escaped.
    pub trouble: Option<String>,
}

/// The most modules that [`Found::stands_for`] lists.
const STANDS_FOR: usize = 4;

/// A search for one name.
#[derive(Debug)]
pub struct Search {
    typed: Vec<u8>,
    /// The same with `_` for `-`.
    folded: Vec<u8>,
    /// How many names are kept.
    most: usize,
    /// By the name with `_` for `-`: the name as its file has it, and what it is.
    names: SortedMap<Vec<u8>, Candidate>,
    more: bool,
    stands_for: Vec<Candidate>,
}

fn fold_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

/// A name with `_` for `-`.
fn fold(name: &[u8]) -> Vec<u8> {
    name.iter().copied().map(fold_byte).collect()
}

/// Whether the name begins with these folded bytes.
fn begins(name: &[u8], folded: &[u8]) -> bool {
    name.len() >= folded.len() && name.iter().zip(folded).all(|(own, other)| fold_byte(*own) == *other)
}

/// Whether both names are the same for modprobe.
pub fn same_name(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && begins(one, &fold(other))
}

/// The name of the module in a file: `kernel/net/dccp/dccp.ko.xz` holds `dccp`.
fn module_of(path: &[u8]) -> Option<&[u8]> {
    let file = path.rsplit(|b| *b == b'/').next()?;
    let end = file.windows(3).position(|part| part == b".ko")?;
    Some(&file[..end])
}

impl Search {
    /// A search for names that begin with `typed`; at most `most` of them are kept.
    pub fn new(typed: &[u8], most: usize) -> Self {
        let (typed, folded) = (typed.to_vec(), fold(typed));
        Self { typed, folded, most, names: SortedMap::new(), more: false, stands_for: Vec::new() }
    }

    /// Takes one line of a file.
    pub fn line(&mut self, file: IndexFile, line: &[u8]) {
        let line = line.trim_ascii();
        match file {
            IndexFile::Dep => {
                let path = line.split(|b| *b == b':').next().unwrap_or_default();
                self.module(module_of(path), NameKind::Loadable);
            }
            IndexFile::Builtin => self.module(module_of(line), NameKind::BuiltIn),
            IndexFile::Alias => {
                let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                if let (Some(b"alias"), Some(alias), Some(module)) = (words.next(), words.next(), words.next()) {
                    self.alias(alias, module);
                }
            }
            IndexFile::Loaded => {
                let name = line.split(|b| *b == b' ').next().unwrap_or_default();
                if let Some(known) = self.names.get_mut(&fold(name)) {
                    known.kind = NameKind::Loaded;
                }
                for known in self.stands_for.iter_mut().filter(|known| same_name(&known.name, name)) {
                    known.kind = NameKind::Loaded;
                }
            }
        }
    }

    /// What was found.
    pub fn done(self) -> Found {
        let mut candidates: Vec<Candidate> = self.names.into_values().collect();
        for candidate in &mut candidates {
            // The name keeps the very bytes that were typed: completing it only adds to them.
            candidate.name.splice(..self.typed.len(), self.typed.iter().copied());
        }
        Found { typed: self.typed, candidates, more: self.more, stands_for: self.stands_for, trouble: None }
    }

    fn module(&mut self, name: Option<&[u8]>, kind: NameKind) {
        let Some(name) = name.filter(|name| can_be_asked_for(name) && begins(name, &self.folded)) else { return };
        if name.len() == self.folded.len() {
            self.means(name, kind.clone());
        }
        self.keep(Candidate { name: name.to_vec(), kind });
    }

    fn alias(&mut self, alias: &[u8], module: &[u8]) {
        let wild = alias.iter().position(|b| b"*?[\\".contains(b));
        let plain = &alias[..wild.unwrap_or(alias.len())];
        let fits = self.folded.get(..plain.len()).is_some_and(|begin| begins(plain, begin));
        if fits && fnmatch(alias, &self.folded, fold_byte) {
            self.means(module, NameKind::Loadable);
        }
        if wild.is_none() && can_be_asked_for(alias) && begins(alias, &self.folded) {
            self.keep(Candidate { name: alias.to_vec(), kind: NameKind::Alias(module.into()) });
        }
    }

    fn means(&mut self, module: &[u8], kind: NameKind) {
        let known = self.stands_for.iter().any(|known| same_name(&known.name, module));
        if !known && self.stands_for.len() < STANDS_FOR {
            self.stands_for.push(Candidate { name: module.to_vec(), kind });
        }
    }

    /// Keeps the name, unless it is known; drops the last one if there are too many.
    fn keep(&mut self, candidate: Candidate) {
        self.names.or_insert(fold(&candidate.name), || candidate);
        if self.names.len() > self.most {
            self.names.pop_last();
            self.more = true;
        }
    }
}

fn can_be_asked_for(name: &[u8]) -> bool {
    (1..=MODULE_NAME_MAX).contains(&name.len()) && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEP: &str = "kernel/net/nf-conntrack.ko.zst: kernel/lib/crc.ko.zst\nkernel/net/nf_nat.ko:\nkernel/net/dccp/dccp.ko.xz:\n\
                       extra/nf_evil\x1b.ko:\nkernel/dir.ko/\n\n:\nnothing\n";
    const BUILTIN: &str = "kernel/net/nf_core.ko\nkernel/fs/ext4/ext4.ko\n";
    const ALIAS: &str = "# Aliases\nalias nf-tables-1 nf_nat\nalias fs-ext3 ext4\nalias net-pf-33 dccp\n\
                         alias block-major-9-* md_mod\nalias pci:v0000[8A]*d?i dccp\nalias block-major-9-* other\nalias x\nnoise\n";

    fn found(typed: &str) -> Found {
        let mut search = Search::new(typed.as_bytes(), 10);
        for (file, text) in [(IndexFile::Dep, DEP), (IndexFile::Builtin, BUILTIN), (IndexFile::Alias, ALIAS)] {
            text.lines().for_each(|line| search.line(file, line.as_bytes()));
        }
        search.line(IndexFile::Loaded, b"nf_conntrack 98304 0 - Live 0x0");
        search.done()
    }

    fn names(found: &Found) -> Vec<(String, &NameKind)> {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        found.candidates.iter().map(|candidate| (text(&candidate.name), &candidate.kind)).collect()
    }

    #[test]
    fn names_of_files_and_plain_aliases_are_found_by_their_beginning() {
        let nf = found("nf_");
        let alias = NameKind::Alias(b"nf_nat"[..].into());
        assert_eq!(
            names(&nf),
            [
                ("nf_conntrack".to_owned(), &NameKind::Loaded),
                ("nf_core".to_owned(), &NameKind::BuiltIn),
                ("nf_evil\x1b".to_owned(), &NameKind::Loadable),
                ("nf_nat".to_owned(), &NameKind::Loadable),
                ("nf_tables-1".to_owned(), &alias),
            ]
        );
        // What was typed stays as it is, and only what follows is completed.
        assert_eq!(names(&found("nf-c"))[0].0, "nf-conntrack");
        assert_eq!(names(&found("dccp")).len(), 1);
        assert!(found("block").candidates.is_empty(), "an alias with wildcards is no name");
        assert_eq!(names(&found("")).len(), 9);
        assert!(!found("").more);
    }

    #[test]
    fn a_name_stands_for_its_module_or_for_those_of_its_aliases() {
        let stands = |typed: &str| {
            let all = found(typed).stands_for;
            all.iter().map(|one| String::from_utf8_lossy(&one.name).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(stands("dccp"), ["dccp"]);
        assert_eq!(stands("nf_conntrack"), ["nf-conntrack"]);
        assert_eq!(found("nf_conntrack").stands_for[0].kind, NameKind::Loaded);
        assert_eq!(stands("net-pf-33"), ["dccp"]);
        assert_eq!(stands("block_major-9-0"), ["md_mod", "other"]);
        assert_eq!(stands("pci:v0000A11d3i"), ["dccp"]);
        assert!(stands("pci:v0000B11d3i").is_empty() && stands("net-pf-3").is_empty());
    }

    #[test]
    fn only_so_many_names_are_kept_the_first_ones() {
        let mut search = Search::new(b"", 3);
        for n in [5, 3, 9, 1, 7] {
            search.line(IndexFile::Dep, format!("a/m{n}.ko:").as_bytes());
        }
        let found = search.done();
        assert_eq!(names(&found).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["m1", "m3", "m5"]);
        assert!(found.more);
    }

    proptest! {
        #[test]
        fn any_lines_are_harmless(
            typed in proptest::collection::vec(any::<u8>(), 0..70),
            lines in proptest::collection::vec((0usize..4, proptest::collection::vec(any::<u8>(), 0..80)), 0..40),
            most in 0usize..5,
        ) {
            let files = [IndexFile::Dep, IndexFile::Builtin, IndexFile::Alias, IndexFile::Loaded];
            let mut search = Search::new(&typed, most);
            for (file, line) in &lines {
                search.line(files[*file], line);
                search.line(files[*file], &[b"alias ", &line[..], b" m"].concat());
                search.line(files[*file], &[&line[..], b".ko:"].concat());
            }
            let found = search.done();
            prop_assert!(found.candidates.len() <= most && found.stands_for.len() <= STANDS_FOR);
            for candidate in &found.candidates {
                prop_assert!(candidate.name.starts_with(&typed), "{:?}", candidate.name);
                prop_assert!(can_be_asked_for(&candidate.name));
            }
        }
    }
}
