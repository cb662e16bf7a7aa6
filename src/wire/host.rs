//! A machine that ssh(1) reaches: its name, and the user and the port to log in with.

use std::fmt;
use std::net::Ipv6Addr;

use crate::abi::escape::screen;

/// A machine: `[user@]host[:port]`, with an IPv6 address in brackets. No part of it can be an option of ssh or mean
/// anything to a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    user: Option<String>,
    name: String,
    port: Option<u16>,
}

/// Where ssh leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Far {
    /// The machine.
    pub host: Host,
    /// The kernel that the daemon there watches, not its engine.
    pub kernel: bool,
}

impl Far {
    /// Reads `[user@]host[:port][/kernel]`. The error says what is wrong, escaped.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let refused = |why: &str| format!("`{}` names no host: {why}", screen(text));
        let (host, kernel) = match text.iter().position(|byte| *byte == b'/') {
            None => (text, false),
            Some(at) if &text[at..] == b"/kernel" => (&text[..at], true),
            Some(_) => return Err(refused("after the host only `/kernel` may follow")),
        };
        let host = Host::read(host).map_err(refused)?;
        Ok(Self { host, kernel })
    }
}

/// Letters, digits, and `. _ : -`, of which the hyphen does not come first.
fn word(bytes: &[u8], otherwise: &'static str) -> Result<String, &'static str> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && !text.starts_with('-') && bytes.iter().all(fits) => Ok(text.to_owned()),
        _ => Err(otherwise),
    }
}

impl Host {
    fn read(text: &[u8]) -> Result<Self, &'static str> {
        let at = text.iter().rposition(|byte| *byte == b'@');
        let user =
            at.map(|at| word(&text[..at], "a user has letters, digits and `._:-`, and does not begin with a hyphen"));
        let rest = at.map_or(text, |at| &text[at + 1..]);
        let (name, port) = match rest.strip_prefix(b"[") {
            Some(inside) => {
                let end = inside.iter().position(|byte| *byte == b']').ok_or("the bracket is not closed")?;
                let address = std::str::from_utf8(&inside[..end]).ok().filter(|text| text.parse::<Ipv6Addr>().is_ok());
                let address = address.ok_or("there is no IPv6 address between the brackets")?;
                (address.to_owned(), &inside[end + 1..])
            }
            None => {
                let end = rest.iter().position(|byte| *byte == b':').unwrap_or(rest.len());
                let refused = "a host has letters, digits and `._-`, and does not begin with a hyphen";
                (word(&rest[..end], refused)?, &rest[end..])
            }
        };
        let port = match port {
            b"" => None,
            [b':', digits @ ..] => Some(Self::port(digits)?),
            _ => return Err("after the bracket only `:PORT` may follow"),
        };
        Ok(Self { user: user.transpose()?, name, port })
    }

    fn port(digits: &[u8]) -> Result<u16, &'static str> {
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let port = text.and_then(|text| text.parse().ok()).filter(|port| *port > 0);
        port.ok_or("a port is a number from 1 to 65535; an IPv6 address stands in brackets")
    }

    /// Its name or address, without user and port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments of ssh(1) that name it; the host itself is the last one, after `--`.
    pub fn arguments(&self) -> Vec<String> {
        let port = self.port.map(|port| ["-p".to_owned(), port.to_string()]);
        let user = self.user.clone().map(|user| ["-l".to_owned(), user]);
        port.into_iter().chain(user).flatten().chain(["--".to_owned(), self.name.clone()]).collect()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.name.contains(':') {
            true => write!(f, "[{}]", self.name)?,
            false => f.write_str(&self.name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// `[user@]host[:port][/kernel]`.
impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, if self.kernel { "/kernel" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_becomes_arguments_of_ssh() {
        for (text, arguments, kernel) in [
            ("web1", "-- web1", false),
            ("web1.example.org/kernel", "-- web1.example.org", true),
            ("op@web1:2222", "-p 2222 -l op -- web1", false),
            ("a:b@10.0.0.1/kernel", "-l a:b -- 10.0.0.1", true),
            ("[::1]", "-- ::1", false),
            ("op@[fe80::1]:22/kernel", "-p 22 -l op -- fe80::1", true),
        ] {
            let far = Far::read(text.as_bytes()).unwrap();
            assert_eq!((far.host.arguments().join(" "), far.kernel), (arguments.to_owned(), kernel), "{text}");
            assert_eq!(far.to_string(), text, "it reads back");
        }
    }

    #[test]
    fn what_ssh_or_a_shell_could_take_for_something_else_is_refused() {
        for (text, why) in [
            ("", "a host has letters"),
            ("-oProxyCommand=x", "does not begin with a hyphen"),
            ("op@-v", "does not begin with a hyphen"),
            ("-l@web1", "a user has letters"),
            ("@web1", "a user has letters"),
            ("a@b@c", "a user has letters"),
            ("web1;reboot", "a host has letters"),
            ("$(reboot)", "a host has letters"),
            ("`reboot`", "a host has letters"),
            ("web 1", "a host has letters"),
            ("web1\nweb2", "a host has letters"),
            ("w\u{e9}b", "a host has letters"),
            ("o p@web1", "a user has letters"),
            ("o'p@web1", "a user has letters"),
            ("web1:", "a port is a number"),
            ("web1:0", "a port is a number"),
            ("web1:65536", "a port is a number"),
            ("web1:+22", "a port is a number"),
            ("::1", "a host has letters"),
            ("fe80::1", "an IPv6 address stands in brackets"),
            ("[::1", "not closed"),
            ("[web1]", "no IPv6 address"),
            ("[fe80::1%eth0]", "no IPv6 address"),
            ("[::1]22", "only `:PORT`"),
            ("web1/", "only `/kernel`"),
            ("web1/kernel/x", "only `/kernel`"),
        ] {
            let error = Far::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Far::read(b"web\xff").is_err() && Far::read(b"web\0").is_err());
    }
}
