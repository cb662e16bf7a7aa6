//! Where a process belongs: a unit of systemd or a container.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::escape::{json, screen};
use super::wire;

/// Where a thread belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// No unit and no container: the root cgroup, or a cgroup without such a name.
    None,
    /// A unit of systemd.
    Unit(Arc<[u8]>),
    /// A container.
    Container {
        /// What runs it: `docker`, `cri-containerd`, `crio`, `libpod`, `machine`, `lxc`, `kubepods`.
        runtime: Cow<'static, str>,
        /// Its id, 64 hexadecimal digits; a machine's name for `machine` and `lxc`.
        id: Arc<[u8]>,
    },
}

/// A place, and whether it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Attribution {
    /// The place that the path of the cgroup names.
    pub place: Place,
    /// Whether only the system manager or a container runtime could make that path; else it is a claim.
    pub is_believed: bool,
}

/// A name as bytes, which any user may have chosen.
pub type Name<'a> = Cow<'a, [u8]>;

impl Attribution {
    /// The unit or container (`RUNTIME:ID`), escaped for JSON, and which of them is merely claimed.
    pub fn named(&self) -> (Option<String>, Option<String>, Option<String>) {
        let text = |name: Option<Cow<'_, [u8]>>| name.map(|name| json(&name));
        let ((unit, container), (unit_claimed, container_claimed)) = (self.name(true), self.name(false));
        (text(unit), text(container), text(unit_claimed.or(container_claimed)))
    }

    /// The unit or container (`RUNTIME:ID`) that is believed, or that is merely claimed; `None` if it is not so named.
    pub fn name(&self, is_believed: bool) -> (Option<Name<'_>>, Option<Name<'_>>) {
        match &self.place {
            _ if self.is_believed != is_believed => (None, None),
            Place::None => (None, None),
            Place::Unit(name) => (Some(Cow::Borrowed(name)), None),
            Place::Container { runtime, id } => (None, Some([runtime.as_bytes(), b":", id].concat().into())),
        }
    }
}

impl fmt::Display for Attribution {
    /// `unit cron.service`, `claims unit cron.service`, `container docker 0123..`, `no unit`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = if self.is_believed { "" } else { "claims " };
        match &self.place {
            Place::None => f.write_str("no unit"),
            Place::Unit(name) => write!(f, "{claims}unit {}", screen(name)),
            Place::Container { runtime, id } => {
                write!(f, "{claims}container {} {}", screen(runtime.as_bytes()), screen(id))
            }
        }
    }
}

/// How an attribution is serialized.
#[derive(Serialize, Deserialize)]
struct Fields {
    #[serde(default, with = "wire::bytes", skip_serializing_if = "Option::is_none")]
    unit: Option<Arc<[u8]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runtime: Option<Cow<'static, str>>,
    #[serde(default, with = "wire::bytes", skip_serializing_if = "Option::is_none")]
    container: Option<Arc<[u8]>>,
    believed: bool,
}

impl From<Attribution> for Fields {
    fn from(of: Attribution) -> Self {
        let (unit, runtime, container) = match of.place {
            Place::None => (None, None, None),
            Place::Unit(name) => (Some(name), None, None),
            Place::Container { runtime, id } => (None, Some(runtime), Some(id)),
        };
        Self { unit, runtime, container, believed: of.is_believed }
    }
}

impl From<Fields> for Attribution {
    fn from(fields: Fields) -> Self {
        let place = match (fields.unit, fields.container) {
            (Some(name), _) => Place::Unit(name),
            (None, Some(id)) => Place::Container { runtime: fields.runtime.unwrap_or_default(), id },
            (None, None) => Place::None,
        };
        Self { place, is_believed: fields.believed }
    }
}
