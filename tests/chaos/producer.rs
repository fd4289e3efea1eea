//! Who promises jobs.

use std::time::Duration;

use pgq::sqlx::{self, PgPool};
use pgq::{AnyJob, Client};

use crate::tasks::{self, AccountsArgs, TenantsArgs};

/// Promises jobs until it is killed, each lot in a transaction with the note of the promise. What isn't committed was never
/// promised.
pub(crate) async fn run(url: &str) -> anyhow::Result<()> {
    let pool = PgPool::connect_lazy(url)?;
    let client = Client::from_pool(pool.clone())?;
    for lot in 0.. {
        if promise(&client, &pool, lot).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    Ok(())
}

async fn promise(client: &Client, pool: &PgPool, lot: i64) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    let handles = pgq::enqueue_many(client.on(&mut tx), jobs(lot)).await?;
    let ids: Vec<i64> = handles.iter().map(|handle| handle.id().0).collect();
    let note = sqlx::query("insert into promise (job, task) select id, task from pgq.job where id = any ($1)");
    note.bind(ids).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

fn jobs(lot: i64) -> Vec<AnyJob> {
    let mut jobs: Vec<AnyJob> = Vec::new();
    jobs.extend((lot * 10..lot * 10 + 6).map(|nth| tasks::plain::job(nth).into()));
    jobs.extend((lot * 10..lot * 10 + 4).map(|nth| tasks::paid::job(nth).into()));
    jobs.push(tasks::narrow::job(lot).into());
    jobs.push(tasks::tenants::job(TenantsArgs { tenant: format!("t{}", lot % 3), nth: lot }).into());
    jobs.push(tasks::accounts::job(AccountsArgs { account: lot % 4, nth: lot }).into());
    jobs
}
