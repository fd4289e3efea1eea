//! Limits while workers die, or fall silent and go on, while claims and what is said of limits are on their way or get no answer, and
//! while operators and deploys change how many may run, how many may start, and what is counted: in an order that chance makes up.

use std::sync::Arc;
use std::time::Duration;

use pgq::{Allow, Client, LimitRef, Result, State};

use super::crew::{LEASE, Worker, before};
use super::terms::{Account, TASKS};
use crate::chance::Chance;
use crate::worker::faults::{Fault, Faults, wayward_over};
use crate::world::{SECOND, World};

/// No live worker is untended for longer.
const TENDED: Duration = Duration::from_secs(4);
/// After so many turns of all in which no job ends nothing moves any more.
const STALL: u32 = 600;
/// A job that was running when so many workers fell silent is still tried again.
const DEATHS: u32 = 3;

struct Scene<'w> {
    world: &'w World,
    seed: u64,
    chance: Chance,
    account: Arc<Account>,
    /// Where workers register.
    office: (Client, Arc<Faults>),
    live: Vec<Worker>,
    silent: Vec<Worker>,
    deaths: u32,
    is_next: bool,
    enqueued: u32,
}

impl<'w> Scene<'w> {
    async fn open(world: &'w World, seed: u64) -> Result<Self> {
        let (chance, account) = (Chance::new(seed), Arc::new(Account::new(&world.clock)));
        let (live, silent, faults) = (Vec::new(), Vec::new(), Arc::default());
        let office = (wayward_over(&world.client, &world.clock, &faults)?, faults);
        let mut scene =
            Self { world, seed, chance, account, office, live, silent, deaths: 0, is_next: false, enqueued: 0 };
        for _ in 0..2 + scene.chance.draw(4) {
            scene.join().await?;
        }
        Ok(scene)
    }

    fn draw(&mut self, most: u64) -> usize {
        usize::try_from(self.chance.draw(most)).unwrap()
    }

    fn any(&mut self) -> usize {
        self.draw(self.live.len() as u64)
    }

    async fn join(&mut self) -> Result<()> {
        let slots = [2, 5, 100][self.draw(3)];
        self.live.push(Worker::of(&self.office, &self.account, self.is_next, slots).await?);
        self.note().await
    }

    /// Notes what is in force by now, and who knows of it.
    async fn note(&self) -> Result<()> {
        self.account.see(&self.live[0].stepper().session().pools().await?);
        self.hear();
        Ok(())
    }

    fn hear(&self) {
        let versions = self.live.iter().map(Worker::looked);
        self.account.heard(versions.min().unwrap_or(usize::MAX));
    }

    async fn turn(&mut self) -> Result<()> {
        let place = self.any();
        match self.draw(60) {
            0..16 => {
                let fault = self.fault();
                self.live[place].claim(fault).await;
            }
            16..26 => self.live[place].end_one().await,
            26..36 => {
                let fault = self.fault();
                self.live[place].share(fault).await;
                self.note().await?;
            }
            36..39 => self.live[place].hear_share().await,
            39 => self.live[place].give_up_share(),
            40..45 => {
                let most = [60, 60, 60, 60, 1_500][self.draw(5)];
                let span = Duration::from_millis(1 + self.chance.draw(most));
                self.pass(span).await?;
            }
            45..49 => self.enqueue().await?,
            49..51 => {
                self.set().await?;
                if self.draw(2) == 0 {
                    self.look().await?;
                    self.go_on().await;
                }
            }
            51 => self.look().await?,
            52 => {
                let worker = self.live.swap_remove(place);
                worker.leave().await?;
                self.join().await?;
            }
            53 => self.is_next = !self.is_next,
            54 if self.deaths < DEATHS && self.live.len() > 1 => {
                let worker = self.live.swap_remove(place);
                self.silent.push(worker);
                self.deaths += 1;
                self.hear();
            }
            55 if !self.silent.is_empty() => {
                let which = self.draw(self.silent.len() as u64);
                let worker = self.silent.remove(which);
                self.account.miss(worker.looked());
                self.live.push(worker);
                self.pass(Duration::from_millis(1)).await?;
            }
            56 => self.join_or_leave().await?,
            57 => self.pass(SECOND * 5).await?,
            _ => self.rescue().await?,
        }
        Ok(())
    }

    async fn join_or_leave(&mut self) -> Result<()> {
        let place = self.any();
        if self.live.len() < 4 {
            return self.join().await;
        }
        self.live.swap_remove(place).leave().await?;
        self.note().await
    }

    fn fault(&mut self) -> Option<Fault> {
        match self.draw(20) {
            0..4 => Some(Fault::Held),
            4..7 => Some(Fault::Delayed),
            7 => Some(Fault::Unanswered),
            8 => Some(Fault::Refused),
            _ => None,
        }
    }

    /// Time passes, in which live workers are tended.
    async fn pass(&mut self, mut span: Duration) -> Result<()> {
        while !span.is_zero() {
            let step = span.min(SECOND);
            self.world.clock.advance(step);
            span -= step;
            let now = self.world.clock.now();
            for place in 0..self.live.len() {
                if now.since(self.live[place].tended) > TENDED {
                    self.live[place].tend(now).await?;
                    self.note().await?;
                }
            }
        }
        Ok(())
    }

    /// All look at limits.
    async fn look(&mut self) -> Result<()> {
        for worker in &mut self.live {
            worker.share(None).await;
        }
        self.note().await
    }

    /// All hear what was on its way to them, and claim.
    async fn go_on(&mut self) {
        for worker in &mut self.live {
            worker.hear_share().await;
            worker.hear_claim().await;
            worker.claim(None).await;
        }
    }

    async fn enqueue(&mut self) -> Result<()> {
        let (client, count) = (&self.world.client, u32::try_from(1 + self.chance.draw(6)).unwrap());
        match self.chance.draw(4) {
            0 => drop(before::slate::enqueue_many(client, 0..count).await?),
            1 => drop(before::girder::enqueue_many(client, 0..count).await?),
            2 => drop(before::cart::enqueue_many(client, 0..count).await?),
            _ => drop(before::gravel::enqueue_many(client, 0..count).await?),
        }
        self.enqueued += count;
        Ok(())
    }

    async fn set(&mut self) -> Result<()> {
        let limit = limit(self.draw(5));
        if self.draw(4) == 0 {
            self.world.client.clear_limit(limit).await?;
            return self.note().await;
        }
        let most = self.draw(7);
        let allow = if most > 4 { Allow::everything() } else { Allow::at_once(u32::try_from(most).unwrap()) };
        let allow = match self.draw(3) {
            0 => {
                let (count, burst) = (5 + 5 * self.draw(6), 1 + self.draw(6));
                #[expect(clippy::cast_precision_loss, reason = "it is small")]
                let allow = allow.starts(count as f64, SECOND);
                allow.burst(u32::try_from(burst).unwrap())
            }
            _ => allow,
        };
        self.world.client.set_limit(limit, allow).await?;
        self.note().await
    }

    /// Some worker says whose lease is over, and what is due goes on.
    async fn rescue(&mut self) -> Result<()> {
        let place = self.any();
        let session = Arc::clone(self.live[place].stepper().session());
        session.promote(99).await?;
        loop {
            let rescued = session.rescue(99).await?;
            assert_eq!(rescued.discarded.len(), 0);
            if rescued.gone == 0 && rescued.freed == 0 {
                break;
            }
        }
        for worker in std::mem::take(&mut self.silent) {
            if worker.is_gone().await? {
                worker.go().await?;
            } else {
                self.silent.push(worker);
            }
        }
        self.note().await
    }

    fn assert_right(&self, turn: u32) {
        let worst = self.account.worst();
        assert!(worst.is_none(), "seed {}, turn {turn}: {}", self.seed, worst.unwrap_or_default());
    }

    /// Whatever was set, all have their turn, unless nothing may run.
    async fn close(mut self) -> Result<()> {
        for worker in &mut self.live {
            worker.end_all().await?;
        }
        let is_cleared = self.draw(2) == 0;
        for info in self.world.client.limits().await? {
            if is_cleared || info.bounds.concurrency == Some(0) {
                let limit = info.task.map_or_else(|| LimitRef::shared(info.name), LimitRef::task);
                self.world.client.clear_limit(limit).await?;
            }
        }
        self.note().await?;
        // Those who are silent are gone, and what died with them is due.
        for _ in 0..8 {
            self.pass(LEASE / 3).await?;
            self.rescue().await?;
        }
        assert_eq!(self.silent.len(), 0, "seed {}", self.seed);
        self.finish().await
    }

    /// All that is left runs, though nobody has his turn always when another one has it.
    async fn finish(mut self) -> Result<()> {
        let (mut turns, mut last) = (0, (0, 0));
        loop {
            let done = self.world.client.jobs().state(State::Completed).count().await?.jobs;
            if done == u64::from(self.enqueued) {
                break;
            }
            if done > last.0 {
                last = (done, turns);
            }
            assert!(turns <= last.1 + STALL, "seed {}: {done} of {} have run", self.seed, self.enqueued);
            for _ in 0..self.live.len() {
                let place = self.any();
                for _ in 0..2 {
                    self.live[place].share(None).await;
                    self.note().await?;
                    self.live[place].claim(None).await;
                }
                self.live[place].end_all().await?;
            }
            self.assert_right(turns);
            self.rescue().await?;
            let span = Duration::from_millis(10 + self.chance.draw(30));
            self.pass(span).await?;
            turns += 1;
        }
        for worker in self.live {
            worker.leave().await?;
        }
        Ok(())
    }
}

fn limit(place: usize) -> LimitRef {
    TASKS.get(place).map_or_else(|| LimitRef::shared("quarry"), |task| LimitRef::task(*task))
}

async fn live(world: &World, seed: u64, turns: u32) -> Result<()> {
    let mut scene = Scene::open(world, seed).await?;
    for turn in 0..turns {
        scene.turn().await?;
        scene.assert_right(turn);
    }
    scene.close().await
}

pub(crate) async fn whoever_dies_and_whatever_is_late_no_more_start_than_may_and_all_have_their_turn(
    world: World,
) -> Result<()> {
    live(&world, 1, 120).await
}

#[tokio::test]
async fn no_death_and_no_late_answer_lets_more_start_than_may_or_leaves_one_behind() -> Result<()> {
    for seed in (100..140).chain([2083]) {
        live(&World::memory(), seed, 400).await?;
    }
    Ok(())
}
