//! What an operator looks at in thousands of records: which of them, a page at a time, and whole into a file.

pub mod history;
pub mod page;
pub mod query;
pub mod reader;
#[cfg(test)]
mod tests;
