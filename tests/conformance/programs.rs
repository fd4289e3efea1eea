//! Limits that tasks of several programs share.

use std::sync::Arc;

use pgq::backend::{Ask, Bounds, Declared, Limited, Measure, PoolName, Session};
use pgq::{BoxError, Context, Result, WaitsFor};

use super::limits::Door;
use crate::world::{World, start};

#[pgq::task(limit(name = "viaduct", concurrency = 1))]
async fn tram(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

#[pgq::task(limit(name = "viaduct", concurrency = 1))]
async fn lorry(ctx: Context<Door>) -> std::result::Result<(), BoxError> {
    ctx.pass().await
}

pub(crate) async fn a_job_waits_for_what_another_program_runs_of_their_limit(world: World) -> Result<()> {
    let door = Door::new();
    let mut trams = world.worker(pgq::tasks![tram], door.clone()).await?;
    let mut lorries = world.worker(pgq::tasks![lorry], door.clone()).await?;
    let runs = tram::enqueue(&world.client, ()).await?;
    assert_eq!(start(&mut trams).await?, 1);
    let held_up = lorry::enqueue(&world.client, ()).await?;
    assert_eq!(start(&mut lorries).await?, 0);
    let Some(WaitsFor::Limit(limit)) = world.client.waits_for(held_up.id()).await? else { panic!("it is held up") };
    assert_eq!((limit.running, limit.jobs[0].id, limit.jobs.len()), (1, runs.id(), 1));
    Ok(())
}

/// What a program declares whose task of this name shares a limit of four at once.
fn sharing(task: &str) -> Declared {
    let (tasks, bounds) = (vec![task.to_owned()], Bounds { concurrency: Some(4), rate: None });
    let limit =
        Limited { name: "shared:causeway".to_owned(), task: None, sharers: tasks.clone(), keyed: false, bounds };
    Declared { tasks, schedules: Vec::new(), limits: vec![limit] }
}

async fn worker(world: &World, task: &str) -> Result<Arc<dyn Session>> {
    let session = world.session(&[task]).await?;
    session.declare(sharing(task)).await?;
    Ok(session)
}

/// Which tasks share the limit.
async fn sharers(session: &Arc<dyn Session>) -> Result<Vec<String>> {
    let views = session.pools().await?;
    Ok(views.into_iter().find(|view| &*view.pool.limit == "shared:causeway").expect("it is there").sharers)
}

/// How many of its units a worker gets that would like to have so many.
async fn takes(session: &Arc<dyn Session>, wish: u32) -> Result<u32> {
    let name = PoolName { limit: "shared:causeway".into(), measure: Measure::Concurrency };
    let views = session.pools().await?;
    let begun = views.iter().find(|view| view.pool == name).expect("it is there").portion.begun;
    let ask = Ask { keep: u32::MAX, wish, begun, ..Ask::default() };
    Ok(session.share(vec![(name, ask)]).await?[0].1.units)
}

pub(crate) async fn nobody_is_awaited_who_runs_no_task_that_joins_a_limit(world: World) -> Result<()> {
    let one = worker(&world, "dig").await?;
    assert_eq!(takes(&one, 1).await?, 1);
    let other = worker(&world, "blast").await?;
    assert_eq!(sharers(&one).await?, ["blast", "dig"]);
    assert_eq!(takes(&other, 2).await?, 2, "the first one runs nothing of what has joined");
    other.deregister(true).await?;
    one.declare(sharing("dig")).await?;
    let back = worker(&world, "blast").await?;
    assert_eq!(takes(&back, 2).await?, 2, "it was away meanwhile");
    worker(&world, "dig").await?;
    assert_eq!(sharers(&one).await?, ["blast", "dig"], "also where the program that came first speaks last");
    Ok(())
}

pub(crate) async fn a_task_that_a_later_version_takes_out_of_a_limit_shares_it_no_more(world: World) -> Result<()> {
    let both = |sharers: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut declared = sharing("dig");
        declared.tasks = names(&["dig", "blast"]);
        declared.limits[0].sharers = names(sharers);
        declared
    };
    let (before, after) = (world.session(&["dig"]).await?, world.session(&["dig"]).await?);
    before.declare(both(&["blast", "dig"])).await?;
    after.declare(both(&["dig"])).await?;
    let _other = worker(&world, "haul").await?;
    before.declare(both(&["blast", "dig"])).await?;
    assert_eq!(sharers(&after).await?, ["dig", "haul"]);
    Ok(())
}
