//! The example, driven from outside as its reader does.
//!
//! `cargo test -p pgq-example-orders` builds it first; `--test orders` alone would drive what was built before.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helper fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{env, thread};

use serde_json::{Value, json};

/// A service that runs.
struct Service {
    shell: Child,
    address: String,
}

impl Service {
    /// Starts it under a shell that ends it by `signal` when our end of the pipe is closed: by [`Service::end`], by a
    /// panic, or because somebody killed this test.
    fn start(signal: &str) -> Self {
        let example = env::current_exe().unwrap().with_file_name("../examples/orders");
        assert!(example.exists(), "{} is missing: run `cargo test -p pgq-example-orders`", example.display());
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec 2>&1; "$0" & cat >/dev/null; kill -"$1" $!; wait $!"#]).arg(example).arg(signal);
        for ours in ["DATABASE_URL", "PGQ_SCHEMA", "PGQ_PREFIX"] {
            command.env_remove(ours);
        }
        let mut shell = command.env("PORT", "0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (found, address) = channel();
        let output = BufReader::new(shell.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("listening on http://") {
                    let _ = found.send(address.to_owned());
                }
                println!("{line}");
            }
        });
        let address = address.recv_timeout(PATIENCE).expect("it listens");
        Self { shell, address }
    }

    /// Ends it; whether it ended well.
    fn end(mut self) -> bool {
        drop(self.shell.stdin.take());
        until("it ends", || self.shell.try_wait().unwrap()).success()
    }

    /// The answer's status and body.
    fn ask(&self, method: &str, path: &str, form: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("expected JSON, got {body}")))
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "").1
    }

    fn order(&self, form: &str) -> (u16, Value) {
        self.ask("POST", "/orders", form)
    }

    /// An order, once it is as wanted.
    fn order_once(&self, number: u32, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || Some(self.get(&format!("/orders/{number}"))).filter(&wanted))
    }

    /// The worker's process number.
    fn worker(&self) -> u64 {
        until("there is a worker", || self.get("/worker")["pid"].as_u64())
    }
}

const PATIENCE: Duration = Duration::from_mins(1);

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal; whether there was such a process.
fn kill(signal: &str, pid: u64) -> bool {
    Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

fn finished(order: &Value) -> bool {
    order["jobs"].as_array().is_some_and(|jobs| jobs.iter().all(|job| job["state"] == "completed"))
}

#[test]
fn an_order_is_charged_and_its_receipt_sent() {
    let service = Service::start("TERM");
    assert_eq!(service.order("item=lamp&quantity=2"), (201, json!({ "id": 1 })));
    let order = service.order_once(1, "it is finished", finished);
    assert_eq!(order["cents"], 5800);
    assert_eq!(order["progress"], "charged");
    assert_eq!(order["charged_by_run"], 1);
    assert_eq!(order["receipt"], true);
    assert!(service.end(), "it stops in order");
}

#[test]
fn an_order_that_fails_leaves_no_row_and_no_job() {
    let service = Service::start("TERM");
    for (form, status, error) in [
        ("item=unicorn", 409, "out of stock: 1 of `unicorn`"),
        ("item=lamp&quantity=65535", 409, "out of stock: 65535 of `lamp`"),
        ("item=sofa", 404, "there is no `sofa` in this shop"),
        ("item=lamp&quantity=0", 422, "quantity: invalid value: integer `0`"),
        ("quantity=1", 422, "missing field `item`"),
    ] {
        let (code, answer) = service.order(form);
        assert_eq!(code, status, "{form}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(error), "{form}: {answer}");
    }
    assert_eq!((service.get("/orders"), service.get("/jobs")), (json!([]), json!([])));
    assert!(service.end(), "it stops in order");
}

#[test]
fn an_order_whose_worker_was_killed_is_finished_by_the_next_one_and_charged_once() {
    let service = Service::start("TERM");
    // Where the machine is held up for the three seconds that it takes, an order is finished before its worker is killed.
    let crashed = (1..=3).any(|number| {
        let first = service.worker();
        service.order("item=chair");
        service.order_once(number, "it is charged", |order| order["charged_by_run"] == 1);
        assert!(kill("-9", first));
        let order = service.order_once(number, "it is finished", finished);
        assert_eq!(order["charged_by_run"], 1, "the second run found it charged");
        until("there is another worker", || Some(service.worker()).filter(|worker| *worker != first));
        let job = &order["jobs"][0];
        job["runs"].as_u64() >= Some(2) && job["crashes"].as_u64() >= Some(1)
    });
    assert!(crashed, "no worker was killed while it charged");
    assert!(service.end(), "it stops in order");
}

#[test]
fn a_worker_does_not_outlive_a_service_that_was_killed() {
    let service = Service::start("KILL");
    let worker = service.worker();
    service.end();
    until("the worker ends", || (!kill("-0", worker)).then_some(()));
}
