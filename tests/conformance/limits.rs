//! What tasks declare of how many attempts run at once, and how many start in how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, LimitRef, Result};
use tokio::sync::Semaphore;

use crate::world::{SECOND, SPAN, World, start};

/// A door that attempts wait at, and how many do.
#[derive(Clone, pgq::Provide)]
pub(crate) struct Door {
    door: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl pgq::Resources for Door {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Door {
    pub(crate) fn new() -> Self {
        Self { door: Arc::new(Semaphore::new(0)), inside: Arc::default() }
    }

    pub(crate) async fn pass(&self) -> std::result::Result<(), BoxError> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let passed = self.door.acquire().await?;
        passed.forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self, count: usize) {
        self.door.add_permits(count);
    }
}

#[pgq::task(concurrency = 3)]
async fn narrow(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task]
async fn wide(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(per_worker = 2)]
async fn local(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "press", concurrency = 2))]
async fn print(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "press", concurrency = 2), concurrency = 5)]
async fn bind(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 2)]
async fn paced(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 1)]
async fn slow(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 3, burst = 1)]
async fn spaced(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 1, per = "12s")]
async fn rare(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

async fn worker(world: &World, door: &Door) -> Result<Stepper> {
    world.worker(pgq::tasks![narrow, wide, local, print, bind, paced, slow, spaced, rare], door.clone()).await
}

pub(crate) async fn no_more_attempts_of_a_task_run_at_once_than_it_allows(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    narrow::enqueue_many(&world.client, 0..7).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?, door.inside()), (3, 0, 3));
    door.open(7);
    one.settle().await?;
    assert_eq!((one.drain().await?, two.drain().await?), (4, 0));
    Ok(())
}

pub(crate) async fn workers_that_starve_are_given_their_part(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    narrow::enqueue_many(&world.client, 0..30).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (3, 0));
    door.open(3);
    one.settle().await?;
    assert_eq!(start(&mut one).await?, 1, "one of three is the even part of two");
    assert_eq!(start(&mut two).await?, 2);
    assert_eq!(door.inside(), 3);
    Ok(())
}

pub(crate) async fn what_is_limited_holds_up_nothing_else(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    narrow::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(start(&mut worker).await?, 3);
    wide::enqueue_many(&world.client, [(), ()]).await?;
    assert_eq!(start(&mut worker).await?, 2);
    Ok(())
}

pub(crate) async fn one_worker_runs_no_more_of_a_task_than_a_worker_may(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    local::enqueue_many(&world.client, [(); 5]).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (2, 2));
    door.open(4);
    one.settle().await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (1, 0));
    Ok(())
}

pub(crate) async fn tasks_that_name_one_limit_share_it(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    print::enqueue_many(&world.client, [(); 3]).await?;
    bind::enqueue_many(&world.client, [(); 3]).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (2, 0));
    door.open(6);
    one.settle().await?;
    assert_eq!(one.drain().await? + two.drain().await?, 4);
    Ok(())
}

pub(crate) async fn what_a_worker_runs_counts_until_it_is_gone(world: World) -> Result<()> {
    let door = Door::new();
    let (mut dead, mut live) = (worker(&world, &door).await?, worker(&world, &door).await?);
    narrow::enqueue_many(&world.client, 0..5).await?;
    assert_eq!((start(&mut dead).await?, start(&mut live).await?), (3, 0));
    world.clock.advance(SPAN + SECOND);
    live.beat().await?;
    assert_eq!(start(&mut live).await?, 0);
    live.rescue().await?;
    assert_eq!(start(&mut live).await?, 3);
    Ok(())
}

pub(crate) async fn what_a_worker_does_not_use_goes_back_within_a_second(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    narrow::enqueue(&world.client, 1).await?;
    assert_eq!(start(&mut one).await?, 1);
    door.open(1);
    one.settle().await?;
    world.clock.advance(SECOND);
    one.share().await?;
    narrow::enqueue_many(&world.client, 0..3).await?;
    assert_eq!(start(&mut two).await?, 3);
    Ok(())
}

pub(crate) async fn a_rate_lets_its_burst_start_and_then_one_at_a_time(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    paced::enqueue_many(&world.client, [(); 9]).await?;
    assert_eq!(worker.drain().await?, 2);
    world.clock.advance(SECOND / 2 - Duration::from_millis(1));
    assert_eq!(worker.drain().await?, 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(worker.drain().await?, 1);
    world.clock.advance(SECOND * 10);
    assert_eq!(worker.drain().await?, 2, "no more are saved up than its burst");
    Ok(())
}

pub(crate) async fn workers_keep_a_rate_together(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    door.open(99);
    paced::enqueue_many(&world.client, [(); 50]).await?;
    let mut started = 0;
    for _ in 0..100 {
        started += one.drain().await? + two.drain().await?;
        world.clock.advance(SECOND / 10);
    }
    assert!((19..=22).contains(&started), "{started} in ten seconds");
    Ok(())
}

pub(crate) async fn a_rate_that_is_used_up_stays_for_a_while_and_then_goes_round(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    door.open(99);
    slow::enqueue_many(&world.client, [(); 50]).await?;
    let (mut first, mut second) = (vec![], vec![]);
    for _ in 0..12 {
        first.push(one.drain().await?);
        second.push(two.drain().await?);
        world.clock.advance(SECOND);
    }
    assert_eq!((&first[..4], &second[..4]), (&[1; 4][..], &[0; 4][..]));
    let (first, second): (usize, usize) = (first.iter().sum(), second.iter().sum());
    // Where it goes round from the one who has looked last to the one who has looked first, that is seen with the next look.
    assert!((11..=12).contains(&(first + second)) && second >= 4, "{first} and {second}");
    Ok(())
}

pub(crate) async fn a_rate_that_was_lifted_for_a_while_is_kept_again(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let limit = LimitRef::of::<paced>();
    paced::enqueue_many(&world.client, [(); 20]).await?;
    assert_eq!(worker.drain().await?, 2);
    world.client.set_limit(limit.clone(), Allow::everything()).await?;
    assert_eq!(worker.drain().await?, 18);
    world.client.clear_limit(limit).await?;
    paced::enqueue_many(&world.client, [(); 9]).await?;
    let mut started = 0;
    for _ in 0..20 {
        started += worker.drain().await?;
        world.clock.advance(SECOND / 10);
    }
    assert!((3..=6).contains(&started), "{started} in two seconds");
    Ok(())
}

pub(crate) async fn who_moves_the_clock_on_meets_each_token_of_a_rate(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    spaced::enqueue_many(&world.client, [(); 40]).await?;
    slow::enqueue_many(&world.client, [(); 40]).await?;
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(worker.advance(SECOND * 5).await?, 14 + 5, "a microsecond short of the fifteenth");
    Ok(())
}

pub(crate) async fn who_moves_the_clock_on_gives_back_what_is_not_used(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    door.open(99);
    narrow::enqueue(&world.client, 0).await?;
    slow::enqueue(&world.client, ()).await?;
    assert_eq!(one.drain().await?, 2);
    assert_eq!(one.advance(SECOND * 3).await?, 0);
    narrow::enqueue_many(&world.client, 0..3).await?;
    slow::enqueue(&world.client, ()).await?;
    assert_eq!(start(&mut two).await?, 4);
    two.settle().await
}

pub(crate) async fn a_slow_rate_goes_on_filling_while_workers_come_and_go(world: World) -> Result<()> {
    let door = Door::new();
    door.open(99);
    rare::enqueue_many(&world.client, [(); 9]).await?;
    let mut started = Vec::new();
    for _ in 0..12 {
        let mut worker = worker(&world, &door).await?;
        started.push(worker.drain().await? + worker.advance(SECOND * 5).await?);
        worker.leave().await?;
    }
    let total: usize = started.iter().sum();
    assert!((5..=6).contains(&total), "one at the beginning and one each 12 seconds of 60, not {started:?}");
    Ok(())
}

pub(crate) async fn what_a_rate_has_for_who_leaves_goes_on_to_others(world: World) -> Result<()> {
    let door = Door::new();
    door.open(99);
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    rare::enqueue_many(&world.client, [(); 2]).await?;
    assert_eq!((one.drain().await?, two.drain().await?), (1, 0));
    world.clock.advance(SECOND * 6);
    one.leave().await?;
    two.leave().await?;
    let mut next = worker(&world, &door).await?;
    assert_eq!(next.drain().await?, 0);
    assert_eq!(next.advance(SECOND * 6 + Duration::from_millis(1)).await?, 1, "two was given a unit and hadn't heard");
    Ok(())
}
