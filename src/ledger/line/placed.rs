//! Reads the unit or container of a requester.

use std::sync::Arc;

use crate::abi::place::{Attribution, Place};

use super::fields::{Malformed, bytes, text, value};

/// The unit or container of a requester, as its fields are read.
#[derive(Default)]
pub(super) struct Placed {
    place: Option<Place>,
    runtime: Option<String>,
    claims: bool,
}

impl Placed {
    /// Reads a field of a requester, if it is about this.
    pub(super) fn read(&mut self, key: &[u8], raw: &[u8]) -> Result<(), Malformed> {
        match key {
            b"unit" => self.place = Some(Place::Unit(bytes(raw)?.into())),
            b"runtime" => self.runtime = Some(text(raw)?),
            b"container" => {
                let runtime = self.runtime.take().unwrap_or_default().into();
                self.place = Some(Place::Container { runtime, id: bytes(raw)?.into() });
            }
            b"claims" => self.claims = value(raw)?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn whole(self) -> Option<Arc<Attribution>> {
        Some(Arc::new(Attribution { place: self.place?, is_believed: !self.claims }))
    }
}
