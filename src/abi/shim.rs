//! Where the shim's settings lie in its program: `khelper shim install` writes them there, because the kernel starts the
//! shim when no file can be read yet. The shim includes this file, so it uses `core` alone.

use core::ops::Range;

/// What the settings begin with. It is in the program once.
pub const MARK: [u8; 16] = *b"khelper-shim-set";

/// The layout of what follows the mark; another one is another program's. The mark, this and the release stay where they
/// are in every layout.
pub const VERSION: u8 = 2;

/// The bytes of all settings.
pub const LENGTH: usize = 499;

/// The version.
pub const AT_VERSION: usize = 16;
/// The khelper that wrote it: major, minor and patch, two bytes each, little-endian.
pub const AT_RELEASE: Range<usize> = 17..23;
/// 1 if nothing may run where no daemon is, else 0.
pub const AT_CLOSED: usize = 23;
/// 1 if the program of a module request was kept for the next start of the machine, too, else 0.
pub const AT_KEPT: usize = 24;
/// How long the daemon may take, in milliseconds, little-endian.
pub const AT_PATIENCE: Range<usize> = 25..27;
/// The program that a module request runs.
pub const AT_MODPROBE: Range<usize> = 27..283;
/// The daemon's socket.
pub const AT_SOCKET: Range<usize> = 283..391;
/// The compiled rules.
pub const AT_RULES: Range<usize> = 391..LENGTH;
