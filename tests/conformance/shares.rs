//! How a limit without a key is divided among workers, and what a claim makes of what is left.

use std::sync::Arc;

use pgq::backend::{
    Ask, Bounds, Claim, Declared, Group, Limited, Measure, NextToken, Owed, PoolName, Portion, Rate, Session,
};
use pgq::{Allow, LimitRef, Result};

use crate::world::{SECOND, SPAN, World, ids, job, notice, want};

/// A token of a rate, as it changes hands.
pub(super) const TOKEN: u64 = 1_000_000;

pub(super) fn limited(bounds: Bounds) -> Declared {
    let limit = Limited {
        name: "task:send".to_owned(),
        task: Some("send".to_owned()),
        sharers: Vec::new(),
        keyed: false,
        bounds,
    };
    Declared { tasks: vec!["send".to_owned()], schedules: Vec::new(), limits: vec![limit] }
}

pub(super) fn slots(most: u32) -> Declared {
    limited(Bounds { concurrency: Some(most), rate: None })
}

fn one_a_second(burst: u32) -> Declared {
    limited(Bounds { concurrency: None, rate: Rate::every(SECOND, burst) })
}

/// A worker of a version that declares this.
pub(super) async fn worker(world: &World, declared: &Declared) -> Result<Arc<dyn Session>> {
    let session = world.session(&["send"]).await?;
    session.declare(declared.clone()).await?;
    Ok(session)
}

/// One that hears what it is told.
async fn hearing(world: &World, declared: &Declared) -> Result<Arc<dyn Session>> {
    let session = world.sleeper(&["send"]).await?;
    session.declare(declared.clone()).await?;
    Ok(session)
}

/// What a worker says that has looked just now.
pub(super) async fn ask(session: &Arc<dyn Session>, measure: Measure, ask: Ask) -> Result<Portion> {
    let begun = session.pools().await?.first().map_or(0, |view| view.portion.begun);
    say(session, measure, Ask { begun, ..ask }).await
}

async fn say(session: &Arc<dyn Session>, measure: Measure, ask: Ask) -> Result<Portion> {
    let pool = PoolName { limit: "task:send".into(), measure };
    Ok(session.share(vec![(pool, ask)]).await?[0].1)
}

/// What a worker has that would like to have so many.
pub(super) async fn wish(session: &Arc<dyn Session>, wish: u32) -> Result<u32> {
    Ok(ask(session, Measure::Concurrency, Ask { keep: u32::MAX, micros: 0, wish, held: 0, ..Ask::default() })
        .await?
        .units)
}

async fn keep(session: &Arc<dyn Session>, keep: u32) -> Result<Portion> {
    ask(session, Measure::Concurrency, Ask { keep, micros: 0, wish: 0, held: 0, ..Ask::default() }).await
}

/// The bound of the one limit, as a worker sees it.
async fn cap(session: &Arc<dyn Session>) -> Result<Option<u32>> {
    let views = session.pools().await?;
    Ok(views.iter().find(|view| view.pool.measure == Measure::Concurrency).and_then(|view| view.portion.cap))
}

pub(crate) async fn nobody_has_more_of_a_limit_than_there_is(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &slots(5)).await?, worker(&world, &slots(5)).await?);
    assert_eq!((wish(&one, 3).await?, wish(&two, 9).await?), (3, 2));
    assert_eq!((wish(&one, 9).await?, wish(&two, 9).await?), (3, 2));
    let views = one.pools().await?;
    let units = |measure| views.iter().find(|view| view.pool.measure == measure).map(|view| view.portion.units);
    assert_eq!(units(Measure::Concurrency), Some(3));
    Ok(())
}

pub(crate) async fn what_is_given_back_goes_to_who_waits_and_he_is_told(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &slots(2)).await?, hearing(&world, &slots(2)).await?);
    let mut pulse = two.attend().await?;
    assert_eq!((wish(&one, 2).await?, wish(&two, 2).await?), (2, 0));
    assert_eq!(keep(&one, 1).await?.units, 1);
    assert!(notice(&mut pulse).await.limits);
    assert_eq!(two.pools().await?[0].portion.units, 1);
    Ok(())
}

pub(crate) async fn who_has_more_than_an_even_part_is_told_that_somebody_starves(world: World) -> Result<()> {
    let (one, two) = (hearing(&world, &slots(4)).await?, worker(&world, &slots(4)).await?);
    let mut pulse = one.attend().await?;
    assert_eq!(wish(&one, 4).await?, 4);
    assert_eq!(wish(&two, 4).await?, 0);
    assert!(notice(&mut pulse).await.limits);
    assert_eq!(one.pools().await?[0].portion.owed, Owed::Beyond(2));
    assert_eq!(keep(&one, 2).await?.owed, Owed::Spare, "the other one has an even part too");
    Ok(())
}

pub(crate) async fn what_a_worker_had_that_is_gone_is_others(world: World) -> Result<()> {
    let (dead, live) = (worker(&world, &slots(3)).await?, worker(&world, &slots(3)).await?);
    assert_eq!((wish(&dead, 3).await?, wish(&live, 2).await?), (3, 0));
    world.clock.advance(SPAN + SECOND);
    live.attend().await?.renew().await?;
    assert_eq!(wish(&live, 2).await?, 0, "nobody has declared it gone yet");
    live.rescue(9).await?;
    assert_eq!(wish(&live, 3).await?, 3);
    Ok(())
}

pub(crate) async fn what_a_worker_had_that_leaves_is_others(world: World) -> Result<()> {
    let (leaver, stayer) = (worker(&world, &slots(3)).await?, hearing(&world, &slots(3)).await?);
    let mut pulse = stayer.attend().await?;
    assert_eq!((wish(&leaver, 3).await?, wish(&stayer, 3).await?), (3, 0));
    leaver.deregister(true).await?;
    assert!(notice(&mut pulse).await.limits);
    assert_eq!(stayer.pools().await?[0].portion.units, 3);
    Ok(())
}

pub(crate) async fn who_is_silent_is_given_nothing_and_told_of_what_is_free(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &slots(2)).await?, worker(&world, &slots(2)).await?);
    let stopped = hearing(&world, &slots(2)).await?;
    let mut pulse = stopped.attend().await?;
    assert_eq!((wish(&one, 2).await?, wish(&stopped, 2).await?, wish(&two, 1).await?), (2, 0, 0));
    // Long before its lease is over.
    world.clock.advance(SPAN / 2);
    one.attend().await?.renew().await?;
    two.attend().await?.renew().await?;
    keep(&one, 0).await?;
    assert_eq!(wish(&two, 1).await?, 1, "though the other one has waited for longer");
    assert!(notice(&mut pulse).await.limits);
    let view = stopped.pools().await?[0].portion;
    assert_eq!((view.units, view.passed_over), (0, true));
    assert_eq!(wish(&stopped, 2).await?, 1, "who asks lives");
    Ok(())
}

pub(crate) async fn who_was_silent_and_waits_is_heard_again(world: World) -> Result<()> {
    let (one, stopped) = (hearing(&world, &slots(2)).await?, worker(&world, &slots(2)).await?);
    let mut pulse = one.attend().await?;
    assert_eq!((wish(&one, 2).await?, wish(&stopped, 2).await?), (2, 0));
    assert!(notice(&mut pulse).await.limits);
    world.clock.advance(SPAN / 2);
    pulse.renew().await?;
    let all = Ask { keep: u32::MAX, wish: 2, ..Ask::default() };
    assert_eq!(ask(&one, Measure::Concurrency, all).await?.owed, Owed::Nothing, "nobody else could use it");
    stopped.attend().await?.renew().await?;
    assert_eq!(ask(&stopped, Measure::Concurrency, Ask { unheard: true, ..all }).await?.units, 0);
    assert!(notice(&mut pulse).await.limits);
    assert_eq!(ask(&one, Measure::Concurrency, all).await?.owed, Owed::Beyond(1));
    Ok(())
}

pub(crate) async fn a_worker_that_is_gone_gets_nothing(world: World) -> Result<()> {
    let (dead, live) = (worker(&world, &slots(3)).await?, worker(&world, &slots(3)).await?);
    world.clock.advance(SPAN + SECOND);
    live.attend().await?.renew().await?;
    live.rescue(9).await?;
    assert_eq!(wish(&dead, 3).await?, 0);
    assert_eq!(wish(&live, 3).await?, 3);
    Ok(())
}

pub(crate) async fn tokens_come_back_with_their_units(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &one_a_second(4)).await?, worker(&world, &one_a_second(4)).await?);
    let all = ask(&one, Measure::Rate, Ask { keep: u32::MAX, micros: 0, wish: 4, held: 0, ..Ask::default() }).await?;
    assert_eq!((all.units, all.micros, all.rate), (4, 4 * TOKEN, Rate::every(SECOND, 4)));
    ask(&one, Measure::Rate, Ask { keep: 1, micros: TOKEN, wish: 0, held: 0, ..Ask::default() }).await?;
    let rest = ask(&two, Measure::Rate, Ask { keep: u32::MAX, micros: 0, wish: 3, held: 0, ..Ask::default() }).await?;
    assert_eq!((rest.units, rest.micros), (3, TOKEN));
    Ok(())
}

pub(crate) async fn a_token_that_is_told_of_other_units_or_another_rate_is_not_known(world: World) -> Result<()> {
    let one = worker(&world, &one_a_second(4)).await?;
    ask(&one, Measure::Rate, Ask { keep: u32::MAX, wish: 3, ..Ask::default() }).await?;
    let next = async || world.client.limits().await.map(|limits| limits[0].shares[0].next);
    let tell = async |units, burst| {
        let (wait, rate) = (SECOND * 9, Rate::every(SECOND, burst).expect("it is one"));
        let name = PoolName { limit: "task:send".into(), measure: Measure::Rate };
        one.foretell(vec![(name, NextToken { wait, units, rate })]).await?;
        next().await
    };
    assert_eq!((tell(2, 4).await?, tell(3, 5).await?), (None, None));
    assert!(tell(3, 4).await?.is_some());
    world.clock.advance(SECOND * 8);
    assert!(next().await?.is_some());
    world.clock.advance(SECOND);
    assert_eq!(next().await?, None, "it is there");
    assert!(tell(3, 4).await?.is_some());
    let _another = worker(&world, &one_a_second(5)).await?;
    assert_eq!(next().await?, None);
    Ok(())
}

pub(crate) async fn a_rates_tokens_grow_while_nobody_has_them(world: World) -> Result<()> {
    let one = worker(&world, &one_a_second(2)).await?;
    ask(&one, Measure::Rate, Ask { keep: u32::MAX, micros: 0, wish: 2, held: 0, ..Ask::default() }).await?;
    ask(&one, Measure::Rate, Ask { keep: 0, micros: 0, wish: 0, held: 0, ..Ask::default() }).await?;
    world.clock.advance(SECOND / 2);
    let half = ask(&one, Measure::Rate, Ask { keep: u32::MAX, micros: 0, wish: 2, held: 0, ..Ask::default() }).await?;
    assert_eq!((half.units, half.micros), (2, TOKEN / 2));
    Ok(())
}

pub(crate) async fn tokens_of_a_worker_that_leaves_are_not_there_again(world: World) -> Result<()> {
    let declared = limited(Bounds { concurrency: None, rate: Rate::every(SECOND * 60, 10) });
    let (one, two) = (worker(&world, &declared).await?, worker(&world, &declared).await?);
    let most = Ask { keep: u32::MAX, micros: 0, wish: 10, held: 0, ..Ask::default() };
    let all = ask(&one, Measure::Rate, most).await?;
    assert_eq!((all.units, all.micros), (10, 10 * TOKEN));
    for _ in 0..120 {
        world.clock.advance(SECOND * 5);
        one.attend().await?.renew().await?;
        two.attend().await?.renew().await?;
    }
    one.deregister(true).await?;
    let next = ask(&two, Measure::Rate, most).await?;
    assert_eq!((next.units, next.micros), (10, 0), "it may have started ten just now");
    Ok(())
}

pub(crate) async fn tokens_of_a_worker_that_dies_are_not_there_again(world: World) -> Result<()> {
    let (dead, live) = (worker(&world, &one_a_second(4)).await?, worker(&world, &one_a_second(4)).await?);
    let most = Ask { keep: u32::MAX, micros: 0, wish: 4, held: 0, ..Ask::default() };
    assert_eq!(ask(&dead, Measure::Rate, Ask { wish: 3, ..most }).await?.micros, 3 * TOKEN);
    world.clock.advance(SPAN + SECOND);
    live.attend().await?.renew().await?;
    live.rescue(9).await?;
    let next = ask(&live, Measure::Rate, most).await?;
    assert_eq!((next.units, next.micros), (4, TOKEN), "one was nobody's");
    Ok(())
}

pub(crate) async fn a_rate_that_bounds_again_begins_with_nothing(world: World) -> Result<()> {
    let old = worker(&world, &one_a_second(4)).await?;
    let most = Ask { keep: u32::MAX, micros: 0, wish: 4, held: 0, ..Ask::default() };
    assert_eq!(ask(&old, Measure::Rate, most).await?.micros, 4 * TOKEN);
    let new = worker(&world, &slots(1)).await?;
    world.clock.advance(SECOND * 9);
    new.deregister(true).await?;
    old.declare(one_a_second(4)).await?;
    let next = ask(&old, Measure::Rate, most).await?;
    assert_eq!((next.units, next.micros), (4, 0), "what was started meanwhile isn't known");
    world.clock.advance(SECOND);
    ask(&old, Measure::Rate, Ask { keep: 0, micros: 0, wish: 0, held: 0, ..Ask::default() }).await?;
    assert_eq!(ask(&old, Measure::Rate, most).await?.micros, 0);
    Ok(())
}

pub(crate) async fn who_has_not_said_what_he_runs_is_awaited_until_he_is_gone(world: World) -> Result<()> {
    let without = Declared { limits: Vec::new(), ..slots(1) };
    let silent = worker(&world, &without).await?;
    silent.attend().await?.renew().await?;
    let new = worker(&world, &slots(1)).await?;
    new.attend().await?.renew().await?;
    assert_eq!(wish(&new, 1).await?, 0);
    world.clock.advance(SPAN + SECOND);
    new.attend().await?.renew().await?;
    assert_eq!(wish(&new, 1).await?, 0, "his attempts go on as long as nobody has called him gone");
    new.rescue(9).await?;
    assert_eq!(wish(&new, 1).await?, 1);
    Ok(())
}

pub(crate) async fn who_lives_and_does_not_say_what_he_runs_is_awaited_while_a_lease_lasts(world: World) -> Result<()> {
    let without = Declared { limits: Vec::new(), ..slots(1) };
    let mute = worker(&world, &without).await?;
    let new = worker(&world, &slots(1)).await?;
    for _ in 0..2 {
        assert_eq!(wish(&new, 1).await?, 0);
        world.clock.advance(SPAN / 2);
        mute.attend().await?.renew().await?;
    }
    assert_eq!(wish(&new, 1).await?, 1);
    Ok(())
}

pub(crate) async fn what_is_said_before_a_limit_comes_back_does_not_count(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &slots(3)).await?, worker(&world, &slots(3)).await?);
    let before = one.pools().await?[0].portion.begun;
    let limit = || LimitRef::task("send");
    world.client.set_limit(limit(), Allow::everything()).await?;
    world.client.clear_limit(limit()).await?;
    assert_eq!(wish(&two, 3).await?, 0);
    let late = Ask { keep: u32::MAX, micros: 0, wish: 1, held: 1, begun: before, ..Ask::default() };
    assert!(say(&one, Measure::Concurrency, late).await?.awaits.is_some(), "it may run more of it by now");
    assert_eq!(wish(&two, 3).await?, 0);
    assert_eq!(ask(&one, Measure::Concurrency, Ask { held: 2, ..late }).await?.awaits, None);
    assert_eq!(wish(&two, 3).await?, 1);
    Ok(())
}

pub(crate) async fn what_is_said_before_a_limit_is_declared_again_does_not_count(world: World) -> Result<()> {
    let (one, two) = (worker(&world, &slots(3)).await?, worker(&world, &slots(3)).await?);
    assert_eq!(wish(&one, 3).await?, 3);
    let late = Ask {
        keep: u32::MAX,
        micros: 0,
        wish: 3,
        held: 0,
        begun: one.pools().await?[0].portion.begun,
        ..Ask::default()
    };
    for declared in [Declared { limits: Vec::new(), ..slots(3) }, slots(3)] {
        one.declare(declared.clone()).await?;
        two.declare(declared).await?;
    }
    assert_eq!(wish(&two, 3).await?, 0);
    assert!(
        say(&one, Measure::Concurrency, late).await?.awaits.is_some(),
        "it has started more with what it had by then"
    );
    assert_eq!(ask(&one, Measure::Concurrency, Ask { held: 3, ..late }).await?.units, 3);
    assert_eq!(wish(&two, 3).await?, 0);
    Ok(())
}

pub(crate) async fn a_limit_that_the_newest_set_does_not_have_bounds_nothing(world: World) -> Result<()> {
    let old = worker(&world, &slots(1)).await?;
    assert_eq!(wish(&old, 1).await?, 1);
    let without = Declared { limits: Vec::new(), ..slots(1) };
    let new = worker(&world, &without).await?;
    assert_eq!(cap(&old).await?, None);
    assert_eq!(
        ask(&old, Measure::Concurrency, Ask { keep: u32::MAX, micros: 0, wish: 1, held: 0, ..Ask::default() }).await?,
        Portion::default()
    );
    old.declare(slots(1)).await?;
    assert_eq!(cap(&old).await?, None, "the newer one has the last word while it lives");
    new.deregister(true).await?;
    old.declare(slots(1)).await?;
    assert_eq!(cap(&old).await?, Some(1));
    Ok(())
}

pub(crate) async fn the_newest_set_that_a_live_worker_has_bounds_a_limit(world: World) -> Result<()> {
    let old = worker(&world, &slots(1)).await?;
    let new = worker(&world, &slots(7)).await?;
    old.declare(slots(1)).await?;
    assert_eq!((cap(&old).await?, cap(&new).await?), (Some(7), Some(7)));
    new.deregister(true).await?;
    old.declare(slots(1)).await?;
    assert_eq!(cap(&old).await?, Some(1));
    Ok(())
}

pub(crate) async fn a_lower_bound_is_come_down_to(world: World) -> Result<()> {
    let old = worker(&world, &slots(6)).await?;
    assert_eq!(wish(&old, 6).await?, 6);
    let new = worker(&world, &slots(2)).await?;
    assert_eq!(wish(&new, 1).await?, 0, "what runs goes on");
    assert_eq!(old.pools().await?[0].portion.owed, Owed::Excess);
    keep(&old, 2).await?;
    assert_eq!(wish(&new, 1).await?, 0);
    keep(&old, 1).await?;
    assert_eq!(wish(&new, 1).await?, 1);
    Ok(())
}

pub(crate) async fn a_want_of_none_is_only_looked_for(world: World) -> Result<()> {
    let session = world.session(&["a", "b", "c"]).await?;
    let first = world.put(vec![job("a"), job("b")]).await?[0];
    let wants = vec![want("default", "c", 0), want("default", "b", 0), want("default", "a", 9)];
    let claim = Claim { wants: wants.into(), groups: Vec::new(), limit: 9, thorough: true, suspect: true };
    let batch = session.claim(claim).await?;
    assert_eq!((ids(&batch.jobs), batch.blocked), (vec![first], vec![1]));
    Ok(())
}

pub(crate) async fn a_group_of_wants_shares_its_room(world: World) -> Result<()> {
    let session = world.session(&["a", "b", "c"]).await?;
    for task in ["a", "b", "c"] {
        world.put(vec![job(task), job(task), job(task), job(task)]).await?;
    }
    let wants = ["a", "b", "c"].map(|task| want("default", task, 9));
    let group = Group { wants: vec![0, 2], room: 3 };
    let claim = Claim { wants: Arc::new(wants), groups: vec![group], limit: 99, thorough: true, suspect: true };
    let won = session.claim(claim).await?.jobs;
    let count = |task: &str| won.iter().filter(|job| job.task == task).count();
    assert_eq!((count("a"), count("b"), count("c")), (2, 4, 1));
    Ok(())
}
