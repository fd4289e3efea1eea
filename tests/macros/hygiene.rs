//! The macros mean what they mean, whatever the user's own items are called.

/// A module where every name that generated code could lean on means something else. (`Some` is missing where a parameter
/// has a default, because schemars writes it without a path.)
#[expect(dead_code, unused_macros, reason = "they are only there to be in the way")]
mod hostile {
    struct Result;
    struct Ok;
    struct Err;
    struct Option;
    struct Some;
    struct None;
    struct Vec;
    struct Box;
    struct String;
    struct Context;
    struct Send;
    struct Sync;
    struct Sized;
    struct Future;
    struct IntoIterator;
    struct Into;
    struct From;
    struct Clone;
    struct Copy;
    struct Debug;
    struct Default;
    struct Duration;
    struct Task;
    struct Args;
    struct Output;
    struct Resources;
    struct Serialize;
    struct Deserialize;
    struct JsonSchema;

    mod std {}
    mod core {}
    mod alloc {}
    mod pgq {}
    mod serde {}
    mod schemars {}
    mod inventory {}

    macro_rules! nothing {
        ($($name:ident)*) => {$( macro_rules! $name { () => {}; } )*};
    }
    nothing!(vec env file line format panic concat unreachable matches submit);

    type Handled = ::core::result::Result<::core::primitive::usize, ::pgq::BoxError>;

    #[derive(::pgq::Provide)]
    pub(super) struct App {
        pub(super) number: ::core::primitive::usize,
        pub(super) text: ::std::string::String,
    }

    #[::pgq::payload]
    pub(super) struct Payload {
        pub(super) number: ::core::primitive::usize,
        pub(super) text: ::core::option::Option<::std::string::String>,
        pub(super) more: ::std::vec::Vec<Payload>,
    }

    #[::pgq::payload]
    pub(super) enum Choice {
        One,
        Two(::core::primitive::usize),
        Three { text: ::std::string::String },
    }

    #[::pgq::task(
        aliases = ["macros.hostile"],
        queue = "mail",
        priority = 3,
        attempts = 3,
        retry = delays("1s"),
        keep = "1d",
    )]
    pub(super) async fn several(
        ctx: ::pgq::Context<App>,
        /// Documented.
        payload: Payload,
        choice: Choice,
    ) -> Handled {
        let chosen = match choice {
            Choice::One => 1,
            Choice::Two(number) => number,
            Choice::Three { text } => text.len(),
        };
        let told = ::core::primitive::usize::from(payload.text.is_some());
        ::core::result::Result::Ok(ctx.number + payload.number + chosen + told + payload.more.len())
    }

    #[::pgq::task(retry = none, schema = none)]
    pub(super) fn blocking(ctx: ::pgq::Context<::std::string::String>, number: ::core::primitive::usize) -> Handled {
        ::core::result::Result::Ok(ctx.len() + number)
    }

    // The names of the generated functions' own parameters.
    #[::pgq::task]
    pub(super) async fn args(target: ::core::primitive::usize, args: ::core::primitive::usize) -> Handled {
        ::core::result::Result::Ok(target + args)
    }

    #[expect(non_upper_case_globals, reason = "the test")]
    const position: ::core::primitive::usize = 0;

    fn limit_key(args: &LimitedArgs) -> ::core::primitive::usize {
        args.first + position
    }

    #[::pgq::task(rps = 1, limit(rps = 1, key = limit_key), limit(concurrency = 1, name = "hostile", key = "args"))]
    pub(super) async fn limited(first: ::core::primitive::usize, args: ::core::primitive::usize) -> Handled {
        ::core::result::Result::Ok(first + args)
    }

    #[::pgq::task]
    pub(super) async fn target(context: ::core::primitive::usize) -> Handled {
        ::core::result::Result::Ok(context)
    }

    #[::pgq::task]
    pub(super) async fn context() -> Handled {
        ::core::result::Result::Ok(0)
    }

    #[::pgq::task]
    pub(super) async fn run(run: ::core::primitive::usize, schema: ::core::primitive::usize) -> Handled {
        ::core::result::Result::Ok(run + schema)
    }
}

use hostile::{App, ArgsArgs, Choice, LimitedArgs, Payload, RunArgs};
use pgq::State;
use pgq::testing::context;

use super::ending;

#[tokio::test]
async fn a_task_among_hostile_names_does_what_it_says() {
    let app = App { number: 1, text: "text".to_owned() };
    let payload = Payload { number: 2, text: None, more: vec![] };
    assert_eq!(pgq::Provide::<String>::provide(&app), "text");
    assert_eq!(hostile::several(context(app), payload, Choice::Two(3)).await.unwrap(), 6);
    assert_eq!(hostile::blocking(context("four".to_owned()), 1).unwrap(), 5);
}

#[tokio::test]
async fn a_task_may_be_called_like_what_is_generated() {
    assert_eq!(ending::<hostile::args>(ArgsArgs { target: 1, args: 2 }).await, State::Completed);
    assert_eq!(ending::<hostile::limited>(LimitedArgs { first: 1, args: 2 }).await, State::Completed);
    assert_eq!(ending::<hostile::target>(1).await, State::Completed);
    assert_eq!(ending::<hostile::context>(()).await, State::Completed);
    assert_eq!(ending::<hostile::run>(RunArgs { run: 1, schema: 2 }).await, State::Completed);
}
