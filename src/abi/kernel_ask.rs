//! Ways to make this machine's kernel ask for a module.

/// The longest name of a network interface, in bytes.
pub const INTERFACE_MAX: usize = 15;
/// The longest name of a file system that fits into a module's name after `fs-`.
pub const FILE_SYSTEM_MAX: usize = 52;

/// A way to make the kernel ask for a module. Where what it names is there already, the kernel asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The name itself, as that of an interface: ioctl(SIOCGIFFLAGS), with CAP_SYS_MODULE and without CAP_NET_ADMIN.
    Interface(Vec<u8>),
    /// `netdev-NAME`: the same call, with CAP_NET_ADMIN and without CAP_SYS_MODULE.
    NetDevice(Vec<u8>),
    /// `fs-NAME`: fsopen(2).
    FileSystem(Vec<u8>),
    /// `net-pf-FAMILY`, `net-pf-FAMILY-proto-PROTOCOL`, `net-pf-FAMILY-proto-PROTOCOL-type-KIND`: socket(2).
    Socket {
        /// The address family.
        family: i32,
        /// The type of socket; `None` if the name does not have it.
        kind: Option<i32>,
        /// The protocol.
        protocol: Option<i32>,
    },
    /// `algif-NAME`: bind(2) of an AF_ALG socket to this type.
    AlgorithmType(Vec<u8>),
    /// `crypto-NAME`: bind(2) of an AF_ALG socket to this hash.
    Algorithm(Vec<u8>),
    /// `tcp_NAME`: setsockopt(TCP_CONGESTION), with CAP_NET_ADMIN.
    Congestion(Vec<u8>),
}

impl Way {
    /// The system call that asks.
    pub const fn call(&self) -> &'static str {
        match self {
            Self::Interface(_) | Self::NetDevice(_) => "ioctl(SIOCGIFFLAGS)",
            Self::FileSystem(_) => "fsopen",
            Self::Socket { .. } => "socket",
            Self::AlgorithmType(_) | Self::Algorithm(_) => "bind(AF_ALG)",
            Self::Congestion(_) => "setsockopt(TCP_CONGESTION)",
        }
    }

    /// What would be there already, after `nothing was asked: `.
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Interface(_) | Self::NetDevice(_) => "an interface of that name",
            Self::FileSystem(_) => "that file system",
            Self::Socket { .. } => "that family or protocol",
            Self::AlgorithmType(_) | Self::Algorithm(_) => "that algorithm",
            Self::Congestion(_) => "that congestion control",
        }
    }
}
