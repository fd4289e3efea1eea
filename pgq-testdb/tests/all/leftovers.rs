use std::{
    fs,
    path::{Path, PathBuf},
};

use pgq_testdb::{Database, Options, Server};

use crate::{
    Outcome,
    child::{self, Holding, eventually},
};

/// The postmaster's number, from the first line of its lock file.
fn pid(data: &Path) -> Result<String, Box<dyn std::error::Error>> {
    Ok(fs::read_to_string(data.join("postmaster.pid"))?.lines().next().ok_or("empty")?.to_owned())
}

/// The number of its shared memory segment: the seventh line is "key id".
fn shared_memory(data: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let file = fs::read_to_string(data.join("postmaster.pid"))?;
    let line = file.lines().nth(6).ok_or("no seventh line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no segment")?.to_owned())
}

fn exists(segment: &str) -> bool {
    let all = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    all.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

/// Not whether the number exists: in a container nobody may reap the dead.
fn runs(pid: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn data_of(url: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    Ok(options.get_socket().ok_or("no socket")?.join("data"))
}

fn is_gone(data: &Path, pid: &str) -> bool {
    let directory = data.parent().unwrap_or(data);
    !directory.exists() && !runs(pid)
}

#[test]
fn a_dropped_server_is_gone_at_once() -> Outcome {
    let server = Server::start(Options::default())?;
    let (data, pid) = (server.data_directory(), pid(&server.data_directory())?);
    drop(server);
    assert!(is_gone(&data, &pid));
    Ok(())
}

#[test]
fn a_dropped_server_is_gone_also_after_a_kill() -> Outcome {
    let server = Server::start(Options::default())?;
    let (data, pid) = (server.data_directory(), pid(&server.data_directory())?);
    let segment = shared_memory(&data)?;
    server.kill()?;
    assert!(!runs(&pid));
    assert!(exists(&segment));
    drop(server);
    assert!(is_gone(&data, &pid));
    assert!(!exists(&segment), "segment {segment}");
    Ok(())
}

#[tokio::test]
async fn a_killed_process_leaves_neither_server_nor_directory() -> Outcome {
    if child::is_child() {
        let db = Database::create().await?;
        child::say_and_hold(db.url());
        return Ok(());
    }
    let mut holding =
        Holding::start(&mut child::command("leftovers::a_killed_process_leaves_neither_server_nor_directory")?)?;
    let data = data_of(&holding.said)?;
    let pid = pid(&data)?;
    assert!(runs(&pid));
    holding.kill()?;
    assert!(eventually(|| is_gone(&data, &pid)), "{} or process {pid} is still there", data.display());
    Ok(())
}

#[tokio::test]
async fn a_process_that_just_ends_leaves_nothing_either() -> Outcome {
    if child::is_child() {
        let db = Database::create().await?;
        let data = data_of(db.url())?;
        child::say(&format!("{} {}", data.display(), pid(&data)?));
        std::process::exit(0);
    }
    let test = "leftovers::a_process_that_just_ends_leaves_nothing_either";
    let said = child::output(&mut child::command(test)?)?;
    let (data, pid) = said.rsplit_once(' ').ok_or("expected two words")?;
    assert!(eventually(|| is_gone(Path::new(data), pid)), "{data} or process {pid} is still there");
    Ok(())
}
