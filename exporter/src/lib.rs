//! Seamwatch exporter.
