//! Jobs that wait for their time.

use std::time::Duration;

use pgq::backend::{NewJob, Promoted, When};
use pgq::{Result, State, Timestamp};

use crate::world::{World, after, claim, ids, job};

const MINUTE: Duration = Duration::from_mins(1);

pub(crate) async fn a_deferred_job_waits_for_its_time(world: World) -> Result<()> {
    let id = world.put_one(after("a", MINUTE)).await?;
    let session = world.session(&["a"]).await?;
    world.clock.advance(MINUTE - Duration::from_micros(1));
    assert_eq!(session.promote(10).await?.moved, 0);
    assert!(claim(&session, &["a"], 1).await?.is_empty());
    assert_eq!(world.state(id).await?, State::Scheduled);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(world.state(id).await?, State::Available, "a reader can't tell due from promoted");
    assert_eq!(session.promote(10).await?.moved, 1);
    assert_eq!(ids(&claim(&session, &["a"], 1).await?), [id]);
    Ok(())
}

pub(crate) async fn promotion_tells_how_long_until_the_next(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    assert_eq!(session.promote(10).await?, Promoted { moved: 0, next: None, ..Promoted::default() });
    world.put(vec![after("a", MINUTE), after("b", MINUTE * 3)]).await?;
    assert_eq!(session.promote(10).await?, Promoted { moved: 0, next: Some(MINUTE), ..Promoted::default() });
    world.clock.advance(MINUTE);
    assert_eq!(session.promote(10).await?, Promoted { moved: 1, next: Some(MINUTE * 2), ..Promoted::default() });
    Ok(())
}

pub(crate) async fn promotion_goes_in_bounded_steps(world: World) -> Result<()> {
    world.put((0..5).map(|_| after("a", MINUTE)).collect()).await?;
    world.clock.advance(MINUTE);
    let session = world.session(&["a"]).await?;
    let mut moved = Vec::new();
    for _ in 0..3 {
        moved.push(session.promote(2).await?.moved);
    }
    assert_eq!(moved, [2, 2, 1]);
    Ok(())
}

pub(crate) async fn an_instant_in_the_past_means_at_once(world: World) -> Result<()> {
    let past = Timestamp::EPOCH;
    let id = world.put_one(NewJob { when: When::At(past), ..job("a") }).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    assert_eq!((won[0].id, won[0].run_at), (id, past));
    Ok(())
}
