//! Which declaration of a schedule wins, where the code of workers disagrees.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Kept, Scheduled, Session};
use pgq::{BoxError, Result, Worker, WorkerBuilder};

use crate::world::{World, declaration};

#[pgq::schedule("@daily")]
async fn chores() -> Result<(), BoxError> {
    Ok(())
}

/// What a worker that has `chores` declares.
async fn own(world: &World) -> Result<Scheduled> {
    world.worker(pgq::tasks![chores], ()).await?.leave().await?;
    Ok(kept(world).await?.scheduled)
}

async fn kept(world: &World) -> Result<Kept> {
    let agenda = world.client.backend().schedules().await?;
    Ok(agenda.schedules.into_iter().find(|kept| kept.scheduled.name == "chores").expect("it was declared"))
}

async fn cadence(world: &World) -> Result<String> {
    Ok(kept(world).await?.scheduled.cadence)
}

/// A worker of a version that declares this.
async fn version(world: &World, own: &Scheduled, cadence: &str) -> Result<Arc<dyn Session>> {
    let session = world.session(&["chores"]).await?;
    declare(&session, own, cadence).await?;
    Ok(session)
}

async fn declare(session: &Arc<dyn Session>, own: &Scheduled, cadence: &str) -> Result<i64> {
    session.declare(vec![Scheduled { cadence: cadence.to_owned(), ..own.clone() }].into()).await
}

pub(crate) async fn a_set_of_schedules_keeps_its_number(world: World) -> Result<()> {
    let own = own(&world).await?;
    let (one, two) = (world.session(&[]).await?, world.session(&[]).await?);
    let old = declare(&one, &own, "@daily").await?;
    let new = declare(&two, &own, "@hourly").await?;
    assert!(old < new);
    assert_eq!(declare(&two, &own, "@daily").await?, old);
    let other = Scheduled { name: "another".to_owned(), ..own.clone() };
    let both = one.declare(vec![own.clone(), other.clone()].into()).await?;
    assert!(new < both);
    assert_eq!(two.declare(vec![other, own].into()).await?, both, "whatever their order");
    Ok(())
}

pub(crate) async fn the_version_that_was_seen_last_wins_while_it_lives(world: World) -> Result<()> {
    let own = own(&world).await?;
    let old = version(&world, &own, "@daily").await?;
    let new = version(&world, &own, "@hourly").await?;
    assert_eq!(cadence(&world).await?, "@hourly");
    declare(&old, &own, "@daily").await?;
    version(&world, &own, "@daily").await?;
    assert_eq!(cadence(&world).await?, "@hourly", "an old worker that comes back doesn't flip it");
    new.deregister(true).await?;
    version(&world, &own, "@daily").await?;
    assert_eq!(cadence(&world).await?, "@daily", "the new one has left");
    Ok(())
}

pub(crate) async fn of_those_that_are_left_the_one_that_was_seen_last_wins(world: World) -> Result<()> {
    let own = own(&world).await?;
    let (one, two, three) =
        (version(&world, &own, "@daily"), version(&world, &own, "@weekly"), version(&world, &own, "@hourly"));
    let (one, two, three) = (one.await?, two.await?, three.await?);
    three.deregister(true).await?;
    declare(&one, &own, "@daily").await?;
    assert_eq!(cadence(&world).await?, "@hourly", "it isn't for the first to say");
    declare(&two, &own, "@weekly").await?;
    assert_eq!(cadence(&world).await?, "@weekly");
    Ok(())
}

pub(crate) async fn after_a_rollback_the_old_declaration_is_put_in_by_itself(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![chores], ()).await?;
    let own = kept(&world).await?.scheduled;
    let new = version(&world, &own, "@hourly").await?;
    worker.tick().await?;
    assert_eq!(cadence(&world).await?, "@hourly");
    new.deregister(true).await?;
    worker.tick().await?;
    assert_eq!(kept(&world).await?.scheduled, own);
    Ok(())
}

pub(crate) async fn a_worker_for_tasks_only_puts_its_declaration_back_too(world: World) -> Result<()> {
    let mut worker = builder(&world).tasks_only().stepper().await?;
    let own = kept(&world).await?.scheduled;
    let new = version(&world, &own, "@hourly").await?;
    new.deregister(true).await?;
    worker.tick().await?;
    assert_eq!(kept(&world).await?.scheduled, own);
    Ok(())
}

pub(crate) async fn side_by_side_no_tick_is_doubled(world: World) -> Result<()> {
    let mut old = world.worker(pgq::tasks![chores], ()).await?;
    let own = kept(&world).await?.scheduled;
    let _new = version(&world, &own, "0 */12 * * *").await?;
    let mut ran = 0;
    for _ in 0..48 {
        world.clock.advance(Duration::from_hours(1));
        ran += old.drain().await?;
    }
    assert_eq!(ran, 4);
    Ok(())
}

pub(crate) async fn workers_of_other_schedules_have_no_say(world: World) -> Result<()> {
    let own = own(&world).await?;
    let here = version(&world, &own, "@daily").await?;
    let there = world.session(&[]).await?;
    there.declare(vec![Scheduled { name: "another".to_owned(), ..own.clone() }].into()).await?;
    let declared = [kept(&world).await?.edition, Some(declare(&here, &own, "@daily").await?)];
    assert_eq!(declared[0], declared[1]);
    here.deregister(true).await?;
    assert!(kept(&world).await?.is_orphaned());
    Ok(())
}

pub(crate) async fn a_deleted_declaration_stays_away_until_a_worker_starts(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![chores], ()).await?;
    world.client.delete_schedule("chores").await?;
    worker.tick().await?;
    assert!(world.client.schedules().await?.is_empty());
    world.worker(pgq::tasks![chores], ()).await?;
    assert_eq!(cadence(&world).await?, "@daily");
    Ok(())
}

pub(crate) async fn a_worker_that_is_told_to_deletes_what_nobody_has_declared_for_a_while(world: World) -> Result<()> {
    let own = own(&world).await?;
    let named = |name: &str| Scheduled { name: name.to_owned(), ..own.clone() };
    let (gone, live) = (world.session(&[]).await?, world.session(&[]).await?);
    gone.declare(vec![named("forgotten"), named("shared")].into()).await?;
    live.declare(vec![named("other"), named("shared")].into()).await?;
    world.client.schedule("made", "@daily", chores::job(())).create().await?;
    let mut any = world.worker(pgq::tasks![chores], ()).await?;
    let mut pruner = builder(&world).prune_schedules().stepper().await?;
    pruner.prune().await?;
    assert_eq!(names(&world).await?.len(), 5, "everybody lives");
    gone.deregister(true).await?;
    world.clock.advance(Duration::from_secs(599));
    pruner.prune().await?;
    assert_eq!(names(&world).await?.len(), 5, "the next one may be about to start");
    world.clock.advance(Duration::from_secs(1));
    any.prune().await?;
    assert_eq!(names(&world).await?.len(), 5, "nobody told it to");
    pruner.prune().await?;
    assert_eq!(names(&world).await?, ["chores", "made", "other", "shared"]);
    Ok(())
}

/// A worker of a version that declares a schedule of a task, which may have had another name.
async fn naming(world: &World, own: &Scheduled, name: &str, aliases: &[&str]) -> Result<Arc<dyn Session>> {
    let options = serde_json::json!({ "aliases": aliases });
    let session = world.session_declaring(vec![declaration(name, options)]).await?;
    session.declare(vec![renamed(own, name)].into()).await?;
    Ok(session)
}

fn renamed(own: &Scheduled, name: &str) -> Scheduled {
    Scheduled { name: name.to_owned(), task: name.to_owned(), cadence: "* * * * *".to_owned(), ..own.clone() }
}

/// What is due, as any worker sees it.
async fn only(world: &World) -> Result<Kept> {
    let mut agenda = world.client.backend().schedules().await?;
    assert_eq!(agenda.schedules.len(), 1, "{:?}", names(world).await?);
    Ok(agenda.schedules.remove(0))
}

/// What any task declares, and nothing else in the tables.
async fn template(world: &World) -> Result<Scheduled> {
    let own = own(world).await?;
    world.client.delete_schedule("chores").await?;
    Ok(own)
}

pub(crate) async fn a_schedule_follows_its_task_to_another_name_and_stays_where_it_stands(world: World) -> Result<()> {
    let own = template(&world).await?;
    let _old = naming(&world, &own, "old", &[]).await?;
    let mut ticker = builder(&world).tasks(pgq::tasks![rest]).stepper().await?;
    world.clock.advance(Duration::from_mins(1));
    ticker.tick().await?;
    world.client.pause_schedule("old", "for a while").await?;
    let before = only(&world).await?;
    let _new = naming(&world, &own, "new", &["older", "old"]).await?;
    let after = only(&world).await?;
    assert_eq!((after.scheduled.name.as_str(), after.scheduled.task.as_str()), ("new", "new"));
    assert_eq!(
        (after.standing, after.fired, after.job, after.paused),
        (before.standing, before.fired, before.job, Some("for a while".to_owned()))
    );
    assert!(after.standing.busy && after.generation > before.generation);
    Ok(())
}

pub(crate) async fn a_renamed_schedule_is_not_doubled_by_the_version_before(world: World) -> Result<()> {
    let own = template(&world).await?;
    let old = naming(&world, &own, "old", &[]).await?;
    let new = naming(&world, &own, "new", &["old"]).await?;
    old.declare(vec![renamed(&own, "old")].into()).await?;
    let again = naming(&world, &own, "old", &[]).await?;
    assert_eq!(names(&world).await?, ["new"], "the later version lives");
    new.deregister(true).await?;
    again.declare(vec![renamed(&own, "old")].into()).await?;
    assert_eq!(names(&world).await?, ["old"], "it was rolled back");
    naming(&world, &own, "new", &["old"]).await?;
    assert_eq!(names(&world).await?, ["new"]);
    Ok(())
}

pub(crate) async fn after_a_rollback_a_schedule_has_its_old_name_by_itself(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![chores], ()).await?;
    let own = kept(&world).await?.scheduled;
    let new = naming(&world, &own, "housework", &["chores"]).await?;
    worker.tick().await?;
    assert_eq!(names(&world).await?, ["housework"]);
    new.deregister(true).await?;
    worker.tick().await?;
    assert_eq!(names(&world).await?, ["chores"]);
    Ok(())
}

#[pgq::schedule("0 * * * *", name = "tidy")]
async fn before(ctx: pgq::Context) -> Result<(), BoxError> {
    ctx.tick().map(drop).ok_or_else(|| "no tick".into())
}

#[pgq::schedule("0 * * * *", name = "clean", aliases = ["tidy"])]
async fn since(ctx: pgq::Context) -> Result<(), BoxError> {
    ctx.tick().map(drop).ok_or_else(|| "no tick".into())
}

pub(crate) async fn a_function_under_another_name_goes_on_with_its_schedule(world: World) -> Result<()> {
    let mut old = world.worker(pgq::tasks![before], ()).await?;
    assert_eq!(old.advance(Duration::from_hours(3)).await?, 3);
    // One tick falls between the two versions.
    old.leave().await?;
    world.clock.advance(Duration::from_mins(90));
    let mut new = world.worker(pgq::tasks![since], ()).await?;
    assert_eq!(new.advance(Duration::from_mins(210)).await?, 5);
    assert_eq!(names(&world).await?, ["clean"]);
    Ok(())
}

pub(crate) async fn a_worker_of_other_tasks_gives_a_schedule_the_new_name_of_its_task(world: World) -> Result<()> {
    world.worker(pgq::tasks![before], ()).await?.leave().await?;
    builder(&world).tasks(pgq::tasks![since, errand]).only(["errand"]).stepper().await?;
    assert_eq!(names(&world).await?, ["clean"]);
    Ok(())
}

pub(crate) async fn of_two_names_of_a_task_one_schedule_is_left(world: World) -> Result<()> {
    let own = template(&world).await?;
    let _one = naming(&world, &own, "old", &[]).await?;
    let _two = naming(&world, &own, "new", &[]).await?;
    world.client.schedule("older", "@daily", chores::job(())).create().await?;
    let session = world.session_declaring(vec![declaration("new", serde_json::json!({ "aliases": ["old", "older"] }))]);
    session.await?.declare(vec![renamed(&own, "new")].into()).await?;
    assert_eq!(names(&world).await?, ["new", "older"], "what was created stays");
    Ok(())
}

#[pgq::task]
async fn rest() -> Result<(), BoxError> {
    Ok(())
}

fn builder(world: &World) -> WorkerBuilder<()> {
    Worker::builder().client(world.client.clone()).tasks(pgq::tasks![chores]).resources(())
}

pub(crate) async fn schedules_and_tasks_can_be_left_to_others(world: World) -> Result<()> {
    let mut tasks = builder(&world).tasks_only().stepper().await?;
    assert_eq!(names(&world).await?, ["chores"], "it declares them all the same");
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(tasks.drain().await?, 0, "it makes no jobs");
    let mut schedules = builder(&world).schedules_only().stepper().await?;
    assert_eq!(schedules.drain().await?, 0, "it runs none");
    assert_eq!(tasks.drain().await?, 1);
    Ok(())
}

pub(crate) async fn a_worker_for_nothing_is_refused(world: World) -> Result<()> {
    let both = builder(&world).tasks_only().schedules_only().stepper().await.unwrap_err();
    assert_eq!(both.to_string(), "expected a worker for tasks only or for schedules only, got both");
    let drain = builder(&world).schedules_only().drain().stepper().await.unwrap_err();
    assert!(drain.is_invalid(), "{drain:?}");
    Ok(())
}

async fn names(world: &World) -> Result<Vec<String>> {
    Ok(world.client.schedules().await?.into_iter().map(|schedule| schedule.name).collect())
}

#[pgq::task]
async fn errand() -> Result<(), BoxError> {
    Ok(())
}

/// A worker of a program that has two tasks.
fn both(world: &World) -> WorkerBuilder<()> {
    let tasks = pgq::tasks![chores, errand];
    Worker::builder().client(world.client.clone()).tasks(tasks).resources(())
}

pub(crate) async fn a_worker_of_some_tasks_is_of_the_same_version_as_one_of_all(world: World) -> Result<()> {
    let old = both(&world).stepper().await?;
    let own = kept(&world).await?.scheduled;
    let number = kept(&world).await?.edition;
    old.leave().await?;
    let new = version(&world, &own, "@hourly").await?;
    let _old = [both(&world).only(["chores"]).stepper().await?, both(&world).only(["errand"]).stepper().await?];
    assert_eq!(cadence(&world).await?, "@hourly", "it was seen before the new one");
    new.deregister(true).await?;
    let _again = both(&world).only(["errand"]).stepper().await?;
    assert_eq!((kept(&world).await?.edition, cadence(&world).await?), (number, "@daily".to_owned()));
    Ok(())
}

pub(crate) async fn a_worker_of_some_tasks_deletes_no_schedule_of_its_program(world: World) -> Result<()> {
    both(&world).stepper().await?.leave().await?;
    world.clock.advance(Duration::from_hours(1));
    let mut some = both(&world).only(["errand"]).prune_schedules().stepper().await?;
    some.prune().await?;
    assert!(names(&world).await?.contains(&"chores".to_owned()));
    Ok(())
}
