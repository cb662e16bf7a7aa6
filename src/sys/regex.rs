//! Extended regular expressions of POSIX (regex(7)), as the C library reads them and sysctl(8) takes them.

use std::ffi::{CStr, CString};

/// A compiled expression.
pub struct Regex(Box<libc::regex_t>);

impl Regex {
    /// Compiles an expression. The error is the C library's sentence.
    pub fn new(expression: &[u8]) -> Result<Self, String> {
        let text = CString::new(expression).map_err(|_| "the expression contains a NUL byte".to_owned())?;
        // SAFETY: `regex_t` is plain data (integers and pointers that may be null): all zeroes are a value of it.
        let mut compiled: Box<libc::regex_t> = Box::new(unsafe { std::mem::zeroed() });
        // SAFETY: both pointers are valid during the call; the text ends with a NUL.
        let error = unsafe { libc::regcomp(&mut *compiled, text.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB) };
        if error == 0 {
            return Ok(Self(compiled));
        }
        let mut message = [0; 128];
        // SAFETY: the buffer has the length given, and the call ends what it writes there with a NUL. `compiled` is the
        // one of the failed call, as regerror(3) wants it.
        unsafe { libc::regerror(error, &*compiled, message.as_mut_ptr(), message.len()) };
        // SAFETY: as above.
        Err(unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned())
    }

    /// Whether the expression matches somewhere in a text without NUL bytes.
    pub fn matches(&self, text: &str) -> bool {
        let Ok(text) = CString::new(text) else { return false };
        // SAFETY: the expression was compiled, and the text ends with a NUL. No submatches are asked for.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: the expression was compiled, and is freed once.
        unsafe { libc::regfree(&mut *self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_anywhere_unless_it_is_anchored() {
        let of = |expression: &str, text: &str| Regex::new(expression.as_bytes()).unwrap().matches(text);
        assert!(!of("mode", "kernel.modprobe") && of("mod", "kernel.modprobe") && of("^kernel", "kernel.x"));
        assert!(of("(bset|live)$", "khelper.live") && !of("^l", "khelper.live") && of("", "x"));
        assert!(Regex::new(b"(").is_err_and(|why| !why.is_empty()));
        assert!(Regex::new(b"a\0").is_err());
    }
}
