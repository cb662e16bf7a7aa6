//! Which modules a name stands for, in libkmod's order.

use super::index::{Index, Malformed};
use super::modprobe_d::Config;
use super::{matches, name_of_file, normalized};

/// The files of a kernel's modules, and modprobe.d. A file that does not exist is `None`: it has no names.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `modules.dep.bin`.
    pub dep: Option<Index>,
    /// `modules.alias.bin`.
    pub alias: Option<Index>,
    /// `modules.symbols.bin`.
    pub symbols: Option<Index>,
    /// `modules.builtin.bin`.
    pub builtin: Option<Index>,
    /// `modules.builtin.alias.bin`.
    pub builtin_alias: Option<Index>,
    /// modprobe.d, and `modules.softdep` after it.
    pub config: Config,
}

/// A module that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// Its name, with `_` for `-`.
    pub name: Vec<u8>,
    /// The alias that led to it; `None` if it was named itself. A blacklist stops aliases only.
    pub alias: Option<Vec<u8>>,
}

impl Module {
    fn named(name: Vec<u8>) -> Self {
        Self { name, alias: None }
    }
    fn by_alias(alias: &[u8], name: &[u8]) -> Self {
        Self { name: name.to_vec(), alias: Some(alias.to_vec()) }
    }
}

impl Tree {
    /// The modules that the name stands for, as `modprobe -R` prints them; empty if there is none.
    ///
    /// # Errors
    /// [`Malformed`] if a file is damaged where it is read.
    pub fn lookup(&self, name: &[u8]) -> Result<Vec<Module>, Malformed> {
        // modprobe refuses such a name.
        let Some(name) = normalized(name) else { return Ok(Vec::new()) };
        let by_config: Vec<Module> = self
            .config
            .aliases
            .iter()
            .filter(|(alias, _)| matches(alias, &name))
            .map(|(alias, module)| Module::by_alias(alias, module))
            .collect();
        if !by_config.is_empty() {
            return Ok(by_config);
        }
        if self.line_of(&name)?.is_some() {
            return Ok(vec![Module::named(name)]);
        }
        if name.starts_with(b"symbol:") {
            let by_symbol = by_index(self.symbols.as_ref(), &name)?;
            if !by_symbol.is_empty() {
                return Ok(by_symbol);
            }
        }
        if [&self.config.install, &self.config.remove].into_iter().flatten().any(|(of, _)| *of == name) {
            return Ok(vec![Module::named(name_of_file(&name))]);
        }
        let by_alias = by_index(self.alias.as_ref(), &name)?;
        if !by_alias.is_empty() {
            return Ok(by_alias);
        }
        if self.is_builtin(&name)? {
            return Ok(vec![Module::named(name)]);
        }
        by_index(self.builtin_alias.as_ref(), &name)
    }

    /// Whether the module is a part of the kernel: there is nothing to load.
    ///
    /// # Errors
    /// As for [`Self::lookup`].
    pub fn is_builtin(&self, module: &[u8]) -> Result<bool, Malformed> {
        Ok(get(self.builtin.as_ref(), module)?.is_some())
    }

    /// The line of `modules.dep`: the module's file, and those that it depends on. Names of modules have no `:`.
    pub(super) fn line_of(&self, module: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        if module.contains(&b':') { Ok(None) } else { get(self.dep.as_ref(), module) }
    }

    /// The modules that this one depends on, in the order in which they are loaded.
    ///
    /// # Errors
    /// As for [`Self::lookup`].
    pub fn dependencies(&self, module: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
        let Some(line) = self.line_of(module)? else { return Ok(Vec::new()) };
        let Some(colon) = line.iter().position(|b| *b == b':') else { return Err(Malformed) };
        let files = line[colon + 1..].split(|b| matches!(b, b' ' | b'\t')).filter(|file| !file.is_empty());
        Ok(files.map(name_of_file).rev().collect())
    }

    /// The module's file, relative to the folder of the tree unless it is absolute.
    ///
    /// # Errors
    /// As for [`Self::lookup`].
    pub fn file_of(&self, module: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        Ok(self.line_of(module)?.map(|line| line.split(|b| *b == b':').next().unwrap_or_default()))
    }
}

fn get<'a>(index: Option<&'a Index>, key: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    index.map_or(Ok(None), |index| index.get(key))
}

fn by_index(index: Option<&Index>, name: &[u8]) -> Result<Vec<Module>, Malformed> {
    let values = index.map_or(Ok(Vec::new()), |index| index.find(name))?;
    Ok(values.into_iter().map(|(_, module)| Module::by_alias(name, module)).collect())
}
