//! Which part of the filter is typed.

/// The filter that has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// The words.
    Words,
    /// The globs.
    Globs,
}
