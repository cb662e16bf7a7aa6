//! What a name stands for, as modprobe(8) would decide it: the modules that would be loaded, those that they depend on,
//! and what modprobe.d(5) says about it.
//!
//! The order is libkmod's. Aliases of modprobe.d come first; then a module of that name (`modules.dep`), a symbol
//! (`symbol:NAME`), `install` and `remove` lines, the aliases of the modules, and what is part of the kernel. The first
//! that has anything decides. One alias can stand for several modules. In a name, `-` is `_` outside brackets.
//!
//! The files are bytes that may be damaged: reading them never panics, and costs a bounded number of steps.

mod index;
mod lookup;
mod modprobe_d;
mod plan;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(in crate::policy) use index::tests::written as written_index;
pub use index::{Index, Malformed};
pub use lookup::{Module, Tree};
pub use modprobe_d::{Config, Remark, lines};
pub use plan::{Reach, Step};

/// The name as the index files and modprobe.d have it: `_` for `-` outside brackets. `None` if the brackets do not
/// match: modprobe refuses such a name.
pub fn normalized(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len());
    let mut in_brackets = false;
    for byte in name {
        match byte {
            b']' if !in_brackets => return None,
            b']' => in_brackets = false,
            b'[' => in_brackets = true,
            _ => {}
        }
        out.push(if *byte == b'-' && !in_brackets { b'_' } else { *byte });
    }
    (!in_brackets).then_some(out)
}

/// The name of a module's file without its folders and endings: `kernel/net/x-y.ko.xz` holds `x_y`.
fn name_of_file(path: &[u8]) -> Vec<u8> {
    let file = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let end = file.iter().position(|b| *b == b'.').unwrap_or(file.len());
    file[..end].iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect()
}

/// libkmod's fnmatch(3): nothing is folded, both sides are normalized already.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    crate::abi::fnmatch::fnmatch(pattern, name, |byte| byte)
}
