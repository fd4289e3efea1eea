//! The rate of a limit with a key changes: what a value lacks is counted in starts, whoever changes it, and whenever somebody looks.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Claimed, Declared, Limited, Rate, Session, Transition};
use pgq::{Allow, BoxError, LimitRef, Result};

use crate::world::{World, claim, end};

const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

#[pgq::task(limit(rps = 10, burst = 2, key = "host"))]
async fn crawl(host: String, page: u32) -> std::result::Result<(), BoxError> {
    let _ = (host, page);
    Ok(())
}

fn limit() -> LimitRef {
    LimitRef::of::<crawl>().key("host")
}

fn every(interval: Duration, burst: u32) -> Allow {
    Allow::everything().starts(1.0, interval).burst(burst)
}

/// A worker of a version that declares so many starts.
async fn version(world: &World, interval: Duration, burst: u32) -> Result<Arc<dyn Session>> {
    let session = world.session(&["crawl"]).await?;
    let (name, task) = ("task:crawl[host]".to_owned(), Some("crawl".to_owned()));
    let bounds = Bounds { concurrency: None, rate: Rate::every(interval, burst) };
    let limits = vec![Limited { name, task, sharers: Vec::new(), keyed: true, bounds }];
    session.declare(Declared { tasks: vec!["crawl".to_owned()], schedules: Vec::new(), limits }).await?;
    Ok(session)
}

async fn ten_a_second(world: &World, jobs: u32) -> Result<Arc<dyn Session>> {
    let pages = (0..jobs).map(|page| CrawlArgs { host: "h".to_owned(), page });
    crawl::enqueue_many(&world.client, pages).await?;
    version(world, MILLI * 100, 2).await
}

/// Starts what may be started.
async fn start(session: &Arc<dyn Session>) -> Result<Vec<Claimed>> {
    let mut all = Vec::new();
    loop {
        session.promote(99).await?;
        match claim(session, &["crawl"], 9).await? {
            none if none.is_empty() => return Ok(all),
            some => all.extend(some),
        }
    }
}

async fn starts(session: &Arc<dyn Session>) -> Result<usize> {
    Ok(start(session).await?.len())
}

async fn snooze(session: &Arc<dyn Session>, won: &[Claimed]) -> Result<()> {
    for job in won {
        end(session, job, Transition::Snooze { after: HOUR * 99 }).await?;
    }
    Ok(())
}

async fn release(session: &Arc<dyn Session>, won: &[Claimed]) -> Result<()> {
    for job in won {
        end(session, job, Transition::Release).await?;
    }
    Ok(())
}

/// Of two starts one is forgotten when so many more are allowed at once, and one comes in each half second from then on.
async fn assert_one_lacks_of_eight(world: &World, session: &Arc<dyn Session>) -> Result<()> {
    assert_eq!(starts(session).await?, 7, "one of the two before lacks");
    world.clock.advance(MILLI * 499);
    assert_eq!(starts(session).await?, 0);
    world.clock.advance(MILLI);
    assert_eq!(starts(session).await?, 1);
    Ok(())
}

/// Half an hour at a start an hour leaves half a one to wait for, by the ten a second that are declared.
async fn assert_half_a_one_comes_in(world: &World, session: &Arc<dyn Session>) -> Result<()> {
    world.clock.advance(HOUR / 2);
    world.client.clear_limit(limit()).await?;
    assert_eq!(starts(session).await?, 0, "half a one came in");
    world.clock.advance(MILLI * 50);
    assert_eq!(starts(session).await?, 1);
    Ok(())
}

pub(crate) async fn what_a_value_lacks_is_kept_where_an_operator_changes_its_rate(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    assert_eq!(starts(&session).await?, 2);
    world.clock.advance(MILLI * 100);
    world.client.set_limit(limit(), every(MILLI * 500, 8)).await?;
    assert_one_lacks_of_eight(&world, &session).await?;
    world.client.clear_limit(limit()).await?;
    assert_eq!(starts(&session).await?, 0);
    world.clock.advance(MILLI * 100);
    assert_eq!(starts(&session).await?, 1, "its bucket is empty at worst");
    Ok(())
}

pub(crate) async fn what_a_value_lacks_is_kept_where_another_version_declares_its_rate(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    assert_eq!(starts(&session).await?, 2);
    world.clock.advance(MILLI * 100);
    version(&world, MILLI * 500, 8).await?;
    assert_one_lacks_of_eight(&world, &session).await
}

pub(crate) async fn what_a_value_lacks_is_kept_where_it_is_given_a_rate_of_its_own(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    let value = || limit().value("h");
    assert_eq!(starts(&session).await?, 2);
    world.clock.advance(MILLI * 100);
    world.client.set_limit(value(), every(MILLI * 500, 8)).await?;
    assert_one_lacks_of_eight(&world, &session).await?;
    world.client.set_limit(value(), every(HOUR, 10)).await?;
    assert_eq!(starts(&session).await?, 2, "eight lack");
    world.client.clear_limit(value()).await?;
    assert_eq!(starts(&session).await?, 0);
    world.clock.advance(MILLI * 300);
    assert_eq!(starts(&session).await?, 2, "its bucket was empty at worst");
    Ok(())
}

pub(crate) async fn what_a_value_lacks_is_counted_once_where_its_own_rate_goes_while_its_limit_has_none(
    world: World,
) -> Result<()> {
    crawl::enqueue_many(&world.client, (0..40).map(|page| CrawlArgs { host: "h".to_owned(), page })).await?;
    let session = version(&world, HOUR, 2).await?;
    let value = || limit().value("h");
    assert_eq!(starts(&session).await?, 2);
    world.client.set_limit(limit(), every(MILLI * 100, 2)).await?;
    world.client.set_limit(value(), every(MILLI * 100, 9)).await?;
    world.client.set_limit(limit(), Allow::everything()).await?;
    world.client.clear_limit(value()).await?;
    world.client.set_limit(limit(), every(MILLI * 100, 2)).await?;
    assert_eq!(starts(&session).await?, 0, "both lack");
    world.clock.advance(MILLI * 100);
    assert_eq!(starts(&session).await?, 1);
    Ok(())
}

pub(crate) async fn what_a_value_lacks_is_kept_while_nobody_looks(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    assert_eq!(starts(&session).await?, 2);
    world.client.set_limit(limit(), every(HOUR, 2)).await?;
    assert_half_a_one_comes_in(&world, &session).await
}

pub(crate) async fn what_a_value_lacks_is_kept_through_the_changes_since_its_limit_is_back(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    assert_eq!(starts(&session).await?, 2);
    world.client.set_limit(limit(), every(HOUR, 2)).await?;
    world.client.clear_limit(limit()).await?;
    assert_eq!(starts(&session).await?, 0);
    let without = world.session(&["crawl"]).await?;
    let tasks = vec!["crawl".to_owned()];
    without.declare(Declared { tasks, schedules: Vec::new(), limits: Vec::new() }).await?;
    assert_eq!(world.client.limits().await?.len(), 0);
    // It was counted by the third of its rates then, and that isn't the third of these.
    version(&world, MILLI * 50, 2).await?;
    for hours in [1, 2, 1] {
        world.client.set_limit(limit(), every(HOUR * hours, 2)).await?;
    }
    world.clock.advance(HOUR - MILLI);
    assert_eq!(starts(&session).await?, 0, "both lack");
    world.clock.advance(MILLI);
    assert_eq!(starts(&session).await?, 1);
    Ok(())
}

pub(crate) async fn what_a_value_lacks_is_kept_through_many_changes(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    assert_eq!(starts(&session).await?, 2);
    for hours in 1..=40 {
        world.client.set_limit(limit(), every(HOUR * hours, 2)).await?;
        assert_eq!(starts(&session).await?, 0);
    }
    world.client.set_limit(limit(), every(HOUR, 2)).await?;
    assert_half_a_one_comes_in(&world, &session).await
}

pub(crate) async fn a_burst_that_is_lowered_and_raised_again_is_there_once(world: World) -> Result<()> {
    let session = ten_a_second(&world, 40).await?;
    world.client.set_limit(limit(), every(HOUR, 10)).await?;
    assert_eq!(starts(&session).await?, 10);
    world.client.set_limit(limit(), every(HOUR, 5)).await?;
    assert_eq!(starts(&session).await?, 0);
    world.client.set_limit(limit(), every(HOUR, 10)).await?;
    assert_eq!(starts(&session).await?, 0);
    world.clock.advance(HOUR);
    assert_eq!(starts(&session).await?, 1);
    Ok(())
}

pub(crate) async fn values_that_lack_something_by_another_rate_keep_no_others_from_being_forgotten(
    world: World,
) -> Result<()> {
    let of = |host: &str| CrawlArgs { host: host.to_owned(), page: 1 };
    crawl::enqueue_many(&world.client, ["a", "b", "c"].into_iter().flat_map(|host| [of(host), of(host)])).await?;
    let session = version(&world, MILLI * 100, 2).await?;
    snooze(&session, &start(&session).await?).await?;
    world.client.set_limit(limit(), every(HOUR * 3, 2)).await?;
    world.clock.advance(MILLI);
    crawl::enqueue(&world.client, of("z")).await?;
    snooze(&session, &start(&session).await?).await?;
    world.clock.advance(HOUR * 4);
    let mut gone = 0;
    loop {
        let pruned = session.prune(2).await?;
        gone += pruned.rows;
        if !pruned.more {
            break;
        }
    }
    assert_eq!(gone, 1, "the last one is at rest");
    Ok(())
}

pub(crate) async fn a_value_that_lacks_something_by_another_rate_is_not_forgotten(world: World) -> Result<()> {
    let session = ten_a_second(&world, 2).await?;
    let won = start(&session).await?;
    world.client.set_limit(limit(), every(HOUR * 3, 2)).await?;
    release(&session, &won).await?;
    world.clock.advance(HOUR);
    assert_eq!(session.prune(9).await?.rows, 0);
    assert_eq!(starts(&session).await?, 0);
    world.clock.advance(HOUR * 2);
    let won = start(&session).await?;
    assert_eq!(won.len(), 1);
    release(&session, &won).await?;
    for span in [HOUR * 6, MILLI * 1000] {
        world.clock.advance(span);
        session.promote(9).await?;
    }
    assert_eq!(session.prune(9).await?.rows, 1);
    assert_eq!(starts(&session).await?, 2);
    Ok(())
}
