//! How the units of limits go round among workers that have something to do, and stay with none that can't use them.

use std::time::Duration;

use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, JobBuilder, LimitRef, LimitShare, Result, Task, Tasks, Worker};

use super::limits::Door;
use crate::world::{SECOND, World, start};

/// Longer than a unit for which others wait stays where it is.
const TURN: Duration = Duration::from_millis(25);

#[pgq::task(concurrency = 2)]
async fn hoist(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 10)]
async fn drum(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 1, limit(name = "crane", concurrency = 3))]
async fn lift(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 1, limit(name = "crane", concurrency = 3))]
async fn lower(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "crane", concurrency = 3))]
async fn swing(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 2, rps = 1, per = "2m")]
async fn chime(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(priority = 10)]
async fn dash(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 2)]
async fn trawl(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 1)]
async fn tug(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "gale", rps = 1))]
async fn gust(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 1, limit(name = "gale", rps = 1))]
async fn reef(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

/// Lets all of them work for so many turns; how many attempts each ran.
async fn work(world: &World, workers: &mut [Stepper], turns: u32) -> Result<Vec<usize>> {
    let mut ran = vec![0; workers.len()];
    for _ in 0..turns {
        for (worker, ran) in workers.iter_mut().zip(&mut ran) {
            worker.share().await?;
            // What it lacks first may be one limit's, and then another's.
            *ran += worker.start().await? + worker.start().await?;
            worker.settle().await?;
        }
        world.clock.advance(TURN);
    }
    Ok(ran)
}

pub(crate) async fn each_of_more_workers_than_units_has_its_turn(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9_999);
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(world.worker(pgq::tasks![hoist], door.clone()).await?);
    }
    hoist::enqueue_many(&world.client, 0..5_000).await?;
    let ran = work(&world, &mut workers, 60).await?;
    let total: usize = ran.iter().sum();
    assert!(ran.iter().all(|ran| ran * 6 >= total), "{ran:?}");
    Ok(())
}

pub(crate) async fn a_rate_that_is_raised_is_used_up_by_a_worker_that_is_alone(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9_999);
    let mut workers = [world.worker(pgq::tasks![drum], door.clone()).await?];
    drum::enqueue_many(&world.client, 0..2_000).await?;
    work(&world, &mut workers, 40).await?;
    for (rate, burst, least) in [(40.0, 40, 390), (20.0, 1, 190), (20.0, 20, 190)] {
        world.client.set_limit(LimitRef::of::<drum>(), Allow::everything().starts(rate, SECOND).burst(burst)).await?;
        let ran = work(&world, &mut workers, 400).await?;
        assert!(ran[0] >= least, "{ran:?} in ten seconds at {rate} a second");
    }
    world.client.clear_limit(LimitRef::of::<drum>()).await?;
    let ran = work(&world, &mut workers, 400).await?;
    assert!((95..=115).contains(&ran[0]), "{ran:?} in ten seconds as it is declared");
    Ok(())
}

/// By the next look of the one who waits there is what there was before.
pub(crate) async fn who_waits_for_a_rate_asks_again_where_it_was_lifted_for_a_moment(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9_999);
    let mut holder = world.worker(pgq::tasks![drum], door.clone()).await?;
    let mut waiting = [world.worker(pgq::tasks![drum], door.clone()).await?];
    drum::enqueue_many(&world.client, 0..99).await?;
    assert_eq!((start(&mut holder).await?, start(&mut waiting[0]).await?), (10, 0));
    world.client.set_limit(LimitRef::of::<drum>(), Allow::at_once(5)).await?;
    world.client.clear_limit(LimitRef::of::<drum>()).await?;
    waiting[0].share().await?;
    holder.settle().await?;
    holder.leave().await?;
    let ran = work(&world, &mut waiting, 40).await?;
    assert!((5..=10).contains(&ran[0]), "{ran:?} in the first second of ten starts a second");
    Ok(())
}

/// Each of them ends one attempt after the other, and could begin another.
async fn a_lower_bound_is_come_down_to(world: &World, run: [u32; 4], lower: u32) -> Result<()> {
    let (mut workers, doors) = (Vec::new(), [0; 4].map(|_| Door::new()));
    for door in &doors {
        workers.push(world.worker(pgq::tasks![hoist], door.clone()).await?);
    }
    world.client.set_limit(LimitRef::of::<hoist>(), Allow::everything()).await?;
    for (worker, count) in workers.iter_mut().zip(run) {
        hoist::enqueue_many(&world.client, 0..count).await?;
        assert_eq!(start(worker).await?, count as usize);
    }
    hoist::enqueue_many(&world.client, 0..99).await?;
    world.client.set_limit(LimitRef::of::<hoist>(), Allow::at_once(lower)).await?;
    for worker in &mut workers {
        worker.share().await?;
    }
    let all = || doors.iter().map(Door::inside).sum::<usize>();
    let (mut began, mut turns) = (0, 0);
    while began < 20 {
        for (worker, door) in workers.iter_mut().zip(&doors).rev() {
            if door.inside() > 0 {
                let inside = door.inside();
                door.open(1);
                while door.inside() == inside {
                    tokio::task::yield_now().await;
                }
                tokio::task::yield_now().await;
            }
            let more = start(worker).await?;
            assert!(more == 0 || all() <= lower as usize, "{more} began where {lower} may run, and {} do", all());
            began += more;
        }
        world.clock.advance(TURN);
        turns += 1;
        assert!(turns < 200, "{began} began");
    }
    world.client.clear_limit(LimitRef::of::<hoist>()).await?;
    for (mut worker, door) in workers.into_iter().zip(doors) {
        door.open(999);
        worker.drain().await?;
        worker.settle().await?;
        worker.leave().await?;
    }
    Ok(())
}

pub(crate) async fn nothing_starts_while_more_run_than_may_since_a_bound_was_lowered(world: World) -> Result<()> {
    a_lower_bound_is_come_down_to(&world, [1, 1, 1, 1], 1).await?;
    a_lower_bound_is_come_down_to(&world, [3, 1, 1, 1], 4).await?;
    a_lower_bound_is_come_down_to(&world, [5, 1, 0, 0], 3).await
}

/// Beside workers of a task that shares a limit with `swing`, and has something else against it.
async fn beside(world: &World, held_up: &mut [Stepper]) -> Result<()> {
    // One of them runs an attempt: what it lacks first is one limit's, and then another's.
    let mut run = 0;
    for _ in 0..3 {
        run += work_on(world, &mut held_up[..1]).await?;
    }
    assert_eq!(run, 1);
    work_on(world, held_up).await?;
    let mut swinging = world.worker(pgq::tasks![swing], Door::new()).await?;
    swing::enqueue_many(&world.client, 0..9).await?;
    let mut began = 0;
    for _ in 0..36 {
        swinging.share().await?;
        began += start(&mut swinging).await?;
        work_on(world, held_up).await?;
    }
    assert_eq!(began, 2, "one of the three is in use");
    Ok(())
}

/// Lets them work for a turn, and waits for none of what they start; how much that is.
async fn work_on(world: &World, workers: &mut [Stepper]) -> Result<usize> {
    let mut began = 0;
    for worker in workers {
        worker.share().await?;
        began += start(worker).await?;
    }
    world.clock.advance(TURN);
    Ok(began)
}

pub(crate) async fn who_waits_for_a_rate_has_nothing_of_a_limit_that_others_wait_for(world: World) -> Result<()> {
    let mut held_up = Vec::new();
    for _ in 0..4 {
        held_up.push(world.worker(pgq::tasks![lift], Door::new()).await?);
    }
    lift::enqueue_many(&world.client, 0..9).await?;
    beside(&world, &mut held_up).await
}

pub(crate) async fn who_waits_for_an_attempt_to_end_has_nothing_of_a_limit_that_others_wait_for(
    world: World,
) -> Result<()> {
    let mut held_up = Vec::new();
    for _ in 0..4 {
        held_up.push(world.worker(pgq::tasks![lower], Door::new()).await?);
    }
    lower::enqueue_many(&world.client, 0..9).await?;
    beside(&world, &mut held_up).await
}

/// One that jobs of a higher priority keep busy, and one that has nothing else to do; how many attempts the second one ran in so many
/// turns.
async fn beside_a_busy_one<T: Task<Args = u32>>(
    world: &World,
    both: Tasks<Door>,
    one: Tasks<Door>,
    turns: u32,
) -> Result<usize> {
    let door = Door::new();
    door.open(9_999);
    let builder = Worker::builder().client(world.client.clone()).tasks(both);
    let mut busy = builder.resources(door.clone()).slots(2).stepper().await?;
    let jobs = (0..999).map(|number| JobBuilder::<T>::new(number).into());
    pgq::enqueue_many(&world.client, jobs).await?;
    assert!(busy.start().await? > 0, "it has what there is");
    busy.settle().await?;
    dash::enqueue_many(&world.client, 0..2 * turns).await?;
    let (mut other, mut ran) = (world.worker(one, door).await?, 0);
    for _ in 0..turns {
        assert_eq!(busy.start().await?, 2, "of the higher priority");
        busy.settle().await?;
        ran += other.start().await?;
        other.settle().await?;
        world.clock.advance(TURN);
    }
    busy.leave().await?;
    other.leave().await?;
    Ok(ran)
}

pub(crate) async fn who_is_busy_with_jobs_of_higher_priority_leaves_a_limits_units_to_others(
    world: World,
) -> Result<()> {
    let ran = beside_a_busy_one::<trawl>(&world, pgq::tasks![dash, trawl], pgq::tasks![trawl], 30).await?;
    assert!(ran >= 50, "{ran} in 30 turns in which two may run");
    let ran = beside_a_busy_one::<tug>(&world, pgq::tasks![dash, tug], pgq::tasks![tug], 30).await?;
    assert!(ran >= 25, "{ran} in 30 turns in which one may run");
    Ok(())
}

/// Of the two tasks only one has jobs, and that one needs a unit of another limit too.
pub(crate) async fn a_shared_limits_units_stay_until_the_other_ones_have_come(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9_999);
    let mut workers = Vec::new();
    for _ in 0..5 {
        workers.push(world.worker(pgq::tasks![lower, swing], door.clone()).await?);
    }
    lower::enqueue_many(&world.client, 0..20).await?;
    let ran = work(&world, &mut workers, 40).await?;
    assert_eq!(ran.iter().sum::<usize>(), 20, "{ran:?}");
    Ok(())
}

/// Others wait for the first thing meanwhile, and its turn would have been over long ago.
pub(crate) async fn what_was_kept_for_something_else_lets_one_start_once_that_has_come(world: World) -> Result<()> {
    let door = Door::new();
    door.open(2);
    let mut other = world.worker(pgq::tasks![gust], door.clone()).await?;
    let mut has_place = world.worker(pgq::tasks![reef], door.clone()).await?;
    let mut has_none = world.worker(pgq::tasks![reef], door.clone()).await?;
    for _ in 0..2 {
        // All have to say of each limit that they run nothing of it.
        for worker in [&mut other, &mut has_place, &mut has_none] {
            worker.share().await?;
        }
    }
    gust::enqueue_many(&world.client, 0..1).await?;
    assert_eq!(start(&mut other).await? + start(&mut other).await?, 1);
    other.settle().await?;
    reef::enqueue_many(&world.client, 0..9).await?;
    for _ in 0..3 {
        assert_eq!(start(&mut has_place).await? + start(&mut has_none).await?, 0);
        world.clock.advance(TURN);
    }
    world.clock.advance(SECOND);
    // It gives back a token that has come meanwhile.
    other.leave().await?;
    assert_eq!(start(&mut has_place).await?, 1);
    Ok(())
}

pub(crate) async fn units_with_which_nothing_may_start_do_not_go_round(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9_999);
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(world.worker(pgq::tasks![chime], door.clone()).await?);
    }
    chime::enqueue_many(&world.client, 0..99).await?;
    assert_eq!(work(&world, &mut workers, 40).await?.iter().sum::<usize>(), 1);
    let shares = async || -> Result<Vec<LimitShare>> {
        let limits = world.client.limits().await?;
        Ok(limits.into_iter().filter(|limit| limit.name == "chime").flat_map(|limit| limit.shares).collect())
    };
    let (mut before, mut changes) = (shares().await?, 0);
    for _ in 0..200 {
        work(&world, &mut workers, 1).await?;
        let now = shares().await?;
        changes += u32::from(now != before);
        before = now;
    }
    assert!(changes <= 4, "{changes} changes in five seconds, in which a rate goes on once");
    Ok(())
}
