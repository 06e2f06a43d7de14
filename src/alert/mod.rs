//! Windows and rules in, transitions with reasons out. Pure: the tick is an argument, nothing is sent from here.
//!
//! A rule is a file: [`load`] reads all of them with their runbooks and refuses what would not work, and says
//! where. Each minute [`evaluate`] picks the figures a rule asks for ([`subjects`]), judges them
//! ([`verdict`]: breach, hold, clear or unknown), lets the state machine decide ([`machine`]) and words what
//! happened ([`wording`]). A rule's own tests ([`case`]) run through the same door.
//!
//! What is accepted works: a key or a signal that the evaluator does not act on is refused, never ignored.

pub mod incident;
pub mod tier;
pub mod figure;
pub mod instant;
pub mod threshold;
pub mod rule;
pub mod document;
pub mod parse;
pub mod check;
pub mod runbook;
pub mod load;
pub mod series;
pub mod sample;
pub mod subjects;
pub mod verdict;
pub mod judge;
pub mod machine;
pub mod overlay;
pub mod maintenance;
pub mod explain;
pub mod group;
pub mod told;
pub mod overrides;
pub mod sentence;
pub mod saying;
pub mod telling;
pub mod wording;
pub mod evaluate;
pub mod case;
