//! Seamwatch.
fn main() {}
