//! More workers at one gate than the pooler has connections.

use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, NewJob};
use pgq::sqlx;

use crate::world::{World, claim, job};

const WORKERS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_before_a_locked_gate_leave_each_other_a_connection() {
    let world = World::pooler().await;
    let bounds = Bounds { concurrency: Some(4), rate: None };
    let limit = Limited {
        name: "task:a[key]".to_owned(),
        task: Some("a".to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds,
    };
    let declared = Declared { tasks: vec!["a".to_owned()], limits: vec![limit], ..Declared::default() };
    let first = world.session(&["a"]).await.unwrap();
    first.declare(declared).await.unwrap();
    let gated = || NewJob { limit_keys: vec!["task:a[key]=1".to_owned()], ..job("a") };
    world.put_one(gated()).await.unwrap();
    assert_eq!(claim(&first, &["a"], 1).await.unwrap().len(), 1);
    world.put((0..2 * WORKERS).map(|_| gated()).collect()).await.unwrap();
    let mut frozen = world.hearing.pool().unwrap().begin().await.unwrap();
    sqlx::query("select from pgq.gate for update").execute(&mut *frozen).await.unwrap();
    let mut claims = Vec::new();
    for _ in 0..WORKERS {
        let session = world.session(&["a"]).await.unwrap();
        claims.push(tokio::spawn(async move { claim(&session, &["a"], 1).await.unwrap() }));
    }
    for claim in claims {
        let won =
            tokio::time::timeout(Duration::from_secs(20), claim).await.expect("nobody waits for the gate for long");
        assert!(won.unwrap().is_empty());
    }
    frozen.rollback().await.unwrap();
}
