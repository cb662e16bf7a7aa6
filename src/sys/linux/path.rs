//! Warnings about a helper's path: that it would not run, or that another user could replace it (SYS-6). Advice only:
//! everything may change before exec.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::abi::error::io_words;
use crate::abi::escape::screen;

/// How many symbolic links the kernel follows.
const LINKS: u32 = 40;

/// The warnings, one sentence each.
pub(super) fn warnings(path: &[u8]) -> Vec<String> {
    if path.is_empty() {
        return Vec::new();
    }
    let target = Path::new(OsStr::from_bytes(path));
    let mut said = Vec::new();
    if let Err(e) = walk(target, &mut |at, meta| judge(at, meta, &mut said)) {
        said.push(format!("`{}` cannot be examined: {}", screen(path), io_words(&e)));
        return said;
    }
    if let Some(why) = will_not_run(target) {
        said.push(format!("`{}` {why}", screen(path)));
    }
    said
}

fn will_not_run(target: &Path) -> Option<String> {
    let meta = match fs::metadata(target) {
        Ok(meta) => meta,
        Err(e) => return Some(format!("cannot be examined: {}", io_words(&e))),
    };
    if !meta.is_file() {
        return Some("is not a regular file: it cannot be executed".into());
    }
    match accessat(CWD, target, Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => None,
        Err(e) => Some(format!("cannot be executed: {}", io_words(&e.into()))),
    }
}

/// Shows every component of the path, from `/` on, and follows symbolic links one by one: a user who may write to a
/// folder may replace what is in it.
pub(super) fn walk(target: &Path, visit: &mut dyn FnMut(&Path, &Metadata)) -> io::Result<()> {
    walk_below(Path::new("/"), target, visit)
}

/// [`walk`], with `root` as the root folder of paths and links.
pub(super) fn walk_below(root: &Path, target: &Path, visit: &mut dyn FnMut(&Path, &Metadata)) -> io::Result<()> {
    let mut at = root.to_owned();
    visit(&at, &fs::symlink_metadata(&at)?);
    let mut rest: VecDeque<OsString> = parts(target);
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            if at != root {
                at.pop();
            }
            continue;
        }
        at.push(&part);
        let meta = fs::symlink_metadata(&at)?;
        visit(&at, &meta);
        if !meta.is_symlink() {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let to = fs::read_link(&at)?;
        at.pop();
        if to.is_absolute() {
            at = root.to_owned();
        }
        let mut next = parts(&to);
        next.append(&mut rest);
        rest = next;
    }
    Ok(())
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |c: Component<'_>| match c {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// Warns if another user may write to the file or folder.
fn judge(at: &Path, meta: &Metadata, said: &mut Vec<String>) {
    if let Some(fault) = writer(meta) {
        let text = format!("`{}` {fault}, who could replace the helper", screen(at.as_os_str().as_bytes()));
        if !said.contains(&text) {
            said.push(text);
        }
    }
}

/// Which user, besides root and this process's, may change a file, or replace what is in a folder: `belongs to uid 7`,
/// `can be written by everyone`. In a sticky folder no user can replace another's files; the mode of a symbolic link is
/// not used.
pub(super) fn writer(meta: &Metadata) -> Option<String> {
    let me = nix::unistd::geteuid().as_raw();
    if meta.uid() != 0 && meta.uid() != me {
        return Some(format!("belongs to uid {}", meta.uid()));
    }
    if meta.is_symlink() || meta.mode() & 0o022 == 0 || meta.is_dir() && meta.mode() & 0o1000 != 0 {
        return None;
    }
    let who = if meta.mode() & 0o002 != 0 { "everyone".into() } else { format!("group {}", meta.gid()) };
    Some(format!("can be written by {who}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn sys_6_what_would_not_run_or_could_be_replaced_is_said() {
        let dir = std::env::temp_dir().join(format!("khelper-path-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let said = |p: &Path| warnings(p.as_os_str().as_bytes()).join("\n");
        let file = dir.join("helper");
        assert!(said(&file).contains("cannot be examined"));
        fs::write(&file, "#!/bin/true\n").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(said(&file).contains("cannot be executed"));
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(said(&file), "");
        let link = dir.join("link");
        symlink("helper", &link).unwrap();
        assert_eq!(said(&link), "");
        fs::set_permissions(&file, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(said(&link).contains("can be written by everyone"));
        assert!(said(&dir).contains("not a regular file"));
        symlink("self", dir.join("self")).unwrap();
        assert!(said(&dir.join("self")).contains("cannot be examined"));
        assert!(warnings(b"").is_empty());
        fs::remove_dir_all(&dir).unwrap();
    }
}
