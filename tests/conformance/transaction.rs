//! Jobs and transactions: they exist together or not at all.

use pgq::{Result, State};

use crate::world::World;

/// A step.
#[pgq::task]
async fn step(name: String) -> Result<(), pgq::BoxError> {
    drop(name);
    Ok(())
}

pub(crate) async fn a_job_exists_once_its_transaction_is_committed(world: World) -> Result<()> {
    let tx = world.client.begin().await?;
    let first = step::enqueue(&tx, "a".to_owned()).await?;
    let rest = step::enqueue_many(&tx, ["b".to_owned(), "c".to_owned()]).await?;
    assert_eq!(world.client.get(first.id()).await?, None);
    let mut worker = world.worker(pgq::tasks![step], ()).await?;
    assert_eq!(worker.drain().await?, 0);
    tx.commit().await?;
    assert_eq!(worker.drain().await?, 3);
    assert_eq!(world.state(rest[1].id()).await?, State::Completed);
    Ok(())
}

pub(crate) async fn a_job_of_a_rolled_back_transaction_never_existed(world: World) -> Result<()> {
    let tx = world.client.begin().await?;
    let handle = step::enqueue(&tx, "a".to_owned()).await?;
    tx.rollback().await?;
    assert_eq!(world.client.get(handle.id()).await?, None);
    Ok(())
}

pub(crate) async fn a_dropped_transaction_is_rolled_back(world: World) -> Result<()> {
    let tx = world.client.begin().await?;
    let handle = step::enqueue(&tx, "a".to_owned()).await?;
    drop(tx);
    assert_eq!(world.client.get(handle.id()).await?, None);
    Ok(())
}

pub(crate) async fn a_refused_job_leaves_the_transaction_usable(world: World) -> Result<()> {
    let tx = world.client.begin().await?;
    assert!(step::enqueue(&tx, "x".repeat(1 << 20)).await.is_err());
    let handle = step::enqueue(&tx, "a".to_owned()).await?;
    tx.commit().await?;
    assert_eq!(world.state(handle.id()).await?, State::Available);
    Ok(())
}
