//! Pages from hand-built values, and the router over an empty store.

mod sample;
mod pages;
mod errors;
mod face;
mod gate;
mod many;
mod parts;
