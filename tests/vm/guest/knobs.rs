//! The kernel's knobs.

use khelper::abi::error::errno_name;
use khelper::abi::escape::screen;
use nix::errno::Errno;

/// The file of a knob.
pub fn file(knob: &str) -> String {
    match knob {
        "modprobe" => "/proc/sys/kernel/modprobe".into(),
        mask => format!("/proc/sys/kernel/usermodehelper/{mask}"),
    }
}

/// As it reads, less its newline.
pub fn read(knob: &str) -> Vec<u8> {
    let text = std::fs::read(file(knob)).unwrap();
    text.strip_suffix(b"\n").unwrap_or(&text).to_vec()
}

/// As it reads, for a mask.
pub fn mask(knob: &str) -> String {
    String::from_utf8(read(knob)).unwrap()
}

/// One write(2): how many bytes were taken.
pub fn write(knob: &str, text: &[u8]) -> Result<usize, Errno> {
    let file = std::fs::OpenOptions::new().write(true).open(file(knob)).unwrap();
    nix::unistd::write(&file, text)
}

/// What became of a write, in words that are the same for both sides.
pub fn verdict(taken: Result<usize, Errno>, of: usize, reads: &[u8]) -> String {
    let reads = match reads.len() {
        0..=40 => screen(reads),
        long => format!("{}... ({long} bytes)", screen(&reads[..16])),
    };
    match taken {
        Ok(taken) if taken == of => format!("accepted, reads `{reads}`"),
        Ok(taken) => format!("{taken} of {of} bytes accepted, reads `{reads}`"),
        Err(errno) => format!("refused with {}, reads `{reads}`", errno_name(errno)),
    }
}
