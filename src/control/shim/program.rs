//! The shim's program: the bytes that khelper carries, and the settings in it.

use std::fmt;
use std::ops::Range;

use crate::abi::shim::{
    AT_CLOSED, AT_KEPT, AT_MODPROBE, AT_PATIENCE, AT_RELEASE, AT_RULES, AT_SOCKET, AT_VERSION, LENGTH, MARK, VERSION,
};
use crate::sys::search::find;

/// The program, where this build of khelper has one.
#[cfg(khelper_shim)]
const CARRIED: Option<&[u8]> = Some(include_bytes!(concat!(env!("OUT_DIR"), "/shim")));
#[cfg(not(khelper_shim))]
const CARRIED: Option<&[u8]> = None;

/// A version of khelper: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub [u16; 3]);

impl Release {
    /// This khelper's.
    pub fn own() -> Self {
        let parts = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
        Self(parts.map(|part| part.parse().unwrap_or(u16::MAX)))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// The settings of a shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The khelper that wrote the shim.
    pub release: Release,
    /// The value of `kernel.modprobe` that the shim replaced was kept for the next start of the machine, too.
    pub kept: bool,
    /// Nothing runs where no daemon is.
    pub fails_closed: bool,
    /// How long the daemon may take, in milliseconds.
    pub patience: u16,
    /// The program that a module request runs.
    pub modprobe: Vec<u8>,
    /// The daemon's socket for verdicts.
    pub socket: Vec<u8>,
    /// The compiled rules.
    pub rules: Vec<u8>,
}

/// Whether this build of khelper carries a shim.
pub const fn is_carried() -> bool {
    CARRIED.is_some()
}

/// The shim of this khelper with these settings. `None` if this build has none, or if a path does not fit.
pub fn program(settings: &Settings) -> Option<Vec<u8>> {
    let mut program = CARRIED?.to_vec();
    let start = find(&program, &MARK)?;
    let place = program.get_mut(start..start + LENGTH)?;
    let release = Release::own().0.into_iter().flat_map(u16::to_le_bytes);
    place[AT_RELEASE].iter_mut().zip(release).for_each(|(byte, of)| *byte = of);
    place[AT_KEPT] = settings.kept.into();
    place[AT_CLOSED] = settings.fails_closed.into();
    place[AT_PATIENCE].copy_from_slice(&settings.patience.to_le_bytes());
    let texts = [(AT_MODPROBE, &settings.modprobe), (AT_SOCKET, &settings.socket), (AT_RULES, &settings.rules)];
    texts.into_iter().try_for_each(|(at, text)| put(&mut place[at], text))?;
    Some(program)
}

fn put(place: &mut [u8], text: &[u8]) -> Option<()> {
    // A NUL ends each of them.
    if text.len() >= place.len() || text.contains(&0) {
        return None;
    }
    place.fill(0);
    place[..text.len()].copy_from_slice(text);
    Some(())
}

/// The khelper that wrote a program, if that is a shim, of whatever layout.
pub fn release(program: &[u8]) -> Option<Release> {
    let place = program.get(find(program, &MARK)?..)?.get(AT_RELEASE)?;
    let part = |at: usize| u16::from_le_bytes([place[at], place[at + 1]]);
    Some(Release([part(0), part(2), part(4)]))
}

/// The settings of a program that is a shim of this layout.
pub fn settings(program: &[u8]) -> Option<Settings> {
    let start = find(program, &MARK)?;
    let place = program.get(start..start + LENGTH)?;
    if place[AT_VERSION] != VERSION {
        return None;
    }
    let text = |at: Range<usize>| {
        let text = &place[at];
        text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
    };
    Some(Settings {
        release: release(program)?,
        kept: place[AT_KEPT] == 1,
        fails_closed: place[AT_CLOSED] == 1,
        patience: u16::from_le_bytes([place[AT_PATIENCE.start], place[AT_PATIENCE.start + 1]]),
        modprobe: text(AT_MODPROBE),
        socket: text(AT_SOCKET),
        rules: text(AT_RULES),
    })
}
