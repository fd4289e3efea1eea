//! Limits with a key: each value is counted by itself.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Claim, Declared, Limited, NewJob, Session, Transition};
use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, Edit, LimitRef, Result, State};

use super::limits::Door;
use crate::world::{SECOND, SPAN, World, claim, claim_of, end, ids, job, retry, start, want};

/// Of jobs with so many crashes a worker takes one at a time.
const SUSPECT: u16 = 2;

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn bill(ctx: Context<Door>, tenant: String, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (tenant, number);
    ctx.pass().await
}

#[pgq::task(limit(concurrency = 1, key = "account"))]
async fn post(ctx: Context<Door>, account: u32, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (account, number);
    ctx.pass().await
}

#[pgq::task(limit(rps = 1, burst = 2, key = "host"))]
async fn fetch(ctx: Context<Door>, host: String, path: String) -> std::result::Result<(), BoxError> {
    let _ = (host, path);
    ctx.pass().await
}

#[pgq::task(limit(concurrency = 1, key = "from"), limit(concurrency = 1, key = "to"))]
async fn transfer(ctx: Context<Door>, from: String, to: String) -> std::result::Result<(), BoxError> {
    let _ = (from, to);
    ctx.pass().await
}

#[pgq::task(limit(name = "bank", concurrency = 1, key = "bank"))]
async fn pay(ctx: Context<Door>, bank: String, sum: u32) -> std::result::Result<(), BoxError> {
    let _ = (bank, sum);
    ctx.pass().await
}

#[pgq::task(limit(name = "bank", concurrency = 1, key = "bank"))]
async fn collect(ctx: Context<Door>, bank: String, sum: u32) -> std::result::Result<(), BoxError> {
    let _ = (bank, sum);
    ctx.pass().await
}

#[pgq::task(expires_in = "1m", limit(rps = 1, per = "1h", key = "host"))]
async fn peek(ctx: Context<Door>, host: String, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (host, number);
    ctx.pass().await
}

#[pgq::task(expires_in = "1m", limit(concurrency = 1, key = "seat"))]
async fn sit(seat: u32, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (seat, number);
    Ok(())
}

async fn worker(world: &World, door: &Door) -> Result<Stepper> {
    world.worker(pgq::tasks![bill, self::post, fetch, transfer, pay, collect, peek], door.clone()).await
}

fn of(tenant: &str, numbers: std::ops::Range<u32>) -> Vec<BillArgs> {
    numbers.map(|number| BillArgs { tenant: tenant.to_owned(), number }).collect()
}

pub(crate) async fn each_value_of_a_limit_key_is_counted_by_itself(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    bill::enqueue_many(&world.client, of("acme", 0..5)).await?;
    bill::enqueue_many(&world.client, of("zeta", 0..1)).await?;
    assert_eq!(start(&mut one).await? + start(&mut two).await?, 3);
    assert_eq!(world.client.jobs().state(State::Available).count().await?.jobs, 3, "who waits is available");
    Ok(())
}

pub(crate) async fn who_waits_for_a_key_starts_when_an_attempt_ends(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    bill::enqueue_many(&world.client, of("acme", 0..7)).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (2, 0));
    door.open(2);
    one.settle().await?;
    assert_eq!(start(&mut two).await?, 2);
    door.open(9);
    two.settle().await?;
    assert_eq!(one.drain().await? + two.drain().await?, 3);
    assert_eq!(world.client.jobs().state(State::Completed).count().await?.jobs, 7);
    Ok(())
}

pub(crate) async fn jobs_of_one_key_run_one_at_a_time_and_in_order(world: World) -> Result<()> {
    let (one, two) = (gated(&world).await?, gated(&world).await?);
    let jobs = post::enqueue_many(&world.client, (0..4).map(|number| PostArgs { account: 7, number })).await?;
    for (turn, job) in jobs.iter().enumerate() {
        let (mine, others) = if turn % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let won = claim(mine, &["post"], 9).await?;
        assert_eq!(ids(&won), [job.id()]);
        assert_eq!(claim(others, &["post"], 9).await?, []);
        end(mine, &won[0], Transition::Complete).await?;
    }
    Ok(())
}

pub(crate) async fn a_backlog_of_one_key_is_parked_in_larger_steps_than_its_task_may_run(world: World) -> Result<()> {
    let session = gated(&world).await?;
    let jobs = post::enqueue_many(&world.client, (0..1_200).map(|number| PostArgs { account: 7, number })).await?;
    let other = post::enqueue(&world.client, PostArgs { account: 8, number: 0 }).await?;
    let (mut won, mut claims) = (Vec::new(), 0);
    while !ids(&won).contains(&other.id()) {
        won.extend(claim_of(&session, vec![want("default", "post", 2)], 2).await?);
        claims += 1;
        assert!(claims < 9, "{claims} claims of two won {:?}", ids(&won));
    }
    assert_eq!(ids(&won), [jobs[0].id(), other.id()]);
    assert_eq!(claim(&session, &["post"], 9).await?, []);
    for turn in 0..3 {
        end(&session, &won[0], Transition::Complete).await?;
        won = claim(&session, &["post"], 9).await?;
        assert_eq!(ids(&won), [jobs[turn + 1].id()], "they keep their order");
    }
    Ok(())
}

/// A session of a worker that has these tasks.
async fn gated(world: &World) -> Result<Arc<dyn Session>> {
    let session = world.session(&["post", "bill"]).await?;
    session.declare(declared(1)).await?;
    Ok(session)
}

fn declared(most: u32) -> Declared {
    let limit = |task: &str, key: &str| Limited {
        name: format!("task:{task}[{key}]"),
        task: Some(task.to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds: Bounds { concurrency: Some(most), rate: None },
    };
    let limits = vec![limit("post", "account"), limit("bill", "tenant")];
    Declared { tasks: vec!["post".to_owned(), "bill".to_owned()], schedules: Vec::new(), limits }
}

pub(crate) async fn a_key_has_a_rate_of_its_own(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let args = |host: &str| FetchArgs { host: host.to_owned(), path: String::new() };
    fetch::enqueue_many(&world.client, (0..5).map(|_| args("a"))).await?;
    fetch::enqueue_many(&world.client, [args("b")]).await?;
    assert_eq!(worker.drain().await?, 3);
    world.clock.advance(SECOND - Duration::from_millis(1));
    assert_eq!(worker.drain().await?, 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(worker.drain().await?, 1);
    world.clock.advance(SECOND * 9);
    assert_eq!(worker.drain().await?, 2);
    Ok(())
}

pub(crate) async fn a_job_waits_for_all_its_gates_and_holds_none(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let args = |from: &str, to: &str| TransferArgs { from: from.to_owned(), to: to.to_owned() };
    transfer::enqueue(&world.client, args("a", "x")).await?;
    assert_eq!(start(&mut worker).await?, 1);
    transfer::enqueue(&world.client, args("b", "x")).await?;
    assert_eq!(start(&mut worker).await?, 0, "x is taken");
    transfer::enqueue(&world.client, args("b", "y")).await?;
    assert_eq!(start(&mut worker).await?, 1, "who waits for x doesn't hold b");
    door.open(9);
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

pub(crate) async fn tasks_share_a_limit_with_a_key(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    pay::enqueue(&world.client, PayArgs { bank: "gls".to_owned(), sum: 1 }).await?;
    collect::enqueue(&world.client, CollectArgs { bank: "gls".to_owned(), sum: 1 }).await?;
    collect::enqueue(&world.client, CollectArgs { bank: "dkb".to_owned(), sum: 1 }).await?;
    assert_eq!(start(&mut worker).await?, 2);
    door.open(9);
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

pub(crate) async fn a_gate_is_free_when_the_worker_behind_it_is_gone(world: World) -> Result<()> {
    let door = Door::new();
    let (mut dead, mut live) = (worker(&world, &door).await?, worker(&world, &door).await?);
    bill::enqueue_many(&world.client, of("acme", 0..4)).await?;
    assert_eq!((start(&mut dead).await?, start(&mut live).await?), (2, 0));
    world.clock.advance(SPAN + SECOND);
    live.beat().await?;
    live.rescue().await?;
    assert_eq!(start(&mut live).await?, 2);
    Ok(())
}

pub(crate) async fn a_gate_is_free_when_a_job_is_handed_back(world: World) -> Result<()> {
    let (one, two) = (gated(&world).await?, gated(&world).await?);
    post::enqueue(&world.client, PostArgs { account: 7, number: 1 }).await?;
    assert_eq!(claim(&one, &["post"], 9).await?.len(), 1);
    one.release_all_but(Vec::new()).await?;
    let won = claim(&two, &["post"], 9).await?;
    assert_eq!(won.len(), 1);
    end(&two, &won[0], Transition::Release).await?;
    assert_eq!(claim(&one, &["post"], 9).await?.len(), 1);
    one.deregister(false).await?;
    assert_eq!(claim(&two, &["post"], 9).await?.len(), 1);
    Ok(())
}

pub(crate) async fn a_job_that_waits_can_be_cancelled_and_leaves_no_hole(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let args = |number| PostArgs { account: 7, number };
    let jobs = post::enqueue_many(&world.client, (0..4).map(args)).await?;
    assert_eq!(start(&mut worker).await?, 1);
    assert_eq!(world.state(jobs[1].id()).await?, State::Available);
    world.client.cancel(jobs[1].id(), "no longer").await?;
    assert_eq!(world.state(jobs[1].id()).await?, State::Cancelled);
    door.open(9);
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 2);
    Ok(())
}

pub(crate) async fn a_retry_goes_behind_those_that_wait(world: World) -> Result<()> {
    let session = gated(&world).await?;
    let jobs = post::enqueue_many(&world.client, (0..3).map(|number| PostArgs { account: 7, number })).await?;
    let won = claim(&session, &["post"], 9).await?;
    world.clock.advance(SECOND);
    end(&session, &won[0], retry(Duration::ZERO)).await?;
    for job in [&jobs[1], &jobs[2], &jobs[0]] {
        let won = claim(&session, &["post"], 9).await?;
        assert_eq!(ids(&won), [job.id()]);
        end(&session, &won[0], Transition::Complete).await?;
    }
    Ok(())
}

pub(crate) async fn a_higher_bound_lets_more_through(world: World) -> Result<()> {
    let session = gated(&world).await?;
    bill::enqueue_many(&world.client, of("acme", 0..5)).await?;
    assert_eq!(claim(&session, &["bill"], 9).await?.len(), 1);
    session.declare(declared(3)).await?;
    session.promote(9).await?;
    assert_eq!(claim(&session, &["bill"], 9).await?.len(), 2);
    session.declare(Declared { limits: Vec::new(), ..declared(1) }).await?;
    session.promote(9).await?;
    assert_eq!(claim(&session, &["bill"], 9).await?.len(), 2, "without a limit nothing waits");
    Ok(())
}

pub(crate) async fn other_arguments_lead_to_another_gate(world: World) -> Result<()> {
    let session = gated(&world).await?;
    let args = |account| PostArgs { account, number: 1 };
    let jobs = post::enqueue_many(&world.client, [args(7), args(7)]).await?;
    assert_eq!(claim(&session, &["post"], 9).await?.len(), 1);
    world.client.edit(jobs[1].id(), Edit::new().args::<post>(args(8))).await?;
    assert_eq!(claim(&session, &["post"], 9).await?.len(), 1);
    Ok(())
}

pub(crate) async fn what_waits_at_a_gate_holds_up_no_other_key(world: World) -> Result<()> {
    let session = gated(&world).await?;
    bill::enqueue_many(&world.client, of("acme", 0..50)).await?;
    bill::enqueue_many(&world.client, of("zeta", 0..1)).await?;
    let (mut won, mut claims) = (Vec::new(), 0);
    while won.len() < 2 && claims < 20 {
        won.extend(claim(&session, &["bill"], 10).await?);
        claims += 1;
    }
    assert_eq!(won.len(), 2, "after {claims} claims");
    Ok(())
}

pub(crate) async fn a_job_that_nobody_runs_holds_up_no_other_task_at_its_gate(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = world.worker(pgq::tasks![collect], door.clone()).await?;
    pay::enqueue(&world.client, PayArgs { bank: "gls".to_owned(), sum: 1 }).await?;
    collect::enqueue_many(&world.client, (1..3).map(|sum| CollectArgs { bank: "gls".to_owned(), sum })).await?;
    door.open(9);
    assert_eq!(worker.drain().await?, 2);
    Ok(())
}

pub(crate) async fn nobody_who_waits_is_claimed_again_and_again(world: World) -> Result<()> {
    let (one, two) = (gated(&world).await?, gated(&world).await?);
    let jobs = post::enqueue_many(&world.client, (0..3).map(|number| PostArgs { account: 7, number })).await?;
    assert_eq!(claim(&one, &["post"], 9).await?.len(), 1);
    for _ in 0..5 {
        assert_eq!(claim(&two, &["post"], 9).await?, []);
    }
    assert!(world.job(jobs[2].id()).await?.epoch <= 1);
    Ok(())
}

/// A session of a worker that has this task, whose limits let one through for each value.
async fn serial(world: &World, task: &str, limits: &[&str]) -> Result<Arc<dyn Session>> {
    behind(world, task, limits, Bounds { concurrency: Some(1), rate: None }).await
}

/// The same of other bounds.
async fn behind(world: &World, task: &str, limits: &[&str], bounds: Bounds) -> Result<Arc<dyn Session>> {
    let session = world.session(&[task]).await?;
    let limit = |name: &&str| Limited {
        name: (*name).to_owned(),
        task: name.starts_with("task:").then(|| task.to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds,
    };
    let limits = limits.iter().map(limit).collect();
    session.declare(Declared { tasks: vec![task.to_owned()], schedules: Vec::new(), limits }).await?;
    Ok(session)
}

pub(crate) async fn a_job_that_moves_on_to_another_gate_leaves_the_first_one_open(world: World) -> Result<()> {
    let session = serial(&world, "transfer", &["task:transfer[from]", "task:transfer[to]"]).await?;
    let args = |from: &str, to: &str| TransferArgs { from: from.to_owned(), to: to.to_owned() };
    transfer::enqueue_many(&world.client, [args("a", "x"), args("c", "y")]).await?;
    let won = claim(&session, &["transfer"], 9).await?;
    assert_eq!(won.len(), 2);
    transfer::enqueue_many(&world.client, (0..3).map(|_| args("a", "y"))).await?;
    let last = transfer::enqueue(&world.client, args("a", "z")).await?;
    assert_eq!(claim(&session, &["transfer"], 9).await?, []);
    end(&session, &won[0], Transition::Complete).await?;
    let mut next = Vec::new();
    for _ in 0..4 {
        next.extend(claim(&session, &["transfer"], 9).await?);
    }
    assert_eq!(ids(&next), [last.id()]);
    Ok(())
}

pub(crate) async fn jobs_of_a_task_that_nobody_runs_any_more_leave_a_shared_gate_open(world: World) -> Result<()> {
    let pays = serial(&world, "pay", &["shared:bank[bank]"]).await?;
    let collects = serial(&world, "collect", &["shared:bank[bank]"]).await?;
    pay::enqueue_many(&world.client, (0..12).map(|sum| PayArgs { bank: "gls".to_owned(), sum })).await?;
    let won = claim(&pays, &["pay"], 99).await?;
    assert_eq!(won.len(), 1);
    collect::enqueue(&world.client, CollectArgs { bank: "gls".to_owned(), sum: 1 }).await?;
    assert_eq!(claim(&collects, &["collect"], 9).await?, []);
    end(&pays, &won[0], Transition::Complete).await?;
    pays.deregister(true).await?;
    let mut seconds = 0;
    while claim(&collects, &["collect"], 9).await?.is_empty() {
        assert!(seconds < 4, "nobody runs behind the gate");
        world.clock.advance(SECOND);
        collects.promote(9).await?;
        seconds += 1;
    }
    Ok(())
}

pub(crate) async fn jobs_of_a_task_that_nobody_runs_leave_the_rest_of_a_shared_gate_open(world: World) -> Result<()> {
    let at_the_bank = Bounds { concurrency: Some(2), rate: None };
    let pays = behind(&world, "pay", &["shared:bank[bank]"], at_the_bank).await?;
    let collects = behind(&world, "collect", &["shared:bank[bank]"], at_the_bank).await?;
    collect::enqueue(&world.client, CollectArgs { bank: "gls".to_owned(), sum: 1 }).await?;
    assert_eq!(claim(&collects, &["collect"], 9).await?.len(), 1);
    pay::enqueue_many(&world.client, (0..12).map(|sum| PayArgs { bank: "gls".to_owned(), sum })).await?;
    let won = claim(&pays, &["pay"], 99).await?;
    assert_eq!(won.len(), 1);
    collect::enqueue(&world.client, CollectArgs { bank: "gls".to_owned(), sum: 2 }).await?;
    assert_eq!(claim(&collects, &["collect"], 9).await?, []);
    end(&pays, &won[0], Transition::Complete).await?;
    pays.deregister(true).await?;
    let mut seconds = 0;
    while claim(&collects, &["collect"], 9).await?.is_empty() {
        assert!(seconds < 20, "one may run beside the first");
        world.clock.advance(SECOND);
        collects.promote(9).await?;
        seconds += 1;
    }
    Ok(())
}

pub(crate) async fn a_value_that_is_allowed_a_higher_rate_starts_at_once(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let limit = || LimitRef::of::<fetch>().key("host").value("h");
    world.client.set_limit(limit(), Allow::everything().starts(10.0, SECOND * 3600).burst(10)).await?;
    let args = |path: u32| FetchArgs { host: "h".to_owned(), path: path.to_string() };
    fetch::enqueue_many(&world.client, (0..20).map(args)).await?;
    assert_eq!(worker.drain().await?, 10);
    world.client.set_limit(limit(), Allow::everything().starts(50.0, SECOND).burst(10)).await?;
    world.clock.advance(SECOND);
    assert_eq!(worker.drain().await?, 10);
    Ok(())
}

pub(crate) async fn a_job_whose_workers_died_is_passed_by(world: World) -> Result<()> {
    let mut session = gated(&world).await?;
    let args = |number| PostArgs { account: 7, number };
    let suspect = post::enqueue(&world.client, args(1)).await?;
    for _ in 0..SUSPECT {
        assert_eq!(ids(&claim(&session, &["post"], 9).await?), [suspect.id()]);
        session = gated(&world).await?;
        world.clock.advance(SPAN + SECOND);
        session.attend().await?.renew().await?;
        session.rescue(9).await?;
    }
    world.clock.advance(SPAN / 2);
    session.attend().await?.renew().await?;
    session.promote(9).await?;
    let next = post::enqueue(&world.client, args(2)).await?;
    let wants = vec![want("default", "post", u32::MAX)].into();
    let claim = Claim { wants, groups: Vec::new(), limit: 9, thorough: true, suspect: false };
    assert_eq!(ids(&session.claim(claim).await?.jobs), [next.id()]);
    Ok(())
}

async fn one_at_a_time_at_the_bank(world: &World, limits: &[&str]) -> Result<Arc<dyn Session>> {
    let session = world.session(&["pay"]).await?;
    let bounds = Bounds { concurrency: Some(1), rate: None };
    let limit =
        |name: &&str| Limited { name: (*name).to_owned(), task: None, sharers: Vec::new(), keyed: true, bounds };
    let limits = limits.iter().map(limit).collect();
    session.declare(Declared { tasks: vec!["pay".to_owned()], schedules: Vec::new(), limits }).await?;
    Ok(session)
}

async fn pay_five(world: &World) -> Result<()> {
    pay::enqueue_many(&world.client, (0..5).map(|sum| PayArgs { bank: "gls".to_owned(), sum })).await.map(drop)
}

pub(crate) async fn a_shared_limit_that_is_taken_away_holds_up_nobody(world: World) -> Result<()> {
    let before = one_at_a_time_at_the_bank(&world, &["shared:bank[bank]"]).await?;
    pay_five(&world).await?;
    let first = claim(&before, &["pay"], 9).await?;
    assert_eq!(first.len(), 1);
    end(&before, &first[0], Transition::Complete).await?;
    before.deregister(true).await?;
    let after = one_at_a_time_at_the_bank(&world, &[]).await?;
    after.promote(99).await?;
    assert_eq!(claim(&after, &["pay"], 9).await?.len(), 4);
    assert_eq!(world.client.limits().await?, []);
    Ok(())
}

pub(crate) async fn a_shared_limit_holds_as_long_as_a_worker_declares_it(world: World) -> Result<()> {
    let before = one_at_a_time_at_the_bank(&world, &["shared:bank[bank]"]).await?;
    let after = one_at_a_time_at_the_bank(&world, &[]).await?;
    assert!(after.pools().await?.iter().all(|view| !view.outlived));
    assert_eq!(world.client.limits().await?.len(), 1);
    before.deregister(true).await?;
    assert!(after.pools().await?.iter().all(|view| view.outlived), "somebody is to declare once more");
    Ok(())
}

pub(crate) async fn a_shared_limit_waits_for_a_program_that_is_away(world: World) -> Result<()> {
    one_at_a_time_at_the_bank(&world, &["shared:bank[bank]"]).await?.deregister(true).await?;
    let other = world.session(&["post"]).await?;
    other.declare(Declared { tasks: vec!["post".to_owned()], schedules: Vec::new(), limits: Vec::new() }).await?;
    assert_eq!(world.client.limits().await?.len(), 1);
    Ok(())
}

pub(crate) async fn a_limit_of_a_task_that_is_taken_out_of_its_program_is_gone(world: World) -> Result<()> {
    let tasks = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let own = Limited {
        name: "task:pay[bank]".to_owned(),
        task: Some("pay".to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds: Bounds { concurrency: Some(1), rate: None },
    };
    let before = world.session(&["pay", "post"]).await?;
    before.declare(Declared { tasks: tasks(&["pay", "post"]), schedules: Vec::new(), limits: vec![own] }).await?;
    before.deregister(true).await?;
    let after = world.session(&["post"]).await?;
    after.declare(Declared { tasks: tasks(&["post"]), schedules: Vec::new(), limits: Vec::new() }).await?;
    assert_eq!(world.client.limits().await?, []);
    Ok(())
}

fn peeks(numbers: std::ops::Range<u32>) -> Vec<PeekArgs> {
    numbers.map(|number| PeekArgs { host: "a".to_owned(), number }).collect()
}

pub(crate) async fn who_waits_too_long_at_a_gate_is_discarded(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let jobs = peek::enqueue_many(&world.client, peeks(0..4)).await?;
    assert_eq!(worker.drain().await?, 1);
    world.clock.advance(SECOND * 59);
    assert_eq!(worker.session().expire(9).await?, []);
    world.clock.advance(SECOND);
    assert_eq!(worker.session().expire(9).await?.len(), 3);
    assert_eq!(world.state(jobs[3].id()).await?, State::Discarded);
    Ok(())
}

pub(crate) async fn who_comes_too_late_to_a_gate_takes_no_token(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let jobs = peek::enqueue_many(&world.client, peeks(0..2)).await?;
    assert_eq!(worker.drain().await?, 1);
    world.clock.advance(Duration::from_hours(1));
    worker.beat().await?;
    let fresh = peek::enqueue_many(&world.client, peeks(2..3)).await?;
    worker.drain().await?;
    assert_eq!(world.state(jobs[1].id()).await?, State::Discarded);
    assert_eq!(world.state(fresh[0].id()).await?, State::Completed);
    Ok(())
}

pub(crate) async fn who_comes_too_late_to_a_gate_takes_nobodys_turn(world: World) -> Result<()> {
    let session = world.session(&["sit"]).await?;
    let limit =
        Limited { name: "task:sit[seat]".to_owned(), task: Some("sit".to_owned()), ..declared(1).limits.remove(0) };
    session.declare(Declared { tasks: vec!["sit".to_owned()], limits: vec![limit], ..declared(1) }).await?;
    let args = |number| SitArgs { seat: 1, number };
    let jobs = sit::enqueue_many(&world.client, (0..2).map(args)).await?;
    let won = claim(&session, &["sit"], 9).await?;
    assert_eq!(ids(&won), [jobs[0].id()]);
    world.clock.advance(SECOND * 60);
    let fresh = sit::enqueue(&world.client, args(2)).await?;
    assert_eq!(claim(&session, &["sit"], 9).await?, []);
    end(&session, &won[0], Transition::Complete).await?;
    let late = claim(&session, &["sit"], 9).await?;
    assert_eq!((ids(&late), late[0].expired), (vec![jobs[1].id()], true));
    assert_eq!(ids(&claim(&session, &["sit"], 9).await?), [fresh.id()], "who is late runs beside nobody");
    Ok(())
}

pub(crate) async fn a_clock_that_is_set_back_strands_nobody_at_a_gate(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    let args = |_| FetchArgs { host: "a".to_owned(), path: String::new() };
    fetch::enqueue_many(&world.client, (0..4).map(args)).await?;
    assert_eq!(worker.drain().await?, 2);
    world.clock.set(world.clock.now().saturating_sub(Duration::from_hours(1)));
    worker.session().prune(9).await?;
    assert_eq!(worker.drain().await?, 0, "its bucket is empty at worst");
    world.clock.advance(SECOND);
    assert_eq!(worker.drain().await?, 1);
    Ok(())
}

pub(crate) async fn what_is_done_now_and_then_is_done_though_the_clock_is_set_back(world: World) -> Result<()> {
    let session = world.session(&["post"]).await?;
    assert!(session.tidy().await?);
    world.clock.set(world.clock.now().saturating_sub(Duration::from_hours(1)));
    assert!(session.tidy().await?);
    Ok(())
}

pub(crate) async fn what_began_while_a_limit_was_gone_counts(world: World) -> Result<()> {
    for (most, task, key) in [(2, "bill", "tenant"), (1, "post", "account")] {
        let (old, new) = (world.session(&[task]).await?, world.session(&[task]).await?);
        old.declare(declared(most)).await?;
        let mut without = declared(most);
        without.limits.retain(|limit| limit.task.as_deref() != Some(task));
        new.declare(without).await?;
        let gated = || NewJob { limit_keys: vec![format!("task:{task}[{key}]=7")], ..job(task) };
        let more = async |count| world.put(std::iter::repeat_with(gated).take(count).collect()).await;
        more(3).await?;
        let won = claim(&old, &[task], 9).await?;
        assert_eq!(won.len(), 3, "nothing bounds it");
        new.deregister(false).await?;
        old.declare(declared(most)).await?;
        more(6).await?;
        assert_eq!(claim(&old, &[task], 9).await?, []);
        for job in &won {
            end(&old, job, Transition::Complete).await?;
        }
        assert_eq!(claim(&old, &[task], 9).await?.len(), most as usize);
        old.deregister(false).await?;
    }
    Ok(())
}
