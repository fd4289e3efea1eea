//! Through a real PgBouncer in transaction mode, with fewer connections to the server than clients: the conformance suite (see
//! `conformance`), and what only there can go wrong. With the feature `pooler`: `bash .ci/pooler`.

pub(crate) mod bouncer;
mod gates;
mod outage;
mod programs;
mod refused;
mod rows;
