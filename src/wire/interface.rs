//! The interface file, and Varlink's own interface.

/// The name of the interface.
pub const CONTROL: &str = "io.khelper.Control";
/// The name of Varlink's own interface.
pub const SERVICE: &str = "org.varlink.service";
/// The name of the watch of the kernel, as a target.
pub(super) const KERNEL: &str = "kernel";
/// The definition of [`CONTROL`]: the methods, their parameters, answers and errors.
pub const DEFINITION: &str = include_str!("../../assets/io.khelper.Control.varlink");
/// The definition of [`SERVICE`].
pub const SERVICE_DEFINITION: &str = include_str!("../../assets/org.varlink.service.varlink");
/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The definition of an interface; `None` if the daemon does not have it.
pub fn definition(interface: &str) -> Option<&'static str> {
    match interface {
        CONTROL => Some(DEFINITION),
        SERVICE => Some(SERVICE_DEFINITION),
        _ => None,
    }
}
