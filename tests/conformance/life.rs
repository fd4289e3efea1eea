//! Any sequence of what may happen to a job leaves it where the state table says, with the attempts that it should have.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::crash::{self, Fate};
use pgq::backend::{Claimed, Event, NewJob, Session, Transition, Verdict};
use pgq::{Cancellation, Edit, Edited, JobId, Result, Retrial, State};

use crate::world::{SPAN, World, claim, end, failure, job, retry};

const GRANTED: u16 = 3;
const MINUTE: Duration = Duration::from_mins(1);

/// What is known of the job without asking.
struct Model {
    state: State,
    attempt: u16,
    max_attempts: u16,
    epoch: u32,
    crashes: u16,
}

impl Model {
    /// Follows an edge of the table, or says that there is none.
    fn follow(&mut self, event: Event) -> bool {
        let next = self.state.after(event);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    fn after(&mut self, transition: &Transition) {
        let refunded = matches!(transition, Transition::Snooze { .. } | Transition::Release);
        self.attempt -= u16::from(refunded);
        assert!(self.follow(transition.event()), "{transition:?} leaves {}", self.state);
        if transition.delay().is_some() {
            self.crashes = 0;
        }
        // Without a delay there is nothing to wait for.
        if transition.delay() == Some(Duration::ZERO) {
            self.state = State::Available;
        }
    }
}

struct Life {
    world: World,
    session: Arc<dyn Session>,
    id: JobId,
    model: Model,
    held: Option<Claimed>,
    /// An earlier claim, which has nothing to say any more.
    stale: Option<Claimed>,
}

/// Numbers without an order to them, the same for the same seed. Source: Marsaglia, "Xorshift RNGs", 2003.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

impl Life {
    async fn begin(world: World) -> Result<Self> {
        let session = world.session(&["a"]).await?;
        let id = world.put_one(NewJob { max_attempts: GRANTED, ..job("a") }).await?;
        let model = Model { state: State::Available, attempt: 0, max_attempts: GRANTED, epoch: 0, crashes: 0 };
        Ok(Self { world, session, id, model, held: None, stale: None })
    }

    async fn happen(&mut self, dice: &mut Dice) -> Result<&'static str> {
        Ok(match dice.roll(8) {
            0 | 1 => self.claim().await?,
            2 | 3 => self.end(dice).await?,
            4 => self.wait().await?,
            5 => self.cancel_or_retry(dice).await?,
            6 => self.crash_or_edit(dice).await?,
            _ => self.write_late().await?,
        })
    }

    async fn claim(&mut self) -> Result<&'static str> {
        let won = claim(&self.session, &["a"], 1).await?.pop();
        assert_eq!(won.is_some(), self.model.follow(Event::Claim));
        if won.is_some() {
            (self.model.attempt, self.model.epoch) = (self.model.attempt + 1, self.model.epoch + 1);
            self.stale = self.held.take().or(self.stale.take());
            self.held = won;
        }
        Ok("claim")
    }

    async fn end(&mut self, dice: &mut Dice) -> Result<&'static str> {
        let Some(held) = self.held.take() else { return Ok("nothing to end") };
        let failure = failure();
        let transition = match dice.roll(8) {
            0 => Transition::Complete,
            1 | 2 => retry(MINUTE),
            3 => retry(Duration::ZERO),
            4 => Transition::Snooze { after: MINUTE },
            5 => Transition::Release,
            6 => Transition::Discard { failure },
            _ => Transition::Cancel { failure },
        };
        assert_eq!(end(&self.session, &held, transition.clone()).await?, Verdict::Written);
        self.model.after(&transition);
        self.stale = Some(held);
        Ok(transition.event().as_str())
    }

    async fn wait(&mut self) -> Result<&'static str> {
        // A sign of life comes first: the wait is longer than the lease.
        self.session.attend().await?.renew().await?;
        self.world.clock.advance(SPAN * 3 / 4);
        self.session.attend().await?.renew().await?;
        self.world.clock.advance(SPAN * 3 / 4);
        self.session.attend().await?.renew().await?;
        self.world.clock.advance(SPAN * 3 / 4);
        self.session.promote(10).await?;
        self.model.follow(Event::Due);
        Ok("wait")
    }

    async fn cancel_or_retry(&mut self, dice: &mut Dice) -> Result<&'static str> {
        if dice.roll(2) == 0 || self.model.state.is_final() {
            let retrial = self.world.client.retry(self.id).await?;
            if self.model.follow(Event::RetryByHand) {
                assert_eq!(retrial, Retrial::Done);
                self.model.max_attempts = self.model.attempt + GRANTED;
                self.model.crashes = 0;
            } else {
                assert_eq!(retrial, Retrial::Queued);
            }
            return Ok("retry by hand");
        }
        let cancellation = self.world.client.cancel(self.id, "no longer wanted").await?;
        let queued = self.model.state != State::Running;
        assert_eq!(cancellation, if queued { Cancellation::Done } else { Cancellation::Asked });
        if queued {
            self.model.follow(Event::Cancel);
        }
        Ok("cancel")
    }

    /// The worker falls silent and another frees what it held; or somebody edits the job.
    async fn crash_or_edit(&mut self, dice: &mut Dice) -> Result<&'static str> {
        if self.model.state != State::Running || dice.roll(2) == 0 {
            return self.edit().await;
        }
        let heir = self.world.session(&["a"]).await?;
        self.world.clock.advance(SPAN + Duration::from_secs(1));
        while heir.rescue(10).await?.freed > 0 {}
        self.session = heir;
        self.stale = self.held.take();
        self.model.crashes += 1;
        let fate = crash::fate(self.model.crashes, self.model.attempt, self.model.max_attempts);
        // A wish to cancel it outlives the worker that was told.
        let now = self.world.job(self.id).await?;
        assert!(self.model.follow(match fate {
            Fate::Discarded => Event::Crash,
            Fate::Again(_) if now.state == State::Cancelled => Event::Cancel,
            Fate::Again(Duration::ZERO) => Event::Rescue,
            Fate::Again(_) => Event::Retry,
        }));
        Ok("crash")
    }

    async fn edit(&mut self) -> Result<&'static str> {
        let edited = self.world.client.edit(self.id, Edit::new().delay(MINUTE)).await?;
        match self.model.state {
            State::Running => assert_eq!(edited, Edited::Running),
            state if state.is_final() => assert_eq!(edited, Edited::Finished(state)),
            state => {
                assert_eq!(edited, Edited::Done);
                let now = self.world.state(self.id).await?;
                assert!(matches!(now, State::Scheduled | State::Retryable), "{state} became {now}");
                self.model.state = now;
            }
        }
        Ok("edit")
    }

    async fn write_late(&mut self) -> Result<&'static str> {
        if let Some(stale) = &self.stale {
            assert_eq!(end(&self.session, stale, Transition::Complete).await?, Verdict::Lost);
        }
        Ok("late write")
    }

    async fn check(&self, history: &[&str]) -> Result<()> {
        let job = self.world.job(self.id).await?;
        let found = (job.state, job.attempt, job.max_attempts, job.epoch, job.crashes);
        let Model { state, attempt, max_attempts, epoch, crashes } = self.model;
        assert_eq!(found, (state, attempt, max_attempts, epoch, crashes), "after {history:?}");
        Ok(())
    }
}

pub(crate) async fn any_sequence_of_events_leaves_a_job_where_the_table_says(world: World) -> Result<()> {
    let mut life = Life::begin(world).await?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut history = Vec::new();
    for _ in 0..400 {
        history.push(life.happen(&mut dice).await?);
        life.check(&history).await?;
    }
    for event in ["claim", "complete", "retry", "snooze", "release", "discard", "cancel", "crash", "retry by hand"] {
        assert!(history.contains(&event), "{event} didn't come up");
    }
    Ok(())
}
