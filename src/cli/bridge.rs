//! `khelper bridge`: stdin and stdout, joined to the daemon's socket.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use crate::abi::error::io_words;
use crate::abi::escape::screen;
use crate::sys::stdout;

use super::exit;
use super::output::say;

/// Copies in both directions until the daemon closes the connection. The end of stdin is a half-close, so that the
/// answers still come. Returns the exit code.
pub fn bridge(path: &Path) -> u8 {
    let shown = screen(path.as_os_str().as_encoded_bytes());
    let both = UnixStream::connect(path).and_then(|socket| Ok((socket.try_clone()?, socket)));
    let (mut to, mut from) = match both {
        Ok(both) => both,
        Err(e) => {
            say(&format!("no daemon at {shown}: {}; start one with `khelper serve`", io_words(&e)));
            return exit::UNAVAILABLE;
        }
    };
    let forward = move || {
        // If it cannot be written, the daemon has closed the connection, which the other direction sees.
        let _ = io::copy(&mut io::stdin().lock(), &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    if let Err(e) = thread::Builder::new().name("bridge".into()).spawn(forward) {
        say(&format!("cannot start a thread: {}", io_words(&e)));
        return exit::UNAVAILABLE;
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return 0,
            Ok(read) => {
                if stdout::write_all(&buffer[..read]).is_err() {
                    return exit::OUTPUT;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                say(&format!("the connection to {shown} is lost: {}", io_words(&e)));
                return exit::UNAVAILABLE;
            }
        }
    }
}
