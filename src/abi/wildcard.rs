//! The matching of `*`, for every kind of pattern here. The shim is a program without std and includes this file, so it
//! uses `core` alone and allocates nothing.

/// Whether a pattern of `length` items matches the whole name. `is_run` says whether the item at a place is a `*`; `next`
/// gives the place behind the item at a place if that item matches the byte, and `None` behind the last item.
///
/// It goes back to the last `*` only, one byte further each time: at most `length * name.len()` steps.
pub fn wildcard(
    name: &[u8],
    length: usize,
    is_run: impl Fn(usize) -> bool,
    next: impl Fn(usize, u8) -> Option<usize>,
) -> bool {
    let (mut at, mut read) = (0, 0);
    // The place behind the last `*`, and where what it stands for ends.
    let mut run = None;
    while let Some(byte) = name.get(read) {
        if is_run(at) {
            at += 1;
            run = Some((at, read));
        } else if let Some(after) = next(at, *byte) {
            (at, read) = (after, read + 1);
        } else if let Some((behind, end)) = run {
            run = Some((behind, end + 1));
            (at, read) = (behind, end + 1);
        } else {
            return false;
        }
    }
    (at..length).all(is_run)
}
