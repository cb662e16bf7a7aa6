//! Searches in bytes by the C library, whose functions are many times faster than a loop.

/// Where `needle` first occurs in `text`.
pub fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    // SAFETY: both slices outlive the call, which reads no more than their lengths.
    let found = unsafe { libc::memmem(text.as_ptr().cast(), text.len(), needle.as_ptr().cast(), needle.len()) };
    (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
}

/// Where `byte` first occurs in `text`.
pub fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    // SAFETY: the slice outlives the call, which reads no more than its length.
    let found = unsafe { libc::memchr(text.as_ptr().cast(), byte.into(), text.len()) };
    (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
}

/// Where `byte` last occurs in `text`.
pub fn find_last_byte(text: &[u8], byte: u8) -> Option<usize> {
    // SAFETY: the slice outlives the call, which reads no more than its length.
    let found = unsafe { libc::memrchr(text.as_ptr().cast(), byte.into(), text.len()) };
    (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_c_library_finds_what_a_loop_finds(
            text in proptest::collection::vec(0u8..3, 0..40),
            needle in proptest::collection::vec(0u8..3, 1..4),
            byte in 0u8..4,
        ) {
            prop_assert_eq!(find(&text, &needle), text.windows(needle.len()).position(|w| w == needle));
            prop_assert_eq!(find_byte(&text, byte), text.iter().position(|b| *b == byte));
            prop_assert_eq!(find_last_byte(&text, byte), text.iter().rposition(|b| *b == byte));
        }
    }
}
