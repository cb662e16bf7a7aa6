//! What this process was given: everything that a helper can see of its birth.
