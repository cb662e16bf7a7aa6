//! The compiled rules, which the shim goes by where a daemon exists and gives no answer: names alone, for every requester. The
//! shim is a program without std and includes this file, so it uses `core` alone and allocates nothing.
//!
//! The file begins with [`MARK`]. Then for each rule: 0 to allow or 1 to deny, `n` for the name of a module or `h` for the
//! path of a helper, the length of a pattern in one byte, the pattern. The first that matches decides; none allows.

use super::wildcard::wildcard;

/// What the file begins with.
pub const MARK: [u8; 8] = *b"khrules1";

/// The longest file that the shim reads is one byte shorter.
pub const LONGEST: usize = 32 * 1024;

/// What is asked for.
pub struct Subject<'a> {
    /// The module, if it is a request for one.
    pub module: Option<&'a [u8]>,
    /// The program.
    pub helper: &'a [u8],
}

/// Whether the helper may run. `None`: the rules are damaged.
pub fn decide(bytes: &[u8], subject: &Subject<'_>) -> Option<bool> {
    let mut rest = bytes.strip_prefix(&MARK)?;
    while let Some((head, more)) = rest.split_first_chunk::<3>() {
        let (pattern, after) = more.split_at_checked(usize::from(head[2]))?;
        let name = match head[1] {
            b'n' => subject.module,
            // What allows a program says nothing of the module that it is to load.
            b'h' => Some(subject.helper).filter(|_| head[0] == 1 || subject.module.is_none()),
            _ => return None,
        };
        if head[0] > 1 {
            return None;
        }
        if name.is_some_and(|name| matches(pattern, name, head[1] == b'n')) {
            return Some(head[0] == 0);
        }
        rest = after;
    }
    rest.is_empty().then_some(true)
}

/// Matches `*`, `?` and plain bytes. In the name of a module `-` is `_`.
fn matches(pattern: &[u8], name: &[u8], module: bool) -> bool {
    let fold = |byte: u8| if module && byte == b'-' { b'_' } else { byte };
    let is_run = |at: usize| pattern.get(at) == Some(&b'*');
    let next =
        |at: usize, byte: u8| pattern.get(at).filter(|own| **own == b'?' || fold(**own) == fold(byte)).map(|_| at + 1);
    wildcard(name, pattern.len(), is_run, next)
}
