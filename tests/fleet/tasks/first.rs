//! The code as it is deployed first, and rolled back to.

use pgq::{BoxError, Context, Tasks};

use super::{Site, span};

#[pgq::task(name = "narrow", concurrency = 3)]
pub(super) async fn narrow(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "serial", concurrency = 1)]
pub(super) async fn serial(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "freed", concurrency = 2)]
pub(super) async fn freed(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "draft", concurrency = 2)]
pub(super) async fn draft(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "local", per_worker = 2)]
pub(super) async fn local(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number) * 4).await
}

/// Shares a limit with the next one, and has one of its own.
#[pgq::task(name = "print", concurrency = 4, limit(name = "press", concurrency = 5))]
pub(super) async fn print(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

#[pgq::task(name = "bind", limit(name = "press", concurrency = 5))]
pub(super) async fn bind(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", span(number)).await
}

/// Long enough to run on where its limit is taken away, and to count where that comes back.
#[pgq::task(name = "long", concurrency = 3)]
pub(super) async fn long(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", 2_000 + span(number) * 30).await
}

#[pgq::task(name = "paced", rps = 40, burst = 5)]
pub(super) async fn paced(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "slow", rps = 2, burst = 20)]
pub(super) async fn slow(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "waves", rps = 2, burst = 20)]
pub(super) async fn waves(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "minutely", rps = 300, per = "1m")]
pub(super) async fn minutely(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "pack", limit(name = "carrier", rps = 20, burst = 4))]
pub(super) async fn pack(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "ship", limit(name = "carrier", rps = 20, burst = 4))]
pub(super) async fn ship(ctx: Context<Site>, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, "", number % 3).await
}

#[pgq::task(name = "tenants", limit(concurrency = 2, key = "tenant"))]
pub(super) async fn tenants(ctx: Context<Site>, tenant: String, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &tenant, span(number)).await
}

#[pgq::task(name = "accounts", limit(concurrency = 1, key = "account"), retry = fixed("100ms"))]
pub(super) async fn accounts(ctx: Context<Site>, account: u64, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &account.to_string(), span(number)).await?;
    super::fail_at_first(&ctx, number)
}

#[pgq::task(name = "hosts", limit(rps = 10, burst = 2, key = "host"))]
pub(super) async fn hosts(ctx: Context<Site>, host: u64, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &host.to_string(), number % 3).await
}

#[pgq::task(name = "values", limit(concurrency = 1, rps = 1, key = "value"))]
pub(super) async fn values(ctx: Context<Site>, value: u64, number: u64) -> Result<(), BoxError> {
    ctx.run(&ctx, &value.to_string(), number % 3).await
}

pub(super) fn all() -> Tasks<Site> {
    pgq::tasks![
        narrow, serial, freed, draft, local, long, print, bind, paced, slow, waves, minutely, pack, ship, tenants,
        accounts, hosts, values
    ]
}
