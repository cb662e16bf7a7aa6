//! The arguments of a helper.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire;

/// argv. That of a module request is computed from its path and name (REQ-7), to keep 10,000 records small. Serialized,
/// it is the list, or `null` for a module request.
#[derive(Clone, Debug, PartialEq)]
pub enum Args {
    /// `[path, "-q", "--", module]`.
    Module,
    /// As the caller gave it.
    List(Arc<[Box<[u8]>]>),
}

impl Serialize for Args {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Module => s.serialize_none(),
            Self::List(list) => wire::bytes::serialize(list, s),
        }
    }
}
impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let list: Option<Arc<[Box<[u8]>]>> = wire::bytes::deserialize(d)?;
        Ok(list.map_or(Self::Module, Self::List))
    }
}
