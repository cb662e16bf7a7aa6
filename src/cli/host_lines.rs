//! The lines that the processes of several hosts print, each with its host.

use std::io::Read;

use serde_json::Value;

use crate::abi::escape::screen;

/// How much is read at a time.
const READ: usize = 64 << 10;
/// The longest line: a message of a daemon is not longer.
const LINE: usize = 64 << 20;

/// How lines are printed.
pub(super) struct Form {
    pub(super) json: bool,
    /// stdout, stderr: they are terminals.
    pub(super) terminal: [bool; 2],
}

impl Form {
    /// One line of a host, with its newline, for stdout or stderr.
    pub(super) fn line(&self, host: &str, line: &[u8], to: usize) -> Vec<u8> {
        if let Some(members) = line.strip_prefix(b"{").filter(|_| self.json && to == 0) {
            let comma: &[u8] = if members == b"}" { b"" } else { b"," };
            let host = Value::from(host).to_string();
            return [b"{\"host\":", host.as_bytes(), comma, members, b"\n"].concat();
        }
        let line = match self.terminal[to] {
            // The process wrote into a pipe, so what its helpers printed is not escaped.
            true => screen(line).replace("\\\\", "\\").into_bytes(),
            false => line.to_vec(),
        };
        [host.as_bytes(), b": ", &line, b"\n"].concat()
    }
}

/// A stream of a process, and its last line, which is not whole yet.
pub(super) struct Stream<R> {
    pub(super) from: Option<R>,
    held: Vec<u8>,
}

impl<R: Read> Stream<R> {
    pub(super) const fn new(from: Option<R>) -> Self {
        Self { from, held: Vec::new() }
    }

    /// Reads what is there. Returns the whole lines; at the end of the stream the last one too.
    pub(super) fn read(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; READ];
        let read = self.from.as_mut().map_or(Ok(0), |from| from.read(&mut buffer));
        match read {
            Ok(read @ 1..) => self.held.extend_from_slice(&buffer[..read]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => self.from = None,
        }
        let over = self.from.is_none() || self.held.len() > LINE;
        let end =
            if over { self.held.len() } else { self.held.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) };
        let whole: Vec<u8> = self.held.drain(..end).collect();
        let whole = whole.strip_suffix(b"\n").map_or(whole.clone(), <[u8]>::to_vec);
        if end == 0 { Vec::new() } else { whole.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_host_and_no_hostile_byte_reaches_a_terminal() {
        let form = |json, terminal| Form { json, terminal: [terminal, !terminal] };
        assert_eq!(form(false, false).line("op@a:22", b"x\x1b\xff\\", 0), b"op@a:22: x\x1b\xff\\\n");
        assert_eq!(form(false, true).line("a", b"x\x1b\xff\\", 0), b"a: x\\x1b\\xff\\\n");
        assert_eq!(form(false, false).line("a", b"\x1b", 1), b"a: \\x1b\n");
        assert_eq!(form(true, false).line("[::1]", b"{\"v\":1}", 0), b"{\"host\":\"[::1]\",\"v\":1}\n");
        assert_eq!(form(true, false).line("a", b"{}", 0), b"{\"host\":\"a\"}\n");
        assert_eq!(form(true, false).line("a", b"{\"v\":1}", 1), b"a: {\"v\":1}\n", "stderr is not JSON");
        assert_eq!(form(true, false).line("a", b"plain", 0), b"a: plain\n");
    }

    #[test]
    fn lines_are_printed_whole() {
        struct Pieces(Vec<&'static [u8]>);
        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let piece = if self.0.is_empty() { &b""[..] } else { self.0.remove(0) };
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let mut stream = Stream::new(Some(Pieces(vec![b"on", b"e\ntwo\n\nth", b"ree"])));
        let all: Vec<Vec<Vec<u8>>> = (0..4).map(|_| stream.read()).collect();
        assert_eq!(all, [vec![], vec![b"one".to_vec(), b"two".to_vec(), vec![]], vec![], vec![b"three".to_vec()]]);
        assert!(stream.from.is_none() && stream.read().is_empty());
    }
}
