//! Where the shim's settings lie in its program: `khelper shim install` writes them there, because the kernel starts the
//! shim when no file can be read yet. The shim includes this file, so it uses `core` alone.

use core::ops::Range;

/// What the settings begin with. It is in the program once.
pub const MARK: [u8; 16] = *b"khelper-shim-set";

/// The layout of what follows the mark; another one is another program's.
pub const VERSION: u8 = 1;

/// The bytes of all settings.
pub const LENGTH: usize = 492;

/// The version.
pub const AT_VERSION: usize = 16;
/// 1 if nothing may run where no daemon is, else 0.
pub const AT_CLOSED: usize = 17;
/// How long the daemon may take, in milliseconds, little-endian.
pub const AT_PATIENCE: Range<usize> = 18..20;
/// The program that a module request runs.
pub const AT_MODPROBE: Range<usize> = 20..276;
/// The daemon's socket.
pub const AT_SOCKET: Range<usize> = 276..384;
/// The compiled rules.
pub const AT_RULES: Range<usize> = 384..LENGTH;
