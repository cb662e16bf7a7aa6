//! What `khelper shim install` has written into the program.

use core::ops::Range;

#[path = "../src/abi/shim.rs"]
mod layout;

use layout::{AT_CLOSED, AT_MODPROBE, AT_PATIENCE, AT_RULES, AT_SOCKET, AT_VERSION, LENGTH, MARK, VERSION};

/// The settings of a program that was not installed.
#[used]
static SETTINGS: [u8; LENGTH] = {
    let mut all = [0; LENGTH];
    put(&mut all, 0, &MARK);
    all[AT_VERSION] = VERSION;
    put(&mut all, AT_PATIENCE.start, &200u16.to_le_bytes());
    put(&mut all, AT_MODPROBE.start, b"/sbin/modprobe");
    put(&mut all, AT_SOCKET.start, b"/run/khelper/shim.sock");
    put(&mut all, AT_RULES.start, b"/run/khelper/rules.bin");
    all
};

const fn put(all: &mut [u8; LENGTH], at: usize, bytes: &[u8]) {
    let mut next = 0;
    while next < bytes.len() {
        all[at + next] = bytes[next];
        next += 1;
    }
}

/// The settings, which the compiler must not take for constants.
fn settings() -> &'static [u8; LENGTH] {
    core::hint::black_box(&SETTINGS)
}

/// A text with the NUL that ends it. The installer leaves room for one.
fn text(place: Range<usize>) -> &'static [u8] {
    let text = &settings()[place];
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len() - 1);
    &text[..=end]
}

pub fn fails_closed() -> bool {
    settings()[AT_CLOSED] == 1
}
pub fn patience() -> u64 {
    let [low, high] = [AT_PATIENCE.start, AT_PATIENCE.start + 1].map(|at| u64::from(settings()[at]));
    low | high << 8
}
/// Each of these ends with a NUL.
pub fn modprobe() -> &'static [u8] {
    text(AT_MODPROBE)
}
pub fn socket() -> &'static [u8] {
    text(AT_SOCKET)
}
pub fn rules() -> &'static [u8] {
    text(AT_RULES)
}
