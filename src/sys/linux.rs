//! The real machine.

use std::time::SystemTime;

use nix::errno::Errno;

use super::host::{Clock, Host, Worker};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::SysError;
use crate::abi::who::{ChainLink, Requester};

/// This machine.
#[derive(Debug, Default)]
pub struct LinuxHost {}

impl LinuxHost {
    /// This machine.
    pub fn new() -> Self {
        Self {}
    }
}

impl Clock for LinuxHost {
    fn now(&self) -> u64 {
        todo!()
    }
    fn wall(&self) -> SystemTime {
        todo!()
    }
    fn arm(&self, _: u64, _: std::sync::Arc<dyn super::host::Wake>) -> Option<super::host::Armed> {
        None
    }
}

impl Host for LinuxHost {
    fn clock(&self) -> &dyn Clock {
        self
    }
    fn known(&self) -> CapMask {
        todo!()
    }
    fn sets(&self) -> CapSets {
        todo!()
    }
    fn threads_max(&self) -> Option<u32> {
        todo!()
    }
    fn requester(&self) -> Requester {
        todo!()
    }
    fn check_sigchld(&self, _: bool) -> Result<(), SysError> {
        todo!()
    }
    fn worker(&self) -> Result<Box<dyn Worker>, SysError> {
        todo!()
    }
    fn kill(&self, _: i32, _: i32) -> Result<(), Errno> {
        todo!()
    }
    fn ancestry(&self, _: i32) -> Vec<ChainLink> {
        todo!()
    }
    fn same_executable_above(&self) -> Option<i32> {
        todo!()
    }
    fn path_warnings(&self, _: &[u8]) -> Vec<String> {
        todo!()
    }
}
