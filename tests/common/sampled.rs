//! Names to ask a tree of modules for: made from every pattern of its aliases, its modules and its symbols, with others
//! that are a letter apart.

use std::path::Path;

pub struct Sampler {
    patterns: Vec<Vec<u8>>,
    state: u64,
}

impl Sampler {
    /// Reads the text files beside the indexes.
    pub fn new(folder: &Path, seed: u64) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for (file, at) in [("modules.alias", 1), ("modules.symbols", 1)] {
            let text = read(file);
            let lines = text.lines().filter(|line| line.starts_with("alias "));
            patterns.extend(lines.filter_map(|line| Some(line.split(' ').nth(at)?.as_bytes().to_vec())));
        }
        for file in ["modules.dep", "modules.builtin"] {
            let text = read(file);
            let names = text.lines().filter_map(|line| Some(line.split(".ko").next()?.rsplit('/').next()?.to_owned()));
            patterns.extend(names.map(String::into_bytes));
        }
        Self { patterns, state: seed | 1 }
    }

    /// xorshift: the same names in every run.
    fn random(&mut self, below: usize) -> usize {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.state ^= if left { self.state << by } else { self.state >> by };
        }
        usize::try_from(self.state % below as u64).unwrap()
    }

    /// This many names: every pattern in turn if there are enough, else some of them.
    pub fn names(&mut self, count: usize) -> Vec<Vec<u8>> {
        let all = self.patterns.len();
        let pick = |at: usize, this: &mut Self| if count >= all { at % all } else { this.random(all) };
        (0..count)
            .map(|at| {
                let at = pick(at, self);
                let pattern = self.patterns[at].clone();
                self.name(&pattern)
            })
            .collect()
    }

    fn name(&mut self, pattern: &[u8]) -> Vec<u8> {
        let (mut name, mut rest) = (Vec::new(), pattern);
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'*' => (0..self.random(4)).for_each(|_| name.push(b"0aZ_-d"[self.random(6)])),
                b'?' => name.push(b"0aZ_"[self.random(4)]),
                b'[' => {
                    let end = rest.iter().position(|b| *b == b']').unwrap();
                    let members: Vec<u8> = rest[..end].iter().copied().filter(|b| *b != b'-').collect();
                    name.push(members[self.random(members.len())]);
                    rest = &rest[end + 1..];
                }
                b'_' if self.random(2) == 0 => name.push(b'-'),
                other => name.push(*other),
            }
        }
        match self.random(12) {
            0 => _ = name.pop().filter(|_| name.len() > 1),
            1 => name.push(b'0'),
            2 => name.insert(0, b'x'),
            _ => {}
        }
        name
    }
}
