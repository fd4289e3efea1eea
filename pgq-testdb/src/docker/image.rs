//! Which image the server comes from.

use std::fmt;

use testcontainers::{
    GenericImage,
    bollard::{Docker, errors::Error as DockerError},
};

use crate::{Error, way::variable};

/// The newest PostgreSQL, in its smallest official image; pinned, so that the same tests meet the same version.
const PINNED: &str = "postgres:18-alpine";

/// As `docker` takes it: `name`, `name:tag` or `name@digest`.
pub(super) struct Image(String);

impl Image {
    pub(super) fn chosen() -> Self {
        Self(variable("PGQ_TEST_POSTGRES_IMAGE").unwrap_or_else(|| PINNED.to_owned()))
    }

    /// The command that makes a cluster and starts the server. An error if the daemon hasn't got the image:
    /// testcontainers would download it, which takes long, may cost, and was not asked for.
    pub(super) async fn entrypoint(&self, docker: &Docker) -> Result<Vec<String>, Error> {
        match docker.inspect_image(&self.0).await {
            Ok(found) => Ok(found.config.and_then(|config| config.entrypoint).unwrap_or_default()),
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Err(Error::new(format!(
                "it has no image {self}, and none is downloaded unasked: `docker pull {self}` \
                 (or name another in PGQ_TEST_POSTGRES_IMAGE)"
            ))),
            Err(cause) => Err(Error::because(format_args!("its images can't be looked up for {self}"), cause)),
        }
    }

    pub(super) fn generic(&self) -> GenericImage {
        let (name, tag) = self.parts();
        GenericImage::new(name, tag)
    }

    /// testcontainers puts them together again with a colon, so a digest is split at its own.
    fn parts(&self) -> (&str, &str) {
        match self.0.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (&self.0, "latest"),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn an_image_is_a_name_and_what_stands_behind_the_last_colon() {
        for (image, parts) in [
            ("postgres:18-alpine", ("postgres", "18-alpine")),
            ("postgres", ("postgres", "latest")),
            ("host:5000/postgres", ("host:5000/postgres", "latest")),
            ("host:5000/postgres:17", ("host:5000/postgres", "17")),
            ("postgres@sha256:4b", ("postgres@sha256", "4b")),
        ] {
            assert_eq!(Image(image.to_owned()).parts(), parts);
        }
    }
}
