//! What a worker says of limits while it comes to an end, and while a look at them fails, by a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{Allow, Client, Context, LimitRef, Timestamp, Worker};

use super::faults::{Fault, Faults, plan, wayward_by, wayward_over};
use crate::quay::{Quay, quay};
use crate::world::{SPAN, World, declaration, passing, soon};

/// Until workers have so many units of a limit. Polled, as nobody is told of that.
async fn until_units(client: &Client, of: &str, units: u32) {
    let are = async || {
        let limits = client.limits().await.unwrap();
        limits
            .iter()
            .filter(|limit| limit.name == of)
            .flat_map(|limit| &limit.shares)
            .map(|share| share.units)
            .sum::<u32>()
    };
    let reached = async {
        while are().await != units {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(&format!("{units} units of {of}"), reached).await;
}

/// Until somebody waits for units of a limit. Polled, as nobody is told of that.
async fn until_one_wishes(client: &Client, of: &str) {
    let reached = async {
        loop {
            let limits = client.limits().await.unwrap();
            let mut shares = limits.iter().filter(|limit| limit.name == of).flat_map(|limit| &limit.shares);
            if shares.any(|share| share.waits_for > 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(&format!("somebody wants {of}"), reached).await;
}

#[pgq::task(concurrency = 3)]
async fn berth(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// What nothing runs with goes at once, and the rest when an attempt has ended.
async fn what_a_draining_worker_does_not_run_is_others(world: World) {
    let (here, mut reports) = quay();
    let first = here.worker(&world.client, pgq::tasks![berth]).await;
    berth::enqueue_many(&world.client, 0..3).await.unwrap();
    for _ in 0..3 {
        soon("all may run", reports.recv()).await;
    }
    here.gate.add_permits(1);
    first.stopper().ask();
    let stopped = tokio::spawn(first.stop());
    until_units(&world.client, "berth", 2).await;
    let there = here.beside();
    let second = there.worker(&world.client, pgq::tasks![berth]).await;
    berth::enqueue_many(&world.client, 3..5).await.unwrap();
    assert_eq!(soon("one is free", reports.recv()).await, Some(3));
    here.gate.add_permits(1);
    assert_eq!(soon("one falls free", reports.recv()).await, Some(4));
    assert!(!stopped.is_finished(), "one still runs");
    here.gate.add_permits(1);
    there.gate.add_permits(2);
    soon("it ends", stopped).await.unwrap().unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_draining_worker_does_not_run_is_others_in_memory() {
    what_a_draining_worker_does_not_run_is_others(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_draining_worker_does_not_run_is_others_in_postgres() {
    what_a_draining_worker_does_not_run_is_others(World::postgres().await).await;
}

#[pgq::task]
async fn anchor(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

#[pgq::task]
async fn mole(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// It runs nothing, and says so.
async fn a_worker_for_schedules_only_holds_up_no_limit_that_is_set(world: World) {
    let (here, mut reports) = quay();
    let builder = Worker::builder().client(world.client.clone()).tasks(pgq::tasks![mole]).resources(here.clone());
    let maker = builder.schedules_only().spawn().await.unwrap();
    world.client.set_limit(LimitRef::of::<mole>(), Allow::at_once(1)).await.unwrap();
    let runner = here.worker(&world.client, pgq::tasks![mole]).await;
    mole::enqueue(&world.client, 0).await.unwrap();
    assert_eq!(soon("nobody runs any of it", reports.recv()).await, Some(0));
    here.gate.add_permits(1);
    runner.stop().await.unwrap();
    maker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_for_schedules_only_holds_up_no_limit_that_is_set_in_memory() {
    a_worker_for_schedules_only_holds_up_no_limit_that_is_set(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_for_schedules_only_holds_up_no_limit_that_is_set_in_postgres() {
    a_worker_for_schedules_only_holds_up_no_limit_that_is_set(World::postgres().await).await;
}

#[pgq::task]
async fn groyne(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// Who waits asks again by himself: nobody tells him that another one has said nothing for as long as its lease lasts.
async fn who_waits_for_one_who_says_nothing_starts_when_that_ones_lease_is_over(world: World) {
    let (here, mut reports) = quay();
    let mute = world.session_declaring(vec![declaration("groyne", serde_json::json!({}))]).await.unwrap();
    let mut pulse = mute.attend().await.unwrap();
    pulse.renew().await.unwrap();
    world.client.set_limit(LimitRef::of::<groyne>(), Allow::at_once(1)).await.unwrap();
    let runner = here.worker(&world.client, pgq::tasks![groyne]).await;
    groyne::enqueue(&world.client, 0).await.unwrap();
    until_one_wishes(&world.client, "groyne").await;
    // Sooner than it looks by itself.
    for second in 0..50 {
        assert!(second >= SPAN.as_secs() || reports.is_empty());
        world.clock.advance(Duration::from_secs(1));
        pulse.renew().await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(soon("it asks again", reports.recv()).await, Some(0));
    here.gate.add_permits(1);
    runner.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_one_who_says_nothing_starts_when_that_ones_lease_is_over_in_memory() {
    who_waits_for_one_who_says_nothing_starts_when_that_ones_lease_is_over(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_one_who_says_nothing_starts_when_that_ones_lease_is_over_in_postgres() {
    who_waits_for_one_who_says_nothing_starts_when_that_ones_lease_is_over(World::postgres().await).await;
}

/// Others wait for what it says.
async fn a_draining_worker_says_what_it_runs_of_a_limit_that_is_set(world: World) {
    let (here, mut reports) = quay();
    let first = here.worker(&world.client, pgq::tasks![anchor]).await;
    anchor::enqueue(&world.client, 0).await.unwrap();
    soon("it runs", reports.recv()).await;
    first.stopper().ask();
    let stopped = tokio::spawn(first.stop());
    let there = here.beside();
    world.client.set_limit(LimitRef::of::<anchor>(), Allow::at_once(2)).await.unwrap();
    until_units(&world.client, "anchor", 1).await;
    let second = there.worker(&world.client, pgq::tasks![anchor]).await;
    anchor::enqueue(&world.client, 1).await.unwrap();
    assert_eq!(soon("there is room for another one", reports.recv()).await, Some(1));
    here.gate.add_permits(1);
    there.gate.add_permits(1);
    soon("it ends", stopped).await.unwrap().unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_worker_says_what_it_runs_of_a_limit_that_is_set_in_memory() {
    a_draining_worker_says_what_it_runs_of_a_limit_that_is_set(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_worker_says_what_it_runs_of_a_limit_that_is_set_in_postgres() {
    a_draining_worker_says_what_it_runs_of_a_limit_that_is_set(World::postgres().await).await;
}

#[pgq::task(concurrency = 90)]
async fn raft(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_falls_free_together_while_a_worker_drains_is_given_back_together() {
    let (client, faults) = wayward_by(&ManualClock::at(Timestamp::EPOCH)).unwrap();
    let (here, mut reports) = quay();
    let worker = here.worker(&client, pgq::tasks![raft]).await;
    raft::enqueue_many(&client, 0..90).await.unwrap();
    for _ in 0..90 {
        soon("all may run", reports.recv()).await;
    }
    worker.stopper().ask();
    let stopped = tokio::spawn(worker.stop());
    until_units(&client, "raft", 90).await;
    let before = *faults.shared.borrow();
    here.gate.add_permits(89);
    until_units(&client, "raft", 1).await;
    let times = *faults.shared.borrow() - before;
    assert!(times <= 9, "{times} times for 89 attempts");
    here.gate.add_permits(1);
    soon("it ends", stopped).await.unwrap().unwrap();
}

#[pgq::task(concurrency = 1)]
async fn sound(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

#[pgq::task(concurrency = 1)]
async fn plumb(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

#[pgq::task(concurrency = 1, rps = 50.0, burst = 2)]
async fn fathom(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// Its rate would go round among those who wait for its only place, a few statements each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_place_says_little_of_the_rate_that_he_has() {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock).unwrap();
    let (here, mut reports) = quay();
    fathom::enqueue_many(&client, 0..20).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(here.worker(&client, pgq::tasks![fathom]).await);
    }
    assert_eq!(soon("one begins", reports.recv()).await, Some(0));
    let before = *faults.shared.borrow();
    for _ in 0..200 {
        clock.advance(Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said = *faults.shared.borrow() - before;
    assert!(said <= 40, "in 10 seconds 4 workers have said {said} times what they have");
    here.gate.add_permits(20);
    for worker in workers {
        worker.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_fails_ends_nothing_of_what_is_being_said() {
    let (client, faults) = wayward_by(&ManualClock::at(Timestamp::EPOCH)).unwrap();
    let (here, mut reports) = quay();
    let worker = here.worker(&client, pgq::tasks![sound, plumb]).await;
    sound::enqueue(&client, 0).await.unwrap();
    soon("its worker has said what there is to say", reports.recv()).await;
    plan(&faults.share, &[Fault::Held]);
    plumb::enqueue(&client, 1).await.unwrap();
    soon("what is said is held", faults.share_held.notified()).await;
    plan(&faults.look, &[Fault::Refused]);
    client.set_limit(LimitRef::of::<sound>(), Allow::at_once(9)).await.unwrap();
    faults.look.taken().await;
    faults.share_heard.notify_one();
    assert_eq!(soon("the answer is heard", reports.recv()).await, Some(1));
    here.gate.add_permits(2);
    worker.stop().await.unwrap();
}

#[pgq::task]
async fn ford(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// A worker that knows of no limit, once it has looked three times: when it joined, when it began, and when it began to listen.
async fn unbounded() -> (ManualClock, Client, Arc<Faults>, Worker<Quay>) {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock).unwrap();
    let worker = fording(&client, &faults).await;
    (clock, client, faults, worker)
}

async fn fording(client: &Client, faults: &Faults) -> Worker<Quay> {
    plan(&faults.attend, &[Fault::Delayed]);
    let worker = quay().0.worker(client, pgq::tasks![ford]).await;
    until_looked(faults, 2).await;
    faults.is_held().await;
    faults.heard.notify_one();
    until_looked(faults, 3).await;
    worker
}

async fn until_looked(faults: &Faults, times: usize) {
    let mut looked = faults.looked.subscribe();
    soon("it looks", looked.wait_for(|looked| *looked >= times)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_knows_of_no_limit_looks_for_some_once_a_minute() {
    let (clock, _client, faults, worker) = unbounded().await;
    for times in 4..7 {
        clock.advance(Duration::from_secs(59));
        assert!(*faults.looked.borrow() < times, "seldom");
        passing(&clock, Duration::from_secs(61), until_looked(&faults, times)).await;
    }
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_hears_no_longer_looks_for_limits_at_once() {
    let (clock, _client, faults, worker) = unbounded().await;
    plan(&faults.renew, &[Fault::Refused]);
    passing(&clock, Duration::from_secs(4), faults.renew.taken()).await;
    // Much less than the time between two looks of one that hears.
    passing(&clock, Duration::from_secs(10), until_looked(&faults, 4)).await;
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_limits_that_fails_is_taken_again() {
    let (clock, client, faults, worker) = unbounded().await;
    plan(&faults.look, &[Fault::Refused]);
    client.set_limit(LimitRef::of::<ford>(), Allow::at_once(9)).await.unwrap();
    faults.look.taken().await;
    passing(&clock, Duration::from_secs(10), until_looked(&faults, 4)).await;
    worker.stop().await.unwrap();
}

#[pgq::task]
async fn weir(ctx: Context<Quay>, number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay(number).await
}

/// Others start nothing before it has, or its lease is over.
async fn a_worker_that_could_not_say_that_it_runs_nothing_of_a_limit_says_so_again(world: World) {
    let (here, mut reports) = quay();
    let (faults, none) = (Arc::<Faults>::default(), Arc::<Faults>::default());
    let client = wayward_over(&world.client, &world.clock, &none).unwrap();
    *none.of_next.lock().unwrap() = Some(Arc::clone(&faults));
    let aside = fording(&client, &faults).await;
    let runner = here.worker(&client, pgq::tasks![weir]).await;
    plan(&faults.share, &[Fault::Refused]);
    client.set_limit(LimitRef::of::<weir>(), Allow::at_once(1)).await.unwrap();
    soon("it has looked", faults.share.taken()).await;
    weir::enqueue(&client, 0).await.unwrap();
    let starts = passing(&world.clock, Duration::from_secs(10), reports.recv());
    assert_eq!(soon("it says so again", starts).await, Some(0));
    here.gate.add_permits(1);
    runner.stop().await.unwrap();
    aside.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_could_not_say_that_it_runs_nothing_of_a_limit_says_so_again_in_memory() {
    a_worker_that_could_not_say_that_it_runs_nothing_of_a_limit_says_so_again(World::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_could_not_say_that_it_runs_nothing_of_a_limit_says_so_again_in_postgres() {
    a_worker_that_could_not_say_that_it_runs_nothing_of_a_limit_says_so_again(World::postgres().await).await;
}
