//! Queries over thousands of records, answered one page at a time.

pub mod alike;
mod current;
mod fold;
mod folds;
pub mod history;
mod matched;
mod order;
pub mod outcomes;
pub mod page;
pub mod query;
pub mod reader;
#[cfg(test)]
mod tests;
mod tree;
