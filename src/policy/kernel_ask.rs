//! Finds the way to make the kernel ask for a module of this name. For most names there is none: only code of the kernel
//! can ask for them.

use crate::abi::error::ParseError;
use crate::abi::escape::screen;
use crate::abi::kernel_ask::{FILE_SYSTEM_MAX, INTERFACE_MAX, Way};
use crate::abi::module::ModuleName;
use nix::errno::Errno;

/// The netlink family, whose protocols are modules of their own.
const NETLINK: i32 = 16;
/// The longest names that the address of an AF_ALG socket and TCP_CONGESTION hold.
const TYPE_MAX: usize = 13;
const ALGORITHM_MAX: usize = 48;
const CONGESTION_MAX: usize = 15;

/// The way to ask for this name.
///
/// # Errors
/// `ENAMETOOLONG` for a name of 56 bytes or more, which the kernel refuses; `EINVAL` for one with a NUL or none at all;
/// `EOPNOTSUPP` for a name that only code of the kernel can ask for.
pub fn way(name: &[u8]) -> Result<Way, ParseError> {
    ModuleName::parse(name)?;
    prefixed(name).or_else(|| interface(name).map(Way::Interface)).ok_or_else(|| {
        let why = format!(
            "only code of the kernel can ask for `{}`: a user can have any name of at most {INTERFACE_MAX} bytes \
             without `:` asked for, and those that begin with fs-, netdev-, net-pf-, algif-, crypto- or tcp_",
            screen(name)
        );
        ParseError::with(Errno::EOPNOTSUPP, why, "an engine takes every name: `khelper --target embedded request NAME`")
    })
}

/// A prefix comes before the plain name: it alone tells whether the thing is there already.
fn prefixed(name: &[u8]) -> Option<Way> {
    let after = |prefix: &str, most: usize| {
        let rest = name.strip_prefix(prefix.as_bytes())?;
        (!rest.is_empty() && rest.len() <= most).then(|| rest.to_vec())
    };
    // The kernel cuts the name of a file system at the first dot.
    after("fs-", FILE_SYSTEM_MAX)
        .filter(|rest| !rest.contains(&b'.'))
        .map(Way::FileSystem)
        .or_else(|| after("netdev-", INTERFACE_MAX).and_then(|rest| interface(&rest)).map(Way::NetDevice))
        .or_else(|| after("algif-", TYPE_MAX).map(Way::AlgorithmType))
        .or_else(|| after("crypto-", ALGORITHM_MAX).map(Way::Algorithm))
        .or_else(|| after("tcp_", CONGESTION_MAX).map(Way::Congestion))
        .or_else(|| socket(name))
}

/// A name that an interface may have, as far as the kernel looks before it asks.
fn interface(name: &[u8]) -> Option<Vec<u8>> {
    (name.len() <= INTERFACE_MAX && !name.contains(&b':')).then(|| name.to_vec())
}

/// `net-pf-2-proto-132-type-5`, or a shorter form. Of the families with one form alone the other would name a module
/// that the kernel does not ask for.
fn socket(name: &[u8]) -> Option<Way> {
    let rest = std::str::from_utf8(name.strip_prefix(b"net-pf-")?).ok()?;
    let number = |text: &str| {
        let plain = text == "0" || !text.starts_with('0');
        text.parse::<i32>().ok().filter(|_| plain && text.bytes().all(|b| b.is_ascii_digit()))
    };
    let Some((family, rest)) = rest.split_once("-proto-") else {
        return Some(Way::Socket { family: number(rest)?, kind: None, protocol: None });
    };
    let family = number(family)?;
    match rest.split_once("-type-") {
        None if family == NETLINK => Some(Way::Socket { family, kind: None, protocol: Some(number(rest)?) }),
        None => None,
        Some((protocol, kind)) => {
            Some(Way::Socket { family, kind: Some(number(kind)?), protocol: Some(number(protocol)?) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Explain;

    #[test]
    fn each_name_has_its_way_and_most_long_ones_have_none() {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let socket = |family, kind, protocol| Way::Socket { family, kind, protocol };
        for (name, expected) in [
            ("khelper-none", Way::Interface(bytes("khelper-none"))),
            ("fifteen-bytes-x", Way::Interface(bytes("fifteen-bytes-x"))),
            ("$(id)\n;", Way::Interface(bytes("$(id)\n;"))),
            ("netdev-eth7", Way::NetDevice(bytes("eth7"))),
            ("fs-ext4", Way::FileSystem(bytes("ext4"))),
            ("fs-a.b", Way::Interface(bytes("fs-a.b"))),
            ("net-pf-9", socket(9, None, None)),
            ("net-pf-16-proto-31", socket(16, None, Some(31))),
            ("net-pf-2-proto-132-type-5", socket(2, Some(5), Some(132))),
            ("net-pf-09", Way::Interface(bytes("net-pf-09"))),
            ("algif-hash", Way::AlgorithmType(bytes("hash"))),
            ("crypto-sha256", Way::Algorithm(bytes("sha256"))),
            ("tcp_bbr", Way::Congestion(bytes("bbr"))),
            ("tcp_", Way::Interface(bytes("tcp_"))),
        ] {
            assert_eq!(way(name.as_bytes()).unwrap(), expected, "{name}");
        }
        for (name, errno) in [
            ("sixteen-bytes-xx", Errno::EOPNOTSUPP),
            ("a:b", Errno::EOPNOTSUPP),
            ("net-pf-2-proto-132", Errno::EOPNOTSUPP),
            ("char-major-10-200", Errno::EOPNOTSUPP),
            (&"x".repeat(56), Errno::ENAMETOOLONG),
        ] {
            assert_eq!(way(name.as_bytes()).unwrap_err().errno(), errno, "{name}");
        }
        assert!(way(b"").is_err() && way(b"a\0b").is_err());
        let said = way(b"sixteen-bytes-xx").unwrap_err().whole();
        assert!(said.contains("only code of the kernel") && said.contains("--target embedded"), "{said}");
    }
}
