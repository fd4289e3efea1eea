//! What operators see and do.

use std::time::Duration;

use pgq::backend::{NewJob, OnConflict, Transition, Unique, When};
use pgq::{Deletion, Edit, Edited, FailureKind, Headers, JobId, Result, Retrial, State, Timestamp};

use crate::world::{World, after, claim, end, failure, in_queue, job, notice, retry, with_priority};

#[pgq::task]
async fn charge(order: u64, customer: Customer) -> Result<(), pgq::BoxError> {
    let _ = (order, customer);
    Ok(())
}

#[pgq::payload]
struct Customer {
    id: u64,
}

fn args(order: u64, customer: u64) -> ChargeArgs {
    ChargeArgs { order, customer: Customer { id: customer } }
}

fn with_header(name: &str, value: &str) -> NewJob {
    NewJob { headers: Headers::from([(name.to_owned(), value.to_owned())]), ..job("a") }
}

async fn listed(jobs: pgq::Jobs<'_>) -> Result<Vec<JobId>> {
    Ok(jobs.list().await?.jobs.into_iter().map(|job| job.id).collect())
}

/// A job of each way to end, in the order of the transitions.
async fn ends(world: &World, transitions: Vec<Transition>) -> Result<Vec<JobId>> {
    let session = world.session(&["a"]).await?;
    let mut ids = Vec::new();
    for transition in transitions {
        ids.push(world.put_one(job("a")).await?);
        let won = claim(&session, &["a"], 1).await?;
        end(&session, &won[0], transition).await?;
    }
    Ok(ids)
}

pub(crate) async fn jobs_are_listed_in_pages_the_newest_first(world: World) -> Result<()> {
    let mut ids = ends(&world, vec![Transition::Complete, Transition::Discard { failure: failure() }]).await?;
    ids.extend(world.put(vec![job("a"), after("b", Duration::from_mins(1)), job("b")]).await?);
    ids.reverse();
    let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.client.jobs().limit(2).before(before).list().await?;
        seen.extend(page.jobs.iter().map(|job| job.id));
        pages += 1;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (ids, 3));
    Ok(())
}

pub(crate) async fn a_list_takes_every_condition(world: World) -> Result<()> {
    let client = &world.client;
    let discarded = ends(&world, vec![Transition::Complete, Transition::Discard { failure: failure() }]).await?[1];
    let cancelled = ends(&world, vec![Transition::Cancel { failure: failure() }]).await?[0];
    world.clock.advance(Duration::from_mins(1));
    let young = world.put_one(job("b")).await?;
    let bulk = world.put_one(in_queue("a", "bulk")).await?;
    let acme = world.put_one(with_header("tenant", "acme")).await?;
    let later = world.put_one(after("c", Duration::from_mins(1))).await?;
    assert_eq!(listed(client.jobs().task("b")).await?, [young]);
    assert_eq!(listed(client.jobs().task("b").task("c")).await?, [later, young]);
    assert_eq!(listed(client.jobs().queue("bulk")).await?, [bulk]);
    assert_eq!(listed(client.jobs().state(State::Scheduled)).await?, [later]);
    assert_eq!(listed(client.jobs().state(State::Available)).await?, [acme, bulk, young]);
    assert_eq!(listed(client.jobs().state(State::Discarded)).await?, [discarded]);
    assert_eq!(listed(client.jobs().state(State::Cancelled).state(State::Scheduled)).await?, [later, cancelled]);
    assert_eq!(listed(client.jobs().state(State::Completed)).await?.len(), 1);
    assert_eq!(listed(client.jobs().younger_than(Duration::from_mins(1)).task("a")).await?, [acme, bulk]);
    assert_eq!(listed(client.jobs().older_than(Duration::from_mins(1))).await?.len(), 3);
    assert_eq!(listed(client.jobs().header("tenant", "acme")).await?, [acme]);
    assert_eq!(listed(client.jobs().header("tenant", "globex")).await?, []);
    assert_eq!(listed(client.jobs().tag("tenant")).await?, [acme]);
    assert_eq!(listed(client.jobs().error("NO ROUTE")).await?, [cancelled, discarded]);
    assert_eq!(listed(client.jobs().error("no route").state(State::Discarded)).await?, [discarded]);
    assert_eq!(listed(client.jobs().error("100%")).await?, []);
    Ok(())
}

pub(crate) async fn arguments_are_looked_into(world: World) -> Result<()> {
    let client = &world.client;
    charge::enqueue(client, args(1, 7)).await?;
    let second = charge::enqueue(client, args(2, 8)).await?.id();
    let odd = world.put_one(NewJob { payload: vec![0xc1], ..job("charge") }).await?;
    let page = client.jobs().arg("order", 2).list().await?;
    assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [second]);
    assert_eq!(page.jobs[0].args()?, serde_json::json!({ "order": 2, "customer": { "id": 8 } }));
    assert_eq!(page.read, 3);
    assert_eq!(listed(client.jobs().arg("/customer/id", 8)).await?, [second]);
    assert_eq!(listed(client.jobs().arg("order", "2")).await?, [], "a number is no text");
    assert_eq!(client.jobs().arg("order", 2).count().await?.jobs, 1);
    let error = world.job(odd).await?.args().unwrap_err().to_string();
    assert!(error.contains("charge") && error.contains("can't be read"), "{error}");
    Ok(())
}

pub(crate) async fn a_look_reads_no_more_than_it_is_told_to(world: World) -> Result<()> {
    let rare = world.put_one(job("rare")).await?;
    world.put(vec![job("a"); 5_000]).await?;
    let page = world.client.jobs().task("rare").reading(4_000).list().await?;
    assert_eq!((page.jobs.len(), page.read), (0, 4_000));
    let next = world.client.jobs().task("rare").reading(4_000).before(page.next).list().await?;
    assert_eq!((next.jobs[0].id, next.read, next.next), (rare, 1_001, None));
    Ok(())
}

pub(crate) async fn a_count_says_whether_it_is_exact(world: World) -> Result<()> {
    world.put(vec![job("a"); 3_000]).await?;
    world.put(vec![job("b"); 10]).await?;
    let jobs = world.client.jobs().task("a");
    let count = jobs.count().await?;
    assert_eq!((count.jobs, count.exact, count.read), (3_000, true, 3_010));
    let count = jobs.clone().reading(1_010).count().await?;
    assert_eq!((count.jobs, count.exact, count.read), (1_000, false, 1_010));
    let count = jobs.limit(1_500).count().await?;
    assert_eq!((count.jobs, count.exact), (1_500, false), "at least so many");
    Ok(())
}

pub(crate) async fn jobs_are_cancelled_by_what_they_have_in_common(world: World) -> Result<()> {
    ends(&world, vec![Transition::Complete]).await?;
    let session = world.session(&["a"]).await?;
    let running = world.put_one(job("a")).await?;
    claim(&session, &["a"], 1).await?;
    world.put(vec![job("a"); 2_500]).await?;
    let other = world.put_one(job("b")).await?;
    let jobs = world.client.jobs().task("a");
    let dry = jobs.clone().dry_run().cancel("wrong batch").await?;
    assert_eq!((dry.matched, dry.done, dry.asked), (2_501, 0, 0));
    let part = jobs.clone().limit(10).cancel("wrong batch").await?;
    assert_eq!((part.matched, part.done), (10, 10));
    let bulk = jobs.cancel("wrong batch").await?;
    assert_eq!((bulk.matched, bulk.done, bulk.asked, bulk.refused, bulk.next), (2_491, 2_490, 1, 0, None));
    assert_eq!((world.state(running).await?, world.state(other).await?), (State::Running, State::Available));
    let left = jobs.state(State::Cancelled).count().await?;
    assert_eq!(left.jobs, 2_500);
    Ok(())
}

pub(crate) async fn jobs_are_retried_by_what_they_have_in_common(world: World) -> Result<()> {
    let ids = ends(&world, vec![Transition::Complete, Transition::Discard { failure: failure() }]).await?;
    let unique = Unique { key: "k".to_owned(), on_conflict: OnConflict::Reject, window: Duration::ZERO };
    let session = world.session(&["a"]).await?;
    let twin = NewJob { unique: Some(unique), ..job("a") };
    let doubled = world.put_one(twin.clone()).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Discard { failure: failure() }).await?;
    world.put_one(twin).await?;
    let bulk = world.client.jobs().state(State::Discarded).retry().await?;
    assert_eq!((bulk.matched, bulk.done, bulk.refused), (2, 1, 1));
    assert_eq!(world.state(ids[1]).await?, State::Available);
    assert_eq!((world.state(ids[0]).await?, world.state(doubled).await?), (State::Completed, State::Discarded));
    assert_eq!(world.client.retry(ids[0]).await?, Retrial::Done);
    assert_eq!(world.client.jobs().state(State::Available).retry().await?.matched, 0, "nothing of them is finished");
    Ok(())
}

pub(crate) async fn jobs_are_deleted_by_what_they_have_in_common(world: World) -> Result<()> {
    let kept = ends(&world, vec![Transition::Complete]).await?;
    let session = world.session(&["a"]).await?;
    let running = world.put_one(with_header("tenant", "acme")).await?;
    claim(&session, &["a"], 1).await?;
    world.put(vec![with_header("tenant", "acme"), with_header("tenant", "globex")]).await?;
    let bulk = world.client.jobs().header("tenant", "acme").delete().await?;
    assert_eq!((bulk.matched, bulk.done, bulk.refused), (2, 1, 1));
    assert_eq!(world.state(running).await?, State::Running);
    assert_eq!(world.client.jobs().count().await?.jobs, 3);
    assert_eq!(world.client.jobs().state(State::Completed).delete().await?.done, 1);
    assert_eq!(world.client.get(kept[0]).await?, None);
    Ok(())
}

pub(crate) async fn to_act_on_many_takes_a_condition(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let error = world.client.jobs().delete().await.unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("expected a condition"), "{error}");
    assert!(world.client.jobs().cancel("all").await.is_err() && world.client.jobs().retry().await.is_err());
    assert_eq!(world.state(id).await?, State::Available);
    Ok(())
}

pub(crate) async fn a_queued_job_can_be_edited(world: World) -> Result<()> {
    let id = charge::enqueue(&world.client, args(1, 7)).await?.id();
    let edit = Edit::new().args::<charge>(args(2, 8)).priority(5).delay(Duration::from_mins(1));
    assert_eq!(world.client.edit(id, edit).await?, Edited::Done);
    let edited = world.job(id).await?;
    assert_eq!((edited.state, edited.priority.get()), (State::Scheduled, 5));
    assert_eq!(edited.args()?["order"], 2);
    assert_eq!(world.client.edit(id, Edit::new().at(Timestamp::EPOCH)).await?, Edited::Done);
    let edited = world.job(id).await?;
    assert_eq!((edited.state, edited.priority.get(), edited.args()?["order"].as_u64()), (State::Available, 5, Some(2)));
    let session = world.session(&["charge", "b"]).await?;
    world.put_one(with_priority("b", 4)).await?;
    assert_eq!(claim(&session, &["charge", "b"], 1).await?[0].id, id);
    Ok(())
}

pub(crate) async fn an_edit_leaves_the_time_that_a_job_has_to_begin(world: World) -> Result<()> {
    let minute = Duration::from_mins(1);
    let id = world.put_one(NewJob { expires_in: Some(minute), ..job("a") }).await?;
    world.client.edit(id, Edit::new().delay(10 * minute)).await?;
    let session = world.session(&["a"]).await?;
    world.clock.advance(10 * minute);
    session.promote(10).await?;
    assert!(!claim(&session, &["a"], 1).await?[0].expired);
    let id = world.put_one(NewJob { expires_in: Some(minute), when: When::After(minute), ..job("a") }).await?;
    world.client.edit(id, Edit::new().delay(Duration::ZERO)).await?;
    world.clock.advance(minute);
    assert!(claim(&session, &["a"], 1).await?[0].expired);
    Ok(())
}

pub(crate) async fn what_runs_or_is_finished_is_not_edited(world: World) -> Result<()> {
    let finished = ends(&world, vec![Transition::Complete]).await?[0];
    let session = world.session(&["a"]).await?;
    let running = world.put_one(job("a")).await?;
    claim(&session, &["a"], 1).await?;
    let edit = || Edit::new().priority(1);
    assert_eq!(world.client.edit(running, edit()).await?, Edited::Running);
    assert_eq!(world.client.edit(finished, edit()).await?, Edited::Finished(State::Completed));
    assert_eq!(world.client.edit(JobId(i64::MAX), edit()).await?, Edited::Unknown);
    assert_eq!(world.job(running).await?.priority.get(), 0);
    Ok(())
}

pub(crate) async fn arguments_of_another_task_are_refused(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    assert_eq!(world.client.edit(id, Edit::new().args::<charge>(args(1, 1))).await?, Edited::OtherTask);
    assert_eq!(world.job(id).await?.args()?, serde_json::Value::Null);
    Ok(())
}

pub(crate) async fn an_odd_edit_is_refused(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let odd = [
        (Edit::new().priority(i16::MIN), "-32768"),
        (Edit::new().delay(Duration::MAX), "100 years"),
        (Edit::new().at(Timestamp::from_micros(i64::MAX)), "9999"),
    ];
    for (edit, said) in odd {
        let error = world.client.edit(id, edit).await.unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(&id.to_string()), "{error}");
    }
    Ok(())
}

pub(crate) async fn an_edit_wakes_a_sleeper(world: World) -> Result<()> {
    let session = world.sleeper(&["a"]).await?;
    let id = world.put_one(after("a", Duration::from_hours(1))).await?;
    let mut pulse = session.attend().await?;
    session.doze(Some(Duration::from_mins(5))).await?;
    world.client.edit(id, Edit::new().delay(Duration::ZERO)).await?;
    assert!(notice(&mut pulse).await.work);
    Ok(())
}

pub(crate) async fn a_deleted_job_is_gone_with_its_unique_key(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let window = Duration::from_hours(1);
    let unique = Unique { key: "k".to_owned(), on_conflict: OnConflict::Reject, window };
    let twin = || NewJob { unique: Some(unique.clone()), ..job("a") };
    let queued = world.put_one(twin()).await?;
    assert_eq!(world.client.delete(queued).await?, Deletion::Done);
    assert_eq!(world.client.delete(queued).await?, Deletion::Unknown);
    let finished = world.put_one(twin()).await?;
    assert_ne!(finished, queued);
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], retry(Duration::ZERO)).await?;
    let won = claim(&session, &["a"], 1).await?;
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(world.job(finished).await?.failures[0].kind, FailureKind::Error);
    assert_eq!(world.client.delete(finished).await?, Deletion::Done);
    assert_eq!(world.client.get(finished).await?, None);
    assert_ne!(world.put_one(twin()).await?, finished);
    Ok(())
}

pub(crate) async fn a_running_job_is_not_deleted(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let id = world.put_one(job("a")).await?;
    let won = claim(&session, &["a"], 1).await?;
    let answers = world.client.delete_many([JobId(i64::MAX), id]).await?;
    assert_eq!(answers, [(JobId(i64::MAX), Deletion::Unknown), (id, Deletion::Running)]);
    end(&session, &won[0], Transition::Complete).await?;
    assert_eq!(world.state(id).await?, State::Completed);
    Ok(())
}
