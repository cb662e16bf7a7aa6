//! Which file imports which.
//!
//! A file imports the file that defines an item that it names, in a `use` item or in a path in its code. A path through
//! a re-export is followed to the definition. Uses and re-exports (`pub use`) of a module's own submodules are not
//! counted, but a submodule's uses of its parent are. Test code is ignored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::floors::module_of;
use crate::paths::{Names, names, without_tests};
use crate::source::{code, tokens};

/// The files of a crate and the names that they use.
pub struct Graph {
    /// Each module that is a file: its path in the crate, the file, and the names that it uses.
    modules: BTreeMap<Vec<String>, (String, Names)>,
}

/// `from` names an item that `to` defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    /// The first place, for example `src/tui/msg.rs:11`.
    pub at: String,
}

impl Graph {
    /// Reads the sources, by path relative to the root of the crate.
    pub fn new<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut modules, mut of_tests) = (BTreeMap::new(), Vec::new());
        for (path, text) in sources.into_iter().filter(|(path, _)| *path != "src/main.rs") {
            let module = module_of(path);
            let all = tokens(&code(text));
            let (kept, declared) = without_tests(&all);
            of_tests.extend(declared.into_iter().map(|name| child(&module, &name)));
            if kept.is_empty() && !all.is_empty() {
                of_tests.push(module.clone());
            }
            modules.insert(module, (path.to_owned(), names(&kept)));
        }
        modules.retain(|module, _| !of_tests.iter().any(|test| module.starts_with(test)));
        Self { modules }
    }

    /// All imports, each pair of files once, without a module's uses of its own submodules.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = self.uses();
        imports.retain(|i| !module_of(&i.to).starts_with(&module_of(&i.from)));
        imports
    }

    /// The uses, in files of the modules `users`, of items that the module `room` defines. Items that `room` only
    /// re-exports from a lower floor do not count.
    pub fn uses_of(&self, room: &str, users: &[&str]) -> BTreeSet<Import> {
        let first = |file: &str| module_of(file).into_iter().next().unwrap_or_default();
        let mut uses = self.uses();
        uses.retain(|i| users.contains(&first(&i.from).as_str()) && first(&i.to) == room);
        uses
    }

    fn uses(&self) -> BTreeSet<Import> {
        let mut lines: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (module, (from, names)) in &self.modules {
            for (target, line) in self.targets(module, names).filter(|(target, _)| target != module) {
                let first = lines.entry((from, &self.modules[&target].0)).or_insert(line);
                *first = line.min(*first);
            }
        }
        let import = |((from, to), line): ((&str, &str), usize)| Import {
            from: from.to_owned(),
            to: to.to_owned(),
            at: format!("{from}:{line}"),
        };
        lines.into_iter().map(import).collect()
    }

    /// The modules that define the items that a module names, and the lines that name them.
    fn targets<'a>(&'a self, module: &'a [String], names: &'a Names) -> impl Iterator<Item = (Vec<String>, usize)> {
        let uses = names.uses.iter().map(|item| (&item.inside, &item.path, item.line));
        let all = uses.chain(names.mentions.iter().map(|m| (&m.inside, &m.path, m.line)));
        all.filter_map(|(inside, path, line)| {
            let path = self.absolute(module, inside, path, FAR)?;
            Some((self.definer(&path, FAR)?, line))
        })
    }

    /// The path from the root of the crate; `None` for a path into another crate or a path of a type.
    fn absolute(&self, module: &[String], inside: &[String], path: &[String], further: usize) -> Option<Vec<String>> {
        let mut here = [module, inside].concat();
        match path[0].as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([&here, &path[1..]].concat()),
            "super" => {
                let up = path.iter().take_while(|segment| *segment == "super").count();
                here.truncate(here.len().checked_sub(up)?);
                Some([&here, &path[up..]].concat())
            }
            first if self.modules.contains_key(&child(&here, first)) => Some([&here, path].concat()),
            first => {
                let uses = &self.modules[module].1.uses;
                let bound = uses.iter().find(|u| u.inside == inside && u.name == *first && u.path[0] != *first)?;
                let start = self.absolute(module, inside, &bound.path, further.checked_sub(1)?)?;
                Some([&start, &path[1..]].concat())
            }
        }
    }

    /// The module of the file that defines the item at the path.
    fn definer(&self, path: &[String], further: usize) -> Option<Vec<String>> {
        let depth = (0..=path.len()).rev().find(|depth| self.modules.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let handed_on = rest.first().filter(|_| further > 0).and_then(|name| {
            let item = self.modules[module].1.uses.iter().find(|u| u.inside.is_empty() && u.name == *name)?;
            let start = self.absolute(module, &[], &item.path, further)?;
            self.definer(&[&start, &rest[1..]].concat(), further - 1)
        });
        Some(handed_on.unwrap_or_else(|| module.to_vec()))
    }
}

/// The most re-exports through which a path is followed.
const FAR: usize = 8;

fn child(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_owned()]].concat()
}

/// The imports between rooms of one folder. A room is a file, or a folder with everything in it, such as
/// `src/tui/model`.
pub fn between_rooms(imports: &BTreeSet<Import>) -> BTreeSet<Import> {
    let mut rooms: BTreeMap<(String, String), String> = BTreeMap::new();
    for import in imports {
        let (from, to) = (module_of(&import.from), module_of(&import.to));
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if common < from.len() && common < to.len() {
            let room = |module: &[String]| format!("src/{}", module[..=common].join("/"));
            rooms.entry((room(&from), room(&to))).or_insert_with(|| import.at.clone());
        }
    }
    rooms.into_iter().map(|((from, to), at)| Import { from, to, at }).collect()
}

/// Each circle that remains without the `allowed` pairs (from, to), and each allowed pair that closes no circle.
pub fn circles(imports: &BTreeSet<Import>, allowed: &[(&str, &str)]) -> Vec<String> {
    let is_allowed = |i: &Import| allowed.contains(&(i.from.as_str(), i.to.as_str()));
    let mut rest: BTreeSet<&Import> = imports.iter().filter(|i| !is_allowed(i)).collect();
    let needless = allowed.iter().filter(|(from, to)| {
        !imports.iter().any(|i| (i.from.as_str(), i.to.as_str()) == (from, to)) || way(&rest, to, from).is_none()
    });
    let needless = needless.map(|(from, to)| format!("{from} -> {to} closes no circle: remove it from the list"));
    let mut problems: Vec<String> = needless.collect();
    // One import of each circle is removed, so that each circle is reported once.
    while let Some((first, back)) = rest.iter().find_map(|i| Some((*i, way(&rest, &i.to, &i.from)?))) {
        let back: String = back.iter().map(|i| format!(" -> {} ({})", i.to, i.at)).collect();
        problems.push(format!("a circle: {} -> {} ({}){back}", first.from, first.to, first.at));
        rest.retain(|i| *i != first);
    }
    problems
}

/// The shortest path along imports.
fn way<'a>(imports: &BTreeSet<&'a Import>, from: &str, to: &str) -> Option<Vec<&'a Import>> {
    let mut ways = BTreeMap::from([(from, Vec::new())]);
    let mut todo = VecDeque::from([from]);
    while let Some(place) = todo.pop_front() {
        if place == to {
            return ways.remove(place);
        }
        for import in imports.iter().filter(|i| i.from == place) {
            if !ways.contains_key(import.to.as_str()) {
                let way = [&ways[place][..], &[*import]].concat();
                ways.insert(&import.to, way);
                todo.push_back(&import.to);
            }
        }
    }
    None
}

/// Each use by a file that is not listed, and each listed file that uses nothing.
pub fn unlisted(uses: &BTreeSet<Import>, listed: &[&str]) -> Vec<String> {
    let found = uses.iter().filter(|i| !listed.contains(&i.from.as_str()));
    let found = found.map(|i| format!("{} uses what {} defines", i.at, i.to));
    let needless = listed.iter().filter(|file| !uses.iter().any(|i| i.from == **file));
    found.chain(needless.map(|file| format!("{file} uses nothing of it: remove it from the list"))).collect()
}
