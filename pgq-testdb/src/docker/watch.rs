//! What ends a container when this process has ended.

use std::{collections::HashMap, sync::Mutex};

use testcontainers::bollard::{
    Docker,
    errors::Error as DockerError,
    exec::{CreateExecOptions, StartExecResults},
    query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder},
};

use crate::{Error, owner};

/// Says whose a container is.
pub(super) const LABEL: &str = "pgq-testdb.owner";

/// The container's first command, before its image's own: stops it if no watch has come, because this process was killed
/// in between (a container takes 300 ms to start). It ends with 0: PostgreSQL becomes its parent, and would take another
/// end of an unknown child for a crash.
///
/// Signals are sent again and again: a container's first process hears none while it is still a script.
pub(super) const GUARD: &str = r#"
    (sleep 30; [ -e /dev/shm/watched ] || while kill -QUIT 1; do sleep 0.1; done; exit 0) &
    exec "$@"
"#;

const WATCH: &str = r"
    : >/dev/shm/watched
    while read -r line; do :; done
    while kill -QUIT 1; do sleep 0.1; done
";

/// The connection whose end the shell in the container waits for. Never read; its type isn't `Sync`.
pub(super) struct Watch {
    _connection: Mutex<StartExecResults>,
}

impl Watch {
    pub(super) async fn start(docker: &Docker, container: &str) -> Result<Self, Error> {
        let shell = CreateExecOptions {
            attach_stdin: Some(true),
            cmd: Some(vec!["sh", "-c", WATCH]),
            ..CreateExecOptions::default()
        };
        let started = async { docker.start_exec(&docker.create_exec(container, shell).await?.id, None).await };
        let connection = started.await.map_err(|cause| Error::because("its container can't be watched", cause))?;
        Ok(Self { _connection: Mutex::new(connection) })
    }
}

/// Removes what processes left that were killed between creating and starting a container.
pub(super) async fn sweep(docker: &Docker) -> Result<(), Error> {
    let ours = HashMap::from([("label", vec![LABEL])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let failed = |cause: DockerError| Error::because("its containers can't be listed", cause);
    for container in docker.list_containers(Some(all)).await.map_err(failed)? {
        let owner = container.labels.as_ref().and_then(|labels| labels.get(LABEL));
        if let (Some(id), true) = (&container.id, owner.is_some_and(|owner| owner::is_stale(owner))) {
            let with_volumes = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            // Another process may be sweeping too: whoever comes second finds it gone.
            let _ = docker.remove_container(id, Some(with_volumes)).await;
        }
    }
    Ok(())
}
