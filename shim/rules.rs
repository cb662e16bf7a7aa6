//! The compiled rules, which decide where the daemon exists and does not answer. They know names alone.

use crate::syscall;

/// What `/run/khelper/rules.bin` begins with. Then for each rule: 0 to allow or 1 to deny, `n` for the name of a module or
/// `h` for the path of a helper, the length of a pattern, the pattern. The first that matches decides; none allows.
const MARK: &[u8; 8] = b"khrules1";

/// What is asked for.
pub struct Subject<'a> {
    pub module: Option<&'a [u8]>,
    pub helper: &'a [u8],
}

/// Whether the helper may run. Rules that cannot be read whole allow nothing but where there are none at all.
pub fn allow(path: &[u8], subject: &Subject) -> bool {
    let fd = match syscall::open(path.as_ptr(), 0) {
        Ok(fd) => fd,
        Err(errno) => return errno == syscall::ENOENT,
    };
    let mut bytes = [0; 32 * 1024];
    let mut length = 0;
    while length < bytes.len() {
        match syscall::read(fd, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(syscall::EINTR) => {}
            Err(_) => return false,
        }
    }
    syscall::close(fd);
    length < bytes.len() && decide(&bytes[..length], subject).unwrap_or(false)
}

/// `None` if the rules are damaged.
fn decide(bytes: &[u8], subject: &Subject) -> Option<bool> {
    let mut rest = bytes.strip_prefix(MARK)?;
    while let Some((head, more)) = rest.split_first_chunk::<3>() {
        let (pattern, after) = more.split_at_checked(usize::from(head[2]))?;
        let name = match head[1] {
            b'n' => subject.module,
            b'h' => Some(subject.helper),
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

/// Matches `*`, `?` and plain bytes. In the name of a module `-` is `_`. Never more steps than the product of both lengths.
fn matches(pattern: &[u8], name: &[u8], module: bool) -> bool {
    let fold = |byte: u8| if module && byte == b'-' { b'_' } else { byte };
    let (mut p, mut n) = (0, 0);
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || fold(*byte) == fold(name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((star, at)) => {
                    retry = Some((star, at + 1));
                    p = star + 1;
                    n = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
