//! Wire bytes become borrowed records, and what was rejected. Pure; it cannot fail on input it did not refuse.

pub mod columns;
