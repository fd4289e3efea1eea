//! What is said of a limit that there isn't: which one was probably meant.

use pgq::testing::Stepper;
use pgq::{Allow, BoxError, LimitRef, Result};

use crate::world::World;

#[pgq::task]
async fn amble() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task(concurrency = 2)]
async fn whirr() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task(limit(concurrency = 1, key = "tenant"), limit(rps = 5, key = "month"))]
async fn levy(tenant: String, month: u32) -> std::result::Result<(), BoxError> {
    let _ = (tenant, month);
    Ok(())
}

#[pgq::task(limit(name = "acquirer", rps = 50), limit(name = "issuer", concurrency = 1, key = "account"))]
async fn swipe(account: String, cents: u32) -> std::result::Result<(), BoxError> {
    let _ = (account, cents);
    Ok(())
}

async fn worker(world: &World) -> Result<Stepper> {
    world.worker(pgq::tasks![amble, whirr, levy, swipe], ()).await
}

/// What is said of each, whether it is to be set or cleared.
async fn assert_said<const N: usize>(world: &World, table: [(LimitRef, &str); N]) -> Result<()> {
    let _worker = worker(world).await?;
    for (limit, said) in table {
        let set = world.client.set_limit(limit.clone(), Allow::at_once(1)).await.unwrap_err();
        let clear = world.client.clear_limit(limit).await.unwrap_err();
        for refused in [set, clear] {
            assert!(refused.is_invalid() && refused.to_string().ends_with(said), "{refused}, expected {said}");
        }
    }
    Ok(())
}

pub(crate) async fn a_wrong_key_is_told_with_what_else_the_same_task_has(world: World) -> Result<()> {
    let table = [
        (LimitRef::task("levy").key("tenants"), r#"did you mean `LimitRef::task("levy").key("tenant")`?"#),
        (LimitRef::task("levy").key("ten\0ant"), r#"did you mean `LimitRef::task("levy").key("tenant")`?"#),
        (LimitRef::task("levy").key("region"), "a task's own: `levy` is counted by `month` and by `tenant`"),
        (LimitRef::task("whirr").key("tenant"), r#"`whirr` has one without a key: `LimitRef::task("whirr")`"#),
        (LimitRef::task("amble").key("tenant"), "`amble` has none: of that key are `levy[tenant]`"),
        (LimitRef::task("amble").key("region"), "no limit `amble[region]` of a task's own: `amble` has none"),
        (
            LimitRef::task("swipe").key("account").value("7"),
            r#"`swipe` shares one: `LimitRef::shared("issuer").key("account").value("7")`"#,
        ),
    ];
    assert_said(&world, table).await
}

pub(crate) async fn a_wrong_key_is_told_with_what_else_the_same_shared_limit_has(world: World) -> Result<()> {
    let acquirer = r#"`acquirer` has one without a key: `LimitRef::shared("acquirer")`"#;
    let table = [
        (LimitRef::shared("acquirer").key("tenant"), acquirer),
        (LimitRef::shared("acquirer").key("tenant").value("acme"), acquirer),
        (LimitRef::shared("issuer").key("acount"), r#"did you mean `LimitRef::shared("issuer").key("account")`?"#),
        (LimitRef::shared("issuer").key("region"), "that tasks share: `issuer` is counted by `account`"),
        (LimitRef::shared("issuer"), "that tasks share: `issuer` is counted by `account`"),
    ];
    assert_said(&world, table).await
}

pub(crate) async fn a_shared_limit_is_told_from_a_tasks_own(world: World) -> Result<()> {
    let table = [
        (LimitRef::task("acquirer"), r#"`acquirer` is shared: `LimitRef::shared("acquirer")`"#),
        (LimitRef::task("acquire"), r#"`acquirer` is shared: `LimitRef::shared("acquirer")`"#),
        (LimitRef::task("acquirer").key("tenant"), r#"`acquirer` is shared: `LimitRef::shared("acquirer")`"#),
        (LimitRef::task("issuer"), r#"`issuer` is shared: `LimitRef::shared("issuer").key("account")`"#),
        (LimitRef::shared("amble"), r#"`amble` is a task: `LimitRef::task("amble")`"#),
        (LimitRef::shared("whir"), r#"`whirr` is a task: `LimitRef::task("whirr")`"#),
        (LimitRef::shared("levy").key("month"), r#"`levy` is a task: `LimitRef::task("levy").key("month")`"#),
    ];
    assert_said(&world, table).await
}

pub(crate) async fn a_wrong_name_is_told_with_the_nearest_one(world: World) -> Result<()> {
    let table = [
        (LimitRef::task("whrir"), r#"no limit `whrir` of a task's own: did you mean `LimitRef::task("whirr")`?"#),
        (LimitRef::task("levi").key("month"), r#"did you mean `LimitRef::task("levy").key("month")`?"#),
        (LimitRef::shared("aquirer"), r#"did you mean `LimitRef::shared("acquirer")`?"#),
        (LimitRef::shared("isuer"), r#"did you mean `LimitRef::shared("issuer").key("account")`?"#),
        (LimitRef::task("nothing_near"), "no worker has declared a task of that name"),
        (LimitRef::shared("nothing_near"), "`Client::limits` lists those that there are"),
        (LimitRef::task("whi\0rr"), r#"got "whi\0rr""#),
    ];
    assert_said(&world, table).await
}

pub(crate) async fn a_value_wants_a_key(world: World) -> Result<()> {
    let whirr = r#"`whirr` has one without a key: `LimitRef::task("whirr")`"#;
    let table = [
        (
            LimitRef::task("levy").value("7"),
            "expected a key beside the value: `levy` is counted by `month` and by `tenant`",
        ),
        (LimitRef::task("whirr").value("7"), whirr),
        (LimitRef::task("amble").value("7"), "expected a key beside the value: `amble` has none"),
        (
            LimitRef::shared("isuer").value("7"),
            r#"value: did you mean `LimitRef::shared("issuer").key("account").value("7")`?"#,
        ),
    ];
    assert_said(&world, table).await
}

pub(crate) async fn a_limit_is_set_once_a_worker_has_declared_it(world: World) -> Result<()> {
    let refused = world.client.set_limit(LimitRef::of::<whirr>(), Allow::at_once(1)).await.unwrap_err().to_string();
    assert!(refused.contains("no worker has declared any yet"), "{refused}");
    let _worker = worker(&world).await?;
    world.client.set_limit(LimitRef::of::<whirr>(), Allow::at_once(1)).await
}
