//! What is generated offends no lint, however strict the user's crate is. That this compiles is the test.

#[deny(
    warnings,
    missing_docs,
    missing_copy_implementations,
    missing_debug_implementations,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#[allow(clippy::redundant_pub_crate, reason = "contradicts unreachable_pub")]
#[forbid(unsafe_code)]
/// A strict crate.
pub(crate) mod strict {
    use std::future::ready;

    use pgq::{BoxError, Context};

    /// Documented.
    #[derive(Debug, pgq::Provide)]
    pub(crate) struct App {
        /// Documented.
        pub(crate) number: u8,
    }

    /// Documented.
    #[pgq::payload]
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Payload {
        /// Documented.
        pub(crate) number: u8,
    }

    /// Documented.
    #[pgq::task(queue = "mail", retry = delays("1s", "2s"), keep(completed = "1h"), priority = 1)]
    pub(crate) async fn documented(
        ctx: Context<App>,
        /// Documented.
        payload: Payload,
        silent: u8,
        _unused: u8,
    ) -> Result<u8, BoxError> {
        ready(()).await;
        (ctx.number + payload.number).checked_sub(silent).ok_or_else(|| "negative".into())
    }

    #[pgq::task]
    pub(crate) fn blocking(payload: Payload) -> Result<u8, BoxError> {
        payload.number.checked_sub(1).ok_or_else(|| "negative".into())
    }

    fn half(args: &LimitedArgs) -> String {
        (args.first / 2).to_string()
    }

    #[pgq::task(concurrency = 2, rps = 3, limit(rps = 0.5, key = half), limit(concurrency = 1, name = "strict"))]
    pub(crate) async fn limited(first: u8, second: u8) -> Result<u8, BoxError> {
        ready(()).await;
        first.checked_sub(second).ok_or_else(|| "negative".into())
    }

    #[pgq::task]
    async fn never_enqueued() -> Result<(), BoxError> {
        ready(Ok(())).await
    }

    /// Old.
    #[pgq::task]
    #[deprecated = "call `blocking`"]
    pub(crate) async fn old(first: u8, second: u8) -> Result<u8, BoxError> {
        ready(()).await;
        first.checked_sub(second).ok_or_else(|| "negative".into())
    }
}

#[tokio::test]
async fn a_strict_crate_has_tasks_too() {
    let app = pgq::testing::context(strict::App { number: 1 });
    assert_eq!(strict::documented(app, strict::Payload { number: 2 }, 3, 0).await.unwrap(), 0);
    let args = strict::DocumentedArgs { payload: strict::Payload { number: 1 }, silent: 2, _unused: 3 };
    assert_eq!(args.silent, 2);
    assert_eq!(strict::blocking(strict::Payload { number: 3 }).unwrap(), 2);
    assert_eq!(strict::limited(3, 1).await.unwrap(), 2);
}

#[test]
fn who_enqueues_a_deprecated_task_is_told() {
    #[expect(deprecated, reason = "the test")]
    fn enqueue() -> pgq::JobBuilder<strict::old> {
        strict::old::job(strict::OldArgs { first: 2, second: 1 })
    }
    drop(enqueue());
}
