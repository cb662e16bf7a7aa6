//! The name of a module, as a requester gives it (REQ-1).

use std::fmt;
use std::sync::Arc;

use nix::errno::Errno;

use super::error::ParseError;
use super::escape;

/// The longest name in bytes: the kernel's MODULE_NAME_LEN (56) less its NUL.
pub const MODULE_NAME_MAX: usize = 55;

/// The arguments of modprobe for a module request (REQ-6).
pub fn modprobe_argv<'a>(path: &'a [u8], name: &'a [u8]) -> [&'a [u8]; 4] {
    [path, b"-q", b"--", name]
}

/// A module name: 1 to 55 bytes, no NUL. Every other byte is legal, and so is a leading `-`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ModuleName(Arc<[u8]>);

impl ModuleName {
    /// Checks a name: `ENAMETOOLONG` over 55 bytes, `EINVAL` if empty or with a NUL inside.
    pub fn parse(name: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(ParseError::invalid("a module name cannot be empty", "name the module, as in `dummy`"));
        }
        if name.contains(&0) {
            return Err(ParseError::invalid("a module name cannot contain a NUL byte", "remove the NUL"));
        }
        if name.len() > MODULE_NAME_MAX {
            return Err(ParseError::with(
                Errno::ENAMETOOLONG,
                format!("the module name has {} bytes; the maximum is {MODULE_NAME_MAX}", name.len()),
                "shorten the name: the kernel accepts at most 55 bytes",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The bytes, as the helper receives them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape::screen(&self.0))
    }
}
impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModuleName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Explain;

    #[test]
    fn req_1_names() {
        assert!(ModuleName::parse("-q").is_ok());
        assert!(ModuleName::parse([b'a'; 55]).is_ok());
        let errno = |n: &[u8]| ModuleName::parse(n).map_err(|e| e.errno()).err();
        assert_eq!(errno(&[b'a'; 56]), Some(Errno::ENAMETOOLONG));
        assert_eq!(errno(b""), Some(Errno::EINVAL));
        assert_eq!(errno(b"a\0b"), Some(Errno::EINVAL));
    }
}
