//! Which gates a job has to pass, as its arguments have it.

use std::time::Duration;

use pgq::backend::{Claimed, NewJob, Session, Transition};
use pgq::{Context, Edit, JobId, OnConflict, Result};
use serde_json::{Value, json};

use crate::world::{World, claim, declaration, end, job, retry};

type Done = std::result::Result<(), pgq::BoxError>;

const MINUTE: Duration = Duration::from_mins(1);

fn region(args: &SendArgs) -> &str {
    args.to.rsplit_once('.').map_or("nowhere", |(_, region)| region)
}

/// Its limits let everything pass: here it matters what they are called.
#[pgq::task(
    concurrency = 1_000,
    limit(concurrency = 1_000, key = "tenant"),
    limit(rps = 1_000_000, name = "mailer"),
    limit(rps = 1_000_000, name = "mailer", key = region)
)]
async fn send(tenant: Value, to: String) -> Done {
    drop((tenant, to));
    Ok(())
}

#[pgq::task]
async fn parent(ctx: Context, tenant: u64) -> Done {
    Ok(ctx.enqueue(send::job(to(tenant, "kim.eu")))?)
}

fn to(tenant: impl Into<Value>, to: &str) -> SendArgs {
    SendArgs { tenant: tenant.into(), to: to.to_owned() }
}

/// The limit keys of a job of `send`.
fn keys(tenant: &str, region: &str) -> Vec<String> {
    vec![format!("task:send[tenant]={tenant}"), format!("shared:mailer[region]={region}")]
}

/// The next job of `send`, claimed.
async fn next(world: &World) -> Result<(std::sync::Arc<dyn Session>, Claimed)> {
    let session = world.session(&["send"]).await?;
    let mut won = claim(&session, &["send"], 1).await?;
    Ok((session, won.remove(0)))
}

/// The limit keys of the next job of `send`, which is done with then.
async fn next_keys(world: &World) -> Result<Vec<String>> {
    let (session, job) = next(world).await?;
    end(&session, &job, Transition::Complete).await?;
    Ok(job.limit_keys)
}

pub(crate) async fn limit_keys_are_the_values_of_fields_and_of_functions(world: World) -> Result<()> {
    for (tenant, told) in [
        (json!("acme"), "acme"),
        (json!(""), ""),
        (json!(7), "7"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!(null), "null"),
        (json!({ "id": [7, "ü"] }), r#"{"id":[7,"ü"]}"#),
    ] {
        send::enqueue(&world.client, to(tenant, "kim.eu")).await?;
        assert_eq!(next_keys(&world).await?, keys(told, "eu"));
    }
    send::enqueue_many(&world.client, [to(1, "kim.eu"), to(2, "alex"), to(3, "robin.us")]).await?;
    let session = world.session(&["send"]).await?;
    let batch: Vec<_> = claim(&session, &["send"], 9).await?.into_iter().map(|job| job.limit_keys).collect();
    assert_eq!(batch, [keys("1", "eu"), keys("2", "nowhere"), keys("3", "us")]);
    Ok(())
}

#[pgq::payload]
struct Order {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tenant: Option<String>,
}

#[pgq::task(limit(concurrency = 1_000, key = "tenant"))]
async fn bill(order: Order) -> Done {
    drop(order);
    Ok(())
}

#[pgq::payload]
struct Bare(u64);

#[pgq::task(limit(concurrency = 1_000, key = "tenant"))]
async fn bare(order: Bare) -> Done {
    let _ = order.0;
    Ok(())
}

pub(crate) async fn a_field_that_is_left_out_is_null(world: World) -> Result<()> {
    bill::enqueue_many(&world.client, [Order { tenant: None }, Order { tenant: Some("acme".to_owned()) }]).await?;
    let session = world.session(&["bill"]).await?;
    let keys: Vec<_> = claim(&session, &["bill"], 2).await?.into_iter().flat_map(|job| job.limit_keys).collect();
    assert_eq!(keys, ["task:bill[tenant]=null", "task:bill[tenant]=acme"]);
    Ok(())
}

pub(crate) async fn arguments_without_fields_make_no_limit_key_of_one(world: World) -> Result<()> {
    let refused = bare::enqueue(&world.client, Bare(7)).await.unwrap_err();
    assert!(
        refused.is_invalid() && refused.to_string().contains("named fields for the limit key `tenant`"),
        "{refused}"
    );
    Ok(())
}

pub(crate) async fn hostile_values_make_limit_keys_too(world: World) -> Result<()> {
    for hostile in ["a\0b".to_owned(), "ü".repeat(100_000), "\u{fffd}\u{202e}\\\"'".to_owned()] {
        send::enqueue(&world.client, to(hostile.as_str(), "kim.\0")).await?;
        let told = next_keys(&world).await?;
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|key| key.len() < 300 && !key.contains('\0')), "{told:?}");
    }
    Ok(())
}

pub(crate) async fn limit_keys_stay_with_their_job(world: World) -> Result<()> {
    let id = send::job(to(7, "kim.eu")).timeout(MINUTE).enqueue(&world.client).await?.id();
    let (session, won) = next(&world).await?;
    end(&session, &won, retry(Duration::ZERO)).await?;
    let (session, won) = next(&world).await?;
    assert_eq!((won.id, won.attempt, &won.limit_keys), (id, 2, &keys("7", "eu")));
    end(&session, &won, Transition::Release).await?;
    let (session, won) = next(&world).await?;
    assert_eq!(won.limit_keys, keys("7", "eu"));
    end(&session, &won, Transition::Complete).await?;
    world.client.retry(id).await?;
    let (_, won) = next(&world).await?;
    assert_eq!((won.id, &won.limit_keys, won.timeout), (id, &keys("7", "eu"), Some(MINUTE)));
    Ok(())
}

pub(crate) async fn a_replacement_brings_its_limit_keys(world: World) -> Result<()> {
    send::job(to(7, "kim.eu")).unique("k").enqueue(&world.client).await?;
    let second = send::job(to(8, "kim.us")).unique("k").on_conflict(OnConflict::Replace);
    second.enqueue(&world.client).await?;
    assert_eq!(next_keys(&world).await?, keys("8", "us"));
    send::job(to(7, "kim.eu")).unique("k").enqueue(&world.client).await?;
    let third = send::job(to(8, "kim.us")).unique("k").on_conflict(OnConflict::RaisePriority).priority(5);
    third.enqueue(&world.client).await?;
    assert_eq!(next_keys(&world).await?, keys("7", "eu"));
    Ok(())
}

async fn queued(world: &World) -> Result<JobId> {
    Ok(send::job(to(7, "kim.eu")).timeout(MINUTE).enqueue(&world.client).await?.id())
}

pub(crate) async fn other_arguments_bring_other_limit_keys(world: World) -> Result<()> {
    let id = queued(&world).await?;
    world.client.edit(id, Edit::new().priority(5)).await?;
    assert_eq!(next_keys(&world).await?, keys("7", "eu"));
    let id = queued(&world).await?;
    world.client.edit(id, Edit::new().args::<send>(to("acme", "kim.us"))).await?;
    let (session, won) = next(&world).await?;
    assert_eq!((&won.limit_keys, won.timeout), (&keys("acme", "us"), Some(MINUTE)));
    end(&session, &won, Transition::Complete).await?;
    let id = queued(&world).await?;
    world.worker(pgq::tasks![send], ()).await?;
    let by_name = world.client.task("send").await?;
    let args = json!({ "tenant": "other", "to": "kim" });
    world.client.edit(id, Edit::new().args_of(&by_name, args)).await?;
    assert_eq!(next_keys(&world).await?, keys("other", "nowhere"));
    Ok(())
}

pub(crate) async fn a_job_whose_arguments_make_no_limit_keys_loses_those_that_it_had(world: World) -> Result<()> {
    let session = world.session_declaring(vec![declaration("plain", json!({}))]).await?;
    let by_name = world.client.task("plain").await?;
    let before = NewJob { limit_keys: vec!["task:plain[a]=1".to_owned()], ..job("plain") };
    for timeout in [None, Some(MINUTE)] {
        let id = world.put_one(NewJob { timeout, ..before.clone() }).await?;
        world.client.edit(id, Edit::new().args_of(&by_name, json!({}))).await?;
        let won = claim(&session, &["plain"], 1).await?.remove(0);
        assert_eq!((won.id, won.limit_keys, won.timeout), (id, Vec::new(), timeout));
    }
    Ok(())
}

pub(crate) async fn a_job_by_name_has_the_limit_keys_of_a_typed_one(world: World) -> Result<()> {
    world.worker(pgq::tasks![send], ()).await?;
    let by_name = world.client.task("send").await?;
    by_name.enqueue(&world.client, json!({ "tenant": 7, "to": "kim.eu" })).await?;
    assert_eq!(next_keys(&world).await?, keys("7", "eu"));
    Ok(())
}

pub(crate) async fn a_task_of_another_program_has_limit_keys_of_its_fields(world: World) -> Result<()> {
    let limit = |key: Value| json!({ "limits": [{ "name": "shared:mailer" }, key] });
    let by_field = limit(json!({ "name": "task:away[of]", "field": "of" }));
    let by_function = limit(json!({ "name": "task:odd[region]", "function": "region" }));
    let session = world.session_declaring(vec![declaration("away", by_field), declaration("odd", by_function)]).await?;
    world.client.task("away").await?.enqueue(&world.client, json!({ "of": "acme" })).await?;
    assert_eq!(claim(&session, &["away"], 1).await?[0].limit_keys, ["task:away[of]=acme"]);
    let refused = world.client.task("odd").await?.enqueue(&world.client, json!({ "of": 1 })).await.unwrap_err();
    assert!(refused.is_invalid() && refused.to_string().contains("`odd[region]` is keyed by a function"), "{refused}");
    Ok(())
}

pub(crate) async fn a_created_schedule_hands_its_limit_keys_on(world: World) -> Result<()> {
    let create = async |name, tenant, to_whom| {
        let job = send::job(to(tenant, to_whom));
        world.client.schedule(name, "* * * * *", job).create().await
    };
    create("first", 7, "kim.eu").await?;
    create("second", 8, "kim.us").await?;
    for (name, expected) in [("first", keys("7", "eu")), ("second", keys("8", "us"))] {
        world.client.trigger_schedule(name).await?;
        assert_eq!(next_keys(&world).await?, expected);
    }
    create("first", 9, "kim").await?;
    world.client.trigger_schedule("first").await?;
    assert_eq!(next_keys(&world).await?, keys("9", "nowhere"));
    Ok(())
}

pub(crate) async fn a_follow_up_has_limit_keys(world: World) -> Result<()> {
    let mut worker = world.worker(pgq::tasks![parent], ()).await?;
    parent::enqueue(&world.client, 7).await?;
    worker.drain().await?;
    assert_eq!(next_keys(&world).await?, keys("7", "eu"));
    Ok(())
}

pub(crate) async fn workers_publish_the_limits_of_their_tasks(world: World) -> Result<()> {
    world.worker(pgq::tasks![send], ()).await?;
    let options = world.client.backend().declarations(Some("send".to_owned())).await?.remove(0).options;
    let rate = json!({ "interval": 1_000, "burst": 1_000_000 });
    assert_eq!((&options["concurrency"], &options["rate"]), (&json!(1_000), &Value::Null));
    let limits = json!([
        { "name": "task:send[tenant]", "field": "tenant", "function": null, "concurrency": 1_000, "rate": null },
        { "name": "shared:mailer", "field": null, "function": null, "concurrency": null, "rate": rate },
        { "name": "shared:mailer[region]", "field": null, "function": "region", "concurrency": null, "rate": rate },
    ]);
    assert_eq!((&options["limits"], &options["per_worker"]), (&limits, &Value::Null));
    Ok(())
}
