//! Schedules at run time: listed, created, paused, triggered and deleted, whoever declared them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::backend::{Declared, Scheduled, Session};
use pgq::testing::Stepper;
use pgq::{BoxError, Context, Error, JobBuilder, Missed, Overlap, Priority, Result, ScheduleInfo, Tick, Timestamp};

use crate::world::{World, claim};

const MINUTE: Duration = Duration::from_mins(1);

type Ran = (String, Option<Tick>);

/// Writes down what its jobs were given, and their ticks.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Log {
    ran: Arc<Mutex<Vec<Ran>>>,
}

impl pgq::Resources for Log {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Log {
    /// What was written since the last time.
    fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut *self.ran.lock().unwrap())
    }

    fn names(&self) -> Vec<String> {
        self.take().into_iter().map(|(name, _)| name).collect()
    }
}

#[pgq::task(priority = 3)]
async fn report(ctx: Context<Log>, region: String) -> Result<(), BoxError> {
    ctx.ran.lock().unwrap().push((region, ctx.tick()));
    Ok(())
}

#[pgq::task(unique = "one")]
async fn once(name: String) -> Result<(), BoxError> {
    let _ = name;
    Ok(())
}

fn of(region: &str) -> JobBuilder<report> {
    report::job(region.to_owned())
}

async fn worker(world: &World) -> Result<(Stepper, Log)> {
    let log = Log::default();
    Ok((world.worker(pgq::tasks![report], log.clone()).await?, log))
}

/// A worker, and a schedule that reports on Europe every minute.
async fn reporting(world: &World) -> Result<(Stepper, Log)> {
    create(world, "* * * * *", "eu").await?;
    worker(world).await
}

async fn create(world: &World, cadence: &str, region: &str) -> Result<()> {
    world.client.schedule("report", cadence, of(region)).create().await.map(drop)
}

fn declared(cadence: &str) -> Scheduled {
    Scheduled {
        name: "bell".to_owned(),
        task: "report".to_owned(),
        queue: "default".to_owned(),
        priority: Priority::default(),
        max_attempts: 20,
        expires_in: None,
        cadence: cadence.to_owned(),
        zone: "UTC".to_owned(),
        missed: Missed::Once,
        overlap: Overlap::Skip,
        payload: vec![0xa0],
        limit_keys: Vec::new(),
    }
}

async fn declaring(world: &World, cadence: &str) -> Result<Arc<dyn Session>> {
    let session = world.session(&["report"]).await?;
    session.declare(vec![declared(cadence)].into()).await?;
    Ok(session)
}

async fn listed(world: &World) -> Result<ScheduleInfo> {
    let mut schedules = world.client.schedules().await?;
    assert_eq!(schedules.len(), 1);
    Ok(schedules.remove(0))
}

fn after(world: &World, span: Duration) -> Timestamp {
    world.clock.now().saturating_add(span)
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    let error = answer.expect_err("it is refused");
    assert!(error.is_invalid(), "{error:?}");
    error.to_string()
}

pub(crate) async fn a_created_schedule_makes_jobs_with_its_arguments(world: World) -> Result<()> {
    let (mut worker, log) = reporting(&world).await?;
    assert_eq!(worker.drain().await?, 0);
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    let tick = Tick { schedule: "report".to_owned(), at: world.clock.now(), previous: None };
    assert_eq!(log.take(), [("eu".to_owned(), Some(tick))]);
    Ok(())
}

pub(crate) async fn a_schedule_is_listed_with_what_it_is_and_when_it_ticks(world: World) -> Result<()> {
    let builder = world.client.schedule("report", "30 2 * * *", of("eu"));
    let created = builder.zone("Europe/Berlin").missed(Missed::All(3)).overlap(Overlap::Allow).create().await?;
    let info = listed(&world).await?;
    assert_eq!(created, info);
    assert_eq!(world.client.find_schedule("report").await?, Some(created));
    assert_eq!(world.client.find_schedule("reports").await?, None);
    assert_eq!((info.name.as_str(), info.task.as_str(), info.queue.as_str()), ("report", "report", "default"));
    assert_eq!((info.cadence.as_str(), info.zone.as_str()), ("30 2 * * *", "Europe/Berlin"));
    assert_eq!((info.missed, info.overlap, info.priority.get()), (Missed::All(3), Overlap::Allow, 3));
    assert_eq!((info.created, info.paused.as_deref(), info.orphaned, info.last), (true, None, false, None));
    assert_eq!(info.args()?, serde_json::json!("eu"));
    let next: Vec<_> = info.next(2).iter().map(ToString::to_string).collect();
    assert_eq!(next, ["2026-01-01T01:30:00Z", "2026-01-02T01:30:00Z"]);
    Ok(())
}

pub(crate) async fn the_last_tick_is_listed(world: World) -> Result<()> {
    let (mut worker, _) = reporting(&world).await?;
    world.clock.advance(MINUTE);
    worker.drain().await?;
    let info = listed(&world).await?;
    assert_eq!(info.last, Some(world.clock.now()));
    assert_eq!(info.next(2), [after(&world, MINUTE), after(&world, MINUTE * 2)]);
    Ok(())
}

pub(crate) async fn a_job_tells_which_tick_of_which_schedule_made_it(world: World) -> Result<()> {
    let (mut worker, _) = reporting(&world).await?;
    let by_hand = of("us").enqueue(&world.client).await?;
    world.clock.advance(MINUTE);
    worker.tick().await?;
    let queued = world.client.jobs().schedule("report").list().await?.jobs;
    let tick = Tick { schedule: "report".to_owned(), at: world.clock.now(), previous: None };
    assert_eq!(queued.iter().map(|job| job.tick.clone()).collect::<Vec<_>>(), [Some(tick.clone())]);
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(world.job(queued[0].id).await?.tick, Some(tick), "also when it is finished");
    assert_eq!(world.client.jobs().schedule("report").count().await?.jobs, 1);
    assert_eq!(world.client.jobs().schedule("another").count().await?.jobs, 0);
    assert_eq!(world.job(by_hand.id()).await?.tick, None);
    Ok(())
}

pub(crate) async fn creating_a_schedule_again_changes_it(world: World) -> Result<()> {
    let (mut worker, log) = reporting(&world).await?;
    create(&world, "* * * * *", "us").await?;
    world.clock.advance(MINUTE);
    worker.drain().await?;
    assert_eq!(log.names(), ["us"]);
    create(&world, "0 * * * *", "us").await?;
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 0);
    assert_eq!(listed(&world).await?.next(1)[0].to_string(), "2026-01-01T01:00:00Z");
    Ok(())
}

pub(crate) async fn nothing_is_made_of_a_paused_schedule(world: World) -> Result<()> {
    let (mut worker, log) = reporting(&world).await?;
    assert!(world.client.pause_schedule("report", "the source is down").await?);
    assert!(!world.client.pause_schedule("report", "the source is down").await?, "it is already");
    world.clock.advance(MINUTE * 3);
    assert_eq!(worker.drain().await?, 0);
    let info = listed(&world).await?;
    assert!(info.paused.as_deref() == Some("the source is down") && info.next(1).is_empty());
    create(&world, "* * * * *", "us").await?;
    assert!(world.client.pause_schedule("report", "it is closed").await?);
    assert_eq!(listed(&world).await?.paused.as_deref(), Some("it is closed"), "a change doesn't resume it");
    assert!(world.client.resume_schedule("report").await?);
    assert!(!world.client.resume_schedule("report").await?);
    assert_eq!(worker.drain().await?, 0, "what it would have made wasn't missed");
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(log.names(), ["us"]);
    Ok(())
}

pub(crate) async fn a_declared_schedule_stays_paused_when_a_worker_starts(world: World) -> Result<()> {
    declaring(&world, "* * * * *").await?;
    world.client.pause_schedule("bell", "").await?;
    declaring(&world, "*/2 * * * *").await?;
    let info = listed(&world).await?;
    assert_eq!((info.paused.as_deref(), info.cadence.as_str()), (Some(""), "*/2 * * * *"));
    Ok(())
}

pub(crate) async fn a_triggered_schedule_makes_a_job_and_stays_where_it_stands(world: World) -> Result<()> {
    let (mut worker, log) = reporting(&world).await?;
    world.clock.advance(MINUTE);
    worker.drain().await?;
    let (first, next) = (world.clock.now(), after(&world, MINUTE));
    log.take();
    world.clock.advance(MINUTE / 2);
    world.client.pause_schedule("report", "").await?;
    let job = world.client.trigger_schedule("report").await?;
    assert_eq!(world.job(job).await?.priority.get(), 3);
    world.client.trigger_schedule("report").await?;
    assert_eq!(worker.drain().await?, 2, "though the first wasn't finished");
    let tick = Tick { schedule: "report".to_owned(), at: world.clock.now(), previous: Some(first) };
    assert!(log.take().iter().all(|(_, ticked)| ticked.as_ref() == Some(&tick)));
    world.client.resume_schedule("report").await?;
    assert_eq!((listed(&world).await?.last, listed(&world).await?.next(1)), (Some(first), vec![next]));
    Ok(())
}

pub(crate) async fn a_triggered_job_counts_as_one_of_the_schedules_own(world: World) -> Result<()> {
    let (mut worker, log) = reporting(&world).await?;
    assert_eq!((listed(&world).await?.job, listed(&world).await?.busy), (None, false));
    let job = world.client.trigger_schedule("report").await?;
    assert_eq!((listed(&world).await?.job, listed(&world).await?.busy), (Some(job), true));
    let beside = world.client.trigger_schedule("report").await?;
    assert_eq!(listed(&world).await?.job, Some(job), "the first isn't finished");
    world.clock.advance(MINUTE);
    worker.tick().await?;
    assert_eq!(worker.drain().await?, 2, "and its tick was passed over");
    assert!(!listed(&world).await?.busy);
    let third = world.client.trigger_schedule("report").await?;
    assert_eq!(listed(&world).await?.job, Some(third));
    assert!(job < beside && beside < third);
    log.take();
    Ok(())
}

pub(crate) async fn a_schedules_jobs_carry_its_limit_keys(world: World) -> Result<()> {
    let (mut worker, _) = worker(&world).await?;
    let limit_keys = vec!["one".to_owned(), "another".to_owned()];
    let bell = Scheduled { limit_keys: limit_keys.clone(), ..declared("* * * * *") };
    worker
        .session()
        .declare(vec![bell, Scheduled { name: "other".to_owned(), ..declared("* * * * *") }].into())
        .await?;
    world.clock.advance(MINUTE);
    worker.tick().await?;
    world.clock.advance(MINUTE);
    world.client.trigger_schedule("bell").await?;
    let jobs = claim(worker.session(), &["report"], 9).await?;
    let mut keys: Vec<_> = jobs.into_iter().map(|job| job.limit_keys).collect();
    keys.sort();
    assert_eq!(keys, [vec![], limit_keys.clone(), limit_keys]);
    Ok(())
}

pub(crate) async fn a_deleted_schedule_is_gone(world: World) -> Result<()> {
    let (mut worker, _) = reporting(&world).await?;
    world.client.delete_schedule("report").await?;
    world.clock.advance(MINUTE);
    assert_eq!(worker.drain().await?, 0);
    assert!(world.client.schedules().await?.is_empty());
    Ok(())
}

pub(crate) async fn a_deleted_schedule_comes_back_with_a_worker_that_declares_it(world: World) -> Result<()> {
    declaring(&world, "* * * * *").await?;
    world.client.delete_schedule("bell").await?;
    assert!(world.client.schedules().await?.is_empty());
    declaring(&world, "* * * * *").await?;
    assert_eq!(listed(&world).await?.name, "bell");
    Ok(())
}

pub(crate) async fn a_schedule_that_no_live_worker_declares_is_orphaned(world: World) -> Result<()> {
    let one = declaring(&world, "* * * * *").await?;
    let two = declaring(&world, "* * * * *").await?;
    one.deregister(true).await?;
    assert!(!listed(&world).await?.orphaned, "the other declares it");
    two.declare(Declared::default()).await?;
    assert!(listed(&world).await?.orphaned);
    let three = declaring(&world, "* * * * *").await?;
    assert!(!listed(&world).await?.orphaned);
    three.deregister(true).await?;
    assert!(listed(&world).await?.orphaned);
    Ok(())
}

pub(crate) async fn a_declaration_leaves_a_created_schedule_as_it_is(world: World) -> Result<()> {
    world.client.schedule("bell", "@daily", of("eu")).create().await?;
    declaring(&world, "* * * * *").await?;
    let info = listed(&world).await?;
    assert_eq!((info.created, info.cadence.as_str()), (true, "@daily"));
    Ok(())
}

pub(crate) async fn a_declared_schedule_is_not_created_over(world: World) -> Result<()> {
    declaring(&world, "* * * * *").await?;
    let error = refusal(world.client.schedule("bell", "@daily", of("eu")).create().await);
    assert_eq!(error, "schedule `bell`: a worker declares this one: choose another name, or change its code");
    assert_eq!(listed(&world).await?.cadence, "* * * * *");
    Ok(())
}

pub(crate) async fn an_unknown_schedule_is_told_with_the_nearest_one(world: World) -> Result<()> {
    create(&world, "@daily", "eu").await?;
    let client = &world.client;
    let meant = "there is no schedule `reprot`: did you mean `report`?";
    assert_eq!(refusal(client.pause_schedule("reprot", "").await), meant);
    assert_eq!(refusal(client.resume_schedule("reprot").await), meant);
    assert_eq!(refusal(client.trigger_schedule("reprot").await), meant);
    assert_eq!(refusal(client.delete_schedule("reprot").await), meant);
    let none = "there is no schedule `x`: `Client::schedules` lists those that there are";
    assert_eq!(refusal(client.delete_schedule("x").await), none);
    Ok(())
}

pub(crate) async fn an_odd_reason_for_pausing_a_schedule_is_refused(world: World) -> Result<()> {
    create(&world, "@daily", "eu").await?;
    for reason in ["a\0b", &"x".repeat(1_001)] {
        let told = refusal(world.client.pause_schedule("report", reason).await);
        assert_eq!(told, "schedule `report`: expected a reason of at most 1000 characters without NUL");
    }
    assert_eq!(listed(&world).await?.paused, None);
    Ok(())
}

pub(crate) async fn a_cadence_is_kept_as_it_is_shown(world: World) -> Result<()> {
    for (given, kept) in
        [("EVERY  90s ", "every 90s"), (" 30  2 * * *", "30 2 * * *"), ("every 1h 30m", "every 1h 30m")]
    {
        let created = world.client.schedule("report", given, of("eu")).create().await?;
        assert_eq!(created.cadence, kept);
        assert_eq!(created.next(1).len(), 1);
    }
    Ok(())
}

pub(crate) async fn what_a_task_declares_as_unique_does_not_count_for_a_schedule(world: World) -> Result<()> {
    let schedule = world.client.schedule("often", "* * * * *", once::job("kim".to_owned()));
    schedule.overlap(Overlap::Allow).create().await?;
    let mut worker = world.worker(pgq::tasks![once], ()).await?;
    for _ in 0..2 {
        world.clock.advance(MINUTE);
        worker.tick().await?;
    }
    assert_eq!(worker.drain().await?, 2);
    Ok(())
}

pub(crate) async fn an_odd_schedule_is_refused(world: World) -> Result<()> {
    let schedule = |name: &str, cadence: &str| world.client.schedule(name, cadence, of("eu"));
    let with = |job| world.client.schedule("a", "@daily", job);
    for (builder, told) in [
        (schedule("", "@daily"), "schedule ``: expected a name of"),
        (schedule("a", "* 25 * * *"), "schedule `a`: expected hours of 0-23"),
        (schedule("a", "0 0 30 2 *"), "which never does"),
        (schedule("a", "every 0.5s"), "schedule `a`: expected a span"),
        (schedule("a", "90s"), ": write `every 90s`"),
        (schedule("a", "@every 5m"), ": write `every 5m`"),
        (schedule("a", ""), "schedule `a`: expected a cron expression"),
        (schedule("a", "every 5s").zone("Europe/Berln"), "expected the IANA name of a time zone"),
        (schedule("a", "@daily").zone("Europe/Berln"), "expected the IANA name of a time zone"),
        (schedule("a", "@daily").missed(Missed::All(3)), "add `.overlap(Overlap::Allow)`"),
        (schedule("a", "@daily").missed(Missed::All(0)).overlap(Overlap::Allow), "1 to 1000 missed ticks, got all(0)"),
        (with(of("eu").delay(MINUTE)), "expected a job without a time of its own"),
        (with(of("eu").header("tenant", "a")), "expected a job without a header"),
        (with(of("eu").timeout(MINUTE)), "expected a job without a timeout of its own"),
        (with(of("eu").max_attempts(0)), "expected 1 to 32767 attempts, got 0"),
        (with(of("eu").unique("one")), "schedule `a`: task `report`: expected a job without a unique key"),
    ] {
        let error = refusal(builder.create().await);
        assert!(error.contains(told), "{error}");
    }
    assert!(world.client.schedules().await?.is_empty());
    Ok(())
}
