//! A text field. It holds bytes, so that every name and path can be typed, and a cursor.

use crate::tui::text::{self, CUT};

/// The limit in bytes; no sensible name, path or argument list is longer.
pub const FIELD_MAX: usize = 8192;

/// Editing commands of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One character to the left.
    Left,
    /// One character to the right.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Delete to the left.
    Backspace,
    /// Delete under the cursor.
    Delete,
    /// Delete everything to the left.
    KillLine,
    /// Delete the word to the left.
    KillWord,
}

/// Bytes and a cursor between two characters. Text that was in the field when its dialog opened can be *selected*: the
/// first character typed or pasted replaces it, backspace and delete clear it, a cursor movement keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    bytes: Vec<u8>,
    at: usize,
    selected: bool,
}

impl Field {
    /// A field with this text, the cursor at its end.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: bytes.len(), selected: false }
    }

    /// A field with this text, all of it selected.
    pub fn prefilled(bytes: &[u8]) -> Self {
        let mut field = Self::new(bytes);
        field.select();
        field
    }

    /// Selects the whole text and moves the cursor to its end. An empty field has nothing to select.
    pub fn select(&mut self) {
        self.at = self.bytes.len();
        self.selected = !self.bytes.is_empty();
    }

    /// Clears the selection: typed text is then inserted at the cursor.
    pub fn deselect(&mut self) {
        self.selected = false;
    }

    /// Whether typing replaces the text.
    pub fn is_selected(&self) -> bool {
        self.selected
    }

    /// The text.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the field is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Inserts text at the cursor, or replaces the selected text. If there is no room for all of it, nothing is
    /// inserted.
    pub fn insert(&mut self, text: &[u8]) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let kept = if self.selected { 0 } else { self.bytes.len() };
        let long = kept + text.len();
        if long > FIELD_MAX {
            return Err(format!("{long} bytes do not fit into a field of {FIELD_MAX} bytes; nothing was inserted"));
        }
        if std::mem::take(&mut self.selected) {
            self.delete(0, self.bytes.len());
        }
        self.bytes.splice(self.at..self.at, text.iter().copied());
        self.at += text.len();
        // The insertion may have completed a character or split one.
        while !self.on_boundary() {
            self.at += 1;
        }
        Ok(())
    }

    /// Moves or deletes. If the text is selected, backspace and delete clear all of it; ctrl-u always does.
    pub fn edit(&mut self, edit: Edit) {
        let selected = std::mem::take(&mut self.selected);
        match edit {
            Edit::Backspace | Edit::Delete if selected => self.delete(0, self.bytes.len()),
            Edit::Left => self.at = self.before(self.at),
            Edit::Right => self.at = self.after(self.at),
            Edit::Home => self.at = 0,
            Edit::End => self.at = self.bytes.len(),
            Edit::Backspace => self.delete(self.before(self.at), self.at),
            Edit::Delete => self.delete(self.at, self.after(self.at)),
            Edit::KillLine => self.delete(0, self.at),
            Edit::KillWord => self.delete(self.word_before(), self.at),
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.bytes.drain(from..to);
        self.at = from;
        while !self.on_boundary() {
            self.at += 1;
        }
    }

    /// The beginning of the word to the left; blanks, `/` and commas separate words.
    fn word_before(&self) -> usize {
        let part = |b: &u8| matches!(b, b' ' | b'/' | b',');
        let left = &self.bytes[..self.at];
        let end = left.iter().rposition(|b| !part(b)).map_or(0, |last| last + 1);
        left[..end].iter().rposition(part).map_or(0, |last| last + 1)
    }

    /// The offsets at which characters begin; a byte that is not valid UTF-8 counts as one character.
    fn boundaries(&self) -> impl Iterator<Item = usize> {
        let mut at = 0;
        let starts = self.bytes.utf8_chunks().flat_map(|chunk| {
            let chars = chunk.valid().chars().map(char::len_utf8);
            chars.chain(chunk.invalid().iter().map(|_| 1)).collect::<Vec<_>>()
        });
        starts
            .map(move |len| {
                at += len;
                at
            })
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn on_boundary(&self) -> bool {
        self.at == 0 || self.at >= self.bytes.len() || self.boundaries().any(|b| b == self.at)
    }

    fn before(&self, at: usize) -> usize {
        self.boundaries().take_while(|b| *b < at).last().unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        self.boundaries().find(|b| *b > at).unwrap_or(self.bytes.len())
    }

    /// The part around the cursor that fits into `columns` cells, escaped, and the cursor's cell within it.
    pub fn window(&self, columns: usize) -> (String, usize) {
        let (left, right) = (text::screen(&self.bytes[..self.at]), text::screen(&self.bytes[self.at..]));
        // One cell is reserved for the cursor after the last character.
        let room = columns.saturating_sub(1);
        let (left_cells, right_cells) = (text::width(&left), text::width(&right));
        if left_cells + right_cells <= room {
            return (left + &right, left_cells);
        }
        let keep_right = right_cells.min(room / 4);
        let shown = if left_cells + keep_right <= room {
            left
        } else {
            format!("{CUT}{}", text::tail(&left, room.saturating_sub(keep_right + 1)))
        };
        let cursor = text::width(&shown);
        let right = text::fit(&right, room.saturating_sub(cursor));
        (shown + &right, cursor.min(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_move_by_characters_and_bytes_that_are_not_text() {
        let mut f = Field::new("a漢\u{301}".as_bytes());
        f.edit(Edit::Left);
        f.edit(Edit::Left);
        f.insert(b"\xff\n").unwrap();
        assert_eq!(f.bytes(), b"a\xff\n\xe6\xbc\xa2\xcc\x81");
        f.edit(Edit::Delete);
        f.edit(Edit::Backspace);
        assert_eq!(f.bytes(), b"a\xff\xcc\x81");
        f.edit(Edit::End);
        f.edit(Edit::KillLine);
        assert!(f.is_empty());
    }

    #[test]
    fn words_end_at_blanks_and_slashes() {
        let mut f = Field::new(b"/sbin/modprobe ");
        f.edit(Edit::KillWord);
        assert_eq!(f.bytes(), b"/sbin/");
        f.edit(Edit::KillWord);
        assert_eq!(f.bytes(), b"/");
    }

    #[test]
    fn a_flood_is_refused_whole() {
        let mut f = Field::new(b"x");
        assert!(f.insert(&[b'y'; FIELD_MAX]).is_err());
        assert_eq!(f.bytes(), b"x");
        // Replacing the selected text leaves room for one byte more; text that does not fit leaves the selection as it
        // was.
        f.select();
        assert!(f.insert(&[b'y'; FIELD_MAX + 1]).is_err());
        assert_eq!((f.bytes(), f.is_selected()), (&b"x"[..], true));
        f.insert(&[b'y'; FIELD_MAX]).unwrap();
        assert_eq!((f.bytes().len(), f.is_selected()), (FIELD_MAX, false));
    }

    #[test]
    fn the_first_key_replaces_a_selected_text_or_keeps_it() {
        let after = |edits: &[Edit], typed: &[u8]| {
            let mut f = Field::prefilled(b"dummy");
            edits.iter().for_each(|edit| f.edit(*edit));
            f.insert(typed).unwrap();
            assert_eq!(f.is_selected(), edits.is_empty() && typed.is_empty());
            String::from_utf8(f.bytes().to_vec()).unwrap()
        };
        assert_eq!((after(&[], b"snd"), after(&[], b"")), ("snd".into(), "dummy".into()));
        for clears in [Edit::Backspace, Edit::Delete, Edit::KillLine] {
            assert_eq!((after(&[clears], b""), after(&[clears], b"x")), (String::new(), "x".into()), "{clears:?}");
        }
        for (keeps, then) in
            [(Edit::Left, "dummxy"), (Edit::Right, "dummyx"), (Edit::Home, "xdummy"), (Edit::End, "dummyx")]
        {
            assert_eq!((after(&[keeps], b""), after(&[keeps], b"x")), ("dummy".into(), then.into()), "{keeps:?}");
            assert_eq!(after(&[keeps, Edit::Home, Edit::Delete], b""), "ummy", "{keeps:?}");
        }
        // Deleting a word of a path keeps the rest of the path.
        let mut path = Field::prefilled(b"/sbin/modprobe");
        path.edit(Edit::KillWord);
        assert_eq!((path.bytes(), path.is_selected()), (&b"/sbin/"[..], false));
        let mut empty = Field::prefilled(b"");
        assert!(!empty.is_selected());
        empty.select();
        assert!(!empty.is_selected());
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_in_sight(bytes in proptest::collection::vec(any::<u8>(), 0..60), lefts in 0usize..60, columns in 2usize..30) {
            let mut f = Field::new(&bytes);
            for _ in 0..lefts {
                f.edit(Edit::Left);
            }
            let (shown, cursor) = f.window(columns);
            prop_assert!(cursor < columns, "{cursor} {columns}");
            prop_assert!(text::width(&shown) < columns.max(1));
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
