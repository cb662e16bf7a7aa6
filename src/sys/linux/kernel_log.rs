//! What is left of the kernel's log (/dev/kmsg, Documentation/ABI/testing/dev-kmsg of the kernel).

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

/// More than the longest record.
const RECORD: usize = 8192;

/// How often texts are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<const N: usize> {
    /// The number of lines of each text.
    pub counts: [u64; N],
    /// Whether the log has every line since the machine started.
    pub is_whole: bool,
}

/// Counts the lines that are these texts.
///
/// # Errors
/// That of open(2) or read(2): `EPERM` for users where kernel.dmesg_restrict is set.
pub fn count<const N: usize>(texts: [&[u8]; N]) -> io::Result<Counted<N>> {
    let mut log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    let (mut record, mut counted) = ([0; RECORD], Counted { counts: [0; N], is_whole: true });
    let mut is_first = true;
    loop {
        match log.read(&mut record) {
            Ok(0) => return Ok(counted),
            Ok(length) => {
                let (number, text) = parsed(&record[..length]);
                counted.is_whole &= !is_first || number == Some(0);
                is_first = false;
                let same = |(count, wanted): (&mut u64, &[u8])| *count += u64::from(text == wanted);
                counted.counts.iter_mut().zip(texts).for_each(same);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(counted),
                ErrorKind::Interrupted => {}
                // Lines were overwritten while it was read.
                ErrorKind::BrokenPipe => counted.is_whole = false,
                _ => return Err(error),
            },
        }
    }
}

/// The number of a record, from 0, and its text: `4,1207,3121003,-;the text`, and lines of properties.
fn parsed(record: &[u8]) -> (Option<u64>, &[u8]) {
    let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(record.len());
    let line = &record[..end];
    let at = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let number = line[..at].split(|byte| *byte == b',').nth(1).and_then(|number| std::str::from_utf8(number).ok());
    (number.and_then(|number| number.parse().ok()), line.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_a_number_and_a_text() {
        let record = b"12,1207,3121003,-;khelper: shim: x; y\n SUBSYSTEM=none\n";
        assert_eq!(parsed(record), (Some(1207), &b"khelper: shim: x; y"[..]));
        for record in [&b""[..], b"12", b"x,y;", b";"] {
            assert_eq!(parsed(record), (None, &b""[..]));
        }
        assert_eq!(parsed(b"6,0,0,-,caller=T0;Linux"), (Some(0), &b"Linux"[..]));
    }

    #[test]
    fn what_is_not_in_the_log_is_counted_as_nothing() {
        match count([b"khelper: a line that nobody writes"]) {
            Ok(counted) => assert_eq!(counted.counts, [0]),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound), "{error}"),
        }
    }
}
