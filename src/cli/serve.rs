//! The arguments of `khelper serve` and `khelper bridge`.

use std::path::PathBuf;

use super::target::NoTarget;
use crate::policy::rules::Mode;

fn mode(name: &str) -> Result<Mode, String> {
    Mode::parse(name.as_bytes()).ok_or_else(|| format!("give one of {}", Mode::ALL.map(Mode::name).join(", ")))
}

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
    /// What the rules in the folder rules.d of the configuration do: off, learn, audit (what would be denied is logged) or
    /// enforce
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub rules: Option<Mode>,
    /// The socket where the shim asks for verdicts, for root alone; by default /run/khelper/shim.sock, and none with
    /// --socket
    #[arg(long, value_name = "PATH")]
    pub shim_socket: Option<PathBuf>,
    #[command(flatten)]
    /// It has none.
    pub no_target: NoTarget,
}

/// `bridge`.
#[derive(Debug, clap::Args)]
pub struct Bridge {
    /// The socket of the daemon
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    #[command(flatten)]
    /// It has none.
    pub no_target: NoTarget,
}
