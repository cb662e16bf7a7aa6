//! Lines of the command line, kept across starts in `$XDG_STATE_HOME/khelper/history`: one a line, escaped, so that any
//! byte can be kept and none can do harm. Whatever is wrong with the file, the console starts.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::abi::escape::{screen, unescape};

use super::model::field::FIELD_MAX;

/// Lines that are kept, the newest last.
pub const LINES: usize = 500;
/// More of the file than this is not read.
const BYTES: u64 = 1 << 20;

/// The folder of an XDG variable, or its default below the home folder; a relative one is to be ignored.
pub(super) fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}

fn file() -> Option<PathBuf> {
    Some(xdg("XDG_STATE_HOME", ".local/state")?.join("khelper/history"))
}

/// The lines that were kept, oldest first; none if they cannot be read.
pub(super) fn read() -> Vec<Vec<u8>> {
    file().and_then(|file| read_from(&file).ok()).unwrap_or_default()
}

/// Adds a line to those that are kept.
pub(super) fn add(line: &[u8]) -> io::Result<()> {
    let Some(file) = file() else { return Ok(()) };
    add_to(&file, line)
}

/// Only a regular file is read, and opening it never waits for anybody (a FIFO).
fn read_from(file: &Path) -> io::Result<Vec<Vec<u8>>> {
    let fd =
        rustix::fs::open(file, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?;
    let opened = std::fs::File::from(fd);
    if !opened.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    opened.take(BYTES).read_to_end(&mut bytes)?;
    Ok(lines(&bytes))
}

/// What is no line of ours is passed over.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = |line: &[u8]| unescape(std::str::from_utf8(line).ok()?);
    let usable = |line: &Vec<u8>| !line.is_empty() && line.len() <= FIELD_MAX;
    let all: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').filter_map(text).filter(usable).collect();
    all[all.len().saturating_sub(LINES)..].to_vec()
}

/// Reads again what another console may have added, then puts a whole new file in the old one's place.
fn add_to(file: &Path, line: &[u8]) -> io::Result<()> {
    let mut lines = read_from(file).unwrap_or_default();
    push(&mut lines, line);
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let new = folder.join(format!(".history.{}", std::process::id()));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut out = std::fs::File::from(rustix::fs::open(&new, flags, Mode::RUSR | Mode::WUSR)?);
    let text: String = lines.iter().map(|line| screen(line) + "\n").collect();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).and_then(|()| std::fs::rename(&new, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Adds a line, unless it is the last one again; the oldest goes when there are too many.
pub(super) fn push(lines: &mut Vec<Vec<u8>>, line: &[u8]) {
    if lines.last().is_some_and(|last| last == line) {
        return;
    }
    if lines.len() >= LINES {
        lines.drain(..=lines.len() - LINES);
    }
    lines.push(line.to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_kept_whole_bounded_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/history");
        for line in [&b"get -a"[..], b"run -- /bin/\xff\n\x1b", b"run -- /bin/\xff\n\x1b"] {
            add_to(&file, line).unwrap();
        }
        assert_eq!(read_from(&file).unwrap(), [&b"get -a"[..], b"run -- /bin/\xff\n\x1b"]);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains('\x1b') && text.lines().count() == 2, "{text:?}");
        std::fs::write(&file, "x\n".repeat(2 * LINES) + "y\n").unwrap();
        add_to(&file, b"z").unwrap();
        let kept = read_from(&file).unwrap();
        assert_eq!((kept.len(), &kept[LINES - 2..]), (LINES, &[b"y".to_vec(), b"z".to_vec()][..]));
        assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_history_is_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_from(&fifo).is_err() && read_from(folder.path()).is_err());
        assert!(add_to(&folder.path().join("fifo/history"), b"x").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(lines(&bytes).iter().all(|line| !line.is_empty()));
        }
    }
}
