//! What a job carries, told from the function's parameters.

use std::any::TypeId;

use pgq::testing::context;
use pgq::{BoxError, Context, State, Task};
use serde_json::json;

use super::{ending, property};

#[derive(Debug, PartialEq)]
#[pgq::payload]
struct Order {
    /// What was ordered.
    item: String,
    #[serde(default)]
    gift: bool,
}

#[pgq::payload]
enum Change {
    Price(u32),
    Name { to: String },
    Gone,
}

#[pgq::payload(schema = none)]
struct Opaque {
    blob: Vec<u8>,
}

#[pgq::payload]
struct Page<T> {
    of: Vec<T>,
}

#[pgq::task]
async fn sweep() -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task]
async fn tick(_: Context) -> Result<(), BoxError> {
    Ok(())
}

#[pgq::task]
async fn ship(order: Order) -> Result<Order, BoxError> {
    Ok(order)
}

#[pgq::task]
async fn add(ctx: Context<u64>, term: u64) -> Result<u64, BoxError> {
    Ok(*ctx + term)
}

#[pgq::task]
async fn greet(
    ctx: Context<String>,
    /// Who is greeted.
    ///
    /// By name.
    #[serde(rename = "userName", alias = "user")]
    who: String,
    #[serde(default)] times: Option<u8>,
    #[schemars(range(min = 1, max = 9))] volume: u8,
    #[allow(unused_variables, reason = "stays where it is")] unused: u8,
) -> Result<String, BoxError> {
    let times = usize::from(times.unwrap_or(1) * volume);
    Ok(format!("{} {who}{}", *ctx, "!".repeat(times)))
}

#[pgq::task]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
async fn rename(user_id: u64, mut new_name: String) -> Result<String, BoxError> {
    new_name.push_str(&user_id.to_string());
    Ok(new_name)
}

#[pgq::task]
async fn change(change: Change, page: Page<u8>) -> Result<u32, BoxError> {
    Ok(match change {
        Change::Price(price) => price,
        Change::Name { to } => u32::try_from(to.len() + page.of.len())?,
        Change::Gone => 0,
    })
}

#[pgq::task(schema = none)]
async fn store(opaque: Opaque, times: u8) -> Result<usize, BoxError> {
    Ok(opaque.blob.len() * usize::from(times))
}

#[pgq::task]
async fn choose(
    #[cfg(any())] gone: NoSuchType,
    #[cfg(test)] left: u8,
    #[cfg(not(any()))] right: u8,
) -> Result<u8, BoxError> {
    Ok(left.max(right))
}

fn carries<T: Task, A: 'static>() -> bool {
    TypeId::of::<T::Args>() == TypeId::of::<A>()
}

#[test]
fn no_parameter_carries_nothing() {
    assert!(carries::<sweep, ()>() && carries::<tick, ()>());
}

#[test]
fn one_parameter_is_carried_as_it_is() {
    assert!(carries::<ship, Order>() && carries::<add, u64>());
}

#[test]
fn several_parameters_are_the_fields_of_a_struct() {
    assert!(carries::<greet, GreetArgs>());
    let args = GreetArgs { who: "kim".to_owned(), times: None, volume: 2, unused: 0 };
    let expected = json!({"userName": "kim", "times": null, "volume": 2, "unused": 0});
    assert_eq!(serde_json::to_value(args).unwrap(), expected);
}

#[test]
fn attributes_of_serde_on_parameters_hold_for_the_fields() {
    let args: GreetArgs = serde_json::from_value(json!({"user": "kim", "volume": 1, "unused": 0})).unwrap();
    assert_eq!((args.who.as_str(), args.times), ("kim", None));
}

#[test]
fn attributes_of_serde_on_the_function_hold_for_the_struct() {
    let args = RenameArgs { user_id: 7, new_name: "lee".to_owned() };
    assert_eq!(serde_json::to_value(args).unwrap(), json!({"userId": 7, "newName": "lee"}));
    assert!(serde_json::from_value::<RenameArgs>(json!({"userId": 7, "newName": "lee", "age": 3})).is_err());
}

#[test]
fn documentation_and_attributes_reach_the_schema() {
    assert_eq!(property::<greet>("userName")["description"], "Who is greeted.\n\nBy name.");
    assert_eq!(property::<greet>("times")["default"], json!(null));
    assert_eq!(property::<greet>("volume")["maximum"], 9);
    assert_eq!(property::<ship>("item")["description"], "What was ordered.");
    let schema = greet::schema().unwrap();
    assert_eq!(schema["required"], json!(["userName", "volume", "unused"]));
    assert_eq!(schema["title"], "GreetArgs");
}

#[test]
fn a_parameter_that_says_nothing_has_no_description() {
    assert_eq!(property::<greet>("volume").get("description"), None);
}

#[test]
fn schema_none_needs_and_gives_no_schema() {
    assert_eq!(store::schema(), None);
    assert!(sweep::schema().is_some());
}

#[test]
fn a_parameter_that_is_configured_away_is_no_field() {
    assert_eq!(serde_json::to_value(ChooseArgs { left: 1, right: 2 }).unwrap(), json!({"left": 1, "right": 2}));
}

#[tokio::test]
async fn the_function_is_called_like_any_other() {
    assert_eq!(add(context(40), 2).await.unwrap(), 42);
    assert_eq!(greet(context("hello".to_owned()), "kim".to_owned(), Some(2), 1, 0).await.unwrap(), "hello kim!!");
    assert_eq!(rename(7, "lee".to_owned()).await.unwrap(), "lee7");
    assert_eq!(change(Change::Name { to: "ab".to_owned() }, Page { of: vec![1] }).await.unwrap(), 3);
    assert_eq!(change(Change::Price(9), Page { of: vec![] }).await.unwrap(), 9);
    assert_eq!(choose(1, 2).await.unwrap(), 2);
    assert_eq!(store(Opaque { blob: vec![1] }, 3).await.unwrap(), 3);
}

#[tokio::test]
async fn what_is_carried_arrives() {
    assert_eq!(ending::<sweep>(()).await, State::Completed);
    assert_eq!(ending::<tick>(()).await, State::Completed);
    assert_eq!(ending::<ship>(Order { item: "tea".to_owned(), gift: true }).await, State::Completed);
    assert_eq!(ending::<rename>(RenameArgs { user_id: 1, new_name: String::new() }).await, State::Completed);
    assert_eq!(
        ending::<change>(ChangeArgs { change: Change::Gone, page: Page { of: vec![] } }).await,
        State::Completed
    );
    assert_eq!(ending::<store>(StoreArgs { opaque: Opaque { blob: vec![0] }, times: 1 }).await, State::Completed);
}
