//! The modules of the running kernel, by the files that depmod(8) has made for it.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::policy::module_search::{IndexFile, Search};
use crate::sys::linux::lines::each_line;

pub use crate::policy::module_search::{Candidate, Found, NameKind, same_name};

/// The most names that a search keeps.
pub const NAMES: usize = 4096;
/// The most bytes that are read of one file; those of a distribution have up to 2 MiB.
const BYTES: u64 = 32 * 1024 * 1024;
/// The files in the tree of a kernel.
const FILES: [(IndexFile, &str); 3] =
    [(IndexFile::Dep, "modules.dep"), (IndexFile::Builtin, "modules.builtin"), (IndexFile::Alias, "modules.alias")];

/// The folder of the running kernel's modules: `/lib/modules/RELEASE`.
pub fn running_tree() -> PathBuf {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Path::new("/lib/modules").join(release.trim())
}

/// Searches the tree for names that begin with `typed`. Reads the files each time and keeps nothing of them. A file that
/// cannot be read is named in [`Found::trouble`].
pub fn find(tree: &Path, typed: &[u8]) -> Found {
    let mut search = Search::new(typed, NAMES);
    let mut trouble = None;
    for (file, name) in FILES {
        let path = tree.join(name);
        let said = match each_line(&path, BYTES, |line| search.line(file, line)) {
            Ok(true) => continue,
            Ok(false) => format!("is longer than {} MiB, the rest was not read", BYTES >> 20),
            // Older kernels have no list of what is built in.
            Err(Errno::ENOENT) if file != IndexFile::Dep => continue,
            Err(Errno::EINVAL) => "is not a regular file (EINVAL)".to_owned(),
            Err(errno) => format!("{} ({})", errno.desc(), errno_name(errno)),
        };
        trouble.get_or_insert_with(|| format!("{}: {said}", screen(path.as_os_str().as_encoded_bytes())));
    }
    // Only a mark: a kernel without loadable modules does not have it.
    let _ = each_line(Path::new("/proc/modules"), BYTES, |line| search.line(IndexFile::Loaded, line));
    Found { trouble, ..search.done() }
}

/// The names of candidates that need no quotes in a shell or on the console's command line.
pub fn plain_names(found: &Found) -> impl Iterator<Item = &str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:+".contains(&b);
    let names = found.candidates.iter().filter_map(|candidate| std::str::from_utf8(&candidate.name).ok());
    names.filter(move |name| name.bytes().all(plain) && !name.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Found) -> Vec<&str> {
        plain_names(found).collect()
    }

    #[test]
    fn modules_have_the_names_of_their_files_and_aliases() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("modules.dep", "kernel/net/dccp/dccp.ko.xz:\nkernel/a-b_1.ko: kernel/x.ko\nextra/evil$(x).ko:\n");
        assert_eq!(names(&find(dir.path(), b"")), ["a-b_1", "dccp"]);
        assert_eq!(find(dir.path(), b"").trouble, None, "the other files may be absent");
        write("modules.alias", "alias net-pf-33 dccp\nalias pci:* x\n");
        write("modules.builtin", "kernel/fs/ext4/ext4.ko\n");
        assert_eq!(names(&find(dir.path(), b"")), ["a-b_1", "dccp", "ext4", "net-pf-33"]);
        assert_eq!(names(&find(dir.path(), b"net_")), ["net_pf-33"]);
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let why = find(&dir.path().join("6.6"), b"x").trouble.unwrap();
        assert!(why.ends_with("/6.6/modules.dep: No such file or directory (ENOENT)"), "{why}");
        std::fs::write(dir.path().join("modules.dep"), "a/x.ko:\n").unwrap();
        std::fs::create_dir(dir.path().join("modules.alias")).unwrap();
        let found = find(dir.path(), b"x");
        assert!(found.trouble.as_ref().unwrap().ends_with("/modules.alias: is not a regular file (EINVAL)"));
        assert_eq!(names(&found), ["x"]);
    }
}
