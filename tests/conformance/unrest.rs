//! Workers with limits of which each task has some in common with another, in an order that chance makes up: what is started, ended,
//! given back, joined, left, and set of limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, LimitRef, Result};
use tokio::sync::Semaphore;

use crate::chance::Chance;
use crate::world::World;

/// The limits, by what they allow as they are declared.
const LIMITS: [usize; 3] = [2, 3, 3];
const TILES: usize = 0;
const BEAMS: usize = 1;
const YARD: usize = 2;

/// What runs of each limit, and what it may; how many have run.
#[derive(Default)]
struct Count {
    run: [AtomicUsize; 3],
    most: [AtomicUsize; 3],
    done: AtomicUsize,
    worst: std::sync::Mutex<Option<String>>,
}

/// Where one worker's attempts wait until they may end.
#[derive(Clone, pgq::Provide)]
struct Site {
    count: Arc<Count>,
    exit: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl pgq::Resources for Site {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Site {
    async fn work(&self, limits: &[usize]) -> std::result::Result<(), BoxError> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        for limit in limits {
            let run = self.count.run[*limit].fetch_add(1, Ordering::SeqCst) + 1;
            let most = self.count.most[*limit].load(Ordering::SeqCst);
            if run > most {
                let said = format!("{run} run of limit {limit}, which may be {most}");
                self.count.worst.lock().unwrap().get_or_insert(said);
            }
        }
        self.exit.acquire().await?.forget();
        for limit in limits {
            self.count.run[*limit].fetch_sub(1, Ordering::SeqCst);
        }
        self.count.done.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

#[pgq::task(concurrency = 2)]
async fn tile(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.work(&[TILES]).await
}

#[pgq::task(concurrency = 3, limit(name = "yard", concurrency = 3))]
async fn beam(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.work(&[BEAMS, YARD]).await
}

#[pgq::task(limit(name = "yard", concurrency = 3))]
async fn haul(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.work(&[YARD]).await
}

#[pgq::task(rps = 40, limit(name = "yard", concurrency = 3))]
async fn pave(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.work(&[YARD]).await
}

struct Worker {
    stepper: Stepper,
    site: Site,
}

impl Worker {
    async fn of(world: &World, count: &Arc<Count>) -> Result<Self> {
        let site = Site { count: Arc::clone(count), exit: Arc::new(Semaphore::new(0)), inside: Arc::default() };
        let stepper = world.worker(pgq::tasks![tile, beam, haul, pave], site.clone()).await?;
        Ok(Self { stepper, site })
    }

    fn inside(&self) -> usize {
        self.site.inside.load(Ordering::SeqCst)
    }

    /// The attempt that has run for the longest ends, if there is one.
    async fn end_one(&self) {
        let ended = || self.site.count.done.load(Ordering::SeqCst);
        let before = ended();
        if self.inside() > 0 {
            self.site.exit.add_permits(1);
            while ended() == before {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end_all(&mut self) -> Result<()> {
        self.site.exit.add_permits(self.inside());
        self.stepper.settle().await
    }
}

fn limit(place: usize) -> LimitRef {
    match place {
        TILES => LimitRef::of::<tile>(),
        BEAMS => LimitRef::of::<beam>(),
        _ => LimitRef::shared("yard"),
    }
}

async fn enqueue(world: &World, task: u64, count: u32) -> Result<()> {
    let client = &world.client;
    match task {
        0 => tile::enqueue_many(client, 0..count).await.map(drop),
        1 => beam::enqueue_many(client, 0..count).await.map(drop),
        2 => haul::enqueue_many(client, 0..count).await.map(drop),
        _ => pave::enqueue_many(client, 0..count).await.map(drop),
    }
}

async fn live(world: &World, seed: u64, turns: u32) -> Result<()> {
    let (mut chance, count) = (Chance::new(seed), Arc::new(Count::default()));
    for (most, declared) in count.most.iter().zip(LIMITS) {
        most.store(declared, Ordering::SeqCst);
    }
    let mut workers = Vec::new();
    for _ in 0..2 + chance.draw(4) {
        workers.push(Worker::of(world, &count).await?);
    }
    let mut enqueued = 0;
    for turn in 0..turns {
        let place = usize::try_from(chance.draw(workers.len() as u64)).unwrap();
        match chance.draw(20) {
            0..7 => drop(workers[place].stepper.start().await?),
            7..12 => workers[place].end_one().await,
            12 => workers[place].stepper.share().await?,
            13..15 => world.clock.advance(Duration::from_millis(1 + chance.draw(60))),
            15 => world.clock.advance(Duration::from_millis(chance.draw(1_500))),
            16..18 => {
                let some = u32::try_from(1 + chance.draw(6)).unwrap();
                enqueue(world, chance.draw(4), some).await?;
                enqueued += some as usize;
            }
            18 => {
                let which = usize::try_from(chance.draw(3)).unwrap();
                let (most, allow) = match chance.draw(6) {
                    0 => (usize::MAX, Some(Allow::everything())),
                    1 | 2 => (LIMITS[which], None),
                    most => {
                        (usize::try_from(most - 2).unwrap(), Some(Allow::at_once(u32::try_from(most - 2).unwrap())))
                    }
                };
                match allow {
                    Some(allow) => world.client.set_limit(limit(which), allow).await?,
                    None => drop(world.client.clear_limit(limit(which)).await?),
                }
                count.most[which].store(most, Ordering::SeqCst);
            }
            _ => {
                let mut worker = workers.swap_remove(place);
                worker.end_all().await?;
                worker.stepper.leave().await?;
                workers.push(Worker::of(world, &count).await?);
            }
        }
        let worst = count.worst.lock().unwrap().take();
        assert!(worst.is_none(), "seed {seed}, turn {turn}: {}", worst.unwrap_or_default());
    }
    for (which, most) in count.most.iter().enumerate() {
        world.client.clear_limit(limit(which)).await?;
        most.store(LIMITS[which], Ordering::SeqCst);
    }
    // Each turn of all lets one start at least, wherever the units are.
    let mut turns = 0;
    while count.done.load(Ordering::SeqCst) < enqueued {
        for worker in &mut workers {
            worker.stepper.start().await?;
            worker.end_all().await?;
        }
        world.clock.advance(Duration::from_millis(25));
        turns += 1;
        let done = count.done.load(Ordering::SeqCst);
        assert!(turns < 60 + 2 * enqueued, "seed {seed}: {done} of {enqueued} have run");
    }
    for worker in workers {
        worker.stepper.leave().await?;
    }
    Ok(())
}

/// Whoever looks before he starts knows what is allowed: there is no time in which more may run.
pub(crate) async fn whatever_is_set_no_more_start_than_may_and_all_have_their_turn(world: World) -> Result<()> {
    live(&world, 1, 250).await
}

#[tokio::test]
async fn no_order_of_things_lets_more_start_than_may_or_leaves_one_behind() -> Result<()> {
    for seed in 0..120 {
        live(&World::memory(), seed, 400).await?;
    }
    Ok(())
}
