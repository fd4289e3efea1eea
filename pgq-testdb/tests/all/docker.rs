//! The way through Docker, with the feature `docker`. It needs a daemon and an image: `.ci/docker` sees to both.

use std::{
    io,
    process::{Command, Stdio},
};

use pgq_testdb::{Database, Template};
use sqlx::postgres::PgConnectOptions;

use crate::{
    Outcome,
    child::{self, Holding, eventually},
};

const LABEL: &str = "pgq-testdb.owner";

fn child_in_docker(test: &str) -> io::Result<Command> {
    let mut command = child::command(test)?;
    command.env("PGQ_TEST_POSTGRES", "docker");
    Ok(command)
}

/// The label's value on the container of the process that made a database of this name.
fn owner(database: &str) -> String {
    database.rsplit_once('_').map_or(String::new(), |(process, _)| format!("{process}_0"))
}

fn docker(arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output()?;
    let said = String::from_utf8(output.stdout)?;
    output.status.success().then_some(said.trim().to_owned()).ok_or_else(|| format!("docker {arguments:?}").into())
}

fn containers(owner: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let listed = docker(&["ps", "--all", "--quiet", "--filter", &format!("label={LABEL}={owner}")])?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn has_none(owner: &str) -> bool {
    containers(owner).is_ok_and(|containers| containers.is_empty())
}

#[tokio::test]
async fn without_a_daemon_it_is_one_error_that_says_so() -> Outcome {
    if child::is_child() {
        child::say(&Database::create().await.err().ok_or("expected an error")?.to_string());
        return Ok(());
    }
    let test = "docker::without_a_daemon_it_is_one_error_that_says_so";
    let message = child::output(child_in_docker(test)?.env("DOCKER_HOST", "unix:///no/such/socket"))?;
    let expected = "PGQ_TEST_POSTGRES asks for Docker, which can't help: no daemon answers: ";
    assert!(message.starts_with(expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named_and_not_downloaded() -> Outcome {
    if child::is_child() {
        child::say(&Database::create().await.err().ok_or("expected an error")?.to_string());
        return Ok(());
    }
    let test = "docker::an_image_that_is_not_there_is_named_and_not_downloaded";
    let image = "pgq-testdb/no-such-image:1";
    let message = child::output(child_in_docker(test)?.env("PGQ_TEST_POSTGRES_IMAGE", image))?;
    assert!(message.contains(&format!("`docker pull {image}`")), "{message}");
    Ok(())
}

#[tokio::test]
async fn databases_and_templates_are_as_on_a_private_server_but_for_tcp() -> Outcome {
    if child::is_child() {
        let template = Template::new();
        let install = async |pool| sqlx::raw_sql("create table t ()").execute(&pool).await.map(drop);
        let (one, other) = (template.database(install).await?, template.database(install).await?);
        let pool = other.pool().await?;
        sqlx::raw_sql("drop table t").execute(&pool).await?;
        sqlx::raw_sql("select from t").execute(&one.pool().await?).await?;
        for (name, expected) in [("fsync", "off"), ("max_connections", "300"), ("TimeZone", "UTC")] {
            let setting: String = sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&pool).await?;
            assert_eq!(setting, expected, "{name}");
        }
        child::say(one.url());
        return Ok(());
    }
    let test = "docker::databases_and_templates_are_as_on_a_private_server_but_for_tcp";
    let options: PgConnectOptions = child::output(&mut child_in_docker(test)?)?.parse()?;
    assert_eq!(options.get_socket(), None);
    assert_ne!(options.get_host(), "localhost");
    Ok(())
}

#[tokio::test]
async fn a_killed_process_leaves_no_container() -> Outcome {
    if child::is_child() {
        child::say_and_hold(Database::create().await?.name());
        return Ok(());
    }
    let mut holding = Holding::start(&mut child_in_docker("docker::a_killed_process_leaves_no_container")?)?;
    let owner = owner(&holding.said);
    assert_eq!(containers(&owner)?.len(), 1);
    holding.kill()?;
    assert!(eventually(|| has_none(&owner)), "a container of {owner} is still there");
    Ok(())
}

#[tokio::test]
async fn a_process_that_just_ends_leaves_no_container_either() -> Outcome {
    if child::is_child() {
        child::say(Database::create().await?.name());
        std::process::exit(0);
    }
    let test = "docker::a_process_that_just_ends_leaves_no_container_either";
    let owner = owner(&child::output(&mut child_in_docker(test)?)?);
    assert!(eventually(|| has_none(&owner)), "a container of {owner} is still there");
    Ok(())
}

#[tokio::test]
async fn a_container_without_a_watch_is_swept_by_the_next_process_and_no_other_is() -> Outcome {
    if child::is_child() {
        child::say_and_hold(Database::create().await?.name());
        return Ok(());
    }
    let test = "docker::a_container_without_a_watch_is_swept_by_the_next_process_and_no_other_is";
    let mut killed = Holding::start(&mut child_in_docker(test)?)?;
    killed.kill()?;
    let stale = owner(&killed.said);
    let elsewhere = stale.replace("pgq_test_", "pgq_test_f");
    assert!(eventually(|| has_none(&stale)));
    let image = std::env::var("PGQ_TEST_POSTGRES_IMAGE")?;
    for owner in [&stale, &elsewhere] {
        docker(&["create", "--label", &format!("{LABEL}={owner}"), &image])?;
    }

    let alive = Holding::start(&mut child_in_docker(test)?)?;
    let sweeper = Holding::start(&mut child_in_docker(test)?)?;
    assert_eq!(containers(&stale)?, [""; 0]);
    assert_eq!(containers(&owner(&alive.said))?.len(), 1);
    assert_eq!(containers(&owner(&sweeper.said))?.len(), 1);
    let others = containers(&elsewhere)?;
    assert_eq!(others.len(), 1);
    docker(&["rm", "--volumes", &others[0]])?;
    Ok(())
}
