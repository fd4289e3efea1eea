//! How far attempts have come, as their handlers say.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Advance, Claimed, Ended, NewJob, Session, Steps, Transition, Verdict};
use pgq::testing::Stepper;
use pgq::{Context, Env, Error, JobId, Resources, Result, State};
use tokio::sync::{Mutex, mpsc};

use crate::log::Log;
use crate::world::{SPAN, World, claim, end, ended, failure, job, retry};

fn advance(claimed: &Claimed, done: u64, total: u64) -> Advance {
    Advance { id: claimed.id, epoch: claimed.epoch, steps: Steps::new(done, total) }
}

async fn tell(session: &Arc<dyn Session>, claimed: &Claimed, done: u64, total: u64) -> Result<Verdict> {
    Ok(session.advance(vec![advance(claimed, done, total)]).await?[0])
}

/// What an operator sees: how much is done, and of how much.
async fn seen(world: &World, id: JobId) -> Result<Option<(u64, u64)>> {
    Ok(world.job(id).await?.progress.map(|progress| (progress.done, progress.total)))
}

/// Says what it is told to, until it is told no more, or to end.
#[pgq::task(retry = fixed("1h"))]
async fn climb(ctx: Context<Ladder>) -> std::result::Result<(), pgq::BoxError> {
    let mut steps = ctx.steps.lock().await;
    while let Some((done, total)) = ctx.token().run_until_cancelled(steps.recv()).await.flatten() {
        ctx.progress(done, total);
        ctx.said.send(())?;
    }
    Err("a step is missing".into())
}

#[pgq::task]
async fn leap(ctx: Context, _tx: &pgq::Tx) -> std::result::Result<(), pgq::BoxError> {
    ctx.progress(2, 2);
    Ok(())
}

#[derive(pgq::Provide)]
struct Ladder {
    steps: Mutex<mpsc::UnboundedReceiver<(u64, u64)>>,
    said: mpsc::UnboundedSender<()>,
}

impl Resources for Ladder {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

/// The test's end of a ladder.
struct Climber {
    steps: mpsc::UnboundedSender<(u64, u64)>,
    said: mpsc::UnboundedReceiver<()>,
}

impl Climber {
    async fn says(&mut self, done: u64, total: u64) {
        self.steps.send((done, total)).unwrap();
        self.said.recv().await.unwrap();
    }
}

/// A worker that climbs.
async fn climbing(world: &World) -> Result<(JobId, Stepper, Climber)> {
    let ((steps, to_say), (told, said)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let ladder = Ladder { steps: Mutex::new(to_say), said: told };
    let id = climb::enqueue(&world.client, ()).await?.id();
    let mut worker = world.worker(pgq::tasks![climb], ladder).await?;
    assert_eq!(worker.start().await?, 1);
    Ok((id, worker, Climber { steps, said }))
}

pub(crate) async fn progress_is_seen_while_an_attempt_runs(world: World) -> Result<()> {
    let (id, mut worker, mut climber) = climbing(&world).await?;
    worker.tell().await?;
    assert_eq!(seen(&world, id).await?, None, "nothing was said");
    climber.says(1, 10).await;
    climber.says(2, 10).await;
    worker.tell().await?;
    assert_eq!(seen(&world, id).await?, Some((2, 10)), "the last one counts");
    let told = world.job(id).await?.progress.map(|progress| progress.told);
    world.clock.advance(Duration::from_secs(5));
    climber.says(2, 10).await;
    worker.tell().await?;
    assert_eq!(world.job(id).await?.progress.map(|progress| progress.told), told, "saying it again is no news");
    climber.says(3, 10).await;
    worker.tell().await?;
    assert_eq!(world.job(id).await?.progress.map(|progress| progress.told), Some(world.clock.now()));
    assert_eq!(world.state(id).await?, State::Running);
    Ok(())
}

pub(crate) async fn the_last_progress_is_written_with_the_end(world: World) -> Result<()> {
    let (id, mut worker, mut climber) = climbing(&world).await?;
    climber.says(9, 10).await;
    drop(climber);
    worker.settle().await?;
    assert_eq!((world.state(id).await?, seen(&world, id).await?), (State::Retryable, Some((9, 10))));

    world.put((0..3).map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 3).await?;
    tell(&session, &won[2], 4, 5).await?;
    let complete = |place: usize| ended(&won[place], Transition::Complete);
    session.finish(&[complete(0), Ended { steps: Some(Steps::new(5, 5)), ..complete(1) }, complete(2)]).await?;
    for (won, progress) in won.iter().zip([None, Some((5, 5)), Some((4, 5))]) {
        assert_eq!((world.state(won.id).await?, seen(&world, won.id).await?), (State::Completed, progress));
    }
    Ok(())
}

pub(crate) async fn a_new_attempt_begins_without_progress(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    assert_eq!(tell(&session, &won[0], 3, 10).await?, Verdict::Written);
    end(&session, &won[0], retry(Duration::ZERO)).await?;
    assert_eq!(seen(&world, id).await?, Some((3, 10)), "so far the failed attempt came");
    claim(&session, &["a"], 1).await?;
    assert_eq!(seen(&world, id).await?, None);
    Ok(())
}

pub(crate) async fn progress_stays_with_its_job(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    for by_hand in [false, true] {
        let won = claim(&session, &["a"], 1).await?;
        tell(&session, &won[0], 3, 10).await?;
        let end_of_it = if by_hand { retry(Duration::ZERO) } else { Transition::Discard { failure: failure() } };
        end(&session, &won[0], end_of_it).await?;
        if by_hand {
            world.client.cancel(id, "enough").await?;
        }
        assert_eq!(seen(&world, id).await?, Some((3, 10)));
        world.client.retry(id).await?;
        assert_eq!((world.state(id).await?, seen(&world, id).await?), (State::Available, Some((3, 10))));
    }
    Ok(())
}

pub(crate) async fn what_died_with_its_worker_keeps_its_progress(world: World) -> Result<()> {
    let again = world.put_one(job("a")).await?;
    let over = world.put_one(NewJob { max_attempts: 1, ..job("a") }).await?;
    let (silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    for won in claim(&silent, &["a"], 2).await? {
        tell(&silent, &won, 3, 10).await?;
    }
    world.clock.advance(SPAN + Duration::from_micros(1));
    other.attend().await?.renew().await?;
    other.rescue(10).await?;
    for (id, state) in [(again, State::Available), (over, State::Discarded)] {
        assert_eq!((world.state(id).await?, seen(&world, id).await?), (state, Some((3, 10))));
    }
    Ok(())
}

pub(crate) async fn the_last_progress_is_in_the_commit_of_a_handlers_transaction(world: World) -> Result<()> {
    let id = leap::enqueue(&world.client, ()).await?.id();
    world.worker::<()>(pgq::tasks![leap], ()).await?.step().await?;
    assert_eq!((world.state(id).await?, seen(&world, id).await?), (State::Completed, Some((2, 2))));
    Ok(())
}

pub(crate) async fn odd_progress_is_kept_as_it_is_said(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let won = claim(&session, &["a"], 1).await?;
    let most = i64::MAX.cast_unsigned();
    for (said, kept, fraction) in [
        ((7, 0), (7, 0), None),
        ((11, 10), (11, 10), Some(1.0)),
        ((5, 10), (5, 10), Some(0.5)),
        ((u64::MAX, u64::MAX), (most, most), Some(1.0)),
    ] {
        assert_eq!(tell(&session, &won[0], said.0, said.1).await?, Verdict::Written);
        assert_eq!(seen(&world, id).await?, Some(kept));
        let progress = world.job(id).await?.progress;
        assert_eq!(progress.and_then(|progress| progress.fraction()), fraction);
    }
    Ok(())
}

pub(crate) async fn a_late_holders_progress_is_refused(world: World) -> Result<()> {
    world.put((0..3).map(|_| job("a")).collect()).await?;
    let (session, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let won = claim(&session, &["a"], 3).await?;
    assert_eq!(tell(&other, &won[0], 1, 2).await?, Verdict::Lost, "it is another worker's");
    let late = Advance { epoch: 9, ..advance(&won[1], 1, 2) };
    let batch = vec![advance(&won[0], 1, 2), late, advance(&won[2], 1, 2)];
    assert_eq!(session.advance(batch).await?, [Verdict::Written, Verdict::Lost, Verdict::Written]);
    for (won, progress) in won.iter().zip([Some((1, 2)), None, Some((1, 2))]) {
        assert_eq!(seen(&world, won.id).await?, progress);
    }
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(tell(&session, &won[0], 2, 2).await?, Verdict::Lost, "it has ended");
    assert_eq!(seen(&world, won[0].id).await?, Some((1, 2)));
    Ok(())
}

pub(crate) async fn an_attempt_that_was_overtaken_hears_of_it_by_its_progress(world: World) -> Result<()> {
    let (id, mut worker, mut climber) = climbing(&world).await?;
    worker.session().release_all_but(Vec::new()).await?;
    let other = world.session(&["climb"]).await?;
    let won = claim(&other, &["climb"], 1).await?;
    climber.says(1, 2).await;
    worker.tell().await?;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    worker.settle().await?;
    let told = log.about("attempt ended early");
    assert!(told.len() == 1 && told[0].contains("kind=lost_lease"), "{told:?}");
    let job = world.job(id).await?;
    assert_eq!((job.state, job.progress, job.failures.len()), (State::Running, None, 0));
    assert_eq!(end(&other, &won[0], Transition::Complete).await?, Verdict::Written);
    Ok(())
}
