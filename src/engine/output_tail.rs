//! The last output of a helper (UMH-13).

use crate::sys::host::Stream;

use crate::abi::record::Output;

/// How much of each stream is kept: 64 KiB.
pub(super) const TAIL: usize = 64 * 1024;

/// The last output of a running helper, for both streams.
#[derive(Debug, Default)]
pub(super) struct Tails {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped: u64,
}

impl Tails {
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let tail = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        tail.extend_from_slice(bytes);
        // Trimmed only when twice too long, so that a flood moves each byte once.
        if tail.len() > 2 * TAIL {
            self.dropped += trim(tail);
        }
    }

    /// Returns the output so far, or `None` if nothing was written.
    pub(super) fn output(&self) -> Option<Output> {
        if self.stdout.is_empty() && self.stderr.is_empty() {
            return None;
        }
        let (mut stdout, mut stderr) = (self.stdout.clone(), self.stderr.clone());
        let dropped = self.dropped + trim(&mut stdout) + trim(&mut stderr);
        stdout.shrink_to_fit();
        stderr.shrink_to_fit();
        Some(Output { stdout, stderr, dropped })
    }
}

fn trim(tail: &mut Vec<u8>) -> u64 {
    let over = tail.len().saturating_sub(TAIL);
    tail.drain(..over);
    over as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_13_the_last_64_kib_are_kept_and_the_rest_counted() {
        let mut tails = Tails::default();
        for i in 0..100u8 {
            tails.push(Stream::Stdout, &[i; 4096]);
        }
        tails.push(Stream::Stderr, b"err");
        let out = tails.output().unwrap();
        assert_eq!((out.stdout.len(), out.stdout[0], *out.stdout.last().unwrap()), (TAIL, 84, 99));
        assert_eq!((out.stderr.as_slice(), out.dropped), (&b"err"[..], 84 * 4096));
        assert!(Tails::default().output().is_none());
    }
}
