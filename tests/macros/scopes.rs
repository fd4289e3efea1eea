//! Where a task may stand.

use pgq::testing::context;
use pgq::{BoxError, Client, Context, State, Task};

use super::ending;

mod library {
    use pgq::BoxError;

    /// For everybody.
    #[pgq::task]
    pub(crate) async fn shared(first: u8, second: u8) -> Result<u8, BoxError> {
        Ok(first + second)
    }

    pub(super) mod deeper {
        use pgq::BoxError;

        #[pgq::task]
        pub(in super::super) async fn hidden(first: u8, second: u8) -> Result<u8, BoxError> {
            private(first, second).await
        }

        #[pgq::task]
        async fn private(first: u8, second: u8) -> Result<u8, BoxError> {
            Ok(first - second)
        }

        pub(crate) fn private_name() -> &'static str {
            <private as pgq::Task>::NAME
        }
    }
}

use library::deeper::{HiddenArgs, hidden};
use library::{SharedArgs, shared};

/// One `use` brings the function and the type.
#[tokio::test]
async fn the_generated_types_are_as_visible_as_the_function() {
    assert_eq!(shared(1, 2).await.unwrap(), 3);
    assert_eq!(hidden(2, 1).await.unwrap(), 1);
    assert_eq!(ending::<shared>(SharedArgs { first: 1, second: 2 }).await, State::Completed);
    assert_eq!(ending::<hidden>(HiddenArgs { first: 2, second: 1 }).await, State::Completed);
    assert_eq!(library::deeper::private_name(), "private");
}

#[tokio::test]
async fn a_task_works_inside_a_function_body() {
    #[pgq::payload]
    struct Local {
        by: u8,
    }

    #[pgq::task]
    async fn inside(local: Local, times: u8) -> Result<u8, BoxError> {
        Ok(local.by * times)
    }

    #[pgq::task]
    fn inside_blocking(ctx: Context<u8>, local: Local) -> Result<u8, BoxError> {
        Ok(local.by + *ctx)
    }

    assert_eq!(inside(Local { by: 2 }, 3).await.unwrap(), 6);
    assert_eq!(inside_blocking(context(1), Local { by: 2 }).unwrap(), 3);
    assert_eq!(ending::<inside>(InsideArgs { local: Local { by: 2 }, times: 3 }).await, State::Completed);
}

#[tokio::test]
async fn a_task_is_enqueued_by_its_functions_name() {
    #[pgq::task(queue = "mail")]
    async fn letter(to: String) -> Result<(), BoxError> {
        drop(to);
        Ok(())
    }

    let client = Client::memory();
    let first = letter::enqueue(&client, "kim".to_owned()).await.unwrap();
    let second = letter::job("lee".to_owned()).priority(3).enqueue(&client).await.unwrap();
    let more = letter::enqueue_many(&client, ["a", "b"].map(str::to_owned)).await.unwrap();
    assert!(first.is_new() && second.is_new() && more.len() == 2);
    let job = client.get(second.id()).await.unwrap().unwrap();
    assert_eq!((job.task.as_str(), job.queue.as_str(), job.priority.get()), ("letter", "mail", 3));
}

#[test]
fn a_raw_name_is_a_name() {
    #[pgq::task]
    async fn r#match(r#type: u8, r#fn: u8) -> Result<u8, BoxError> {
        Ok(r#type + r#fn)
    }

    assert_eq!(r#match::NAME, "match");
    assert_eq!(
        serde_json::to_value(MatchArgs { r#type: 1, r#fn: 2 }).unwrap(),
        serde_json::json!({"type": 1, "fn": 2})
    );
}

macro_rules! doubling {
    ($($name:ident($context:ty, $number:ty) in $queue:literal after $delay:literal;)*) => {$(
        #[pgq::task(queue = $queue, retry = fixed($delay))]
        async fn $name(_ctx: $context, number: $number, twice: bool) -> Result<$number, BoxError> {
            Ok(if twice { number * 2 } else { number })
        }
    )*};
}

doubling! {
    double_small(Context, u8) in "small" after "1s";
    double_large(Context<String>, u64) in "large" after "1m";
}

#[tokio::test]
async fn a_task_may_come_from_a_macro() {
    assert_eq!((double_small::NAME, double_small::OPTIONS.queue()), ("double_small", "small"));
    assert_eq!((double_large::NAME, double_large::OPTIONS.queue()), ("double_large", "large"));
    assert_eq!(double_large(context(String::new()), 4, true).await.unwrap(), 8);
    assert_eq!(ending::<double_small>(DoubleSmallArgs { number: 1, twice: false }).await, State::Completed);
    assert_ne!(double_small::LOCATION.line, double_large::LOCATION.line);
}
