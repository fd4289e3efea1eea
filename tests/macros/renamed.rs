//! pgq under another name.

extern crate pgq as other;

#[expect(clippy::single_component_path_imports, reason = "a re-export, as a library would have it")]
mod my {
    pub(crate) use pgq;
}

use my::pgq as again;

#[derive(other::Provide)]
#[provide(crate = other)]
struct App {
    number: u8,
}

#[other::payload(crate = other)]
struct Payload {
    number: u8,
}

#[other::task(crate = other, retry = delays("1s"), priority = 1, keep = none, limit(rps = 2, key = times_of))]
async fn under_another_name(ctx: other::Context<App>, payload: Payload, times: u8) -> Result<u8, other::BoxError> {
    Ok(payload.number * times + ctx.number)
}

fn times_of(args: &UnderAnotherNameArgs) -> u8 {
    args.times
}

#[my::pgq::task(crate = my::pgq)]
fn through_a_module(payload: Payload, times: u8) -> Result<u8, my::pgq::BoxError> {
    Ok(payload.number * times)
}

#[again::task(crate = crate::macros::renamed::my::pgq)]
async fn by_an_absolute_path(payload: Payload) -> Result<u8, again::BoxError> {
    Ok(payload.number)
}

#[tokio::test]
async fn a_task_follows_the_crate_that_it_is_told() {
    let app = other::testing::context(App { number: 1 });
    assert_eq!(under_another_name(app, Payload { number: 2 }, 3).await.unwrap(), 7);
    assert_eq!(through_a_module(Payload { number: 2 }, 3).unwrap(), 6);
    assert_eq!(by_an_absolute_path(Payload { number: 2 }).await.unwrap(), 2);
    let names = [
        <under_another_name as other::Task>::NAME,
        <through_a_module as other::Task>::NAME,
        <by_an_absolute_path as other::Task>::NAME,
    ];
    assert_eq!(names, ["under_another_name", "through_a_module", "by_an_absolute_path"]);
    let _: other::Tasks<App> = other::tasks![under_another_name, through_a_module];
    let _: other::Tasks<()> = my::pgq::tasks![through_a_module, self::by_an_absolute_path,];
}

#[tokio::test]
async fn a_renamed_task_works_inside_a_function_body() {
    use my::pgq as local;

    #[local::payload(crate = local)]
    struct Inner {
        number: u8,
    }

    #[local::task(crate = local)]
    async fn inside(inner: Inner, times: u8) -> Result<u8, local::BoxError> {
        Ok(inner.number * times)
    }

    let state = super::ending::<inside>(InsideArgs { inner: Inner { number: 1 }, times: 2 }).await;
    assert_eq!(state, other::State::Completed);
}
