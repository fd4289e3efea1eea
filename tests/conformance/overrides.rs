//! Limits at run time: what operators see of them, and set in place of what is declared.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Declared, Limited, Session, Transition};
use pgq::testing::Stepper;
use pgq::{Allow, BoxError, Context, LimitInfo, LimitRef, Measure, Rate, Result, State};

use super::limits::Door;
use crate::world::{SECOND, World, claim, end};

#[pgq::task(concurrency = 2)]
async fn dial(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(aliases = ["earlier"])]
async fn roam(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(concurrency = 1, key = "tenant"), limit(name = "stripe", rps = 50))]
async fn meter(ctx: Context<Door>, tenant: String, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (tenant, number);
    ctx.pass().await
}

#[pgq::task(aliases = ["toll"], limit(concurrency = 1, key = "zone"))]
async fn fare(zone: String, number: u32) -> std::result::Result<(), BoxError> {
    let _ = (zone, number);
    Ok(())
}

async fn worker(world: &World, door: &Door) -> Result<Stepper> {
    world.worker(pgq::tasks![dial, roam, meter], door.clone()).await
}

/// Starts what may be started; how many that was.
async fn start(worker: &mut Stepper) -> Result<usize> {
    let mut all = 0;
    loop {
        worker.session().promote(99).await?;
        match worker.start().await? {
            0 => return Ok(all),
            some => all += some,
        }
    }
}

async fn info(world: &World, name: &str) -> Result<Option<LimitInfo>> {
    Ok(world.client.limits().await?.into_iter().find(|limit| limit.name == name))
}

/// What is declared, set and in force of attempts at once.
async fn at_once(world: &World, name: &str) -> Result<Option<[Option<u32>; 3]>> {
    let most = |bounds: Bounds| bounds.concurrency;
    let shown = |info: LimitInfo| [info.declared.and_then(most), info.set.and_then(most), info.bounds.concurrency];
    Ok(info(world, name).await?.map(shown))
}

fn limited(task: &str, key: Option<&str>, most: u32) -> Declared {
    let name = key.map_or_else(|| format!("task:{task}"), |key| format!("task:{task}[{key}]"));
    let bounds = Bounds { concurrency: Some(most), rate: None };
    let limit = Limited { name, task: Some(task.to_owned()), sharers: Vec::new(), keyed: key.is_some(), bounds };
    Declared { tasks: vec![task.to_owned()], schedules: Vec::new(), limits: vec![limit] }
}

async fn declaring(world: &World, declared: Declared) -> Result<Arc<dyn Session>> {
    let session = world.session(&["dial", "meter"]).await?;
    session.declare(declared).await?;
    Ok(session)
}

fn meters(tenant: &str, numbers: std::ops::Range<u32>) -> Vec<MeterArgs> {
    numbers.map(|number| MeterArgs { tenant: tenant.to_owned(), number }).collect()
}

pub(crate) async fn an_override_holds_until_it_is_cleared(world: World) -> Result<()> {
    let session = declaring(&world, limited("dial", None, 2)).await?;
    world.client.set_limit(LimitRef::of::<dial>(), Allow::at_once(7)).await?;
    assert_eq!(at_once(&world, "dial").await?, Some([Some(2), Some(7), Some(7)]));
    let newer = declaring(&world, limited("dial", None, 3)).await?;
    assert_eq!(at_once(&world, "dial").await?, Some([Some(3), Some(7), Some(7)]));
    let without = Declared { limits: Vec::new(), ..limited("dial", None, 3) };
    declaring(&world, without).await?;
    session.declare(limited("dial", None, 2)).await?;
    newer.declare(limited("dial", None, 3)).await?;
    assert_eq!(at_once(&world, "dial").await?, Some([None, Some(7), Some(7)]), "nobody declares it any more");
    assert!(world.client.clear_limit(LimitRef::of::<dial>()).await?);
    assert_eq!(at_once(&world, "dial").await?, None);
    Ok(())
}

pub(crate) async fn a_cleared_limit_is_as_it_is_declared(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    dial::enqueue_many(&world.client, 0..9).await?;
    world.client.set_limit(LimitRef::of::<dial>(), Allow::at_once(5)).await?;
    assert_eq!(start(&mut worker).await?, 5);
    assert!(world.client.clear_limit(LimitRef::of::<dial>()).await?);
    assert!(!world.client.clear_limit(LimitRef::of::<dial>()).await?);
    assert_eq!(at_once(&world, "dial").await?, Some([Some(2), None, Some(2)]));
    door.open(4);
    while door.inside() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(start(&mut worker).await?, 1, "one of five runs still");
    Ok(())
}

pub(crate) async fn a_lifted_limit_lets_all_start(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    dial::enqueue_many(&world.client, 0..9).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..4)).await?;
    assert_eq!(start(&mut worker).await?, 3);
    world.client.set_limit(LimitRef::of::<dial>(), Allow::everything()).await?;
    world.client.set_limit(LimitRef::of::<meter>().key("tenant"), Allow::everything()).await?;
    assert_eq!(start(&mut worker).await?, 10);
    Ok(())
}

pub(crate) async fn a_shared_limit_is_bound_also_in_what_it_does_not_declare(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    for tenant in ["acme", "bolt", "coil", "dune"] {
        meter::enqueue_many(&world.client, meters(tenant, 0..1)).await?;
    }
    world.client.set_limit(LimitRef::shared("stripe"), Allow::at_once(0)).await?;
    assert_eq!(start(&mut worker).await?, 0, "it declares a rate only");
    world.client.set_limit(LimitRef::shared("stripe"), Allow::at_once(3)).await?;
    assert_eq!(start(&mut worker).await?, 3);
    world.client.set_limit(LimitRef::shared("stripe"), Allow::everything()).await?;
    assert_eq!(start(&mut worker).await?, 1);
    Ok(())
}

pub(crate) async fn units_that_nobody_needs_any_more_do_not_go_round(world: World) -> Result<()> {
    let door = Door::new();
    let mut workers = [worker(&world, &door).await?, worker(&world, &door).await?, worker(&world, &door).await?];
    dial::enqueue_many(&world.client, 0..6).await?;
    door.open(6);
    let waits = async || -> Result<u32> {
        let shares = info(&world, "dial").await?.map(|limit| limit.shares).unwrap_or_default();
        Ok(shares.iter().map(|share| share.waits_for).sum())
    };
    let mut waited = false;
    for _ in 0..50 {
        for worker in &mut workers {
            worker.start().await?;
            waited |= waits().await? > 0;
            worker.settle().await?;
            world.clock.advance(Duration::from_millis(25));
        }
    }
    assert!(waited, "somebody waited while there was something to do");
    assert_eq!(waits().await?, 0);
    Ok(())
}

pub(crate) async fn however_many_wait_none_is_left_behind_when_a_limit_is_lifted(world: World) -> Result<()> {
    let session = declaring(&world, limited("meter", Some("tenant"), 1)).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..1_200)).await?;
    let mut won = claim(&session, &["meter"], 500).await?.len();
    for _ in 0..5 {
        won += claim(&session, &["meter"], 500).await?.len();
    }
    assert_eq!(won, 1, "the others wait");
    world.client.set_limit(LimitRef::of::<meter>().key("tenant"), Allow::everything()).await?;
    for _ in 0..10 {
        session.promote(1_000).await?;
        won += claim(&session, &["meter"], 500).await?.len();
    }
    assert_eq!(won, 1_200);
    Ok(())
}

pub(crate) async fn nothing_starts_where_none_is_allowed(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    dial::enqueue_many(&world.client, 0..9).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..2)).await?;
    world.client.set_limit(LimitRef::of::<dial>(), Allow::at_once(0)).await?;
    world.client.set_limit(LimitRef::of::<meter>().key("tenant"), Allow::at_once(0)).await?;
    assert_eq!(start(&mut worker).await?, 0);
    world.client.clear_limit(LimitRef::of::<dial>()).await?;
    world.client.clear_limit(LimitRef::of::<meter>().key("tenant")).await?;
    assert_eq!(start(&mut worker).await?, 3);
    world.client.set_limit(LimitRef::of::<dial>(), Allow::at_once(0)).await?;
    door.open(9);
    worker.settle().await?;
    assert_eq!(worker.drain().await?, 1, "units that a worker has are none any more");
    Ok(())
}

pub(crate) async fn after_a_rollback_limits_are_as_the_old_version_says(world: World) -> Result<()> {
    let mut old = worker(&world, &Door::new()).await?;
    let mut new = Vec::new();
    for (task, key) in [("meter", Some("tenant")), ("dial", None), ("roam", None), ("roam", Some("number"))] {
        new.push(declaring(&world, limited(task, key, 5)).await?);
    }
    let limits = ["meter[tenant]", "dial", "roam", "roam[number]"];
    let old_has = [at_once(&world, "meter[tenant]").await?, at_once(&world, "roam[number]").await?];
    assert_eq!(old_has, [Some([Some(5), None, Some(5)]); 2]);
    old.share().await?;
    assert_eq!(at_once(&world, "meter[tenant]").await?, old_has[0], "the new one has the last word");
    for session in new {
        session.deregister(true).await?;
    }
    world.clock.advance(Duration::from_secs(10));
    old.share().await?;
    let declared = |most| Some([Some(most), None, Some(most)]);
    for (limit, most) in limits.into_iter().zip([declared(1), declared(2), None, None]) {
        assert_eq!(at_once(&world, limit).await?, most, "{limit}");
    }
    Ok(())
}

pub(crate) async fn a_task_without_a_limit_can_be_given_one(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    roam::enqueue_many(&world.client, 0..3).await?;
    assert_eq!(start(&mut one).await?, 3);
    roam::enqueue_many(&world.client, 0..9).await?;
    world.client.set_limit(LimitRef::task("earlier"), Allow::at_once(3)).await?;
    assert_eq!(at_once(&world, "roam").await?, Some([None, Some(3), Some(3)]));
    assert_eq!(start(&mut one).await?, 0, "what ran before counts");
    door.open(3);
    one.settle().await?;
    assert_eq!(start(&mut one).await?, 0, "the other one hasn't said what it runs");
    let mut began = 0;
    for _ in 0..3 {
        began += start(&mut two).await? + start(&mut one).await?;
    }
    assert_eq!(began, 3);
    assert!(world.client.clear_limit(LimitRef::of::<roam>()).await?);
    assert_eq!((at_once(&world, "roam").await?, start(&mut two).await?), (None, 6));
    Ok(())
}

pub(crate) async fn a_rate_can_be_set(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    door.open(99);
    world.client.set_limit(LimitRef::of::<roam>(), Allow::everything().starts(60.0, SECOND * 60).burst(2)).await?;
    roam::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(worker.drain().await?, 0, "what was started until now isn't known");
    world.clock.advance(SECOND * 9);
    assert_eq!(worker.drain().await?, 2);
    world.clock.advance(SECOND);
    assert_eq!(worker.drain().await?, 1);
    let bounds = info(&world, "roam").await?.map(|info| info.bounds);
    assert_eq!(bounds, Some(Bounds { concurrency: None, rate: Rate::every(SECOND, 2) }));
    Ok(())
}

pub(crate) async fn one_value_can_be_allowed_more(world: World) -> Result<()> {
    let door = Door::new();
    let mut worker = worker(&world, &door).await?;
    let vip = || LimitRef::of::<meter>().key("tenant").value("vip");
    meter::enqueue_many(&world.client, meters("vip", 0..5)).await?;
    assert_eq!(start(&mut worker).await?, 1);
    world.client.set_limit(vip(), Allow::at_once(3)).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..5)).await?;
    assert_eq!(start(&mut worker).await?, 3, "two more, and one of another");
    let three = Bounds { concurrency: Some(3), rate: None };
    let kept = info(&world, "meter[tenant]").await?.expect("it is declared");
    assert_eq!((kept.values, kept.busy, kept.blocking), (vec![("vip".to_owned(), three)], 2, 2));
    assert!(world.client.clear_limit(vip()).await? && !world.client.clear_limit(vip()).await?);
    door.open(4);
    worker.settle().await?;
    assert_eq!(start(&mut worker).await?, 2);
    Ok(())
}

pub(crate) async fn what_is_set_of_a_value_holds_under_all_names_of_a_task(world: World) -> Result<()> {
    let worker = world.worker(pgq::tasks![fare], ()).await?;
    for name in ["fare", "toll"] {
        world.client.set_limit(LimitRef::task(name).key("zone").value("a"), Allow::at_once(3)).await?;
        for limit in ["fare[zone]", "toll[zone]"] {
            let three = Bounds { concurrency: Some(3), rate: None };
            let values = info(&world, limit).await?.map(|limit| limit.values);
            assert_eq!(values, Some(vec![("a".to_owned(), three)]), "{name} {limit}");
        }
        assert!(world.client.clear_limit(LimitRef::task(name).key("zone").value("a")).await?);
        assert_eq!(info(&world, "toll[zone]").await?.map(|limit| limit.values), Some(vec![]));
    }
    drop(worker);
    Ok(())
}

pub(crate) async fn what_is_set_of_a_value_outlives_its_limits_declaration(world: World) -> Result<()> {
    let vip = || LimitRef::of::<meter>().key("tenant").value("vip");
    let session = declaring(&world, limited("meter", Some("tenant"), 1)).await?;
    world.client.set_limit(vip(), Allow::at_once(2)).await?;
    session.declare(Declared { limits: Vec::new(), ..limited("meter", None, 1) }).await?;
    meter::enqueue_many(&world.client, meters("vip", 0..4)).await?;
    assert_eq!(claim(&session, &["meter"], 9).await?.len(), 2);
    assert!(world.client.clear_limit(vip()).await?);
    assert_eq!(info(&world, "meter[tenant]").await?, None);
    session.promote(9).await?;
    assert_eq!(claim(&session, &["meter"], 9).await?.len(), 2);
    Ok(())
}

pub(crate) async fn what_began_while_a_limit_was_lifted_counts(world: World) -> Result<()> {
    let session = declaring(&world, limited("meter", Some("tenant"), 1)).await?;
    let limit = || LimitRef::of::<meter>().key("tenant");
    world.client.set_limit(limit(), Allow::everything()).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..5)).await?;
    let won = claim(&session, &["meter"], 2).await?;
    world.client.set_limit(limit(), Allow::at_once(2)).await?;
    assert_eq!(claim(&session, &["meter"], 9).await?, []);
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(claim(&session, &["meter"], 9).await?.len(), 1);
    Ok(())
}

pub(crate) async fn limits_are_listed_with_who_has_what(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    dial::enqueue_many(&world.client, 0..9).await?;
    meter::enqueue_many(&world.client, meters("acme", 0..3)).await?;
    assert_eq!((start(&mut one).await?, start(&mut two).await?), (3, 0));
    let limits = world.client.limits().await?;
    let names: Vec<_> =
        limits.iter().map(|limit| (&*limit.name, limit.task.as_deref(), limit.key.as_deref())).collect();
    let expected =
        [("dial", Some("dial"), None), ("meter[tenant]", Some("meter"), Some("tenant")), ("stripe", None, None)];
    assert_eq!(names, expected);
    let [dials, tenants, stripe] = &limits[..] else { panic!("{limits:?}") };
    assert_eq!((dials.in_use(Measure::Concurrency), dials.in_use(Measure::Rate)), (2, 0));
    let mut shares: Vec<_> = dials.shares.iter().map(|share| (share.units, share.waits_for > 0)).collect();
    shares.sort_unstable();
    assert_eq!(shares, [(0, true), (2, false)]);
    assert!(dials.shares.iter().all(|share| share.worker.contains(':')), "{:?}", dials.shares);
    assert_eq!((stripe.in_use(Measure::Rate), tenants.busy, tenants.blocking), (50, 1, 1));
    assert_eq!(dials.to_string(), "dial: 2 at once; workers have 2 of 2 places; 1 worker waits");
    assert_eq!(tenants.to_string(), "meter[tenant]: 1 at once; 1 value busy, 1 blocking");
    let rate = "shared stripe: 50 starts a second; workers have 50 of 50 parts of the rate";
    assert_eq!(stripe.to_string(), rate, "a task may be called so, too");
    Ok(())
}

pub(crate) async fn an_odd_bound_is_refused(world: World) -> Result<()> {
    let _worker = worker(&world, &Door::new()).await?;
    for (allow, said) in [
        (Allow::at_once(1_000_001), "expected 0 to 1000000 attempts at once, got 1000001"),
        (Allow::everything().starts(0.0, SECOND), "expected a rate from one start in 366 days"),
        (Allow::everything().starts(f64::NAN, SECOND), "expected a rate"),
        (Allow::everything().starts(1.0, Duration::ZERO), "expected a rate"),
        (Allow::at_once(1).starts(1.0, SECOND).burst(0), "expected a burst of 1 to 1000000 starts, got 0"),
        (Allow::at_once(1).burst(1), "expected `starts` beside `burst`"),
    ] {
        let refused = world.client.set_limit(LimitRef::of::<dial>(), allow).await.unwrap_err();
        assert!(refused.is_invalid() && refused.to_string().contains(said), "{refused}");
    }
    assert_eq!(at_once(&world, "dial").await?, Some([Some(2), None, Some(2)]));
    Ok(())
}

/// What may be set, one after the other.
fn some_bounds(turn: u64) -> Allow {
    let starts = Allow::everything().starts(5.0, SECOND);
    [Allow::at_once(0), Allow::at_once(1), starts, Allow::everything(), Allow::at_once(3).starts(9.0, SECOND).burst(1)]
        [(turn % 5) as usize]
}

fn some_limit(turn: u64) -> LimitRef {
    let tenant = || LimitRef::of::<meter>().key("tenant");
    match turn % 6 {
        0 => LimitRef::of::<dial>(),
        1 => LimitRef::of::<roam>(),
        2 => LimitRef::shared("stripe"),
        3 => tenant(),
        4 => tenant().value("acme"),
        _ => tenant().value("zeta"),
    }
}

pub(crate) async fn whatever_is_set_and_cleared_no_job_is_left_behind(world: World) -> Result<()> {
    let door = Door::new();
    door.open(10_000);
    let mut workers = [worker(&world, &door).await?, worker(&world, &door).await?];
    let mut chance = 7_u64;
    for _ in 0..120 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let turn = chance >> 33;
        match turn % 7 {
            0 => drop(dial::enqueue_many(&world.client, 0..3).await?),
            1 => drop(roam::enqueue_many(&world.client, 0..3).await?),
            2 => drop(meter::enqueue_many(&world.client, meters("acme", 0..3)).await?),
            3 => drop(meter::enqueue_many(&world.client, meters("zeta", 0..3)).await?),
            4 => world.client.set_limit(some_limit(turn / 7), some_bounds(turn / 49)).await?,
            5 => drop(world.client.clear_limit(some_limit(turn / 7)).await?),
            _ => world.clock.advance(SECOND / 4),
        }
        workers[(turn / 343 % 2) as usize].step().await?;
    }
    for limit in 0..6 {
        world.client.clear_limit(some_limit(limit)).await?;
    }
    for _ in 0..60 {
        world.clock.advance(SECOND);
        for worker in &mut workers {
            worker.beat().await?;
            worker.drain().await?;
        }
    }
    let left = world.client.jobs().state(State::Available).count().await?.jobs;
    let done = world.client.jobs().state(State::Completed).count().await?.jobs;
    assert!(left == 0 && done > 100, "{left} left, {done} done");
    let limits = world.client.limits().await?;
    assert!(limits.iter().all(|limit| limit.set.is_none() && limit.values.is_empty() && limit.busy == 0), "{limits:?}");
    Ok(())
}

mod renamed {
    use super::{BoxError, Context, Door};

    #[pgq::task(name = "dispatch_before", concurrency = 2)]
    pub(super) async fn before(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.pass().await
    }

    #[pgq::task(name = "dispatch_after", aliases = ["dispatch_before"], concurrency = 2)]
    pub(super) async fn after(ctx: Context<Door>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.pass().await
    }
}

pub(crate) async fn what_is_set_of_a_task_outlives_its_name(world: World) -> Result<()> {
    let door = Door::new();
    let old = world.worker(pgq::tasks![renamed::before], door.clone()).await?;
    world.client.set_limit(LimitRef::of::<renamed::before>(), Allow::at_once(0)).await?;
    old.session().deregister(true).await?;
    let mut new = world.worker(pgq::tasks![renamed::after], door.clone()).await?;
    renamed::after::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(start(&mut new).await?, 0);
    assert!(world.client.clear_limit(LimitRef::of::<renamed::after>()).await?);
    assert_eq!(start(&mut new).await?, 2);
    assert!(world.client.limits().await?.iter().all(|limit| limit.set.is_none()));
    Ok(())
}

pub(crate) async fn a_limit_is_set_by_any_name_of_its_task(world: World) -> Result<()> {
    let door = Door::new();
    let mut old = world.worker(pgq::tasks![renamed::before], door.clone()).await?;
    let mut new = world.worker(pgq::tasks![renamed::after], door.clone()).await?;
    renamed::before::enqueue_many(&world.client, 0..9).await?;
    for name in ["dispatch_before", "dispatch_after"] {
        world.client.set_limit(LimitRef::task(name), Allow::at_once(0)).await?;
        assert_eq!((start(&mut old).await?, start(&mut new).await?), (0, 0), "{name}");
        assert!(world.client.clear_limit(LimitRef::task(name)).await?);
    }
    Ok(())
}

pub(crate) async fn what_another_worker_runs_counts_where_a_limit_is_new(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    roam::enqueue_many(&world.client, 0..3).await?;
    assert_eq!(start(&mut one).await?, 3);
    roam::enqueue_many(&world.client, 0..9).await?;
    world.client.set_limit(LimitRef::of::<roam>(), Allow::at_once(4)).await?;
    assert_eq!(start(&mut two).await?, 0, "the other one hasn't said yet what it runs");
    assert_eq!(start(&mut one).await? + start(&mut two).await?, 1, "three run elsewhere");
    assert_eq!(door.inside(), 4);
    Ok(())
}

pub(crate) async fn what_another_worker_runs_counts_where_a_limit_was_lifted(world: World) -> Result<()> {
    let door = Door::new();
    let (mut one, mut two) = (worker(&world, &door).await?, worker(&world, &door).await?);
    world.client.set_limit(LimitRef::of::<dial>(), Allow::everything()).await?;
    dial::enqueue_many(&world.client, 0..7).await?;
    assert_eq!(start(&mut one).await?, 7);
    dial::enqueue_many(&world.client, 0..9).await?;
    assert!(world.client.clear_limit(LimitRef::of::<dial>()).await?);
    for _ in 0..2 {
        assert_eq!(start(&mut two).await? + start(&mut one).await?, 0, "seven run elsewhere");
    }
    door.open(7);
    one.settle().await?;
    assert_eq!(start(&mut one).await? + start(&mut two).await? + start(&mut one).await?, 2);
    Ok(())
}

pub(crate) async fn who_has_nothing_of_a_new_limit_holds_up_nobody(world: World) -> Result<()> {
    let door = Door::new();
    let mut one = worker(&world, &door).await?;
    let mut other = world.worker(pgq::tasks![fare], ()).await?;
    world.client.set_limit(LimitRef::of::<roam>(), Allow::at_once(2)).await?;
    roam::enqueue_many(&world.client, 0..9).await?;
    assert_eq!(start(&mut one).await?, 0);
    start(&mut other).await?;
    assert_eq!(start(&mut one).await?, 2, "the other one has said that it runs none");
    Ok(())
}

pub(crate) async fn a_lower_rate_holds_for_all_workers_together(world: World) -> Result<()> {
    let door = Door::new();
    door.open(999);
    let mut fleet = Vec::new();
    for _ in 0..4 {
        fleet.push(worker(&world, &door).await?);
    }
    let allow = |count, burst| Allow::everything().starts(count, SECOND).burst(burst);
    world.client.set_limit(LimitRef::of::<roam>(), allow(10.0, 10)).await?;
    roam::enqueue_many(&world.client, 0..200).await?;
    let before = tenths(&world, &mut fleet, 30).await?;
    assert!((10..=40).contains(&before), "{before}");
    world.client.set_limit(LimitRef::of::<roam>(), allow(2.0, 1)).await?;
    let after = tenths(&world, &mut fleet, 80).await?;
    assert!((8..=17).contains(&after), "{after} in eight seconds");
    Ok(())
}

/// How many all of them start in so many tenths of a second.
async fn tenths(world: &World, fleet: &mut [Stepper], count: u32) -> Result<usize> {
    let mut all = 0;
    for _ in 0..count {
        for worker in &mut *fleet {
            all += worker.drain().await?;
        }
        world.clock.advance(SECOND / 10);
    }
    Ok(all)
}
