//! Finds out why a program could not be executed, by examining the file after exec has failed. Advice only: the file
//! may have changed since.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};

use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::abi::executable::{Format, format, objection};

/// How many nested interpreters are followed: one more than the kernel does.
const DEPTH: u32 = 6;

/// One sentence for a person, or `None` if nothing explains `errno`. Called on the worker, so that the file is examined
/// with the same rights and from the same root as in the exec.
pub(super) fn why(path: &[u8], errno: Errno) -> Option<String> {
    if !matches!(errno, Errno::ENOENT | Errno::EACCES | Errno::ENOEXEC | Errno::ENOTDIR | Errno::ELIBBAD | Errno::ELOOP)
    {
        return None;
    }
    look(path, errno, DEPTH)
}

fn look(path: &[u8], errno: Errno, depth: u32) -> Option<String> {
    let target = Path::new(OsStr::from_bytes(path));
    if let Some(why) = way_there(target) {
        return Some(why);
    }
    let meta = match fs::metadata(target) {
        Ok(meta) => meta,
        Err(e) => {
            let to = fs::read_link(target).ok()?;
            let but = match e.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT) => "which does not exist",
                Some(Errno::ELOOP) => "and the symbolic links from there form a loop",
                Some(Errno::EACCES) => "in a folder that this user may not search",
                _ => return None,
            };
            return Some(format!("it is a symbolic link to `{}`, {but}", screen(to.as_os_str().as_bytes())));
        }
    };
    let kind = meta.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a folder"
        } else if kind.is_fifo() {
            "a named pipe"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        };
        return Some(format!("it is {what}, not a regular file"));
    }
    if let Some(why) = permission(target, &meta) {
        return Some(why);
    }
    // A file that can be executed but not read cannot be examined.
    let file = open(target)?;
    let format = format(|offset, length| read(&file, offset, length));
    if errno == Errno::ENOEXEC
        && let Some(why) = objection(&format)
    {
        return Some(why);
    }
    interpreter(&format, errno, depth)
}

/// What is wrong with a folder of the path.
fn way_there(target: &Path) -> Option<String> {
    let folders: Vec<&Path> = target.ancestors().skip(1).collect();
    folders.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()).find_map(|folder| {
        let name = screen(folder.as_os_str().as_bytes());
        match fs::metadata(folder) {
            Ok(meta) if !meta.is_dir() => Some(format!("`{name}` is not a folder")),
            Ok(_) => match accessat(CWD, folder, Access::EXEC_OK, AtFlags::EACCESS) {
                Err(rustix::io::Errno::ACCESS) => {
                    Some(format!("this user may not search the folder `{name}`: it needs chmod +x"))
                }
                _ => None,
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some(format!("there is no folder `{name}`")),
            Err(_) => None,
        }
    })
}

fn permission(target: &Path, meta: &fs::Metadata) -> Option<String> {
    let noexec = statvfs(target).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if noexec {
        return Some("it is on a file system that is mounted with noexec".into());
    }
    if meta.mode() & 0o111 == 0 {
        return Some("it has no execute permission (chmod +x)".into());
    }
    let refused = accessat(CWD, target, Access::EXEC_OK, AtFlags::EACCESS) == Err(rustix::io::Errno::ACCESS);
    let (mode, uid) = (meta.mode() & 0o7777, meta.uid());
    refused.then(|| format!("this user may not execute it: it belongs to uid {uid} and has mode {mode:04o}"))
}

/// Opens a regular file without blocking: it may have been replaced by something else since.
fn open(target: &Path) -> Option<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(target).ok()?;
    file.metadata().is_ok_and(|meta| meta.is_file()).then_some(file)
}

/// Reads up to `length` bytes; fewer at the end of the file. The parser bounds the length.
fn read(file: &File, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut got = 0;
    while got < length {
        match file.read_at(&mut bytes[got..], offset.saturating_add(got as u64)) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes.truncate(got);
    bytes
}

/// What is wrong with the interpreter of a script, or the dynamic linker of a program.
fn interpreter(format: &Format, errno: Errno, depth: u32) -> Option<String> {
    let (what, path) = match format {
        Format::Script(path) => ("the interpreter that its first line names", path),
        Format::Elf(elf) => ("its dynamic linker (ELF interpreter)", elf.interpreter.as_ref()?),
        _ => return None,
    };
    let name = screen(path);
    if depth == 0 {
        return Some(format!("there are too many nested interpreters, the last of them `{name}`"));
    }
    if fs::symlink_metadata(OsStr::from_bytes(path)).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        let crlf = path.ends_with(b"\r") && matches!(format, Format::Script(_));
        let hint = if crlf { ": the line ends in CRLF, save the file with LF only" } else { "" };
        return Some(format!("{what}, `{name}`, does not exist{hint}"));
    }
    if let Some(why) = look(path, errno, depth - 1) {
        return Some(format!("{what}, `{name}`: {why}"));
    }
    (errno == Errno::ELIBBAD).then(|| format!("{what}, `{name}`, is not valid ({})", errno_name(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn umh_3_each_cause_is_named() {
        let dir = std::env::temp_dir().join(format!("khelper-exec-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let put = |name: &str, bytes: &[u8], mode: u32| {
            let path = dir.join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            path
        };
        let said = |path: &Path, errno| why(path.as_os_str().as_bytes(), errno).unwrap_or_default();
        let crlf = put("crlf", b"#!/bin/sh\r\n", 0o755);
        assert!(said(&crlf, Errno::ENOENT).contains("`/bin/sh\\x0d`, does not exist: the line ends in CRLF"));
        let hostile = put("hostile", b"#!/no/\x1b[2J\n", 0o755);
        assert!(said(&hostile, Errno::ENOENT).contains("`/no/\\x1b[2J`"));
        assert_eq!(said(&put("empty", b"", 0o755), Errno::ENOEXEC), "it is empty");
        assert!(said(&put("plain", b"echo\n", 0o755), Errno::ENOEXEC).contains("`echo\\x0a`"));
        assert!(said(&put("closed", b"#!/bin/sh\n", 0o644), Errno::EACCES).contains("chmod +x"));
        assert!(said(&dir, Errno::EACCES).contains("a folder"));
        assert!(said(&crlf.join("below"), Errno::ENOTDIR).contains("crlf` is not a folder"));
        assert!(said(&dir.join("no/such"), Errno::ENOENT).contains("/no`"));
        assert_eq!(why(dir.join("missing").as_os_str().as_bytes(), Errno::ENOENT), None, "the errno says it all");
        symlink("nowhere", dir.join("link")).unwrap();
        assert!(said(&dir.join("link"), Errno::ENOENT).contains("symbolic link to `nowhere`, which does not exist"));
        symlink("ring", dir.join("ring")).unwrap();
        assert!(said(&dir.join("ring"), Errno::ELOOP).contains("symbolic link to `ring`, and the symbolic links from"));
        let inner = put("inner", b"#!/no/such\n", 0o755);
        let outer = put("outer", format!("#!{}\n", inner.display()).as_bytes(), 0o755);
        let nested = said(&outer, Errno::ENOENT);
        assert!(nested.contains("inner`: the interpreter") && nested.contains("`/no/such`"), "{nested}");
        let own = dir.join("circle");
        let circle = put("circle", format!("#!{}\n", own.display()).as_bytes(), 0o755);
        assert!(said(&circle, Errno::ELOOP).contains("too many nested interpreters"));
        let fifo = dir.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o755)).unwrap();
        assert!(said(&fifo, Errno::EACCES).contains("a named pipe"));
        assert_eq!(why(crlf.as_os_str().as_bytes(), Errno::E2BIG), None);
        fs::remove_dir_all(&dir).unwrap();
    }
}
