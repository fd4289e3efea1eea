//! Jobs that a handler leaves behind when it completes.

use std::time::Duration;

use pgq::backend::{Ended, OnConflict, Transition, Verdict};
use pgq::{Context, Result, State};

use crate::world::{World, after, claim, ended, job, notice};

type Done = std::result::Result<(), pgq::BoxError>;

/// Leaves two jobs behind, if it ends well.
#[pgq::task(attempts = 1)]
async fn lead(ctx: Context, ending: String) -> Done {
    ctx.enqueue(follow::job(1))?;
    ctx.enqueue(follow::job(2).delay(Duration::from_mins(1)).header("from", "lead"))?;
    match &*ending {
        "well" => Ok(()),
        "badly" => Err("no route".into()),
        "asking" => Err(pgq::snooze(Duration::from_mins(1)))?,
        _ => panic!("no idea"),
    }
}

#[pgq::task]
async fn follow(number: u8) -> Done {
    let _ = number;
    Ok(())
}

/// Leaves jobs with unique keys behind.
#[pgq::task]
async fn lead_one(ctx: Context) -> Done {
    ctx.enqueue(follow::job(1).unique("one"))?;
    ctx.enqueue(follow::job(2).unique("one"))?;
    ctx.enqueue(follow::job(3).unique("one").on_conflict(OnConflict::Replace))?;
    Ok(())
}

/// Has mistakes in what it would leave behind.
#[pgq::task(attempts = 1)]
async fn mislead(ctx: Context) -> Done {
    Ok(ctx.enqueue(follow::job(1).priority(i16::MIN))?)
}

async fn followers(world: &World) -> Result<Vec<(State, u64)>> {
    let jobs = world.client.jobs().task("follow").list().await?.jobs;
    jobs.iter().rev().map(|job| Ok((job.state, job.args()?.as_u64().unwrap_or_default()))).collect()
}

pub(crate) async fn a_completed_job_leaves_its_follow_ups(world: World) -> Result<()> {
    let mut worker = world.worker::<()>(pgq::tasks![lead], ()).await?;
    let id = lead::enqueue(&world.client, "well".to_owned()).await?.id();
    worker.step().await?;
    assert_eq!(world.state(id).await?, State::Completed);
    assert_eq!(followers(&world).await?, [(State::Available, 1), (State::Scheduled, 2)]);
    Ok(())
}

pub(crate) async fn a_job_that_does_not_complete_leaves_none(world: World) -> Result<()> {
    let mut worker = world.worker::<()>(pgq::tasks![lead], ()).await?;
    let endings = ["badly", "asking", "with a panic"].map(str::to_owned);
    lead::enqueue_many(&world.client, endings.to_vec()).await?;
    worker.step().await?;
    assert_eq!(followers(&world).await?, []);
    assert_eq!(world.client.jobs().task("lead").state(State::Discarded).count().await?.jobs, 2);
    Ok(())
}

pub(crate) async fn who_lost_the_lease_leaves_no_follow_ups(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let put = world.put(vec![job("a"), job("a")]).await?;
    let won = claim(&session, &["a"], 2).await?;
    let late = Ended { epoch: 9, follow_ups: vec![job("late")], ..ended(&won[0], Transition::Complete) };
    let good = Ended { follow_ups: vec![job("good"), job("good")], ..ended(&won[1], Transition::Complete) };
    assert_eq!(session.finish(&[late, good.clone()]).await?, [Verdict::Lost, Verdict::Written]);
    assert_eq!(session.finish(&[good]).await?, [Verdict::Lost], "an end is written once");
    assert_eq!(world.client.jobs().task("late").count().await?.jobs, 0);
    assert_eq!(world.client.jobs().task("good").count().await?.jobs, 2);
    assert_eq!((world.state(put[0]).await?, world.state(put[1]).await?), (State::Running, State::Completed));
    Ok(())
}

pub(crate) async fn a_follow_up_whose_unique_key_is_taken_is_left_out(world: World) -> Result<()> {
    let mut worker = world.worker::<()>(pgq::tasks![lead_one], ()).await?;
    let id = lead_one::enqueue(&world.client, ()).await?.id();
    worker.step().await?;
    assert_eq!(world.state(id).await?, State::Completed);
    assert_eq!(followers(&world).await?, [(State::Available, 3)]);
    Ok(())
}

pub(crate) async fn a_follow_up_with_a_mistake_is_told_of_at_once(world: World) -> Result<()> {
    let mut worker = world.worker::<()>(pgq::tasks![mislead], ()).await?;
    let id = mislead::enqueue(&world.client, ()).await?.id();
    worker.step().await?;
    let job = world.job(id).await?;
    assert_eq!(job.state, State::Discarded);
    assert!(job.failures[0].message.contains("-32768"), "{}", job.failures[0].message);
    Ok(())
}

pub(crate) async fn follow_ups_wake_a_sleeper(world: World) -> Result<()> {
    let (session, sleeper) = (world.session(&["a"]).await?, world.sleeper(&["b"]).await?);
    let mut pulse = sleeper.attend().await?;
    sleeper.doze(Some(Duration::from_mins(5))).await?;
    world.put_one(job("a")).await?;
    let won = claim(&session, &["a"], 1).await?;
    let follow_ups = vec![job("b"), after("b", Duration::from_hours(1))];
    session.finish(&[Ended { follow_ups, ..ended(&won[0], Transition::Complete) }]).await?;
    assert!(notice(&mut pulse).await.work);
    Ok(())
}
