//! Queries over thousands of records, answered one page at a time.

pub mod alike;
mod folds;
pub mod history;
pub mod page;
pub mod query;
pub mod reader;
#[cfg(test)]
mod tests;
