//! keyrings(7). A keyring's serial number differs by nature, so keyrings are compared by their names and their keys.

use nix::errno::Errno;

use super::number;
use crate::scenario::Caller;

const GET_KEYRING_ID: i32 = 0;
const JOIN_SESSION_KEYRING: i32 = 1;
const DESCRIBE: i32 = 6;
const READ: i32 = 11;
const SET_REQKEY_KEYRING: i32 = 14;
const SPEC_SESSION_KEYRING: i32 = -3;
const REQKEY_DEFL_NO_CHANGE: i32 = -1;

/// The name of a session keyring that was made without one.
const ANONYMOUS: &str = "_ses";
/// How the name of the user's session keyring begins, which stands in for a session keyring that there is not.
const OF_USER: &str = "_uid_ses.";

/// `none`, `new and empty`, or whose it is.
pub fn session() -> String {
    // SAFETY: integers only; the last says that none is to be made.
    let id = unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, SPEC_SESSION_KEYRING, 0) };
    match Errno::result(id).and_then(|id| Ok((describe(id)?, keys(id)?))) {
        Ok((name, _)) if name.starts_with(OF_USER) => "none".into(),
        Ok((name, 0)) if name == ANONYMOUS => "new and empty".into(),
        Ok((name, count)) => format!("{name} with {count} keys"),
        Err(e) => number(Err(e)),
    }
}

/// The last of `type;uid;gid;perm;description`.
fn describe(id: i64) -> Result<String, Errno> {
    let mut text = [0u8; 256];
    // SAFETY: the kernel writes at most as much as the buffer holds, a NUL included.
    let got = unsafe { libc::syscall(libc::SYS_keyctl, DESCRIBE, id, text.as_mut_ptr(), text.len()) };
    Errno::result(got)?;
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).rsplit(';').next().unwrap_or_default().to_owned())
}

/// How many: reading a keyring gives the serial numbers of what it holds, and says how many bytes that are.
fn keys(id: i64) -> Result<usize, Errno> {
    // SAFETY: no buffer, of no length.
    let bytes = unsafe { libc::syscall(libc::SYS_keyctl, READ, id, 0usize, 0usize) };
    Errno::result(bytes).map(|bytes| usize::try_from(bytes).unwrap() / size_of::<i32>())
}

pub fn request_key_default() -> String {
    // SAFETY: integers only.
    number(Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, SET_REQKEY_KEYRING, REQKEY_DEFL_NO_CHANGE) }))
}

pub fn set(caller: &Caller) {
    if caller.session_keyring {
        // SAFETY: strings that end in a NUL, and a payload of the length given.
        let added = unsafe {
            let id = libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, c"khelper-vm".as_ptr());
            let secret = b"the caller's";
            let (kind, name) = (c"user".as_ptr(), c"khelper-vm-secret".as_ptr());
            libc::syscall(libc::SYS_add_key, kind, name, secret.as_ptr(), secret.len(), id)
        };
        Errno::result(added).unwrap();
    }
    if let Some(default) = caller.request_key_default {
        // SAFETY: integers only.
        Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, SET_REQKEY_KEYRING, default) }).unwrap();
    }
}
