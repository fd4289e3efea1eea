use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgq::{Allow, Client, Context, Discarded, Env, LimitRef, Resources, Result, State, Worker, WorkerBuilder};
use tokio::sync::{Notify, mpsc};

/// What the handlers of these tests tell, and wait for.
#[derive(pgq::Provide)]
pub(super) struct App {
    told: mpsc::UnboundedSender<String>,
    open: Arc<Notify>,
    crowd: Crowd,
}

/// How many run at once, and how many did at most.
#[derive(Default)]
pub(super) struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Resources for App {
    async fn init(_: &Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }

    async fn on_discard(self: Arc<Self>, job: Discarded) {
        self.tell(format!("discarded: {}", job.failure.message()));
    }

    async fn close(self: Arc<Self>) {
        self.tell("closed");
    }
}

impl App {
    fn tell(&self, line: impl Into<String>) {
        let _ = self.told.send(line.into());
    }
}

/// The test's end of it.
struct Ear {
    told: mpsc::UnboundedReceiver<String>,
    open: Arc<Notify>,
}

impl Ear {
    /// What a handler tells next. The limit only bounds how long a failing test takes.
    async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(20), self.told.recv()).await;
        next.expect("something is told").expect("the worker lives")
    }

    async fn take(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.next().await);
        }
        lines
    }
}

fn app() -> (App, Ear) {
    let (told, listen) = mpsc::unbounded_channel();
    let open = Arc::new(Notify::new());
    let app = App { told, open: Arc::clone(&open), crowd: Crowd::default() };
    (app, Ear { told: listen, open })
}

fn worker(client: &Client, app: App) -> WorkerBuilder<App> {
    let tasks = pgq::tasks![say, hold, stubborn, obedient, judged, flaky, doomed, gather, measure];
    Worker::builder().client(client.clone()).tasks(tasks).resources(app)
}

#[pgq::task]
async fn say(ctx: Context<App>, what: String) -> Result<(), pgq::BoxError> {
    ctx.tell(what);
    Ok(())
}

/// Runs until the test lets it end, or it is told to.
#[pgq::task]
async fn hold(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell("held");
    tokio::select! {
        () = ctx.open.notified() => {}
        () = ctx.cancelled() => ctx.tell("cancelled"),
    }
    Ok(())
}

/// Runs until everybody can see how far it has come.
#[pgq::task]
async fn measure(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    let mut seen = None;
    while seen.is_none() {
        ctx.progress(1, 2);
        tokio::task::yield_now().await;
        seen = ctx.client().get(ctx.job_id()).await?.and_then(|job| job.progress);
    }
    ctx.tell(format!("{:?}", seen.and_then(|progress| progress.fraction())));
    Ok(())
}

/// Never ends.
#[pgq::task]
async fn stubborn(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell("started");
    std::future::pending().await
}

/// Ends when it is told to, with an error.
#[pgq::task]
async fn obedient(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell("started");
    ctx.token().cancelled().await;
    Err("told to end".into())
}

#[expect(clippy::unnecessary_wraps, reason = "what `on_error` asks for")]
fn never_again(_: u16, _: &pgq::BoxError) -> Option<pgq::Control> {
    Some(pgq::discard("never again"))
}

#[pgq::task(on_error = never_again)]
async fn judged(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell("started");
    ctx.token().cancelled().await;
    Err("told to end".into())
}

#[pgq::task(retry = fixed("50ms"))]
async fn flaky(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell(ctx.attempt().to_string());
    if ctx.attempt() < 3 { Err("not yet".into()) } else { Ok(()) }
}

/// Waits until the test lets it fail.
#[pgq::task(retry = none)]
async fn doomed(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    ctx.tell("held");
    ctx.open.notified().await;
    Err("no luck")?
}

/// Counts how many of it run at once.
#[pgq::task]
async fn gather(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    let Crowd { now, most } = &ctx.crowd;
    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    tokio::task::yield_now().await;
    now.fetch_sub(1, Ordering::SeqCst);
    ctx.tell(most.load(Ordering::SeqCst).to_string());
    Ok(())
}

pub(super) async fn a_worker_runs_what_comes_in_until_it_is_stopped(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    let id = say::enqueue(&client, "a".to_owned()).await?.id();
    assert_eq!(ear.next().await, "a");
    worker.stop().await?;
    assert_eq!(client.get(id).await?.unwrap().state, State::Completed, "the last ends are written");
    let late = say::enqueue(&client, "b".to_owned()).await?.id();
    assert_eq!(client.get(late).await?.unwrap().state, State::Available);
    Ok(())
}

pub(super) async fn an_idle_worker_hears_of_a_new_job(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    for number in 0..20 {
        say::enqueue(&client, number.to_string()).await?;
        assert_eq!(ear.next().await, number.to_string());
    }
    worker.stop().await
}

pub(super) async fn a_deferred_job_runs_when_it_is_due(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).slots(1).spawn().await?;
    let jobs = [("later", 300), ("sooner", 100)]
        .map(|(what, delay)| say::job(what.to_owned()).delay(Duration::from_millis(delay)).into());
    pgq::enqueue_many(&client, jobs).await?;
    assert_eq!(ear.take(2).await, ["sooner", "later"]);
    worker.stop().await
}

pub(super) async fn what_is_discarded_is_told_before_resources_are_closed(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    doomed::enqueue(&client, ()).await?;
    assert_eq!(ear.next().await, "held");
    let stopper = worker.stopper();
    stopper.ask();
    ear.open.notify_one();
    worker.stop().await?;
    assert_eq!(ear.take(2).await, ["discarded: no luck", "closed"]);
    Ok(())
}

pub(super) async fn a_failed_job_runs_again_after_its_delay(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    let id = flaky::enqueue(&client, ()).await?.id();
    assert_eq!(ear.take(3).await, ["1", "2", "3"]);
    worker.stop().await?;
    let job = client.get(id).await?.unwrap();
    assert_eq!((job.state, job.failures.len()), (State::Completed, 2));
    Ok(())
}

pub(super) async fn a_draining_worker_ends_when_nothing_is_left_but_what_is_due_later(client: Client) -> Result<()> {
    let (app, _ear) = app();
    let retried = flaky::enqueue(&client, ()).await?.id();
    let said = say::enqueue(&client, "a".to_owned()).await?.id();
    let later = say::job("later".to_owned()).delay(Duration::from_hours(1)).enqueue(&client).await?.id();
    let mut worker = worker(&client, app).drain().spawn().await?;
    tokio::time::timeout(Duration::from_secs(20), worker.ended()).await.expect("it ends by itself")?;
    for (id, state) in [(retried, State::Completed), (said, State::Completed), (later, State::Scheduled)] {
        assert_eq!(client.get(id).await?.unwrap().state, state);
    }
    Ok(())
}

pub(super) async fn a_backlog_larger_than_the_slots_is_drained(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    say::enqueue_many(&client, (0..2_000).map(|n| n.to_string())).await?;
    let worker = worker(&client, app).slots(7).spawn().await?;
    let mut said = ear.take(2_000).await;
    said.sort_unstable();
    said.dedup();
    assert_eq!(said.len(), 2_000, "each once");
    worker.stop().await
}

pub(super) async fn no_more_run_at_once_than_there_are_slots(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    gather::enqueue_many(&client, [(); 200]).await?;
    let worker = worker(&client, app).slots(3).spawn().await?;
    let most = ear.take(200).await.into_iter().map(|most| most.parse::<usize>().unwrap()).max();
    assert!(most <= Some(3), "{most:?}");
    worker.stop().await
}

pub(super) async fn stopping_waits_for_handlers_that_end(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    let id = hold::enqueue(&client, ()).await?.id();
    assert_eq!(ear.next().await, "held");
    let stopped = tokio::spawn(worker.stop());
    ear.open.notify_one();
    stopped.await.unwrap()?;
    let job = client.get(id).await?.unwrap();
    assert_eq!((job.state, job.attempt), (State::Completed, 1));
    Ok(())
}

pub(super) async fn a_handler_that_outlives_the_drain_period_is_handed_back(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).drain_timeout(Duration::from_millis(10)).spawn().await?;
    let id = stubborn::enqueue(&client, ()).await?.id();
    assert_eq!(ear.next().await, "started");
    worker.stop().await?;
    let job = client.get(id).await?.unwrap();
    assert_eq!((job.state, job.attempt, job.epoch), (State::Available, 0, 1));
    Ok(())
}

pub(super) async fn a_handler_that_fails_because_its_worker_stops_is_handed_back(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).drain_timeout(Duration::ZERO).spawn().await?;
    let id = obedient::job(()).max_attempts(1).enqueue(&client).await?.id();
    assert_eq!(ear.next().await, "started");
    worker.stop().await?;
    let job = client.get(id).await?.unwrap();
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}

pub(super) async fn a_handler_that_fails_because_its_worker_stops_is_not_judged(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).drain_timeout(Duration::ZERO).spawn().await?;
    let id = judged::enqueue(&client, ()).await?.id();
    assert_eq!(ear.next().await, "started");
    worker.stop().await?;
    let job = client.get(id).await?.unwrap();
    assert_eq!((job.state, job.attempt), (State::Available, 0));
    Ok(())
}

pub(super) async fn a_stopping_worker_fires_the_tokens(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).drain_timeout(Duration::ZERO).spawn().await?;
    let id = hold::enqueue(&client, ()).await?.id();
    assert_eq!(ear.next().await, "held");
    worker.stop().await?;
    assert_eq!(ear.take(2).await, ["cancelled", "closed"]);
    assert_eq!(client.get(id).await?.unwrap().state, State::Completed, "a known end is written");
    Ok(())
}

pub(super) async fn two_workers_share_the_jobs(client: Client) -> Result<()> {
    let ((first, mut ear), (second, mut other)) = (app(), app());
    let first = worker(&client, first).slots(1).spawn().await?;
    let second = worker(&client, second).slots(1).spawn().await?;
    hold::enqueue_many(&client, [(), ()]).await?;
    assert_eq!((ear.next().await, other.next().await), ("held".to_owned(), "held".to_owned()));
    ear.open.notify_one();
    other.open.notify_one();
    first.stop().await?;
    second.stop().await
}

pub(super) async fn resources_are_closed_at_the_end(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    worker(&client, app).spawn().await?.stop().await?;
    assert_eq!(ear.next().await, "closed");
    Ok(())
}

pub(super) async fn what_an_operator_has_stopped_stays_so_when_a_worker_starts(client: Client) -> Result<()> {
    let (first, _) = app();
    worker(&client, first).spawn().await?.stop().await?;
    client.set_limit(LimitRef::of::<say>(), Allow::at_once(0)).await?;
    let stopped = say::enqueue(&client, "a".to_owned()).await?.id();
    gather::enqueue(&client, ()).await?;
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    assert_eq!(ear.next().await, "1");
    assert_eq!(client.get(stopped).await?.unwrap().state, State::Available);
    client.clear_limit(LimitRef::of::<say>()).await?;
    assert_eq!(ear.next().await, "a");
    worker.stop().await
}

/// It knew of no limit, and so doesn't look for any by itself.
pub(super) async fn a_running_worker_hears_of_a_limit_that_is_set(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    say::enqueue(&client, "a".to_owned()).await?;
    assert_eq!(ear.next().await, "a");
    client.set_limit(LimitRef::of::<hold>(), Allow::at_once(1)).await?;
    let has_share = async {
        while client.limits().await?[0].shares.is_empty() {
            hold::enqueue(&client, ()).await?;
            assert_eq!(ear.next().await, "held");
            ear.open.notify_one();
        }
        Ok::<_, pgq::Error>(())
    };
    tokio::time::timeout(Duration::from_secs(20), has_share).await.expect("it asks for its share")?;
    worker.stop().await
}

/// Each tick makes a job, also where the machine was held up over the one before it.
#[pgq::schedule(every = "1s", missed = "all(1000)", overlap = "allow")]
async fn strike(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    let tick = ctx.tick().ok_or("no tick")?;
    ctx.tell(format!("{} after {:?}", tick.at, tick.previous.map(|previous| tick.at.since(previous))));
    Ok(())
}

pub(super) async fn a_schedule_of_every_second_ticks_by_itself(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let builder = Worker::builder().client(client).tasks(pgq::tasks![strike]).resources(app);
    let worker = builder.slots(1).spawn().await?;
    let told = ear.take(3).await;
    assert!(told[0].ends_with("after None"), "{told:?}");
    assert!(told[1..].iter().all(|line| line.ends_with("after Some(1s)")), "{told:?}");
    worker.stop().await
}

pub(super) async fn one_worker_makes_the_jobs_of_schedules_and_another_runs_them(client: Client) -> Result<()> {
    let ((app, mut ear), (other, mut quiet)) = (self::app(), self::app());
    let worker = |app| Worker::builder().client(client.clone()).tasks(pgq::tasks![strike]).resources(app);
    let maker = worker(other).schedules_only().spawn().await?;
    let runner = worker(app).tasks_only().spawn().await?;
    ear.take(2).await;
    maker.stop().await?;
    assert_eq!(quiet.next().await, "closed", "it ran none");
    runner.stop().await
}

pub(super) async fn progress_is_written_while_a_handler_runs(client: Client) -> Result<()> {
    let (app, mut ear) = app();
    let worker = worker(&client, app).spawn().await?;
    measure::enqueue(&client, ()).await?;
    assert_eq!(ear.next().await, "Some(0.5)");
    worker.stop().await
}
