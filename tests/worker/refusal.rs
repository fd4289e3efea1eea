//! What stops a worker before its first claim.

use pgq::{Client, Result, Tasks, Worker};

use crate::world::installed;

#[pgq::task]
pub(super) async fn idle() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(name = "idle")]
async fn twin() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(aliases = ["idle"])]
async fn heir() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn builder() -> pgq::WorkerBuilder<()> {
    Worker::builder().client(Client::memory()).tasks(pgq::tasks![idle])
}

async fn refusal(builder: pgq::WorkerBuilder<()>) -> String {
    builder.spawn().await.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_worker_without_a_client_is_refused() {
    let builder = Worker::<()>::builder().tasks(pgq::tasks![idle]);
    assert_eq!(refusal(builder).await, "a worker needs a client: `.client(client)`");
}

#[tokio::test]
async fn a_worker_without_slots_is_refused() {
    assert_eq!(refusal(builder().slots(0)).await, "expected at least 1 slot, got 0");
}

#[tokio::test]
async fn a_lease_of_less_than_a_second_is_refused() {
    let builder = builder().lease(std::time::Duration::from_millis(999));
    assert_eq!(refusal(builder).await, "expected a lease of at least 1 s, got 999ms");
}

#[tokio::test]
async fn a_lease_of_more_than_an_hour_is_refused() {
    let builder = builder().lease(std::time::Duration::from_hours(2400));
    assert_eq!(refusal(builder).await, "expected a lease of at most 1 h, got 8640000s");
}

#[tokio::test]
async fn an_empty_list_of_tasks_is_refused() {
    assert!(refusal(builder().tasks(pgq::tasks![])).await.contains("no task is registered"));
}

#[tokio::test]
async fn a_name_that_is_no_task_is_refused() {
    assert_eq!(refusal(builder().only(["idel"])).await, "there is no task `idel` in this binary; there is idle");
}

#[tokio::test]
async fn two_tasks_of_one_name_or_alias_are_refused() {
    // `tasks![]` would refuse two of one name when this is compiled.
    let lists = [Tasks::new().with::<idle>().with::<twin>(), Tasks::new().with::<idle>().with::<heir>()];
    for tasks in lists {
        let message = refusal(builder().tasks(tasks)).await;
        assert!(message.starts_with("task `idle`: two tasks have this name, at "), "{message}");
        assert_eq!(message.matches("refusal.rs:").count(), 2, "{message}");
    }
}

#[tokio::test]
async fn an_odd_queue_is_refused() {
    assert_eq!(refusal(builder().queues(["a b"])).await, "a queue's name isn't valid");
}

#[tokio::test]
async fn a_database_without_tables_is_refused() {
    let database = pgq_testdb::Database::create().await.unwrap();
    let client = Client::connect(database.url()).await.unwrap();
    let error = builder().client(client).spawn().await.unwrap_err();
    assert!(error.is_schema() && error.to_string().contains("--migrate"), "{error}");
}

#[tokio::test]
async fn a_database_that_went_away_is_refused() {
    let database = installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    client.pool().unwrap().close().await;
    drop(database);
    assert!(builder().client(client).spawn().await.unwrap_err().is_database());
}

#[pgq::task(limit(name = "carrier", concurrency = 2))]
async fn ship() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(limit(name = "carrier", concurrency = 3))]
async fn pick_up() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn tasks_that_say_other_bounds_of_one_limit_are_refused() {
    let tasks = pgq::tasks![ship, pick_up];
    let refused = Worker::<()>::builder().client(Client::memory()).tasks(tasks).stepper().await.unwrap_err();
    let message =
        "task `ship`: the limit `carrier` is 2 at once, and in the task `pick_up` 3 at once: expected the same";
    assert!(refused.is_setup() && refused.to_string() == message, "{refused}");
}
