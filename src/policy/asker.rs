//! Who may ask for a verdict: helpers of the kernel, and nobody else (RULES.md, "The shim").

/// The parent of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// A thread of the kernel.
    Kernel,
    /// Another process.
    Process,
    /// It cannot be seen.
    Unknown,
}

/// What is known of a process that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user that connected.
    pub uid: u32,
    /// Its parent.
    pub parent: Parent,
    /// Whether it is in the first user namespace; `None` is not known.
    pub in_first_userns: Option<bool>,
    /// Whether it executes the shim; `None` is not known.
    pub is_shim: Option<bool>,
}

/// Why a process gets no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It is not uid 0.
    User,
    /// Its parent is no thread of the kernel: nobody asks but what the kernel starts.
    NotKernels,
    /// Its parent cannot be seen, and it is not known to be the shim of the first user namespace.
    Unknown,
}

/// Whether this process gets a verdict. A refused one is as a helper without an answer: the compiled rules decide.
///
/// # Errors
/// Why not.
pub const fn may_ask(asker: &Asker) -> Result<(), Stranger> {
    match asker {
        Asker { uid: 1.., .. } => Err(Stranger::User),
        Asker { parent: Parent::Kernel, .. } => Ok(()),
        Asker { parent: Parent::Process, .. } => Err(Stranger::NotKernels),
        Asker { in_first_userns: Some(true), is_shim: Some(true), .. } => Ok(()),
        _ => Err(Stranger::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_starts_gets_a_verdict() {
        let asker = |uid, parent, in_first_userns, is_shim| Asker { uid, parent, in_first_userns, is_shim };
        let all = [None, Some(false), Some(true)];
        for (userns, shim) in all.into_iter().flat_map(|a| all.map(|b| (a, b))) {
            assert_eq!(may_ask(&asker(0, Parent::Kernel, userns, shim)), Ok(()));
            assert_eq!(may_ask(&asker(0, Parent::Process, userns, shim)), Err(Stranger::NotKernels));
            for parent in [Parent::Kernel, Parent::Process, Parent::Unknown] {
                assert_eq!(may_ask(&asker(1, parent, userns, shim)), Err(Stranger::User));
                assert_eq!(may_ask(&asker(u32::MAX, parent, userns, shim)), Err(Stranger::User));
            }
            let unseen = may_ask(&asker(0, Parent::Unknown, userns, shim));
            assert_eq!(unseen.is_ok(), (userns, shim) == (Some(true), Some(true)), "{userns:?} {shim:?}");
        }
    }
}
