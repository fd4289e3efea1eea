//! What `#[pgq::task]`, `#[pgq::payload]` and `#[derive(pgq::Provide)]` make of what stands below them. Their compile errors
//! are in `ui-tests`.

mod hygiene;
mod lints;
mod options;
mod payloads;
mod provide;
mod renamed;
mod results;
mod scopes;

use pgq::Task;
use pgq::testing::stepper;
use pgq::{Client, State, Tasks};

/// How a job of the task ends in its first attempt.
async fn ending<T: Task>(args: T::Args) -> State
where
    (): pgq::Provide<T::Resources>,
{
    let client = Client::memory();
    let handle = pgq::JobBuilder::<T>::new(args).enqueue(&client).await.unwrap();
    let mut worker = stepper(&client, Tasks::new().with::<T>(), ()).await.unwrap();
    assert_eq!(worker.step().await.unwrap(), 1);
    client.get(handle.id()).await.unwrap().expect("a job that is kept").state
}

/// The property of the schema of a task's arguments.
fn property<T: Task>(name: &str) -> serde_json::Value {
    T::schema().expect("a schema")["properties"][name].clone()
}
