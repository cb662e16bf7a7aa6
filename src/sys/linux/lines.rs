//! Reads a regular file line by line with bounded memory.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};

/// What is kept of one line, in bytes; the rest of a longer line is skipped.
const LINE: usize = 4096;

/// Calls `each` with every line, without its newline, and with at most the first 4096 bytes of it. Opening never blocks
/// (on a FIFO). Returns whether that was the whole file: at most `most` bytes are read.
///
/// `EINVAL` if it is not a regular file; else the errno of open(2) or read(2).
pub fn each_line(path: &Path, most: u64, mut each: impl FnMut(&[u8])) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let of = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Errno::from_raw(e.raw_os_error()))?);
    if !file.metadata().map_err(of)?.is_file() {
        return Err(Errno::EINVAL);
    }
    let mut reader = BufReader::with_capacity(LINE * 4, file.take(most));
    let mut line = Vec::with_capacity(LINE);
    loop {
        let part = match reader.fill_buf() {
            Ok(part) => part,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(of(e)),
        };
        if part.is_empty() {
            break;
        }
        let end = part.iter().position(|b| *b == b'\n');
        let taken = end.map_or(part.len(), |end| end + 1);
        let text = &part[..end.unwrap_or(part.len())];
        line.extend_from_slice(&text[..text.len().min(LINE - line.len())]);
        if end.is_some() {
            each(&line);
            line.clear();
        }
        reader.consume(taken);
    }
    if !line.is_empty() {
        each(&line);
    }
    let rest = reader.into_inner().into_inner().read(&mut [0]).map_err(of)?;
    Ok(rest == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path, most: u64) -> Result<(Vec<String>, bool), Errno> {
        let mut all = Vec::new();
        let whole = each_line(path, most, |line| all.push(String::from_utf8_lossy(line).into_owned()))?;
        Ok((all, whole))
    }

    #[test]
    fn lines_are_cut_and_files_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let long = "y".repeat(70_000);
        std::fs::write(&path, format!("one\n\n{long}\nlast")).unwrap();
        let (all, whole) = lines(&path, 1 << 20).unwrap();
        assert_eq!((all.len(), whole), (4, true));
        assert_eq!((&*all[0], &*all[1], all[2].len(), &*all[3]), ("one", "", LINE, "last"));
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(lines(&path, 8).unwrap(), (vec!["one".to_owned(), "two".to_owned()], true));
        assert!(!lines(&path, 7).unwrap().1);
        assert_eq!(lines(&path, 0).unwrap(), (Vec::new(), false));
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(lines(dir.path(), 9), Err(Errno::EINVAL));
        assert_eq!(lines(&dir.path().join("absent"), 9), Err(Errno::ENOENT));
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(lines(&fifo, 9), Err(Errno::EINVAL));
    }
}
