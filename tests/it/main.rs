//! The one integration binary: the walls of the code, and the real server driven from outside.

mod tidy;
