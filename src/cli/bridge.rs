//! `khelper bridge`: stdin and stdout, joined to the daemon's socket.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use crate::abi::error::io_words;
use crate::abi::escape::screen;
use crate::sys::stdout;
use crate::sys::thread::spawn;

use super::exit;
use super::output::say;

/// Copies in both directions until the daemon closes the connection, or nobody reads stdout any more. The end of stdin is
/// a half-close, so that the answers still come. Returns the exit code.
pub fn bridge(path: &Path) -> u8 {
    let both = UnixStream::connect(path).and_then(|socket| Ok((socket.try_clone()?, socket)));
    let (mut to, mut from) = match both {
        Ok(both) => both,
        Err(e) => return unconnected(path, &e),
    };
    let forward = move || {
        // If it cannot be written, the daemon has closed the connection, which the other direction sees.
        let _ = io::copy(&mut io::stdin().lock(), &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    if let Err(e) = spawn("bridge", forward) {
        say(&format!("cannot start a thread: {}", io_words(&e)));
        return exit::UNAVAILABLE;
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        if is_deaf(&from) {
            return 0;
        }
        match from.read(&mut buffer) {
            Ok(0) => return 0,
            Ok(read) => {
                if stdout::write_all(&buffer[..read]).is_err() {
                    return exit::OUTPUT;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                say(&format!("the connection to {} is lost: {}", shown(path), io_words(&e)));
                return exit::UNAVAILABLE;
            }
        }
    }
}

/// Waits until the daemon has said something. Returns true instead once stdout has no reader: a watch of a daemon in which
/// nothing happens would not notice, and last for ever.
fn is_deaf(from: &UnixStream) -> bool {
    let stdout = io::stdout();
    loop {
        let mut fds = [PollFd::new(from, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            // The read waits.
            Err(_) => return false,
        }
    }
}

fn shown(path: &Path) -> String {
    screen(path.as_os_str().as_encoded_bytes())
}

/// Says why there is no connection. Returns the exit code.
fn unconnected(path: &Path, error: &io::Error) -> u8 {
    let shown = shown(path);
    if error.kind() == io::ErrorKind::PermissionDenied {
        say(&format!("cannot connect to {shown}: only the daemon's user, root and the group of its readers may"));
        return exit::NOT_PERMITTED;
    }
    say(&format!("no daemon at {shown}: {}; start one with `khelper serve`", io_words(error)));
    exit::UNAVAILABLE
}
