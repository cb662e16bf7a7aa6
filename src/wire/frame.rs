//! Messages on the stream: each is a JSON object, ended by a NUL byte.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The most bytes of one call, without its NUL. The server accepts no longer message.
pub const MAX_CALL: usize = 1 << 20;
/// The most bytes of one answer that a client accepts: records come with their helpers' output.
pub const MAX_ANSWER: usize = 64 << 20;

/// Buffers larger than this are freed when they become empty.
const KEPT: usize = 16 << 10;

/// A message is longer than the splitter's maximum. The stream cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The maximum, in bytes.
    pub max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message is longer than {} bytes (EMSGSIZE)", self.max)
    }
}
impl std::error::Error for TooLong {}

/// Splits a stream into messages. Every byte is searched for the NUL once, however small the pieces are.
#[derive(Debug)]
pub struct Splitter {
    held: Vec<u8>,
    /// The bytes before this index belong to messages that were taken.
    taken: usize,
    /// The bytes before this index contain no NUL of a message that was not taken.
    searched: usize,
    max: usize,
}

impl Splitter {
    /// A splitter that accepts messages of up to `max` bytes, without the NUL.
    pub const fn new(max: usize) -> Self {
        Self { held: Vec::new(), taken: 0, searched: 0, max }
    }

    /// Appends bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.held.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// Takes the next message, without its NUL. `None` if no complete message is left: [`Self::push`] more bytes.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let found = self.held[self.searched..].iter().position(|byte| *byte == 0);
        let end = found.map_or(self.held.len(), |at| self.searched + at);
        self.searched = end;
        if end - self.taken > self.max {
            return Err(TooLong { max: self.max });
        }
        if found.is_none() {
            self.shrink();
            return Ok(None);
        }
        let begin = std::mem::replace(&mut self.taken, end + 1);
        self.searched = self.taken;
        Ok(Some(&self.held[begin..end]))
    }

    /// The bytes that were pushed and not taken. After [`Self::next_message`] returned `None`: the length of the
    /// incomplete message.
    pub fn waiting(&self) -> usize {
        self.held.len() - self.taken
    }

    /// Frees a large buffer that is empty.
    fn shrink(&mut self) {
        if self.waiting() == 0 {
            (self.taken, self.searched) = (0, 0);
            self.held.clear();
            if self.held.capacity() > KEPT {
                self.held = Vec::new();
            }
        }
    }
}

/// A call, borrowed from its message.
#[derive(Debug, Deserialize)]
pub struct Call<'a> {
    /// `io.khelper.Control.Get`.
    pub method: String,
    /// The parameters, not parsed yet. A call without any is legal.
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    /// The caller accepts more than one answer.
    #[serde(default)]
    more: Option<bool>,
    /// The caller wants no answer.
    #[serde(default)]
    oneway: Option<bool>,
    /// The caller wants to use the connection for another protocol.
    #[serde(default)]
    upgrade: Option<bool>,
}

impl<'a> Call<'a> {
    /// Parses a message. The error says what is wrong with it.
    pub fn parse(message: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(message).map_err(|e| e.to_string())
    }
    /// Whether the caller accepts more than one answer.
    pub fn more(&self) -> bool {
        self.more == Some(true)
    }
    /// Whether the caller wants no answer.
    pub fn oneway(&self) -> bool {
        self.oneway == Some(true)
    }
    /// Whether the caller wants another protocol on this connection.
    pub fn upgrade(&self) -> bool {
        self.upgrade == Some(true)
    }
}

/// An answer, borrowed from its message.
#[derive(Debug, Deserialize)]
pub struct Answer<'a> {
    /// The answer's values, or the error's. Not parsed yet.
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    /// Whether more answers to this call follow.
    #[serde(default)]
    continues: Option<bool>,
    /// The error's name, if the call failed.
    #[serde(default)]
    pub error: Option<String>,
}

impl<'a> Answer<'a> {
    /// Parses a message. The error says what is wrong with it.
    pub fn parse(message: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(message).map_err(|e| e.to_string())
    }
    /// Whether more answers to this call follow.
    pub fn continues(&self) -> bool {
        self.continues == Some(true)
    }
}

#[derive(Serialize)]
struct Sent<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    parameters: &'a P,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
}

impl<P: Serialize> Sent<'_, P> {
    /// The message with its NUL. Empty if the parameters cannot be serialized, which happens only for a time before 1970.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        if !bytes.is_empty() {
            bytes.push(0);
        }
        bytes
    }
}

/// The message of a call.
pub fn call(method: &str, parameters: &impl Serialize, more: bool) -> Vec<u8> {
    Sent { method: Some(method), error: None, parameters, more, continues: false }.bytes()
}

/// The message of an answer.
pub fn answer(parameters: &impl Serialize, continues: bool) -> Vec<u8> {
    Sent { method: None, error: None, parameters, more: false, continues }.bytes()
}

/// The message of an answer that is an error.
pub fn error(name: &str, parameters: &impl Serialize) -> Vec<u8> {
    Sent { method: None, error: Some(name), parameters, more: false, continues: false }.bytes()
}
