//! The documents name the tests that hold what they promise: so these have to be there.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// What stands in backticks and reads like the name of a test.
fn names(document: &str) -> impl Iterator<Item = &str> {
    let quoted = document.split('`').skip(1).step_by(2);
    let last = quoted.map(|path| path.rsplit("::").next().unwrap_or(path));
    last.filter(|name| name.matches('_').count() >= 3 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for part in ["pgq-core", "pgq-macros", "pgq", "pgq-testdb", "tests", "ui-tests"] {
        sources(&root.join(part), &mut code);
    }
    for document in ["GUARANTEES.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let missing: Vec<_> = names(&text).filter(|name| !code.contains(&format!("fn {name}("))).collect();
        assert_eq!(missing, [""; 0], "in {document}");
    }
}
