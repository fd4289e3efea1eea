//! `pgq::run` as an operator meets it: flags, messages, exit codes, signals.

use std::process::Stdio;
use std::time::Duration;

use pgq::Client;
use pgq_testdb::Database;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::world::installed;

pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// A program with nothing of ours in its environment.
pub(crate) fn program(path: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars() {
        if name.starts_with("PG") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// How a program ends: its code, and what it said on standard error.
pub(crate) async fn ending(command: &mut Command) -> (i32, String) {
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await.expect("it ends").unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
pub(crate) fn assert_says(ending: &(i32, String), code: i32, words: &[&str]) {
    assert_eq!(ending.0, code, "{}", ending.1);
    for word in words {
        assert!(ending.1.contains(word), "expected {word:?} in {}", ending.1);
    }
    assert!(ending.1.starts_with("pgq: "), "one message: {}", ending.1);
}

#[tokio::test]
async fn a_bad_flag_ends_it_with_2() {
    let ending = ending(&mut program(WORKER, &["--slotz", "5"])).await;
    assert_says(&ending, 2, &["there is no option `--slotz`", "--help"]);
}

#[tokio::test]
async fn a_lease_that_nobody_could_hold_ends_it_with_2() {
    let ending = ending(program(WORKER, &["--memory"]).env("PGQ_LEASE", "300ms")).await;
    assert_says(&ending, 2, &["PGQ_LEASE: expected a lease of at least 1 s, got 300ms"]);
}

#[tokio::test]
async fn a_lease_that_would_outlive_all_patience_ends_it_with_2() {
    let by_variable = ending(program(WORKER, &["--memory"]).env("PGQ_LEASE", "100d")).await;
    assert_says(&by_variable, 2, &["PGQ_LEASE: expected a lease of at most 1 h, got "]);
}

#[tokio::test]
async fn a_flag_that_is_given_twice_ends_it_with_2() {
    let ending = ending(&mut program(WORKER, &["--memory", "--lease", "5s", "--lease", "6s"])).await;
    assert_says(&ending, 2, &["expected `--lease` once, got it twice"]);
}

#[tokio::test]
async fn a_misspelt_variable_is_told_of() {
    let mut worker = Running::start(program(WORKER, &["--memory"]).env("PGQ_SLOT", "3").env("PGQ_RESTART", "1"));
    let mut said = [worker.says("says nothing to a worker").await, worker.says("says nothing to a worker").await];
    said.sort();
    for (line, [given, meant]) in said.iter().zip([["PGQ_RESTART", "`--restart`"], ["PGQ_SLOT", "`PGQ_SLOTS`"]]) {
        assert!(line.starts_with(&format!("pgq: {given} says")) && line.contains(meant), "{line}");
    }
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
}

#[tokio::test]
async fn a_task_that_is_not_there_ends_it_with_2() {
    let ending = ending(&mut program(WORKER, &["--memory", "--tasks", "gret"])).await;
    assert_says(&ending, 2, &["there is no task `gret`", "greet", "wait"]);
}

#[tokio::test]
async fn an_odd_variable_ends_it_with_2() {
    let ending = ending(program(WORKER, &["--memory"]).env("PGQ_POLL_ONLY", "yes")).await;
    assert_says(&ending, 2, &["PGQ_POLL_ONLY: expected `1`, `true`, `0` or `false`, got \"yes\""]);
}

#[tokio::test]
async fn without_a_database_it_ends_with_3() {
    let ending = ending(&mut program(WORKER, &[])).await;
    assert_says(&ending, 3, &["no database is named", "--database-url", "DATABASE_URL", "--memory"]);
}

#[tokio::test]
async fn an_unreachable_database_ends_it_with_4_and_hides_the_password() {
    let url = "postgres://someone:s3cret@127.0.0.1:1/nowhere";
    let ending = ending(&mut program(WORKER, &["--database-url", url])).await;
    assert_says(&ending, 4, &["`nowhere` at 127.0.0.1:1 can't be reached as `someone`"]);
    assert!(!ending.1.contains("s3cret"));
}

#[tokio::test]
async fn a_program_that_restarts_waits_for_its_database_until_it_is_asked_to_stop() {
    let flags = ["--database-url", "postgres://someone:s3cret@127.0.0.1:1/nowhere", "--restart"];
    let mut worker = Running::start(&mut program(WORKER, &flags));
    let line = worker.complaint().await;
    assert!(line.starts_with("pgq: trying again in ") && line.contains("can't be reached"), "{line}");
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert!(code == 0 && !said.contains("s3cret") && !line.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn what_no_restart_mends_ends_a_program_that_restarts() {
    let database = Database::create().await.unwrap();
    let nowhere = database.url().replace(database.name(), "nowhere");
    let refused = ending(&mut program(WORKER, &["--database-url", &nowhere, "--restart"])).await;
    assert_says(&refused, 4, &["`nowhere`", "does not exist"]);
    let absent = ending(&mut program(WORKER, &["--database-url", database.url(), "--restart"])).await;
    assert_says(&absent, 5, &["--migrate"]);
}

#[tokio::test]
async fn absent_tables_end_it_with_5() {
    let database = Database::create().await.unwrap();
    let ending = ending(&mut program(WORKER, &["--database-url", database.url()])).await;
    assert_says(&ending, 5, &["isn't installed in this database (schema pgq)", "--migrate"]);
}

#[tokio::test]
async fn tables_of_another_version_end_it_with_6() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    pgq::sqlx::query("insert into pgq.migration values (999)").execute(&pool).await.unwrap();
    let ending = ending(&mut program(WORKER, &["--database-url", database.url()])).await;
    assert_says(&ending, 6, &["version 999, newer than the 1 that this program knows"]);
}

#[tokio::test]
async fn without_a_task_it_ends_with_7() {
    let ending = ending(&mut program(env!("CARGO_BIN_EXE_empty"), &["--memory"])).await;
    assert_says(&ending, 7, &["no task is registered", "use billing as _;"]);
}

#[tokio::test]
async fn two_tasks_of_one_name_end_it_with_8() {
    let ending = ending(&mut program(env!("CARGO_BIN_EXE_twins"), &["--memory"])).await;
    assert_says(&ending, 8, &["task `charge`", "twins.rs:5", "twins.rs:11"]);
}

#[tokio::test]
async fn a_missing_resource_ends_it_with_9() {
    let ending = ending(&mut program(env!("CARGO_BIN_EXE_poor"), &["--memory"])).await;
    assert_says(&ending, 9, &["task `send`", "`Context<poor::Mailer>`", "poor.rs:17", "provides `poor::App`;"]);
}

#[tokio::test]
async fn resources_that_cannot_be_made_end_it_with_10() {
    let ending = ending(program(WORKER, &["--memory"]).env("TEST_INIT", "fails")).await;
    assert_says(&ending, 10, &["the resources could not be made", "because: the mail server's address is missing"]);
}

#[tokio::test]
async fn whatever_error_of_ours_or_panic_ends_the_making_of_resources_ends_it_with_10() {
    let refused = ending(program(WORKER, &["--memory"]).env("TEST_INIT", "refused")).await;
    assert_says(&refused, 10, &["the resources could not be made", "because: ", "\"no schema\""]);
    let (code, said) = ending(program(WORKER, &["--memory"]).env("TEST_INIT", "panics")).await;
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("because: `Resources::init` panicked: assertion"), "{said}");
}

#[tokio::test]
async fn help_lists_every_flag_and_exit_code() {
    let output = program(WORKER, &["--help"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in [
        "--database-url",
        "--memory",
        "--migrate",
        "--drain-timeout",
        "--drain ",
        "--lease",
        "--restart",
        "Exit codes",
        "SIGTERM",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

/// A job that was put in by hand, because the test has another program's tasks.
pub(crate) async fn put_in(pool: &pgq::sqlx::PgPool, task: &str) -> pgq::JobId {
    let insert = pgq::sqlx::query(
        "insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload)
         values ('slow', $1, 0, now(), now(), 0, 20, 0, '\\xc0') returning id",
    );
    let row = insert.bind(task).fetch_one(pool).await.unwrap();
    pgq::JobId(pgq::sqlx::Row::get(&row, 0))
}

#[tokio::test]
async fn a_draining_program_ends_with_0_when_nothing_is_left() {
    let database = installed().await;
    let client = Client::from_pool(database.pool().await.unwrap()).unwrap();
    // Who restarts too begins anew only where it ended for another reason.
    for (flags, done) in [(&["--drain"][..], 1), (&["--drain", "--restart"], 2)] {
        let mut worker = program(WORKER, &["--database-url", database.url(), "--tasks", "greet"]);
        let (code, said) = Running::start(worker.args(flags).env("TEST_LOG", "1")).ending().await;
        assert_eq!(code, 0);
        assert!(said.contains("nothing is left to do: this worker ends") && !said.contains("asked to stop"), "{said}");
        let completed = client.jobs().state(pgq::State::Completed).count().await.unwrap().jobs;
        assert_eq!(completed, done, "what `init` put in");
    }
}

#[tokio::test]
async fn a_handler_that_cannot_be_stopped_is_left_behind() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let id = put_in(&pool, "block").await;
    let flags = ["--database-url", database.url(), "--tasks", "block", "--drain-timeout", "10ms"];
    let mut worker = Running::start(&mut program(WORKER, &flags));
    assert_eq!(worker.line().await, "blocking");
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert!(code == 0 && said.contains("handlers that didn't end go with the process"), "{said}");
    let job = Client::from_pool(pool).unwrap().get(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (pgq::State::Available, 0));
}

#[tokio::test]
async fn a_handler_that_was_left_behind_and_has_ended_since_is_left_no_longer() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    put_in(&pool, "hear").await;
    let mut command = program(WORKER, &["--database-url", database.url(), "--tasks", "hear"]);
    let mut worker = Running::start(command.env("TEST_LOG", "1").stdin(Stdio::piped()));
    assert_eq!(worker.line().await, "hearing");
    // So that it doesn't run it once more.
    let gone = "delete from pgq.job; update pgq.worker set gone = clock_timestamp()";
    pgq::sqlx::raw_sql(gone).execute(&pool).await.unwrap();
    worker.says("this worker has registered anew").await;
    let mut said = worker.child.stdin.take().unwrap();
    said.write_all(b"go on\n").await.unwrap();
    worker.says("a handler that was left behind has ended").await;
    worker.signal("TERM").await;
    assert_eq!(worker.line().await, "main goes on");
    let (code, said) = worker.ending().await;
    assert!(code == 0 && !said.contains("handlers that didn't end"), "{said}");
}

#[tokio::test]
async fn a_process_that_was_stopped_says_so_and_not_that_its_database_is_away() {
    let database = installed().await;
    let flags = ["--database-url", database.url(), "--tasks", "greet", "--lease", "1s"];
    let mut worker = Running::start(program(WORKER, &flags).env("TEST_LOG", "1"));
    worker.says("this worker has begun").await;
    let mut said = Vec::new();
    worker.line().await;
    for _ in 0..3 {
        worker.signal("STOP").await;
        // For longer than a turn of the heartbeat may take, by the machine's time, which is what it looks at.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        worker.signal("CONT").await;
        while said
            .last()
            .is_none_or(|line: &String| !line.contains("this process was stopped, or got no processor, for"))
        {
            said.push(worker.complaint().await);
        }
        said.push(String::new());
    }
    worker.signal("TERM").await;
    let (code, rest) = worker.ending().await;
    said.push(rest);
    assert!(code == 0 && !said.iter().any(|line| line.contains("the database is")), "{said:#?}");
}

/// A worker program that runs.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    complaints: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, complaints }
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line()).await;
        line.expect("it says something").unwrap().expect("it still runs")
    }

    /// The next line on standard error.
    pub(crate) async fn complaint(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(30), self.complaints.next_line()).await;
        line.expect("it says something").unwrap().expect("it still runs")
    }

    /// The next line on standard error that has these words.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        loop {
            let line = self.complaint().await;
            if line.contains(words) {
                break line;
            }
        }
    }

    /// Sends it a signal by name.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().await.unwrap().success());
    }

    pub(crate) async fn ending(self) -> (i32, String) {
        let Self { child, mut complaints, lines: _lines } = self;
        // Read, so that it isn't held up by a full pipe.
        let said = async {
            let mut said = String::new();
            while let Some(line) = complaints.next_line().await.unwrap() {
                said += &line;
                said.push('\n');
            }
            said
        };
        let ended =
            tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(child.wait_with_output(), said) });
        let (output, said) = ended.await.expect("it ends");
        (output.unwrap().status.code().unwrap(), said)
    }
}

#[tokio::test]
async fn it_prints_its_tasks_by_crate_runs_them_and_stops_when_asked() {
    let mut worker = Running::start(&mut program(WORKER, &["--memory"]));
    assert_eq!(worker.line().await, "hello from init, job 1");
    let id = worker.child.id().unwrap();
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert_eq!(code, 0, "{said}");
    for word in [
        "jobs in memory",
        &format!(":{id}, lease "),
        "no tracing subscriber",
        "pgq-tests",
        "greet  queue default",
        "wait   queue slow",
        "programs/worker.rs:",
        "0 0 1 1 * Europe/Berlin, next 20",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

/// What a program says when it starts.
async fn start(arguments: &[&str]) -> String {
    let mut child = program(WORKER, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("no tracing subscriber") {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        said = said + "\n" + &line.expect("it says something").unwrap().expect("it runs");
    }
    said
}

#[tokio::test]
async fn it_prints_whether_it_leaves_schedules_or_tasks_to_others() {
    let said = start(&["--memory", "--tasks-only"]).await;
    assert!(said.contains("leaves it to others to make the jobs of schedules") && said.contains("greet"), "{said}");
    let said = start(&["--memory", "--schedules-only"]).await;
    assert!(said.contains("makes the jobs of all schedules, and leaves it to others to run them"), "{said}");
    assert!(said.contains("tidy  queue default") && !said.contains("greet"), "{said}");
}

#[tokio::test]
async fn it_installs_its_tables_where_it_is_told() {
    let database = Database::create().await.unwrap();
    let flags =
        ["--database-url", database.url(), "--schema", "jobs", "--prefix", "a_", "--migrate", "--tasks", "greet"];
    let mut worker = Running::start(&mut program(WORKER, &flags));
    assert_eq!(worker.line().await, "hello from init, job 1");
    worker.signal("INT").await;
    assert_eq!(worker.ending().await.0, 0);
    let pool = database.pool().await.unwrap();
    let done = pgq::sqlx::query("select from jobs.a_history where task = 'greet' and state = 4").execute(&pool).await;
    assert_eq!(done.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn variables_say_what_flags_do() {
    let database = installed().await;
    let mut command = program(WORKER, &[]);
    command.env("DATABASE_URL", database.url()).env("PGQ_TASKS", "greet").env("PGQ_SLOTS", "3");
    let mut worker = Running::start(&mut command);
    assert_eq!(worker.line().await, "hello from init, job 1");
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert!(code == 0 && !said.contains("wait"), "{said}");
}

#[tokio::test]
async fn libpqs_variables_name_a_database_too() {
    let database = installed().await;
    let options = database.options();
    let host = options.get_socket().map_or_else(|| options.get_host().into(), |socket| socket.display().to_string());
    let mut command = program(WORKER, &["--tasks", "greet"]);
    command.env("PGHOST", host).env("PGPORT", options.get_port().to_string()).env("PGSSLMODE", "disable");
    command.env("PGUSER", options.get_username()).env("PGDATABASE", database.name());
    let mut worker = Running::start(&mut command);
    assert_eq!(worker.line().await, "hello from init, job 1");
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
}

#[tokio::test]
async fn the_job_of_a_killed_worker_runs_elsewhere_long_before_its_lease_is_over() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let flags = ["--database-url", database.url(), "--tasks", "wait", "--lease", "30s"];
    let mut first = Running::start(&mut program(WORKER, &flags));
    let id = put_in(&pool, "wait").await;
    assert_eq!(first.line().await, "waiting");
    let mut second = Running::start(&mut program(WORKER, &flags));
    let other = put_in(&pool, "wait").await;
    let lines = async {
        tokio::select! { line = first.line() => line, line = second.line() => line }
    };
    assert_eq!(lines.await, "waiting");
    // Each looks around between two beats, so each has seen the other.
    both_beat(&pool).await;
    both_beat(&pool).await;
    first.signal("KILL").await;
    let crashed = format!(
        "select exists (select from pgq.job where id = any ('{{{id},{other}}}') and crashes = 1 and lease is not null)"
    );
    tokio::time::timeout(Duration::from_secs(20), until(&pool, &crashed)).await.expect("it runs again soon");
    second.signal("TERM").await;
}

/// Until two workers have beaten once more.
async fn both_beat(pool: &pgq::sqlx::PgPool) {
    let last = pgq::sqlx::query_scalar("select max(beat)::text from pgq.worker").fetch_one(pool);
    let last: String = last.await.unwrap();
    until(pool, &format!("select count(*) = 2 from pgq.worker where beat > '{last}'")).await;
}

/// Until a query says so. Polled, because a database tells nobody.
async fn until(pool: &pgq::sqlx::PgPool, query: &str) {
    while !pgq::sqlx::query_scalar::<_, bool>(pgq::sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_second_signal_hands_back_what_runs() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let client = Client::from_pool(pool.clone()).unwrap();
    let id = put_in(&pool, "wait").await;
    let flags = ["--database-url", database.url(), "--tasks", "wait", "--drain-timeout", "1h"];
    let mut worker = Running::start(&mut program(WORKER, &flags));
    assert_eq!(worker.line().await, "waiting");
    worker.signal("TERM").await;
    // The first one only asks: the handler goes on. Its end can't be awaited, the answer to the second shows it.
    worker.signal("INT").await;
    assert_eq!(worker.line().await, "told to end");
    let (code, said) = worker.ending().await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(client.get(id).await.unwrap().unwrap().state, pgq::State::Completed, "{said}");
}
