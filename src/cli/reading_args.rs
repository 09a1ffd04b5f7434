//! How traffic is read, as every command that reads some takes it.

use clap::Args;

use super::values::{SkipLimit, TunnelList};

/// Arguments of what reads traffic.
#[derive(Args, Debug)]
pub struct ReadingArgs {
    /// Tunnels whose inner flow counts: vxlan:PORT, gre, ipip, geneve, mpls, or none.
    #[arg(long, value_name = "LIST", default_value = "vxlan:4789,vxlan:10800,vxlan:10801")]
    pub decapsulate: TunnelList,

    /// Threads to use; 0 for one on each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,

    /// Damaged records that are no failure: a number, or a share of the records read.
    #[arg(long, value_name = "N|P%", default_value = "0")]
    pub max_skipped: SkipLimit,

    /// Fail (exit 3) on any damage, even within --max-skipped.
    #[arg(long)]
    pub strict: bool,

    /// Show no progress.
    #[arg(long)]
    pub no_progress: bool,
}
