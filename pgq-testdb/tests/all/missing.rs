use std::{env, fs, process};

use pgq_testdb::Database;

use crate::{Outcome, child};

#[tokio::test]
async fn a_directory_without_binaries_is_one_error_that_names_it() -> Outcome {
    if child::is_child() {
        let (first, second) = (Database::create().await.err(), Database::create().await.err());
        let (first, second) = (first.ok_or("expected an error")?, second.ok_or("expected an error")?);
        assert_eq!(first.to_string(), second.to_string());
        child::say(&first.to_string());
        return Ok(());
    }
    let empty = env::temp_dir().join(format!("pgq-empty-{}", process::id()));
    fs::create_dir(&empty)?;
    let test = "missing::a_directory_without_binaries_is_one_error_that_names_it";
    let message = child::output(child::command(test)?.env("PGQ_TEST_POSTGRES_BIN", &empty));
    fs::remove_dir(&empty)?;
    let message = message?;
    assert!(message.contains(&empty.display().to_string()), "{message}");
    assert!(message.contains("PGQ_TEST_POSTGRES_BIN"), "{message}");
    assert!(message.contains("or set PGQ_TEST_DATABASE_URL"), "{message}");
    assert!(message.contains("no `initdb`"), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_external_server_out_of_reach_is_an_error_that_names_the_variable() -> Outcome {
    if child::is_child() {
        child::say(&Database::create().await.err().ok_or("expected an error")?.to_string());
        return Ok(());
    }
    let test = "missing::an_external_server_out_of_reach_is_an_error_that_names_the_variable";
    let url = "postgres://me:geheim@%2Fno%2Fsuch%2Fplace/postgres";
    let message = child::output(child::command(test)?.env("PGQ_TEST_DATABASE_URL", url))?;
    assert!(message.starts_with("the server of PGQ_TEST_DATABASE_URL can't be reached: "), "{message}");
    assert!(!message.contains("geheim"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_way_that_does_not_exist_is_an_error_that_names_those_that_do() -> Outcome {
    if child::is_child() {
        child::say(&Database::create().await.err().ok_or("expected an error")?.to_string());
        return Ok(());
    }
    let test = "missing::a_way_that_does_not_exist_is_an_error_that_names_those_that_do";
    let message = child::output(child::command(test)?.env("PGQ_TEST_POSTGRES", "podman"))?;
    assert_eq!(message, "expected `url`, `binaries` or `docker` in PGQ_TEST_POSTGRES, got `podman`");
    Ok(())
}

#[cfg(not(feature = "docker"))]
#[tokio::test]
async fn docker_without_the_feature_is_an_error_that_names_it() -> Outcome {
    if child::is_child() {
        child::say(&Database::create().await.err().ok_or("expected an error")?.to_string());
        return Ok(());
    }
    let test = "missing::docker_without_the_feature_is_an_error_that_names_it";
    let message = child::output(child::command(test)?.env("PGQ_TEST_POSTGRES", "docker"))?;
    assert!(message.contains("feature `docker`"), "{message}");
    Ok(())
}
