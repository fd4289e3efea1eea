//! The attribute macros of pgq.
