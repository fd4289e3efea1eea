//! The tasks: what runs after an order was placed.
//!
//! A job runs at least once: a worker can die after it did something and before it could say so. So each task here has
//! its own way to do its thing once.

use std::process;
use std::time::Duration;

use pgq::sqlx::{self, PgPool};
use pgq::{BoxError, Context};
use tokio::time::sleep;

/// What handlers may touch.
#[derive(pgq::Provide)]
pub(crate) struct Shop {
    db: PgPool,
}

impl pgq::Resources for Shop {
    async fn init(env: &pgq::Env) -> pgq::Result<Self> {
        Ok(Self { db: env.pool()?.clone() })
    }
}

/// Charges an order. It takes three seconds, so that there is time to kill the worker.
#[pgq::task(queue = "orders", retry = fixed("2s", attempts = 10))]
pub(crate) async fn charge(ctx: Context<Shop>, order: i64) -> Result<(), BoxError> {
    // Each run of a job has a higher fence than the one before.
    let run = ctx.fence();
    let charge = "insert into shop.charge (order_id, run) values ($1, $2) on conflict do nothing";
    let charged = sqlx::query(charge).bind(order).bind(run).execute(&ctx.db).await?.rows_affected();
    let what = if charged == 1 { "charged" } else { "an earlier run charged it already" };
    say(&format!("charge        order {order}, run {run}: {what}; waiting for the bank"));
    for second in 1..=3 {
        ctx.note(order, run, &format!("charging, {second} of 3 s")).await?;
        sleep(Duration::from_secs(1)).await;
    }
    sqlx::query("update shop.charge set settled = true where order_id = $1").bind(order).execute(&ctx.db).await?;
    ctx.note(order, run, "charged").await?;
    say(&format!("charge        order {order}, run {run}: done"));
    Ok(())
}

/// Sends a receipt, once the order is charged.
#[pgq::task(queue = "orders")]
pub(crate) async fn send_receipt(ctx: Context<Shop>, order: i64) -> Result<(), BoxError> {
    let charged = "select exists (select from shop.charge where order_id = $1 and settled)";
    if !sqlx::query_scalar(charged).bind(order).fetch_one(&ctx.db).await? {
        // Not a failure: it runs again in a second, and the attempt isn't counted.
        return Err(pgq::snooze(Duration::from_secs(1)).into());
    }
    let sent = "insert into shop.receipt values ($1) on conflict do nothing";
    sqlx::query(sent).bind(order).execute(&ctx.db).await?;
    say(&format!("send_receipt  order {order}: sent"));
    Ok(())
}

impl Shop {
    /// Notes how far an order is. A run that was taken for dead, but isn't, can't undo what its successor wrote.
    async fn note(&self, order: i64, run: i64, progress: &str) -> sqlx::Result<()> {
        let update = "update shop.orders set progress = $3, fence = $2 where id = $1 and fence <= $2";
        sqlx::query(update).bind(order).bind(run).bind(progress).execute(&self.db).await?;
        Ok(())
    }
}

fn say(line: &str) {
    println!("worker {}: {line}", process::id());
}
