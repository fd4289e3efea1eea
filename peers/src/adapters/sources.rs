//! Scripts of peers that expect their tables to be made by copying them out of their source.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::tally::locked_version;

/// The scripts below `directory` of a package whose names end like this, in the order of their paths.
pub(super) fn scripts(package: &str, directory: &str, ending: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    collect(&source(package)?.join(directory), ending, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "expected scripts in {directory} of {package}");
    files.into_iter().map(|file| Ok(fs::read_to_string(file)?)).collect()
}

fn collect(directory: &Path, ending: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, ending, files)?;
        } else if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    Ok(())
}

/// Where cargo has unpacked a package.
fn source(package: &str) -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = home.context("expected HOME or CARGO_HOME")?.join("registry/src");
    let name = format!("{package}-{}", locked_version(package).unwrap_or_default());
    let mut registries = fs::read_dir(&registries).with_context(|| format!("{} isn't there", registries.display()))?;
    let found = registries.find_map(|registry| Some(registry.ok()?.path().join(&name)).filter(|path| path.is_dir()));
    found.with_context(|| format!("the source of {name} isn't where cargo unpacks it"))
}
