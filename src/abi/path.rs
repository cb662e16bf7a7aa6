//! The modprobe path (SYS-6).

use std::sync::Arc;

use super::error::ParseError;
use super::escape::screen;

/// The kernel's KMOD_PATH_LEN (256) less its NUL.
pub const KMOD_PATH_MAX: usize = 255;

/// Checks a modprobe path: at most 255 bytes, no NUL, no newline inside (one at the end is removed), and either
/// absolute or empty (autoload off); else `EINVAL`. Blanks are legal.
pub fn parse_modprobe(text: &[u8]) -> Result<Arc<[u8]>, ParseError> {
    let path = text.strip_suffix(b"\n").unwrap_or(text);
    if path.contains(&0) {
        return Err(ParseError::invalid(
            "the path contains a NUL byte",
            "remove the NUL: the kernel would truncate the path there",
        ));
    }
    if path.contains(&b'\n') {
        return Err(ParseError::invalid(
            "the path contains a newline",
            "give one line: the kernel would truncate the path there",
        ));
    }
    if path.len() > KMOD_PATH_MAX {
        return Err(ParseError::invalid(
            format!("the path has {} bytes; the maximum is {KMOD_PATH_MAX}", path.len()),
            "give a shorter path: the kernel would truncate it and run another program",
        ));
    }
    if !path.is_empty() && !path.starts_with(b"/") {
        return Err(ParseError::invalid(
            format!("the path `{}` is relative", screen(path)),
            "give the whole path, from `/`, or nothing to turn autoload off",
        ));
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_6_paths() {
        let ok = |t: &[u8]| parse_modprobe(t).map(|p| p.to_vec()).ok();
        assert_eq!(ok(b"/sbin/modprobe\n"), Some(b"/sbin/modprobe".to_vec()));
        assert_eq!(ok(b""), Some(vec![]));
        assert_eq!(ok(b"/with a blank"), Some(b"/with a blank".to_vec()));
        let mut long = vec![b'/'; 255];
        assert!(ok(&long).is_some());
        long.push(b'x');
        for bad in [&long[..], b"sbin/modprobe", b"/a\nb", b"/a\0b", b"/a\n\n"] {
            assert!(ok(bad).is_none(), "{}", screen(bad));
        }
    }
}
