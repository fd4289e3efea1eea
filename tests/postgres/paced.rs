//! Ends of attempts behind gates with a rate.

use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, NewJob, Rate, Transition};
use pgq::sqlx;

use crate::world::{World, claim, end, ids, job};

const GATE: &str = "task:a[key]=1";
/// Between two tokens of its rate.
const SPAN: Duration = Duration::from_secs(4);

/// Who has locked the gate since it was written.
async fn locker(world: &World) -> String {
    let query = sqlx::query_scalar("select xmax::text from pgq.gate where name = $1").bind(GATE);
    query.fetch_one(world.client.pool().unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_end_locks_no_gate_that_is_looked_at_before_the_next_token_comes() {
    for concurrency in [None, Some(1)] {
        let world = World::postgres().await;
        let session = world.session(&["a"]).await.unwrap();
        let limit = Limited {
            name: "task:a[key]".to_owned(),
            task: Some("a".to_owned()),
            sharers: Vec::new(),
            keyed: true,
            bounds: Bounds { concurrency, rate: Rate::every(SPAN, 1) },
        };
        let declared = Declared { tasks: vec!["a".to_owned()], limits: vec![limit], ..Declared::default() };
        session.declare(declared).await.unwrap();
        let gated = || NewJob { limit_keys: vec![GATE.to_owned()], ..job("a") };
        let put = world.put(vec![gated(), gated(), gated()]).await.unwrap();
        let won = claim(&session, &["a"], 9).await.unwrap();
        assert_eq!(ids(&won), put[..1]);
        // Where it was full this one says when the next token comes.
        end(&session, &won[0], Transition::Complete).await.unwrap();
        world.clock.advance(SPAN);
        session.promote(9).await.unwrap();
        let won = claim(&session, &["a"], 9).await.unwrap();
        assert_eq!(ids(&won), put[1..2]);
        let before = locker(&world).await;
        end(&session, &won[0], Transition::Complete).await.unwrap();
        assert_eq!(locker(&world).await, before, "of {concurrency:?} at once");
        for _ in 0..2 {
            world.clock.advance(SPAN / 2);
            session.promote(9).await.unwrap();
        }
        assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[2..], "of {concurrency:?} at once");
    }
}
