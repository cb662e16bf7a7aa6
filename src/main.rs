//! The khelper program; everything is in the library of the same name.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    khelper::app::main()
}
