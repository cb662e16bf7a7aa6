//! What modprobe would do for a name: the steps in their order, and every module that it could reach.

use std::collections::BTreeSet;

use super::index::Malformed;
use super::lookup::{Module, Tree};
use super::matches;

/// The most steps of a plan: modules that depend on each other in circles of soft dependencies end here.
const STEPS: usize = 4096;
/// How deep soft dependencies are followed.
const DEPTH: usize = 64;

/// One step of `modprobe --show-depends`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A module is loaded from its file.
    Insert {
        /// The file, as `modules.dep` has it.
        file: Vec<u8>,
    },
    /// A command of modprobe.d runs in place of a module.
    Command {
        /// The command.
        command: Vec<u8>,
    },
    /// The module is part of the kernel.
    BuiltIn {
        /// Its name.
        module: Vec<u8>,
    },
}

/// What a name stands for and depends on, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The modules that it stands for. None: the name is unresolved.
    pub modules: Vec<Vec<u8>>,
    /// Modules that these need, without them.
    pub dependencies: Vec<Vec<u8>>,
    /// Modules that are loaded with them if they can be.
    pub soft: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Walk {
    visited: BTreeSet<Module>,
    steps: Vec<Module>,
}

impl Tree {
    /// What modprobe would do for this name if nothing is loaded yet, as `modprobe -D` prints it.
    ///
    /// # Errors
    /// As for [`Tree::lookup`]; also where soft dependencies lead to too many modules.
    pub fn plan(&self, name: &[u8]) -> Result<Vec<Step>, Malformed> {
        let mut steps = Vec::new();
        for module in self.lookup(name)? {
            if module.alias.is_some() && self.config.blacklist.contains(&module.name) {
                continue;
            }
            let mut walk = Walk::default();
            self.visit(&module, 0, &mut walk)?;
            for module in &walk.steps {
                steps.extend(self.step(module)?);
            }
        }
        Ok(steps)
    }

    /// The modules that the name reaches, whatever a blacklist or a command says of them.
    ///
    /// # Errors
    /// As for [`Tree::plan`].
    pub fn reach(&self, name: &[u8]) -> Result<Reach, Malformed> {
        let mut reach = Reach::default();
        let mut walk = Walk::default();
        for module in self.lookup(name)? {
            self.visit(&module, 0, &mut walk)?;
            push(&mut reach.modules, &[], module.name);
        }
        for module in reach.modules.clone() {
            for needed in self.dependencies(&module)? {
                push(&mut reach.dependencies, &reach.modules, needed);
            }
        }
        let known = [&reach.modules[..], &reach.dependencies].concat();
        walk.steps.into_iter().for_each(|module| push(&mut reach.soft, &known, module.name));
        Ok(reach)
    }

    /// Adds the module, what it depends on, and the soft dependencies of both.
    fn visit(&self, module: &Module, depth: usize, walk: &mut Walk) -> Result<(), Malformed> {
        if !walk.visited.insert(module.clone()) {
            return Ok(());
        }
        if depth > DEPTH || walk.steps.len() > STEPS {
            return Err(Malformed);
        }
        for needed in self.dependencies(&module.name)? {
            self.with_soft(&Module { name: needed, alias: None }, depth, walk)?;
        }
        self.with_soft(module, depth, walk)
    }

    fn with_soft(&self, module: &Module, depth: usize, walk: &mut Walk) -> Result<(), Malformed> {
        let (pre, post) = self.soft(&module.name)?;
        for soft in &pre {
            self.visit(soft, depth + 1, walk)?;
        }
        walk.steps.push(module.clone());
        post.iter().try_for_each(|soft| self.visit(soft, depth + 1, walk))
    }

    /// The soft dependencies of a module: those of the first line about it.
    fn soft(&self, module: &[u8]) -> Result<(Vec<Module>, Vec<Module>), Malformed> {
        let Some(line) = self.config.softdep.iter().find(|line| matches(&line.of, module)) else {
            return Ok(Default::default());
        };
        let all = |names: &[Vec<u8>]| -> Result<Vec<Module>, Malformed> {
            let mut all = Vec::new();
            for name in names {
                all.extend(self.lookup(name)?);
            }
            Ok(all)
        };
        Ok((all(&line.pre)?, all(&line.post)?))
    }

    fn step(&self, module: &Module) -> Result<Option<Step>, Malformed> {
        let line = self.config.install.iter().find(|(of, _)| matches(of, &module.name));
        if let Some((_, command)) = line {
            let (pre, post) = self.soft(&module.name)?;
            // A module with soft dependencies is loaded itself: its command used to do what they do now.
            if pre.is_empty() && post.is_empty() {
                return Ok(Some(Step::Command { command: command.clone() }));
            }
        }
        if let Some(file) = self.file_of(&module.name)? {
            return Ok(Some(Step::Insert { file: file.to_vec() }));
        }
        Ok(self.is_builtin(&module.name)?.then(|| Step::BuiltIn { module: module.name.clone() }))
    }
}

fn push(to: &mut Vec<Vec<u8>>, known: &[Vec<u8>], name: Vec<u8>) {
    if !to.contains(&name) && !known.contains(&name) {
        to.push(name);
    }
}
