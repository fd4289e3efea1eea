//! pgq
