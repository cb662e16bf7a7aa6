//! How byte strings and errno values are serialized. A byte string becomes text, escaped by
//! [`escape::json`](super::escape::json), so that a person can read it and every byte can be restored. An errno becomes
//! its number.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::escape::{json, unescape};

struct Text(Vec<u8>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&json(&self.0))
    }
}
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        unescape(&text).map(Self).ok_or_else(|| D::Error::custom("a backslash without a valid escape"))
    }
}

/// Byte strings, alone, optional or in a list.
pub(crate) mod bytes {
    use std::sync::Arc;

    use super::*;

    pub(crate) trait Bytes: Sized {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error>;
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error>;
    }

    pub(crate) fn serialize<T: Bytes, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        value.put(s)
    }

    pub(crate) fn deserialize<'de, T: Bytes, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
        T::take(d)
    }

    impl Bytes for Vec<u8> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_str(&json(self))
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Text::deserialize(d).map(|text| text.0)
        }
    }
    impl Bytes for Arc<[u8]> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_str(&json(self))
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Text::deserialize(d).map(|text| text.0.into())
        }
    }
    impl Bytes for Option<Arc<[u8]>> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            self.as_deref().map(json).serialize(s)
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Ok(Option::<Text>::deserialize(d)?.map(|text| text.0.into()))
        }
    }
    impl Bytes for Vec<Vec<u8>> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_seq(self.iter().map(|bytes| json(bytes)))
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Ok(Vec::<Text>::deserialize(d)?.into_iter().map(|text| text.0).collect())
        }
    }
    impl Bytes for Arc<[Box<[u8]>]> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_seq(self.iter().map(|bytes| json(bytes)))
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Ok(Vec::<Text>::deserialize(d)?.into_iter().map(|text| text.0.into()).collect())
        }
    }
    impl Bytes for Option<Arc<[Box<[u8]>]>> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            self.as_ref().map(|list| list.iter().map(|bytes| json(bytes)).collect::<Vec<_>>()).serialize(s)
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Ok(Option::<Vec<Text>>::deserialize(d)?.map(|all| all.into_iter().map(|text| text.0.into()).collect()))
        }
    }
}

/// An errno, or none, as its number.
pub(crate) mod errno {
    use nix::errno::Errno;

    use super::*;

    pub(crate) trait Number: Sized {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error>;
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error>;
    }

    pub(crate) fn serialize<T: Number, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        value.put(s)
    }

    pub(crate) fn deserialize<'de, T: Number, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
        T::take(d)
    }

    impl Number for Errno {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_i32(*self as i32)
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            i32::deserialize(d).map(Self::from_raw)
        }
    }
    impl Number for Option<Errno> {
        fn put<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            self.map(|errno| errno as i32).serialize(s)
        }
        fn take<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Ok(Option::<i32>::deserialize(d)?.map(Errno::from_raw))
        }
    }
}
