//! The history of the command line, stored in `$XDG_STATE_HOME/khelper/history`: one command per line, escaped, so that
//! any byte can be stored safely. The console starts whatever state the file is in.

use crate::abi::escape::{screen, unescape};

use super::field::FIELD_MAX;
use super::user_files::{self, UserFolder};

/// The number of lines that are stored, the newest last.
pub const LINES: usize = 500;
/// The number of bytes of the file that are read.
const BYTES: u64 = 1 << 20;
const NAME: &str = "history";

fn folder() -> Option<UserFolder> {
    UserFolder::find("XDG_STATE_HOME", ".local/state")
}

/// The stored lines, oldest first; none if they cannot be read.
pub(super) fn read() -> Vec<Vec<u8>> {
    folder().map(|folder| read_from(&folder)).unwrap_or_default()
}

/// Stores a line. The error says why it cannot be stored, escaped.
pub(super) fn add(line: &[u8]) -> Result<(), String> {
    let folder = folder().ok_or("neither XDG_STATE_HOME nor HOME is an absolute path")?;
    add_to(&folder, line)
}

fn read_from(folder: &UserFolder) -> Vec<Vec<u8>> {
    user_files::read(&folder.file(NAME), BYTES).map(|(bytes, _)| lines(&bytes)).unwrap_or_default()
}

/// Parses the file; a line that this program did not write is skipped.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = |line: &[u8]| unescape(std::str::from_utf8(line).ok()?);
    let usable = |line: &Vec<u8>| !line.is_empty() && line.len() <= FIELD_MAX;
    let all: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').filter_map(text).filter(usable).collect();
    all[all.len().saturating_sub(LINES)..].to_vec()
}

/// Reads the file again, since another console may have added lines, then replaces it with a new file.
fn add_to(folder: &UserFolder, line: &[u8]) -> Result<(), String> {
    let mut lines = read_from(folder);
    push(&mut lines, line);
    let text: String = lines.iter().map(|line| screen(line) + "\n").collect();
    folder.replace(NAME, text.as_bytes())
}

/// Adds a line unless it repeats the last one; drops the oldest when there are too many.
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
        let state = tempfile::tempdir().unwrap();
        let folder = UserFolder::at(&state.path().join("deep"));
        let file = folder.file(NAME);
        for line in [&b"get -a"[..], b"run -- /bin/\xff\n\x1b", b"run -- /bin/\xff\n\x1b"] {
            add_to(&folder, line).unwrap();
        }
        assert_eq!(read_from(&folder), [&b"get -a"[..], b"run -- /bin/\xff\n\x1b"]);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains('\x1b') && text.lines().count() == 2, "{text:?}");
        std::fs::write(&file, "x\n".repeat(2 * LINES) + "y\n").unwrap();
        add_to(&folder, b"z").unwrap();
        let kept = read_from(&folder);
        assert_eq!((kept.len(), &kept[LINES - 2..]), (LINES, &[b"y".to_vec(), b"z".to_vec()][..]));
        assert_eq!(std::fs::read_dir(state.path().join("deep/khelper")).unwrap().count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(lines(&bytes).iter().all(|line| !line.is_empty()));
        }
    }
}
