//! What tasks may ask for.

use pgq::testing::stepper;
use pgq::{BoxError, Client, Context, Provide, Provider, State};

#[derive(Debug, PartialEq)]
struct Mailer(u8);

#[derive(pgq::Provide)]
struct App {
    mailer: Mailer,
    name: String,
    nothing: (),
    #[provide(skip)]
    nickname: String,
}

#[derive(pgq::Provide)]
struct Pair(Mailer, #[provide(skip)] Mailer, u64);

#[derive(pgq::Provide)]
struct Empty;

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Ok(app())
    }
}

fn app() -> App {
    App { mailer: Mailer(7), name: "app".to_owned(), nothing: (), nickname: "nick".to_owned() }
}

#[pgq::task]
async fn wants_all(ctx: Context<App>) -> Result<(), BoxError> {
    if ctx.mailer == Mailer(7) && ctx.nickname == "nick" { Ok(()) } else { Err("another app".into()) }
}

#[pgq::task]
async fn wants_part(ctx: Context<Mailer>) -> Result<(), BoxError> {
    if *ctx == Mailer(7) { Ok(()) } else { Err("another mailer".into()) }
}

#[pgq::task]
async fn wants_nothing(_ctx: Context) -> Result<(), BoxError> {
    Ok(())
}

#[test]
fn a_struct_provides_itself_nothing_and_its_fields() {
    let app = app();
    assert_eq!(Provide::<Mailer>::provide(&app), &Mailer(7));
    assert_eq!(Provide::<String>::provide(&app), "app");
    assert_eq!(Provide::<App>::provide(&app).nickname, "nick");
    let () = Provide::<()>::provide(&app);
    assert_eq!(App::provided().len(), 4);
    assert_eq!(app.nothing, ());
}

#[test]
fn a_tuple_struct_and_an_empty_one_provide_too() {
    let pair = Pair(Mailer(1), Mailer(2), 3);
    assert_eq!((Provide::<Mailer>::provide(&pair), *Provide::<u64>::provide(&pair)), (&Mailer(1), 3));
    assert_eq!((Pair::provided().len(), Empty::provided().len()), (4, 2));
    assert_eq!(pair.1, Mailer(2));
}

#[tokio::test]
async fn each_task_gets_what_it_asks_for() {
    let client = Client::memory();
    let ids = [
        wants_all::enqueue(&client, ()).await.unwrap().id(),
        wants_part::enqueue(&client, ()).await.unwrap().id(),
        wants_nothing::enqueue(&client, ()).await.unwrap().id(),
    ];
    let tasks = pgq::tasks![wants_all, wants_part, wants_nothing];
    assert_eq!(stepper(&client, tasks, app()).await.unwrap().drain().await.unwrap(), 3);
    for id in ids {
        assert_eq!(client.get(id).await.unwrap().unwrap().state, State::Completed);
    }
}
