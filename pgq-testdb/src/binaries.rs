//! Where PostgreSQL's server binaries are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Error, account::Account};

/// What there is to say without any.
pub(crate) const MISSING: &str = "no PostgreSQL to test with: its server binaries (initdb, postgres) are neither on \
     PATH nor in a usual place. Install them (Debian, Ubuntu: `apt-get install postgresql`; \
     Fedora: `dnf install postgresql-server`; macOS: `brew install postgresql`), or name their directory in \
     PGQ_TEST_POSTGRES_BIN";

/// A directory that holds `initdb` and `postgres`, both within the account's reach.
#[derive(Clone, Debug)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// `chosen` or `PGQ_TEST_POSTGRES_BIN` is the only place if there is one; else the first that serves.
    pub(crate) fn find(chosen: Option<&Path>, account: &Account) -> Result<Self, Error> {
        Self::search(chosen, account)?.ok_or_else(|| Error::new(MISSING))
    }

    /// `None` if no place was named and no usual one serves.
    pub(crate) fn search(chosen: Option<&Path>, account: &Account) -> Result<Option<Self>, Error> {
        let variable = env::var_os("PGQ_TEST_POSTGRES_BIN").filter(|value| !value.is_empty()).map(PathBuf::from);
        match chosen.map(Path::to_owned).or(variable) {
            Some(directory) => {
                check(&directory, account).map_err(|why| unfit(&directory, &why))?;
                Ok(Some(Self(directory)))
            }
            None => Ok(places().into_iter().find(|place| check(place, account).is_ok()).map(Self)),
        }
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.0.join("initdb")
    }

    /// Where `postgres` really is: it may be reached through a link that this one doesn't have.
    /// Some packagings leave it out.
    pub(crate) fn pg_basebackup(&self) -> Result<PathBuf, Error> {
        let beside = self.postgres().canonicalize().unwrap_or_else(|_| self.postgres()).with_file_name("pg_basebackup");
        if beside.exists() { Ok(beside) } else { Err(no_basebackup(&beside)) }
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }
}

fn check(directory: &Path, account: &Account) -> Result<(), String> {
    for binary in ["initdb", "postgres"] {
        let path = directory.join(binary).canonicalize().map_err(|_| format!("there is no `{binary}` in it"))?;
        if !path.parent().is_some_and(|parent| account.reaches(parent)) {
            return Err(format!("user `{}`, which has to run the server, can't reach it", account.name()));
        }
    }
    Ok(())
}

fn unfit(directory: &Path, why: &str) -> Error {
    Error::new(format!(
        "expected PostgreSQL's server binaries in {}, but {why}; PGQ_TEST_POSTGRES_BIN (or `Options::binaries`) names \
         the directory that holds initdb and postgres, and without it they are searched for",
        directory.display()
    ))
}

fn no_basebackup(expected: &Path) -> Error {
    Error::new(format!(
        "a standby is made by `pg_basebackup`, which isn't there: expected {}. It comes with PostgreSQL's clients (Debian, \
         Ubuntu: `apt-get install postgresql-client`; Fedora: `dnf install postgresql`; Alpine: `apk add \
         postgresql-client`), in the server's own version; npm's embedded PostgreSQL doesn't have it",
        expected.display()
    ))
}

fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    for (parent, prefix, suffix) in [
        ("/usr/lib/postgresql", "", "bin"),                          // Debian, Ubuntu
        ("/usr", "pgsql-", "bin"),                                   // PGDG on Fedora and RHEL
        ("/usr/libexec", "postgresql", ""),                          // Alpine
        ("/opt/homebrew/opt", "postgresql", "bin"),                  // Homebrew
        ("/usr/local/opt", "postgresql", "bin"),                     // Homebrew on Intel
        ("/opt/local/lib", "postgresql", "bin"),                     // MacPorts
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"), // Postgres.app
    ] {
        places.extend(newest_first(Path::new(parent), prefix).into_iter().map(|place| place.join(suffix)));
    }
    places.extend(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    places
}

fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let version = version(entry.file_name().to_str()?.strip_prefix(prefix)?);
            Some((version, entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// `9.6` before `10`, whatever stands around the numbers (`@17`, `17`, `postgresql-17`).
fn version(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Binaries, MISSING, version};

    #[test]
    fn a_server_of_ones_own_isnt_told_of_a_variable_that_only_tests_read() {
        assert!(MISSING.contains("PGQ_TEST_POSTGRES_BIN") && !MISSING.contains("PGQ_TEST_DATABASE_URL"));
    }

    #[test]
    fn a_missing_pg_basebackup_is_named_with_its_package() {
        let error = Binaries("/nowhere/bin".into()).pg_basebackup().unwrap_err().to_string();
        for word in ["`pg_basebackup`", "expected /nowhere/bin/pg_basebackup", "apt-get install postgresql-client"] {
            assert!(error.contains(word), "{word} in {error}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("@18") > version("@9.6"));
        assert!(version("17") > version("9.6"));
        assert!(version("16.2") > version("16"));
        assert!(version("") < version("14"));
    }
}
