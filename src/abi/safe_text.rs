//! Text that is safe to show: on a terminal, in a log, in a line of output.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};

use super::escape::{screen, screen_again};

/// Text without the characters that [`screen`] escapes. It can be shown as it is. Converting it again changes nothing:
/// its backslashes stay single.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(transparent)]
pub struct SafeText(String);

impl SafeText {
    /// Escapes hostile characters and keeps backslashes: for a sentence that contains escaped parts.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(screen_again(text.as_ref()))
    }

    /// Escapes bytes as [`screen`] does, so that they can be read back.
    pub fn escape(bytes: &[u8]) -> Self {
        Self(screen(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for SafeText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}
impl From<&str> for SafeText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl From<String> for SafeText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.0
    }
}
impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}
impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}
impl<'de> Deserialize<'de> for SafeText {
    /// Escapes again, since the sender may not have done so.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_safe_stays_and_what_is_hostile_is_escaped_once() {
        let text = SafeText::new("a\\x1b \u{1b}[2J \\");
        assert_eq!(text, "a\\x1b \\x1b[2J \\");
        assert_eq!(SafeText::new(text.as_str()), text);
        let sent: SafeText = serde_json::from_str("\"\\u001b[2J\"").unwrap();
        assert_eq!(sent, "\\x1b[2J");
    }

    proptest! {
        #[test]
        fn escaped_bytes_are_safe_already(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = SafeText::escape(&bytes);
            prop_assert_eq!(SafeText::new(text.as_str()), text.clone());
            prop_assert_eq!(crate::abi::escape::unescape(&text), Some(bytes));
        }
    }
}
