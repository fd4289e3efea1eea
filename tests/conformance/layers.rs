//! What code around every attempt sees, and may put in its place.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::{Context, FailureKind, Layer, Next, Outcome, Result, State};

use crate::world::World;

/// Resources whose layers write down what they see.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Layered {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Layered {
    fn note(&self, line: String) {
        self.seen.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Notes what it is told of the attempt, and how that ended.
    fn witness(&self, name: &'static str) -> Arc<dyn Layer> {
        let this = self.clone();
        Arc::new(move |context: Context, next: Next| {
            let this = this.clone();
            async move {
                let tenant = context.headers().get("tenant").map_or("nobody", String::as_str).to_owned();
                this.note(format!("{name}: {} {} for {tenant}", context.task(), context.attempt()));
                let outcome = next.run().await;
                this.note(format!("{name}: {}", word(&outcome)));
                outcome
            }
        })
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::Failed(failure) => format!("failed, {}", failure.message()),
        other => format!("{other:?}"),
    }
}

/// Does what the header `door` says, instead of the handler.
async fn door(context: Context, next: Next) -> Outcome {
    match context.headers().get("door").map(String::as_str) {
        Some("snooze") => pgq::snooze(Duration::from_secs(30)).into(),
        Some("retry") => pgq::retry_in(Duration::from_secs(30)).into(),
        Some("discard") => pgq::discard("no way").into(),
        Some("cancel") => pgq::cancel("no way").into(),
        Some("panic") => panic!("the door fell"),
        _ => next.run().await,
    }
}

impl pgq::Resources for Layered {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }

    fn layers(self: &Arc<Self>) -> Vec<Arc<dyn Layer>> {
        vec![self.witness("outer"), self.witness("inner"), Arc::new(door)]
    }
}

#[pgq::task(retry = none)]
async fn knock(ctx: Context<Layered>, fails: bool) -> Result<(), pgq::BoxError> {
    ctx.note("handler".to_owned());
    if fails { Err("nobody is home")? } else { Ok(()) }
}

pub(crate) async fn layers_see_an_attempt_and_its_outcome_the_first_outermost(world: World) -> Result<()> {
    let app = Layered::default();
    let mut worker = world.worker(pgq::tasks![knock], app.clone()).await?;
    knock::job(false).header("tenant", "acme").enqueue(&world.client).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(
        app.lines(),
        ["outer: knock 1 for acme", "inner: knock 1 for acme", "handler", "inner: completed", "outer: completed"]
    );
    Ok(())
}

async fn own(ctx: Context<Layered>, next: Next) -> Outcome {
    ctx.note("own".to_owned());
    next.run().await
}

/// Comes again later where somebody would have given up.
async fn patient(_: Context<Layered>, next: Next) -> Outcome {
    match next.run().await {
        Outcome::Failed(_) => pgq::snooze(Duration::from_secs(5)).into(),
        outcome => outcome,
    }
}

#[pgq::task(layer = [own, patient], retry = none)]
async fn enter(ctx: Context<Layered>, fails: bool) -> Result<(), pgq::BoxError> {
    ctx.note("handler".to_owned());
    if fails { Err("nobody is home")? } else { Ok(()) }
}

pub(crate) async fn a_tasks_layers_are_within_its_workers(world: World) -> Result<()> {
    let app = Layered::default();
    let builder = pgq::Worker::builder().client(world.client.clone()).tasks(pgq::tasks![enter, knock]);
    let witness = app.clone();
    let outermost = move |_: Context, next: Next| {
        witness.note("builder".to_owned());
        next.run()
    };
    let mut worker = builder.resources(app.clone()).layer(outermost).stepper().await?;
    enter::enqueue(&world.client, false).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(
        app.lines()[..5],
        ["builder", "outer: enter 1 for nobody", "inner: enter 1 for nobody", "own", "handler"]
    );
    let id = enter::enqueue(&world.client, true).await?.id();
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(world.state(id).await?, State::Scheduled);
    knock::enqueue(&world.client, false).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(app.lines().iter().filter(|line| *line == "own").count(), 2);
    Ok(())
}

pub(crate) async fn a_layer_sees_how_a_handler_failed(world: World) -> Result<()> {
    let app = Layered::default();
    let mut worker = world.worker(pgq::tasks![knock], app.clone()).await?;
    let id = knock::enqueue(&world.client, true).await?.id();
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(app.lines()[3..], ["inner: failed, nobody is home", "outer: failed, nobody is home"]);
    assert_eq!(world.state(id).await?, State::Discarded);
    Ok(())
}

pub(crate) async fn a_layer_can_answer_in_the_handlers_place(world: World) -> Result<()> {
    for (door, state) in [
        ("snooze", State::Scheduled),
        ("retry", State::Retryable),
        ("discard", State::Discarded),
        ("cancel", State::Cancelled),
    ] {
        let app = Layered::default();
        let mut worker = world.worker(pgq::tasks![knock], app.clone()).await?;
        let job = knock::job(false).max_attempts(2).header("door", door);
        let id = job.enqueue(&world.client).await?.id();
        assert_eq!(worker.drain().await?, 1);
        assert_eq!(world.state(id).await?, state, "{door}");
        assert!(!app.lines().contains(&"handler".to_owned()), "{door}");
    }
    Ok(())
}

pub(crate) async fn a_panic_in_a_layer_ends_only_its_attempt(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![knock], Layered::default()).await?;
    let broken = knock::job(false).header("door", "panic").enqueue(&world.client).await?.id();
    let whole = knock::enqueue(&world.client, false).await?.id();
    assert_eq!(worker.drain().await?, 2);
    let broken = world.job(broken).await?;
    assert_eq!((broken.state, broken.failures[0].kind), (State::Discarded, FailureKind::Panic));
    assert_eq!(broken.failures[0].message, "the door fell");
    assert_eq!(world.state(whole).await?, State::Completed);
    Ok(())
}

/// A client of the same backend that names a tenant, and lets no job into the queue `closed`.
fn strict(world: &World) -> Result<pgq::Client> {
    let builder = pgq::Client::builder()?.on_enqueue(|job| {
        job.header("tenant", "acme");
        if job.queue() == "closed" { Err("this queue is closed")? } else { Ok(()) }
    });
    Ok(world.client_of(builder))
}

pub(crate) async fn a_client_adds_to_every_job_before_it_goes(world: World) -> Result<()> {
    let client = strict(&world)?;
    let mut ids = vec![knock::enqueue(&client, false).await?.id()];
    ids.extend(knock::enqueue_many(&client, [false, true]).await?.iter().map(pgq::Handle::id));
    let tx = client.begin().await?;
    ids.push(knock::enqueue(&tx, false).await?.id());
    tx.commit().await?;
    if let Ok(pool) = client.pool() {
        let mut tx = pool.begin().await.unwrap();
        ids.push(knock::enqueue(client.on(&mut tx), false).await?.id());
        tx.commit().await.unwrap();
    }
    for id in ids {
        assert_eq!(world.job(id).await?.headers.get("tenant").map(String::as_str), Some("acme"));
    }
    Ok(())
}

pub(crate) async fn a_client_can_refuse_a_job_and_its_batch(world: World) -> Result<()> {
    let client = strict(&world)?;
    let jobs = [pgq::AnyJob::from(knock::job(false)), knock::job(false).queue("closed").into()];
    let refused = pgq::enqueue_many(&client, jobs).await.unwrap_err();
    assert!(refused.is_invalid());
    assert_eq!(refused.task(), Some("knock"));
    assert!(std::error::Error::source(&refused).is_some_and(|why| why.to_string() == "this queue is closed"));
    assert_eq!(world.client.jobs().count().await?.jobs, 0);
    Ok(())
}
