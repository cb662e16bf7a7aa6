//! What is known about records that are older than the target's run.

/// The older records behind the rows of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Older {
    /// The index of the first older row.
    pub first: usize,
    /// How many are held.
    pub held: usize,
    /// More are being read.
    pub reads: bool,
    /// No more are held, although there are older ones.
    pub full: bool,
    /// Why none are read.
    pub why: Option<String>,
}
