//! Jobs that are enqueued by the name of their task, by code that doesn't have its type.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::backend::{Codec, NewJob};
use pgq::{Context, Edit, FailureKind, Priority, Result, State};
use serde_json::json;

use crate::world::{World, declaration, in_queue, job};

/// What the handlers were given.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Post {
    sent: Arc<Mutex<Vec<String>>>,
}

impl pgq::Resources for Post {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }
}

#[pgq::payload]
pub(crate) struct Letter {
    to: String,
    /// Where it matters how a type is written: as bytes, or as text.
    number: std::net::Ipv4Addr,
}

#[pgq::task(
    name = "post.letter", aliases = ["letter"], queue = "mail", priority = 7, attempts = 3, expires_in = "1h",
    unique(by = ["to", "number"], on_conflict = skip)
)]
async fn letter(ctx: Context<Post>, letter: Letter) -> std::result::Result<(), pgq::BoxError> {
    ctx.sent.lock().unwrap().push(format!("{} {}", letter.to, letter.number));
    Ok(())
}

fn to(whom: &str) -> serde_json::Value {
    json!({ "to": whom, "number": "10.0.0.1" })
}

pub(crate) async fn a_job_by_name_is_as_its_task_declares(world: World) -> Result<()> {
    let post = Post::default();
    let mut worker = world.worker(pgq::tasks![letter], post.clone()).await?;
    let by_name = world.client.task("post.letter").await?;
    assert_eq!((by_name.name(), by_name.queue()), ("post.letter", "mail"));
    assert_eq!(by_name.schema(), <letter as pgq::Task>::schema().as_ref());
    let id = by_name.enqueue(&world.client, to("kim")).await?.id();
    let typed = Letter { to: "alex".to_owned(), number: [10, 0, 0, 1].into() };
    let twin = world.job(letter::enqueue(&world.client, typed).await?.id()).await?;
    let found = world.job(id).await?;
    assert_eq!((found.task, found.queue, found.priority), (twin.task, twin.queue, twin.priority));
    assert_eq!((found.max_attempts, found.codec, found.priority), (3, Codec::Json.number(), Priority::new(7).unwrap()));
    assert_eq!(found.payload, to("kim").to_string().into_bytes());
    assert_eq!(world.client.jobs().arg("to", "kim").list().await?.jobs[0].args()?, to("kim"));
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(*post.sent.lock().unwrap(), ["kim 10.0.0.1", "alex 10.0.0.1"]);
    let late = by_name.enqueue(&world.client, to("late")).await?.id();
    world.clock.advance(Duration::from_mins(61));
    worker.drain().await?;
    assert_eq!(world.job(late).await?.failures[0].kind, FailureKind::Expired);
    Ok(())
}

pub(crate) async fn a_job_by_name_has_the_unique_key_of_a_typed_one(world: World) -> Result<()> {
    world.worker(pgq::tasks![letter], Post::default()).await?;
    let typed = Letter { to: "kim".to_owned(), number: [10, 0, 0, 1].into() };
    let first = letter::enqueue(&world.client, typed).await?;
    let by_name = world.client.task("letter").await?;
    let second = by_name.enqueue(&world.client, to("kim")).await?;
    assert_eq!((second.id(), second.is_new()), (first.id(), false));
    assert!(by_name.enqueue(&world.client, to("alex")).await?.is_new());
    assert!(by_name.job(to("kim")).unique("another").enqueue(&world.client).await?.is_new());
    Ok(())
}

pub(crate) async fn a_job_by_name_goes_wherever_a_typed_one_does(world: World) -> Result<()> {
    world.worker(pgq::tasks![letter], Post::default()).await?;
    let by_name = world.client.task("post.letter").await?;
    let tx = world.client.begin().await?;
    by_name.job(BTreeMap::from([("to", "a"), ("number", "10.0.0.2")])).priority(9).tag("x").enqueue(&tx).await?;
    tx.rollback().await?;
    let typed = letter::job(Letter { to: "b".to_owned(), number: [10, 0, 0, 3].into() });
    pgq::enqueue_many(&world.client, [by_name.job(to("c")).into(), typed.into()]).await?;
    if let Ok(pool) = world.client.pool() {
        let mut tx = pool.begin().await.unwrap();
        by_name.enqueue(&mut tx, to("d")).await?;
        tx.commit().await.unwrap();
    }
    let jobs = world.client.jobs().list().await?.jobs;
    assert_eq!(jobs.len(), if world.client.pool().is_ok() { 3 } else { 2 });
    Ok(())
}

pub(crate) async fn arguments_that_do_not_fit_the_schema_are_refused(world: World) -> Result<()> {
    world.worker(pgq::tasks![letter], Post::default()).await?;
    let by_name = world.client.task("post.letter").await?;
    for (args, told) in [(json!({ "to": 7, "number": "10.0.0.1" }), "/to: "), (json!({ "to": "kim" }), "\"number\"")] {
        let refused = by_name.enqueue(&world.client, &args).await.unwrap_err();
        assert!(refused.is_payload() && refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.task(), Some("post.letter"));
    }
    assert_eq!(world.client.jobs().count().await?.jobs, 0);
    Ok(())
}

pub(crate) async fn a_task_of_another_program_gets_what_it_is_given(world: World) -> Result<()> {
    let unique = json!({ "unique": { "fields": ["of"], "on_conflict": "skip", "window": 0 } });
    world.session_declaring(vec![declaration("elsewhere", unique)]).await?;
    let elsewhere = world.client.task("elsewhere").await?;
    let id = elsewhere.enqueue(&world.client, json!({ "of": 1 })).await?.id();
    let queued = world.job(id).await?;
    assert_eq!((queued.queue.as_str(), queued.max_attempts), ("default", 20), "what isn't declared is as nowhere said");
    assert_eq!(queued.args()?, json!({ "of": 1 }));
    assert!(!elsewhere.enqueue(&world.client, json!({ "of": 1 })).await?.is_new());
    let refused = elsewhere.enqueue(&world.client, json!({ "for": 1 })).await.unwrap_err();
    assert!(refused.to_string().contains("expected an argument `of`"), "{refused}");
    Ok(())
}

pub(crate) async fn arguments_that_cannot_be_read_are_told_by_the_worker(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![letter], Post::default()).await?;
    let broken = NewJob { codec: Codec::Json, payload: br#"{"to":"kim"}"#.to_vec(), ..in_queue("post.letter", "mail") };
    let id = world.put_one(broken).await?;
    assert_eq!(worker.drain().await?, 1);
    let failed = world.job(id).await?;
    assert_eq!((failed.state, failed.failures[0].kind), (State::Discarded, FailureKind::Decode));
    assert!(failed.failures[0].message.contains("number"), "{}", failed.failures[0].message);
    Ok(())
}

#[pgq::task(unique = ["weight", "label"])]
async fn weigh(weight: f64, #[serde(default)] label: String) -> std::result::Result<(), pgq::BoxError> {
    let _ = (weight, label);
    Ok(())
}

pub(crate) async fn what_a_program_has_itself_is_keyed_as_the_task_would_write_it(world: World) -> Result<()> {
    let typed = weigh::enqueue(&world.client, WeighArgs { weight: 1.0, label: String::new() }).await?;
    let taken = world.client.task("weigh").await?.enqueue(&world.client, json!({ "weight": 1 })).await.unwrap_err();
    assert_eq!((taken.is_duplicate(), taken.job()), (true, Some(typed.id())));
    Ok(())
}

pub(crate) async fn a_name_that_nobody_has_declared_is_refused(world: World) -> Result<()> {
    world.worker(pgq::tasks![letter], Post::default()).await?;
    world.put_one(job("stranger")).await?;
    let refused = world.client.task("post.leter").await.unwrap_err();
    assert!(refused.to_string().contains("did you mean `post.letter`?"), "{refused}");
    let refused = world.client.task("stranger").await.unwrap_err();
    assert!(refused.is_invalid() && refused.to_string().contains("no worker has declared"), "{refused}");
    let names: Vec<String> = world.client.tasks().await?.iter().map(|task| task.name().to_owned()).collect();
    assert_eq!(names, ["post.letter"]);
    Ok(())
}

pub(crate) async fn a_queued_job_is_edited_by_name(world: World) -> Result<()> {
    let post = Post::default();
    let mut worker = world.worker(pgq::tasks![letter], post.clone()).await?;
    let typed = Letter { to: "kim".to_owned(), number: [10, 0, 0, 1].into() };
    let id = letter::enqueue(&world.client, typed).await?.id();
    let by_name = world.client.task("letter").await?;
    let refused = world.client.edit(id, Edit::new().args_of(&by_name, json!({ "to": 1 }))).await.unwrap_err();
    assert!(refused.is_payload(), "{refused}");
    world.client.edit(id, Edit::new().args_of(&by_name, to("alex"))).await?;
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(*post.sent.lock().unwrap(), ["alex 10.0.0.1"]);
    Ok(())
}
