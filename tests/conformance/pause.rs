//! Pausing: nothing moves, and nothing is claimed.

use std::time::Duration;

use pgq::{Pausable, Result, State};

use crate::world::{World, claim, claim_of, ids, in_queue, job, notice, want};

const MINUTE: Duration = Duration::from_mins(1);

fn queue(name: &str) -> Pausable {
    Pausable::Queue(name.to_owned())
}

fn task(name: &str) -> Pausable {
    Pausable::Task(name.to_owned())
}

pub(crate) async fn nothing_of_a_paused_queue_is_claimed(world: World) -> Result<()> {
    let wants = || vec![want("default", "a", 9), want("mail", "a", 9)];
    let session = world.session_for(wants()).await?;
    let paused = world.put_one(in_queue("a", "mail")).await?;
    let other = world.put_one(job("a")).await?;
    world.client.pause(queue("mail"), "the provider is down", None).await?;
    assert_eq!(ids(&claim_of(&session, wants(), 9).await?), [other]);
    assert_eq!(world.state(paused).await?, State::Available, "it stays where it is");
    assert!(world.client.resume(queue("mail")).await?);
    assert_eq!(ids(&claim_of(&session, wants(), 9).await?), [paused]);
    assert!(!world.client.resume(queue("mail")).await?, "it isn't paused");
    Ok(())
}

pub(crate) async fn nothing_of_a_paused_task_is_claimed(world: World) -> Result<()> {
    let session = world.session(&["a", "b"]).await?;
    let put = world.put(vec![job("a"), job("b")]).await?;
    world.client.pause(task("a"), "", None).await?;
    world.client.pause(queue("a"), "a queue of the same name is another thing", None).await?;
    assert_eq!(ids(&claim(&session, &["a", "b"], 9).await?), [put[1]]);
    world.client.resume(task("a")).await?;
    assert_eq!(ids(&claim(&session, &["a", "b"], 9).await?), [put[0]]);
    Ok(())
}

pub(crate) async fn a_pause_ends_by_itself(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(job("a")).await?;
    world.client.pause(queue("default"), "lunch", Some(MINUTE)).await?;
    let pauses = world.client.pauses().await?;
    assert_eq!((&pauses[0].what, &*pauses[0].reason), (&queue("default"), "lunch"));
    assert_eq!(pauses[0].until, Some(world.clock.now().saturating_add(MINUTE)));
    assert_eq!(claim(&session, &["a"], 1).await?, []);
    world.clock.advance(MINUTE);
    assert_eq!(ids(&claim(&session, &["a"], 1).await?), [id]);
    for (what, span) in [(queue("bad name!"), None), (queue(""), None), (queue("mail"), Some(Duration::ZERO))] {
        let error = world.client.pause(what, "why", span).await.unwrap_err();
        assert!(error.is_invalid(), "{error}");
    }
    assert_eq!(world.client.pauses().await?, []);
    Ok(())
}

pub(crate) async fn a_second_pause_takes_the_place_of_the_first(world: World) -> Result<()> {
    let start = world.clock.now();
    world.client.pause(queue("mail"), "lunch", Some(MINUTE)).await?;
    world.clock.advance(MINUTE / 2);
    world.client.pause(queue("mail"), "a long lunch", None).await?;
    let pauses = world.client.pauses().await?;
    assert_eq!((pauses.len(), &*pauses[0].reason, pauses[0].until), (1, "a long lunch", None));
    assert_eq!(pauses[0].since, start);
    world.client.pause(queue("mail"), "", Some(MINUTE)).await?;
    world.clock.advance(2 * MINUTE);
    world.client.pause(queue("mail"), "", None).await?;
    assert_eq!(world.client.pauses().await?[0].since, world.clock.now(), "the first one had ended");
    Ok(())
}

pub(crate) async fn resuming_wakes_a_sleeper(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    world.put_one(job("a")).await?;
    world.client.pause(task("a"), "", None).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(Duration::from_mins(5))).await?;
    world.client.resume(task("a")).await?;
    assert!(notice(&mut pulse).await.work);
    Ok(())
}

pub(crate) async fn an_odd_reason_is_refused(world: World) -> Result<()> {
    for reason in ["a\0b", &"x".repeat(1_001)] {
        let error = world.client.pause(queue("mail"), reason, None).await.unwrap_err();
        assert!(error.is_invalid(), "{error}");
    }
    assert_eq!(world.client.pauses().await?, []);
    Ok(())
}
