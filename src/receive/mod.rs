//! Sockets become accepted requests.
