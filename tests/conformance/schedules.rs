//! Schedules: one job for each tick, whoever looks, and whatever was missed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::backend::{Claimed, Firing, Scheduled, Session, Ticked, Transition};
use pgq::testing::Stepper;
use pgq::{BoxError, Cadence, Context, Headers, Missed, Overlap, Priority, Result, Tick};

use crate::world::{World, claim, end, failure};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Writes down the ticks of its jobs.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Log {
    ticks: Arc<Mutex<Vec<Tick>>>,
}

impl pgq::Resources for Log {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Log {
    /// What was written since the last time.
    fn take(&self) -> Vec<Tick> {
        std::mem::take(&mut *self.ticks.lock().unwrap())
    }

    fn times(&self) -> Vec<String> {
        self.take().iter().map(|tick| tick.at.to_string()).collect()
    }
}

#[pgq::task]
async fn chime(ctx: Context<Log>) -> Result<(), BoxError> {
    let tick = ctx.tick().ok_or("no tick")?;
    ctx.ticks.lock().unwrap().push(tick);
    Ok(())
}

fn schedule(cadence: &str) -> Scheduled {
    Scheduled {
        name: "bell".to_owned(),
        task: "chime".to_owned(),
        queue: "default".to_owned(),
        priority: Priority::default(),
        max_attempts: 20,
        expires_in: None,
        cadence: cadence.to_owned(),
        zone: "UTC".to_owned(),
        missed: Missed::Once,
        overlap: Overlap::Skip,
        payload: vec![0xc0],
        limit_keys: Vec::new(),
    }
}

async fn worker(world: &World) -> Result<(Stepper, Log)> {
    let log = Log::default();
    Ok((world.worker(pgq::tasks![chime], log.clone()).await?, log))
}

async fn keeping(world: &World, scheduled: Scheduled) -> Result<(Stepper, Log)> {
    let (worker, log) = worker(world).await?;
    worker.session().declare(vec![scheduled].into()).await?;
    Ok((worker, log))
}

/// Moves the clock to the next tick of an expression.
fn until(world: &World, cadence: &str) {
    let at = Cadence::read(cadence, "UTC").unwrap().next(world.clock.now()).unwrap();
    world.clock.advance(at.since(world.clock.now()));
}

pub(crate) async fn each_tick_is_fired_once_and_tells_of_the_one_before(world: World) -> Result<()> {
    let (mut worker, log) = keeping(&world, schedule("* * * * *")).await?;
    let start = world.clock.now();
    assert_eq!(worker.drain().await?, 0, "nothing is due yet");
    let (first, second) = (start.saturating_add(MINUTE), start.saturating_add(MINUTE * 2));
    for (tick, previous) in [(first, None), (second, Some(first))] {
        world.clock.advance(MINUTE);
        assert_eq!(worker.drain().await?, 1);
        assert_eq!(worker.drain().await?, 0);
        assert_eq!(log.take(), [Tick { schedule: "bell".to_owned(), at: tick, previous }]);
    }
    Ok(())
}

pub(crate) async fn two_workers_make_one_job_of_a_tick(world: World) -> Result<()> {
    let (mut one, log) = keeping(&world, schedule("* * * * *")).await?;
    let (mut two, other) = keeping(&world, schedule("* * * * *")).await?;
    for _ in 0..5 {
        world.clock.advance(MINUTE);
        let (first, second) = tokio::join!(one.drain(), two.drain());
        assert_eq!(first? + second?, 1);
    }
    assert_eq!(log.take().len() + other.take().len(), 5);
    Ok(())
}

pub(crate) async fn a_tick_that_somebody_else_has_fired_makes_no_job(world: World) -> Result<()> {
    let (mut worker, _) = keeping(&world, schedule("* * * * *")).await?;
    let seen = worker.session().agenda().await?.schedules.remove(0);
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    let tick = Tick { schedule: "bell".to_owned(), at: world.clock.now(), previous: None };
    let (name, generation, last) = ("bell".to_owned(), seen.generation, tick.at);
    let ticks = vec![Ticked { tick, headers: Headers::new() }];
    let late = Firing { name, generation, seen: seen.standing, last, waiting: None, ticks };
    assert_eq!(worker.session().fire(vec![late]).await?, [false]);
    assert_eq!(worker.drain().await?, 0);
    Ok(())
}

pub(crate) async fn what_the_fleet_missed_is_fired_as_the_schedule_says(world: World) -> Result<()> {
    for (missed, ticks) in
        [(Missed::Skip, vec![]), (Missed::Once, vec!["08:00"]), (Missed::All(3), vec!["06:00", "07:00", "08:00"])]
    {
        let (worker, _) =
            keeping(&world, Scheduled { missed, overlap: Overlap::Allow, ..schedule("0 * * * *") }).await?;
        worker.leave().await?;
        let day = world.clock.now().to_string()[..10].to_owned();
        until(&world, "30 8 * * *");
        let (mut worker, log) = self::worker(&world).await?;
        worker.drain().await?;
        let expected: Vec<_> = ticks.iter().map(|time| format!("{day}T{time}:00Z")).collect();
        assert_eq!(log.times(), expected, "{missed:?}");
        until(&world, "0 9 * * *");
        worker.drain().await?;
        assert_eq!(log.times(), [format!("{day}T09:00:00Z")], "what comes after is fired at its time");
        worker.session().declare(vec![schedule("@yearly")].into()).await?;
        until(&world, "@daily");
    }
    Ok(())
}

/// A schedule that ticked once, whose job runs.
async fn running(world: &World, overlap: Overlap) -> Result<(Stepper, Log, Arc<dyn Session>, Claimed)> {
    let (mut worker, log) = keeping(world, Scheduled { overlap, ..schedule("* * * * *") }).await?;
    let other = world.session(&["chime"]).await?;
    world.clock.advance(MINUTE);
    worker.tick().await?;
    let job = claim(&other, &["chime"], 9).await?.remove(0);
    Ok((worker, log, other, job))
}

pub(crate) async fn a_tick_beside_an_unfinished_job_is_passed_over(world: World) -> Result<()> {
    let (mut worker, log, other, job) = running(&world, Overlap::Skip).await?;
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 0);
    end(&other, &job, Transition::Discard { failure: failure() }).await?;
    assert_eq!(worker.drain().await?, 0, "what was passed over is gone");
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    let tick = log.take().remove(0);
    assert_eq!(tick.previous, Some(tick.at.saturating_sub(MINUTE * 2)), "the window covers what was passed over");
    Ok(())
}

pub(crate) async fn one_tick_waits_for_an_unfinished_job(world: World) -> Result<()> {
    let (mut worker, log, other, job) = running(&world, Overlap::Queue).await?;
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        assert_eq!(worker.drain().await?, 0);
    }
    let latest = world.clock.now();
    world.clock.advance(MINUTE / 2);
    end(&other, &job, Transition::Complete).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(log.take()[0].at, latest);
    Ok(())
}

pub(crate) async fn jobs_overlap_where_that_is_allowed(world: World) -> Result<()> {
    let (mut worker, _, _, _) = running(&world, Overlap::Allow).await?;
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

pub(crate) async fn a_changed_expression_takes_the_place_of_the_old_one(world: World) -> Result<()> {
    let (mut worker, log) = keeping(&world, schedule("0 * * * *")).await?;
    world.clock.advance(MINUTE * 30);
    worker.session().declare(vec![schedule("*/10 * * * *")].into()).await?;
    assert_eq!(worker.drain().await?, 0, "its ticks before it was there weren't missed");
    world.clock.advance(MINUTE * 10);
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(log.times(), ["2026-01-01T00:40:00Z"]);
    Ok(())
}

pub(crate) async fn a_changed_expression_takes_a_schedule_nowhere_back(world: World) -> Result<()> {
    let (worker, _) = keeping(&world, schedule("0 * * * *")).await?;
    let seen = worker.session().agenda().await?.schedules.remove(0);
    // As the look of a worker whose server's clock was then set back.
    let (name, last) = ("bell".to_owned(), world.clock.now().saturating_add(HOUR));
    let ahead = Firing { name, generation: seen.generation, seen: seen.standing, last, waiting: None, ticks: vec![] };
    assert_eq!(worker.session().fire(vec![ahead]).await?, [true]);
    worker.session().declare(vec![schedule("*/10 * * * *")].into()).await?;
    assert_eq!(worker.session().agenda().await?.schedules[0].standing.last, last);
    Ok(())
}

pub(crate) async fn declaring_a_schedule_again_changes_nothing(world: World) -> Result<()> {
    let (mut worker, log) = keeping(&world, schedule("0 * * * *")).await?;
    world.clock.advance(HOUR);
    worker.session().declare(vec![schedule("0 * * * *")].into()).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(log.times(), ["2026-01-01T01:00:00Z"]);
    Ok(())
}

pub(crate) async fn every_second_is_fired(world: World) -> Result<()> {
    let (mut worker, log) = keeping(&world, schedule("every 1s")).await?;
    for _ in 0..20 {
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(worker.drain().await?, 1);
    }
    assert_eq!(log.take().len(), 20);
    Ok(())
}

pub(crate) async fn a_day_has_one_tick_also_when_clocks_change(world: World) -> Result<()> {
    let berlin = Scheduled { zone: "Europe/Berlin".to_owned(), ..schedule("30 2 * * *") };
    for (day, ticks) in [
        ("0 12 28 3 *", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("0 12 24 10 *", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ] {
        until(&world, day);
        let (mut worker, log) = keeping(&world, Scheduled { missed: Missed::Skip, ..berlin.clone() }).await?;
        for _ in 0..80 {
            world.clock.advance(MINUTE * 30);
            worker.drain().await?;
        }
        assert_eq!(log.times(), ticks);
    }
    Ok(())
}

pub(crate) async fn a_day_that_passes_at_once_is_fired_in_order(world: World) -> Result<()> {
    let (missed, overlap) = (Missed::All(1_000), Overlap::Allow);
    let (mut worker, log) = keeping(&world, Scheduled { missed, overlap, ..schedule("0 * * * *") }).await?;
    world.clock.advance(HOUR * 24);
    assert_eq!(worker.drain().await?, 24);
    let times = log.take();
    assert!(times.is_sorted_by_key(|tick| tick.at) && times.len() == 24);
    assert!(times.windows(2).all(|pair| pair[1].previous == Some(pair[0].at)));
    Ok(())
}

#[pgq::task]
async fn rest() -> Result<(), BoxError> {
    Ok(())
}

pub(crate) async fn a_day_is_walked_from_tick_to_tick(world: World) -> Result<()> {
    let log = Log::default();
    let mut worker = world.worker(pgq::tasks![chime, rest], log.clone()).await?;
    worker.session().declare(vec![schedule("0 * * * *")].into()).await?;
    rest::job(()).delay(MINUTE * 90).enqueue(&world.client).await?;
    let end = world.clock.now().saturating_add(HOUR * 24);
    assert_eq!(worker.advance(HOUR * 24).await?, 25);
    let ticks = log.take();
    assert_eq!(ticks.len(), 24);
    assert!(ticks.windows(2).all(|pair| pair[1].previous == Some(pair[0].at)));
    assert_eq!((world.clock.now(), ticks[23].at), (end, end));
    assert_eq!(worker.advance(MINUTE * 59).await?, 0);
    assert_eq!(worker.advance(MINUTE).await?, 1);
    Ok(())
}

pub(crate) async fn many_schedules_that_share_a_tick_make_a_job_each(world: World) -> Result<()> {
    let (mut worker, log) = worker(&world).await?;
    let named = |number| Scheduled { name: format!("bell-{number}"), ..schedule("* * * * *") };
    worker.session().declare((0..100).map(named).collect::<Vec<_>>().into()).await?;
    world.clock.advance(MINUTE);
    worker.tick().await?;
    let agenda = worker.session().agenda().await?;
    let mut jobs: Vec<_> = agenda.schedules.iter().filter_map(|kept| kept.job).collect();
    assert!(agenda.schedules.iter().all(|kept| kept.standing.busy && kept.fired == Some(world.clock.now())));
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!((jobs.len(), worker.drain().await?, log.take().len()), (100, 100, 100));
    Ok(())
}

pub(crate) async fn two_workers_make_one_job_of_each_of_many_ticks(world: World) -> Result<()> {
    let (mut one, _) = worker(&world).await?;
    let (mut two, _) = worker(&world).await?;
    let named = |number| Scheduled { name: format!("bell-{number}"), overlap: Overlap::Allow, ..schedule("* * * * *") };
    one.session().declare((0..50).map(named).collect::<Vec<_>>().into()).await?;
    for round in 1..=5 {
        world.clock.advance(MINUTE);
        let (first, second) = tokio::join!(one.tick(), two.tick());
        first.and(second)?;
        // Who found one locked looks again.
        one.tick().await?;
        assert_eq!(world.client.jobs().task("chime").count().await?.jobs, round * 50);
    }
    Ok(())
}

pub(crate) async fn a_job_that_outlives_the_fleet_overlaps_what_was_missed(world: World) -> Result<()> {
    for (overlap, fired) in
        [(Overlap::Skip, vec![]), (Overlap::Queue, vec![5 * MINUTE]), (Overlap::Allow, vec![5 * MINUTE])]
    {
        let (worker, _, other, job) = running(&world, overlap).await?;
        let begun = world.clock.now();
        worker.leave().await?;
        world.clock.advance(MINUTE * 5);
        let (mut worker, log) = self::worker(&world).await?;
        let before = usize::from(overlap == Overlap::Allow);
        assert_eq!(worker.drain().await?, before, "{overlap:?}: the job isn't finished");
        end(&other, &job, Transition::Complete).await?;
        assert_eq!(worker.drain().await?, fired.len() - before, "{overlap:?}");
        let ticks: Vec<_> = log.take().iter().map(|tick| tick.at.since(begun)).collect();
        assert_eq!(ticks, fired, "{overlap:?}");
        worker.session().declare(vec![schedule("@yearly")].into()).await?;
    }
    Ok(())
}

/// A client on the same backend that looks at every job.
fn particular<F>(world: &World, check: F) -> Result<pgq::Client>
where
    F: Fn(&mut pgq::Outgoing<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
{
    let builder = pgq::Client::builder()?.clock(world.clock.clone()).on_enqueue(check);
    Ok(builder.backend(Arc::clone(world.client.backend())))
}

pub(crate) async fn the_jobs_of_ticks_pass_what_the_client_asks_of_all(world: World) -> Result<()> {
    let clock = world.clock.clone();
    let client = particular(&world, move |job| {
        job.header("tenant", "acme");
        if clock.now().to_string().contains("00:02:") { Err("not now")? } else { Ok(()) }
    })?;
    let log = Log::default();
    let mut worker = pgq::testing::stepper(&client, pgq::tasks![chime], log.clone()).await?;
    worker.session().declare(vec![schedule("* * * * *")].into()).await?;
    world.clock.advance(MINUTE);
    worker.tick().await?;
    let job = worker.session().agenda().await?.schedules[0].job.expect("it has ticked");
    assert_eq!(world.job(job).await?.headers.get("tenant").map(String::as_str), Some("acme"));
    worker.advance(MINUTE * 2).await?;
    assert_eq!(log.times(), ["2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z"], "what was refused doesn't come back");
    Ok(())
}

pub(crate) async fn a_hook_that_panics_stops_no_other_schedule(world: World) -> Result<()> {
    let client = particular(&world, |job| {
        assert!(job.queue() != "odd", "it falls over");
        Ok(())
    })?;
    let log = Log::default();
    let mut worker = pgq::testing::stepper(&client, pgq::tasks![chime], log.clone()).await?;
    let odd = Scheduled { name: "a-bell".to_owned(), queue: "odd".to_owned(), ..schedule("* * * * *") };
    worker.session().declare(vec![odd, schedule("* * * * *")].into()).await?;
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

#[pgq::schedule("*/5 * * * *", tz = "Europe/Berlin", missed = "skip", attempts = 3, priority = 7)]
async fn ring(ctx: Context<Log>) -> Result<(), BoxError> {
    if let Some(tick) = ctx.tick() {
        ctx.ticks.lock().unwrap().push(tick);
    }
    Ok(())
}

pub(crate) async fn a_task_can_say_when_its_jobs_are_made(world: World) -> Result<()> {
    let log = Log::default();
    let mut worker = world.worker(pgq::tasks![ring], log.clone()).await?;
    world.clock.advance(MINUTE * 5);
    let by_hand = ring::enqueue(&world.client, ()).await?;
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(log.times(), ["2026-01-01T00:05:00Z"]);
    assert_eq!(world.job(by_hand.id()).await?.max_attempts, 3);
    assert_eq!(world.job(by_hand.id()).await?.priority.get(), 7);
    Ok(())
}
