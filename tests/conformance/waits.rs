//! What a job waits for, as operators are told.

use pgq::backend::Declared;
use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, JobId, LimitRef, LimitWait, Measure, Pausable, Result, State, WaitsFor};

use super::limits::Door;
use super::shares::{slots, wish, worker as declaring};
use crate::world::{SECOND, SPAN, World, claim, claim_of, ids, in_queue, job, start, want};

#[pgq::task(concurrency = 2)]
async fn knock(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(concurrency = 1, key = "house"), limit(rps = 1, burst = 2, key = "street"))]
async fn ring(ctx: Context<Door>, house: String, street: String) -> std::result::Result<(), BoxError> {
    let _ = (house, street);
    ctx.pass().await
}

#[pgq::task(limit(name = "stairs", concurrency = 1))]
async fn climb(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(concurrency = 3, rps = 1, per = "1m")]
async fn toll(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "lift", concurrency = 2), concurrency = 5, rps = 1, burst = 2)]
async fn ascend(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "lift", concurrency = 2), aliases = ["go_down"])]
async fn descend(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(rps = 2, per = "1m", burst = 2)]
async fn ford(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

async fn worker(world: &World, door: &Door) -> Result<Stepper> {
    world.worker(pgq::tasks![knock, ring, climb, toll, ascend, descend], door.clone()).await
}

/// Starts what may be started of tasks with several limits, units of which a worker gets one after the other.
async fn start_all(worker: &mut Stepper) -> Result<usize> {
    let mut all = 0;
    for _ in 0..4 {
        all += start(worker).await?;
    }
    Ok(all)
}

/// Where a job runs.
async fn place(world: &World, id: JobId) -> Result<String> {
    match world.client.waits_for(id).await? {
        Some(WaitsFor::Running(Some(worker))) => Ok(worker),
        other => panic!("{other:?}"),
    }
}

fn jobs_of(limit: &LimitWait) -> Vec<JobId> {
    limit.jobs.iter().map(|running| running.id).collect()
}

/// The limit that a job waits for.
async fn limit(world: &World, id: JobId) -> Result<LimitWait> {
    match world.client.waits_for(id).await? {
        Some(WaitsFor::Limit(limit)) => Ok(limit),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_job_waits_for_its_time_and_then_for_a_worker(world: World) -> Result<()> {
    let job = climb::job(()).delay(SECOND).enqueue(&world.client).await?;
    let due = world.job(job.id()).await?.run_at;
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::Due(due)));
    world.clock.advance(SECOND);
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::NoWorker));
    assert_eq!(world.client.waits_for(JobId(i64::MAX)).await?, None);
    let mut worker = worker(&world, &Door::new()).await?;
    worker.share().await?;
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::Worker));
    world.clock.advance(SPAN + SECOND);
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::NoWorker), "it has fallen silent");
    Ok(())
}

pub(crate) async fn who_runs_or_has_finished_waits_for_nothing(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let job = climb::enqueue(&world.client, ()).await?;
    assert_eq!(start(&mut worker).await?, 1);
    let Some(WaitsFor::Running(Some(name))) = world.client.waits_for(job.id()).await? else { panic!("it runs") };
    assert!(name.contains(':'), "{name}");
    door.open(1);
    worker.settle().await?;
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::Finished(State::Completed)));
    Ok(())
}

pub(crate) async fn the_worker_of_a_job_that_is_gone_has_no_name(world: World) -> Result<()> {
    let door = Door::new();
    let (mut dead, live) = (worker(&world, &door).await?, world.session(&["knock"]).await?);
    let job = climb::enqueue(&world.client, ()).await?;
    assert_eq!(start(&mut dead).await?, 1);
    world.clock.advance(SPAN + SECOND);
    live.attend().await?.renew().await?;
    live.rescue(0).await?;
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::Running(None)));
    Ok(())
}

pub(crate) async fn a_job_of_a_paused_queue_or_task_waits_for_that(world: World) -> Result<()> {
    let job = climb::enqueue(&world.client, ()).await?;
    for what in [Pausable::Queue("default".to_owned()), Pausable::Task("climb".to_owned())] {
        world.client.pause(what.clone(), "wet paint", None).await?;
        let Some(WaitsFor::Resume(pause)) = world.client.waits_for(job.id()).await? else { panic!("it is paused") };
        assert_eq!((&pause.what, &*pause.reason), (&what, "wet paint"));
        world.client.resume(what).await?;
    }
    assert_eq!(world.client.waits_for(job.id()).await?, Some(WaitsFor::NoWorker));
    Ok(())
}

pub(crate) async fn a_job_waits_for_those_that_have_passed_its_gate(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let args = |house: &str| RingArgs { house: house.to_owned(), street: house.to_owned() };
    let jobs = ring::enqueue_many(&world.client, [args("seven"), args("seven")]).await?;
    assert_eq!(start(&mut worker).await?, 1);
    let waits = limit(&world, jobs[1].id()).await?;
    let (first, place) = (jobs[0].id(), place(&world, jobs[0].id()).await?);
    assert_eq!(waits.to_string(), format!("ring[house]=seven: 1 at once, 1 runs (job {first} on {place})"));
    assert_eq!((&*waits.limit, waits.value.as_deref()), ("ring[house]", Some("seven")));
    assert_eq!((waits.bounds.concurrency, waits.running, jobs_of(&waits)), (Some(1), 1, vec![first]));
    assert_eq!((waits.shares, waits.next), (vec![], None));
    Ok(())
}

pub(crate) async fn a_job_waits_while_others_are_let_through_its_gate_that_is_open(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let args = |house: &str| RingArgs { house: house.to_owned(), street: house.to_owned() };
    let jobs = ring::enqueue_many(&world.client, [args("nine"), args("nine"), args("nine")]).await?;
    assert_eq!(start(&mut worker).await?, 1);
    door.open(1);
    worker.settle().await?;
    let waits = limit(&world, jobs[2].id()).await?;
    assert_eq!(waits.to_string(), "ring[house]=nine: 1 at once; it has room, for those that come first");
    Ok(())
}

pub(crate) async fn what_a_worker_that_is_gone_has_of_a_limit_is_told(world: World) -> Result<()> {
    let door = Door::new();
    let (mut dead, live) = (worker(&world, &door).await?, world.session(&["knock"]).await?);
    let args = |street: &str| RingArgs { house: "eight".to_owned(), street: street.to_owned() };
    let jobs = ring::enqueue_many(&world.client, [args("elm"), args("oak")]).await?;
    let climbs = climb::enqueue_many(&world.client, [(), ()]).await?;
    assert_eq!(start(&mut dead).await?, 2);
    world.clock.advance(SPAN + SECOND);
    live.attend().await?.renew().await?;
    live.rescue(0).await?;
    for (what, held, waits) in
        [("ring[house]=eight", jobs[0].id(), jobs[1].id()), ("shared stairs", climbs[0].id(), climbs[1].id())]
    {
        let text = format!("{what}: 1 at once, 1 runs (job {held} on a worker that is gone)");
        assert_eq!(limit(&world, waits).await?.to_string(), text);
    }
    Ok(())
}

pub(crate) async fn a_job_waits_for_who_has_places_and_runs_nothing_in_them(world: World) -> Result<()> {
    let (first, _second) = (declaring(&world, &slots(2)).await?, declaring(&world, &slots(2)).await?);
    let jobs = world.put(vec![job("send"), job("send")]).await?;
    assert_eq!(wish(&first, 2).await?, 2);
    let free = "free places: with test:1, to be used or given back within seconds";
    assert_eq!(limit(&world, jobs[1]).await?.to_string(), format!("send: 2 at once; {free}"));
    assert_eq!(ids(&claim(&first, &["send"], 1).await?), jobs[..1]);
    let text = format!("send: 2 at once, 1 runs (job {} on test:1); {free}", jobs[0]);
    assert_eq!(limit(&world, jobs[1]).await?.to_string(), text);
    Ok(())
}

pub(crate) async fn a_job_waits_for_who_has_not_said_what_he_runs(world: World) -> Result<()> {
    let (limited, without) = (slots(1), Declared { limits: Vec::new(), ..slots(1) });
    let mute = declaring(&world, &without).await?;
    let new = declaring(&world, &limited).await?;
    let waiting = world.put_one(job("send")).await?;
    assert_eq!(wish(&new, 1).await?, 0);
    let waits = limit(&world, waiting).await?;
    assert_eq!(waits.to_string(), "send: 1 at once; nothing starts until it is known what runs on test:1");
    assert_eq!((waits.awaited, waits.shares.len()), (vec!["test:1".to_owned()], 1));
    world.clock.advance(SPAN);
    mute.attend().await?.renew().await?;
    new.attend().await?.renew().await?;
    assert_eq!(world.client.waits_for(waiting).await?, Some(WaitsFor::Worker), "he has been asked for long enough");
    Ok(())
}

pub(crate) async fn a_job_waits_for_the_next_start_of_its_gates_rate(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(9);
    let args = |house: u32| RingArgs { house: house.to_string(), street: "elm".to_owned() };
    let jobs = ring::enqueue_many(&world.client, (0..3).map(args)).await?;
    assert_eq!(worker.drain().await?, 2);
    let waits = limit(&world, jobs[2].id()).await?;
    assert_eq!((&*waits.limit, waits.value.as_deref(), waits.running), ("ring[street]", Some("elm"), 0));
    let next = waits.next.expect("it is known");
    assert_eq!(waits.to_string(), format!("ring[street]=elm: 1 start a second (burst 2), next at {next}"));
    world.clock.advance(SECOND);
    assert_eq!(next, world.job(jobs[0].id()).await?.run_at.saturating_add(SECOND));
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

pub(crate) async fn a_job_is_told_when_a_rate_lets_it_start_at_the_latest(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    // Less than what is told of each start.
    let apart = SECOND * 19 / 10;
    world.client.set_limit(LimitRef::of::<knock>(), Allow::everything().starts(1.0, apart).burst(1)).await?;
    // Nobody knows what started before it was set, so it begins with nothing.
    world.clock.advance(apart);
    let jobs = knock::enqueue_many(&world.client, 0..2).await?;
    assert_eq!(start(&mut worker).await?, 1);
    let began = world.job(jobs[0].id()).await?.run_at;
    assert_eq!(limit(&world, jobs[1].id()).await?.next, Some(began.saturating_add(apart)));
    world.clock.advance(SECOND);
    worker.share().await?;
    let waits = limit(&world, jobs[1].id()).await?;
    let next = began.saturating_add(apart + SECOND);
    assert_eq!(waits.next, Some(next));
    let on = format!("job {} on {}", jobs[0].id(), place(&world, jobs[0].id()).await?);
    assert_eq!(waits.to_string(), format!("knock: 1 start in 1.9s, 1 runs ({on}), next at {next} at the latest"));
    Ok(())
}

pub(crate) async fn when_a_slow_rate_lets_a_job_start_is_one_instant_whenever_it_is_asked(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9);
    let mut worker = worker(&world, &door).await?;
    let jobs = toll::enqueue_many(&world.client, [(), (), ()]).await?;
    assert_eq!(start_all(&mut worker).await?, 1);
    worker.settle().await?;
    let began = world.job(jobs[0].id()).await?.run_at;
    for _ in 0..4 {
        assert_eq!(limit(&world, jobs[1].id()).await?.next, Some(began.saturating_add(SECOND * 60)));
        world.clock.advance(SECOND * 15);
        worker.share().await?;
    }
    assert_eq!(start_all(&mut worker).await?, 1);
    world.clock.advance(SECOND * 7);
    assert_eq!(limit(&world, jobs[2].id()).await?.next, Some(began.saturating_add(SECOND * 120)));
    Ok(())
}

pub(crate) async fn of_several_workers_the_first_to_have_a_token_of_a_slow_rate_is_told(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9);
    let mut one = world.worker(pgq::tasks![ford], door.clone()).await?;
    let mut two = world.worker(pgq::tasks![ford], door.clone()).await?;
    let jobs = ford::enqueue_many(&world.client, 0..9).await?;
    let (last, begin) = (jobs[8].id(), world.job(jobs[8].id()).await?.run_at);
    let next = async |seconds: u32| -> Result<()> {
        assert_eq!(limit(&world, last).await?.next, Some(begin.saturating_add(SECOND * seconds)));
        Ok(())
    };
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (2, 0));
    next(30).await?;
    one.share().await?;
    two.share().await?;
    next(60).await?;
    world.clock.advance(SECOND * 60);
    assert_eq!(start(&mut one).await?, 1);
    world.clock.advance(SECOND * 10);
    assert_eq!(start(&mut two).await?, 1);
    next(120).await?;
    world.clock.advance(SECOND * 36);
    next(120).await?;
    two.beat().await?;
    two.rescue().await?;
    // At the latest, until it has said when with the unit that the other one had.
    next(136).await?;
    two.share().await?;
    next(118).await
}

pub(crate) async fn when_a_job_starts_under_another_slow_rate_is_told_by_that(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9);
    let mut worker = worker(&world, &door).await?;
    let jobs = toll::enqueue_many(&world.client, [(), (), ()]).await?;
    assert_eq!(start_all(&mut worker).await?, 1);
    let began = world.job(jobs[0].id()).await?.run_at;
    let next = async |seconds: u32| -> Result<()> {
        assert_eq!(limit(&world, jobs[1].id()).await?.next, Some(began.saturating_add(SECOND * seconds)));
        Ok(())
    };
    world.clock.advance(SECOND * 15);
    let rate = |apart| Allow::everything().starts(1.0, apart).burst(1);
    world.client.set_limit(LimitRef::of::<toll>(), rate(SECOND * 20)).await?;
    // At the latest: what was told is of another rate.
    next(35).await?;
    worker.share().await?;
    // A quarter of it is there.
    next(30).await?;
    world.clock.advance(SECOND * 5);
    worker.share().await?;
    next(30).await?;
    world.client.clear_limit(LimitRef::of::<toll>()).await?;
    worker.share().await?;
    next(50).await?;
    world.clock.advance(SECOND * 30);
    assert_eq!(start_all(&mut worker).await?, 1);
    Ok(())
}

pub(crate) async fn a_job_waits_for_the_workers_that_have_all_units(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let mut knocks = knock::enqueue_many(&world.client, 0..3).await?;
    let climbs = climb::enqueue_many(&world.client, [(), ()]).await?;
    assert_eq!(start(&mut worker).await?, 3);
    let third = knocks.pop().expect("there are three").id();
    let waits = limit(&world, third).await?;
    assert_eq!((&*waits.limit, waits.value.as_deref(), waits.running), ("knock", None, 2));
    assert_eq!(jobs_of(&waits), knocks.iter().map(pgq::Handle::id).collect::<Vec<_>>());
    let (one, two, on) = (knocks[0].id(), knocks[1].id(), place(&world, knocks[0].id()).await?);
    assert_eq!(waits.to_string(), format!("knock: 2 at once, 2 run (jobs {one} on {on}, {two} on {on})"));
    let shares: Vec<_> = waits.shares.iter().map(|share| (share.measure, share.units)).collect();
    assert_eq!(shares, [(Measure::Concurrency, 2)]);
    let waits = limit(&world, climbs[1].id()).await?;
    assert_eq!((&*waits.limit, jobs_of(&waits)), ("stairs", vec![climbs[0].id()]));
    world.client.set_limit(LimitRef::of::<knock>(), Allow::at_once(3)).await?;
    assert_eq!(world.client.waits_for(third).await?, Some(WaitsFor::Worker));
    world.client.set_limit(LimitRef::of::<knock>(), Allow::at_once(0)).await?;
    assert_eq!(limit(&world, third).await?.bounds.concurrency, Some(0));
    Ok(())
}

pub(crate) async fn a_job_that_nobody_has_come_for_waits_for_a_gate_that_is_closed(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let args = |house: &str, street: &str| RingArgs { house: house.to_owned(), street: street.to_owned() };
    let first = ring::enqueue(&world.client, args("7", "elm")).await?;
    assert_eq!(start(&mut worker).await?, 1);
    let (second, other) =
        (ring::enqueue(&world.client, args("7", "oak")).await?, ring::enqueue(&world.client, args("8", "oak")).await?);
    let wait = limit(&world, second.id()).await?;
    assert_eq!((&*wait.limit, wait.value.as_deref(), wait.running), ("ring[house]", Some("7"), 1));
    assert_eq!(jobs_of(&wait), [first.id()]);
    assert_eq!(world.client.waits_for(other.id()).await?, Some(WaitsFor::Worker));
    Ok(())
}

pub(crate) async fn a_job_waits_for_a_token_and_not_for_units_that_nothing_runs_with(world: World) -> Result<()> {
    let door = Door::new();
    door.open(9);
    let mut worker = worker(&world, &door).await?;
    let jobs = toll::enqueue_many(&world.client, [(), ()]).await?;
    assert_eq!(start_all(&mut worker).await?, 1);
    worker.settle().await?;
    let waits = limit(&world, jobs[1].id()).await?;
    assert_eq!((waits.bounds.concurrency, waits.running, &waits.jobs), (Some(3), 0, &vec![]));
    let next = world.job(jobs[0].id()).await?.run_at.saturating_add(SECOND * 60);
    assert_eq!(waits.next, Some(next));
    assert_eq!(waits.to_string(), format!("toll: 3 at once, 1 start a minute, next at {next}"));
    let shares: Vec<_> = waits.shares.iter().map(|share| (share.measure, share.units)).collect();
    assert_eq!(shares, [(Measure::Rate, 1)]);
    Ok(())
}

pub(crate) async fn a_job_waits_for_the_limit_that_holds_it_up_of_several(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let jobs = ascend::enqueue_many(&world.client, [(); 3]).await?;
    assert_eq!(start_all(&mut worker).await?, 2);
    let waits = limit(&world, jobs[2].id()).await?;
    assert_eq!((&*waits.limit, waits.running, waits.next), ("lift", 2, None), "it is full");
    door.open(2);
    worker.settle().await?;
    let waits = limit(&world, jobs[2].id()).await?;
    assert_eq!((&*waits.limit, waits.running, waits.next.is_some()), ("ascend", 0, true));
    world.client.set_limit(LimitRef::of::<ascend>(), Allow::at_once(0)).await?;
    let waits = limit(&world, jobs[2].id()).await?;
    assert_eq!((&*waits.limit, waits.bounds.concurrency, waits.next), ("ascend", Some(0), None));
    Ok(())
}

pub(crate) async fn a_job_waits_for_all_that_run_of_tasks_that_share_its_limit(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let (old, attic) = (world.put_one(in_queue("go_down", "attic")).await?, want("attic", "go_down", 1));
    let other = world.session_for(vec![attic.clone()]).await?;
    assert_eq!(ids(&claim_of(&other, vec![attic], 1).await?), [old]);
    let (up, down) = (ascend::enqueue(&world.client, ()).await?, descend::enqueue(&world.client, ()).await?);
    assert_eq!(start_all(&mut worker).await?, 2);
    let next = descend::enqueue(&world.client, ()).await?;
    let waits = limit(&world, next.id()).await?;
    assert_eq!((&*waits.limit, waits.running, jobs_of(&waits)), ("lift", 3, vec![old, up.id(), down.id()]));
    Ok(())
}
