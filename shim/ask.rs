//! Asks the daemon for a verdict.

use crate::syscall::{self, Text};
use crate::verdict::{Answer, CUT, LANDLOCK, LONGEST, QUESTION, VERSION};

/// What came of the question.
pub enum Asked<'a> {
    /// There is no daemon.
    Nobody,
    /// The daemon has ended without closing its socket.
    Left,
    /// A daemon is there, and gave no answer in time or none that this version understands.
    NoAnswer,
    /// The verdict, with the Landlock ruleset and the filter of system calls that came with it.
    Verdict(Answer, Option<usize>, &'a [u8]),
}

/// Asks, and waits for at most `patience` milliseconds. The answer is put into `packet`.
pub fn ask<'a>(
    socket: &[u8],
    argv: &[Text],
    envp: &[Text],
    patience: u64,
    packet: &'a mut [u8; LONGEST],
) -> Asked<'a> {
    let end = syscall::now() + patience;
    let left = || end.saturating_sub(syscall::now());
    let fd = match syscall::connect(socket, patience) {
        Ok(fd) => fd,
        Err(syscall::ENOENT) => return Asked::Nobody,
        Err(syscall::ECONNREFUSED) => return Asked::Left,
        Err(_) => return Asked::NoAnswer,
    };
    let mut question = [0; QUESTION];
    let length = write(&mut question, argv, envp);
    let sent = syscall::send(fd, &question[..length]);
    let mut answer = Err(syscall::EINTR);
    while sent.is_ok() && answer == Err(syscall::EINTR) && left() > 0 {
        let _ = syscall::limit(fd, left());
        answer = syscall::receive(fd, packet, true);
    }
    if answer.is_err() {
        // An answer that came at the last moment counts; after this none can come.
        syscall::shut_reading(fd);
        answer = syscall::receive(fd, packet, false);
    }
    // The connection stays open until the helper is executed, as every descriptor of this program.
    let Ok((length, ruleset)) = answer else { return Asked::NoAnswer };
    match Answer::read(&packet[..length]) {
        Some((answer, filter)) if answer.has(LANDLOCK) == ruleset.is_some() => Asked::Verdict(answer, ruleset, filter),
        _ => Asked::NoAnswer,
    }
}

/// Writes the question and returns its length.
fn write(question: &mut [u8], argv: &[Text], envp: &[Text]) -> usize {
    let mut length = 6;
    let mut counts = [0u16; 2];
    let mut cut = 0;
    for (count, texts) in counts.iter_mut().zip([argv, envp]) {
        for text in texts {
            let text = crate::bytes(*text);
            match question.get_mut(length..length + text.len()) {
                Some(place) => place.copy_from_slice(text),
                None => {
                    cut = CUT;
                    break;
                }
            }
            length += text.len();
            *count += 1;
        }
    }
    question[0] = VERSION;
    question[1] = cut;
    question[2..4].copy_from_slice(&counts[0].to_le_bytes());
    question[4..6].copy_from_slice(&counts[1].to_le_bytes());
    length
}
