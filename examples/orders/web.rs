//! The web service: takes orders, and shows what became of them.

use std::num::NonZeroU16;

use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Form, Json, Router};
use pgq::{Client, sqlx};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::tasks::{charge, send_receipt};

#[derive(Clone)]
struct Shop {
    client: Client,
    worker: watch::Receiver<Option<u32>>,
}

pub(crate) fn router(client: Client, worker: watch::Receiver<Option<u32>>) -> Router {
    Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}", get(order))
        .route("/jobs", get(jobs))
        .route("/worker", get(async |State(shop): State<Shop>| Json(json!({ "pid": *shop.worker.borrow() }))))
        .with_state(Shop { client, worker })
}

#[derive(serde::Deserialize)]
struct Cart {
    item: String,
    #[serde(default = "one")]
    quantity: NonZeroU16,
}

fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// Places an order: its row, the stock that it takes and its two jobs are one transaction.
async fn place(State(shop): State<Shop>, cart: Result<Form<Cart>, FormRejection>) -> Answer<(StatusCode, Json<Value>)> {
    let Form(Cart { item, quantity }) = cart?;
    let quantity = i32::from(quantity.get());

    let tx = shop.client.begin().await?;
    let insert = "insert into shop.orders (item, quantity, cents) select name, $2, cents * $2 from shop.item
                  where name = $1 returning id";
    let id: Option<i64> =
        sqlx::query_scalar(insert).bind(&item).bind(quantity).fetch_optional(&mut *tx.conn().await?).await?;
    let id = id.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no `{item}` in this shop")))?;

    // The header is for the page: to SQL, a job's arguments are bytes.
    charge::job(id).header("order", id.to_string()).enqueue(&tx).await?;
    send_receipt::job(id).header("order", id.to_string()).enqueue(&tx).await?;

    // Last, to make the point: what fails here takes the row and the jobs along.
    let take = "update shop.item set stock = stock - $2 where name = $1 and stock >= $2";
    let taken = sqlx::query(take).bind(&item).bind(quantity).execute(&mut *tx.conn().await?).await?;
    if taken.rows_affected() == 0 {
        tx.rollback().await?;
        return Err(Refusal(StatusCode::CONFLICT, format!("out of stock: {quantity} of `{item}`")));
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

/// Orders with their jobs, the latest first; only that of an id where there is one.
const ORDERS: &str = "
    select jsonb_build_object(
      'id', id, 'item', item, 'quantity', quantity, 'cents', cents, 'progress', progress,
      'charged_by_run', (select run from shop.charge where order_id = id),
      'receipt', exists (select from shop.receipt where order_id = id),
      'jobs', (
        select coalesce(jsonb_agg(jsonb_build_object(
          'id', job.id, 'task', task, 'state', state, 'attempt', attempt, 'runs', epoch, 'crashes', crashes
        ) order by job.id), '[]')
        from pgq.jobs as job where queue = 'orders' and headers ->> 'order' = orders.id::text))
    from shop.orders
    where $1::bigint is null or id = $1
    order by id desc
    limit 20";

async fn orders(State(shop): State<Shop>) -> Answer<Json<Vec<Value>>> {
    Ok(Json(sqlx::query_scalar(ORDERS).bind(None::<i64>).fetch_all(shop.client.pool()?).await?))
}

async fn order(State(shop): State<Shop>, Path(id): Path<i64>) -> Answer<Json<Value>> {
    let order = sqlx::query_scalar(ORDERS).bind(id).fetch_optional(shop.client.pool()?).await?;
    Ok(Json(order.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no order {id}")))?))
}

/// The latest jobs, whatever order they are of.
async fn jobs(State(shop): State<Shop>) -> Answer<Json<Vec<Value>>> {
    let jobs = "select to_jsonb(job) from pgq.jobs as job where queue = 'orders' order by id desc limit 40";
    Ok(Json(sqlx::query_scalar(jobs).fetch_all(shop.client.pool()?).await?))
}

type Answer<T> = Result<T, Refusal>;

/// Why not, as `{"error": "…"}`.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<FormRejection> for Refusal {
    fn from(rejection: FormRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<pgq::Error> for Refusal {
    fn from(error: pgq::Error) -> Self {
        eprintln!("web: {error:?}");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the order could not be kept: try again".to_owned())
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("web: {error}");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the database refused: try again".to_owned())
    }
}
