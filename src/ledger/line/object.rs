//! Writes a JSON object, field by field.

use std::io::Write as _;

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::escape::json;

/// A JSON object that is being written.
pub(super) struct Object(Vec<u8>);

impl Object {
    pub(super) fn new() -> Self {
        Self(b"{".to_vec())
    }

    pub(super) fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        // Writing to a vector cannot fail, here and below. No key has a character that JSON escapes.
        let _ = write!(self.0, "\"{key}\":");
    }

    pub(super) fn number(&mut self, key: &str, n: impl std::fmt::Display) -> &mut Self {
        self.key(key);
        let _ = write!(self.0, "{n}");
        self
    }

    pub(super) fn mask(&mut self, key: &str, mask: CapMask) -> &mut Self {
        self.key(key);
        let _ = write!(self.0, "\"{:#x}\"", mask.bits());
        self
    }

    pub(super) fn plain(&mut self, key: &str, text: &str) -> &mut Self {
        self.value(key, text)
    }

    pub(super) fn bytes(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        self.value(key, json(bytes).as_str())
    }

    pub(super) fn list(&mut self, key: &str, list: &[Box<[u8]>]) -> &mut Self {
        let texts: Vec<String> = list.iter().map(|bytes| json(bytes)).collect();
        self.value(key, &texts)
    }

    pub(super) fn object(&mut self, key: &str, object: Self) {
        self.key(key);
        self.0.extend_from_slice(&object.0);
        self.0.push(b'}');
    }

    pub(super) fn value(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> &mut Self {
        self.key(key);
        // The types of this crate have string keys only, and their writers never fail.
        let _ = serde_json::to_writer(&mut self.0, value);
        self
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}
