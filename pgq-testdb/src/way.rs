//! Which way to a server the environment asks for.

use std::env;

use crate::Error;

/// One of the ways, without a search.
#[derive(Debug, PartialEq)]
pub(crate) enum Way {
    Url(String),
    Binaries,
    Docker,
}

impl Way {
    /// `None` if nothing is asked for: then it is the first that serves.
    pub(crate) fn chosen() -> Result<Option<Self>, Error> {
        choose(variable("PGQ_TEST_POSTGRES").as_deref(), variable("PGQ_TEST_DATABASE_URL"))
    }
}

fn choose(way: Option<&str>, url: Option<String>) -> Result<Option<Way>, Error> {
    match way {
        None => Ok(url.map(Way::Url)),
        Some("url") => match url {
            Some(url) => Ok(Some(Way::Url(url))),
            None => Err(Error::new("expected a URL in PGQ_TEST_DATABASE_URL, because PGQ_TEST_POSTGRES is `url`")),
        },
        Some("binaries") => Ok(Some(Way::Binaries)),
        Some("docker") => Ok(Some(Way::Docker)),
        Some(other) => {
            Err(Error::new(format!("expected `url`, `binaries` or `docker` in PGQ_TEST_POSTGRES, got `{other}`")))
        }
    }
}

/// An empty one says nothing: that is how CI systems unset one.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Way, choose};

    #[test]
    fn a_forced_way_wins_over_the_url() {
        let url = || Some("postgres://h".to_owned());
        for (way, url, chosen) in [
            (None, None, None),
            (None, url(), Some(Way::Url("postgres://h".to_owned()))),
            (Some("url"), url(), Some(Way::Url("postgres://h".to_owned()))),
            (Some("binaries"), url(), Some(Way::Binaries)),
            (Some("docker"), url(), Some(Way::Docker)),
        ] {
            assert_eq!(choose(way, url).ok(), Some(chosen));
        }
    }

    #[test]
    fn a_way_that_is_none_or_lacks_its_url_is_an_error() {
        assert!(choose(Some("podman"), None).is_err_and(|error| error.to_string().contains("got `podman`")));
        assert!(choose(Some("url"), None).is_err_and(|error| error.to_string().contains("PGQ_TEST_DATABASE_URL")));
    }
}
