//! What the reader remembers of a record that matches.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::abi::record::Record;

use super::alike::{Alike, asker};
use super::query::Sort;

/// The sort key of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Number(u64),
    Name(Arc<[u8]>),
}

/// A record that matches. Up to 10,000 are kept, so it is small. `key` is `None` if records are ordered by id; equal
/// records have the same `alike`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Match {
    pub(super) id: u64,
    pub(super) serial: u64,
    pub(super) alike: u64,
    /// Equal for records of one name.
    pub(super) name: u32,
    /// How many requests before it was the one whose helper asked for it; 0 if there is none.
    pub(super) back: u32,
    pub(super) key: Option<Box<Key>>,
}

impl Match {
    /// `serial` tells where the record is read again.
    pub(super) fn new(sort: Sort, record: &Record, serial: u64, hasher: &RandomState) -> Self {
        let key = if sort == Sort::Newest { None } else { Some(Box::new(key(sort, record))) };
        let alike = hasher.hash_one((Alike::of(record), asker(record)));
        let name = hasher.hash_one(record.title()) as u32;
        let back = record.asked_by.map_or(0, |by| u32::try_from(record.id.saturating_sub(by)).unwrap_or(0));
        Self { id: record.id, serial, alike, name, back, key }
    }
}

fn key(sort: Sort, r: &Record) -> Key {
    match sort {
        Sort::Newest => Key::Number(r.id),
        // Live requests count as longer than ended ones; among them the oldest is the longest.
        Sort::Took => Key::Number(r.took_us().unwrap_or(u64::MAX - r.at.min(u64::MAX / 2))),
        Sort::Cpu => Key::Number(r.cpu_us),
        Sort::Memory => Key::Number(r.max_rss_kib),
        Sort::Name => Key::Name(r.module.clone().unwrap_or_else(|| r.path.clone())),
        Sort::Outcome => Key::Number(r.outcome as u64),
    }
}
