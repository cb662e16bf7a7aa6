//! The arguments of `khelper serve` and `khelper bridge`.

use std::path::PathBuf;

/// `serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The socket; by default /run/khelper/khelper.sock, for an ordinary user $XDG_RUNTIME_DIR/khelper/khelper.sock
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The folder of the ledger
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Read the configuration from this folder alone
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Let this group read, without arguments, environment and output of helpers
    #[arg(long, value_name = "GROUP")]
    pub readers: Option<String>,
    /// Watch the helpers of this machine's kernel, too, and record them in the ledger: the target `daemon/kernel`
    #[arg(long)]
    pub watch_kernel: bool,
}

/// `bridge`.
#[derive(Debug, clap::Args)]
pub struct Bridge {
    /// The socket of the daemon
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}
