//! Under which schema and prefix the tables live, and the statements written for them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pgq_core::literal;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::error::{Error, Result};

/// The longest schema or prefix; with the longest name of ours it stays below the 63 bytes at which PostgreSQL cuts.
const MAX_PART: usize = 32;

/// What several statements read alike, and how they say so.
const FRAGMENTS: [(&str, &str); 2] = [
    ("@{bounds}", include_str!("queries/fragments/bounds.sql")),
    ("@{paces}", include_str!("queries/fragments/paces.sql")),
];

/// A schema and a prefix: where one installation lives, apart from every other in the same database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Namespace {
    schema: String,
    prefix: String,
}

impl Default for Namespace {
    fn default() -> Self {
        Self { schema: "pgq".to_owned(), prefix: String::new() }
    }
}

impl Namespace {
    /// Both are checked: they become part of every statement.
    pub(crate) fn new(schema: &str, prefix: &str) -> Result<Self> {
        checked(schema)?;
        if !prefix.is_empty() {
            checked(prefix)?;
        }
        Ok(Self { schema: schema.to_owned(), prefix: prefix.to_owned() })
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of the advisory lock with this purpose, of this namespace alone.
    pub(super) fn lock(&self, purpose: &str) -> i64 {
        fnv1a_64([purpose, &self.schema, &self.prefix]).cast_signed()
    }

    /// `template` with `@name` qualified and `@@name` prefixed, the fragment in place of `@{name}`, and without its comments.
    pub(super) fn render(&self, template: &str) -> String {
        let whole = |code: String, (mark, fragment): (&str, &str)| code.replace(mark, &code_of(fragment));
        let code = FRAGMENTS.into_iter().fold(code_of(template), whole);
        let mut parts = code.split('@');
        let mut rendered = parts.next().unwrap_or_default().to_owned();
        let mut bare = false;
        for part in parts {
            let end =
                part.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            if name.is_empty() {
                // The first of `@@name`, or an operator such as `@>`.
                bare = rest.is_empty();
                rendered.push_str(if bare { "" } else { "@" });
            } else if bare {
                rendered.extend(["\"", &self.prefix, name, "\""]);
                bare = false;
            } else {
                rendered.extend(["\"", &self.schema, "\".\"", &self.prefix, name, "\""]);
            }
            rendered.push_str(rest);
        }
        rendered
    }

    /// The statements of this namespace, rendered once per process; for whom a pooler may be between, prepared by no name.
    pub(crate) fn statements(&self, poll_only: bool) -> Arc<Statements> {
        type Rendered = HashMap<(Namespace, bool), Arc<Statements>>;
        static RENDERED: Mutex<Option<Rendered>> = Mutex::new(None);
        let mut rendered = RENDERED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rendered.get_or_insert_default().entry((self.clone(), poll_only));
        Arc::clone(known.or_insert_with(|| Arc::new(Statements::of(self, !poll_only))))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema {}", self.schema)?;
        if !self.prefix.is_empty() {
            write!(f, ", prefix {}", self.prefix)?;
        }
        Ok(())
    }
}

fn code_of(template: &str) -> String {
    template.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

fn checked(part: &str) -> Result<&str> {
    literal::identifier(part, MAX_PART).map_err(|error| Error::invalid(error.to_string()))
}

/// A statement of ours. Names in it were validated and quoted; everything else is bound.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    text: Arc<str>,
    persistent: bool,
}

impl Sql {
    pub(super) fn query<'q>(&self) -> Query<'q, sqlx::Postgres, PgArguments> {
        query(Arc::clone(&self.text)).persistent(self.persistent)
    }
}

/// A statement that is done once, and is right on every connection within a transaction.
pub(super) fn once<'q>(text: &'static str) -> Query<'q, sqlx::Postgres, PgArguments> {
    query(text.into()).persistent(false)
}

#[expect(clippy::disallowed_methods, reason = "whoever calls this says whether it is prepared")]
fn query<'q>(text: Arc<str>) -> Query<'q, sqlx::Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(text))
}

macro_rules! statements {
    ($($verb:ident)*) => {
        /// Every statement, written for one namespace.
        #[derive(Debug)]
        pub(crate) struct Statements {
            pub(super) namespace: Namespace,
            /// Whether they are prepared once for each connection, and stay so.
            pub(super) persistent: bool,
            $(pub(super) $verb: Sql,)*
        }

        #[cfg(test)]
        impl Statements {
            /// Every statement by its name.
            pub(super) fn all(namespace: &Namespace) -> Vec<(&'static str, Arc<str>)> {
                let statements = Self::of(namespace, true);
                vec![$((stringify!($verb), statements.$verb.text),)*]
            }
        }

        impl Statements {
            fn of(namespace: &Namespace, persistent: bool) -> Self {
                let sql = |template| Sql { text: namespace.render(template).into(), persistent };
                Self {
                    namespace: namespace.clone(),
                    persistent,
                    $($verb: sql(include_str!(concat!("queries/", stringify!($verb), ".sql"))),)*
                }
            }
        }
    };
}

statements! {
    add_gates advance agenda awaited beats begin_limits cancel claim clear_gate clear_key clear_limit declarations declare_limits
    declare_lost delete delete_schedule deregister doze drop_limit due_gates edit edition enqueue enqueue_one enqueue_unique enter
    expirable expire failures far_gates find finish fire foretell forget_workers forgotten free free_keys freeable fulfil gate_jobs gates get hold_schedule holder
    idle_gates inherit_limits leave leave_lost limit_shares limit_values limits lock_free_gates lock_gates lock_limits lock_schedule look mark_freed note_edition
    open_limits open_missed orphaned_shares pace_limits park pass pause pauses pools promotable promote prunable prune prune_gates prune_schedules put_back raise recount_gates register_tasks
    register_worker release rename_schedules renew replace resume retry rouse running schedule served set_gate set_limit settle
    shares sweep take_chore tell_all trigger unfinished unpark untold waited_gates wake whereabouts
}

/// 64-bit FNV-1a over the parts, with a separator that no name holds. Source: Fowler, Noll, Vo; draft-eastlake-fnv.
pub(super) fn fnv1a_64<'p>(parts: impl IntoIterator<Item = &'p str>) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_qualified_quoted_and_prefixed() {
        let namespace = Namespace::new("jobs", "a_").unwrap();
        let rendered = namespace.render("-- @not this\ncreate index @@job_ready on @job (x) where a @> b and @f()");
        assert_eq!(
            rendered,
            "create index \"a_job_ready\" on \"jobs\".\"a_job\" (x) where a @> b and \"jobs\".\"a_f\"()"
        );
    }

    #[test]
    fn fragments_stand_in_place_of_their_names() {
        let rendered = Namespace::default().render("select @{paces} from @gate as gate");
        assert!(rendered.starts_with("select gate.clear, gate.pace, "), "{rendered}");
        assert!(rendered.ends_with(" as past_until from \"pgq\".\"gate\" as gate"), "{rendered}");
    }

    #[test]
    fn what_needs_escaping_is_no_namespace() {
        for (schema, prefix) in [("", ""), ("a\"b", ""), ("a", "b\""), ("A", ""), ("a;b", ""), (&"a".repeat(33), "")] {
            assert!(Namespace::new(schema, prefix).is_err(), "{schema} {prefix}");
        }
    }

    #[test]
    fn locks_differ_by_namespace_and_purpose() {
        let (a, b) = (Namespace::new("a", "b").unwrap(), Namespace::new("ab", "").unwrap());
        assert_ne!(a.lock("promote"), b.lock("promote"));
        assert_ne!(a.lock("promote"), a.lock("migrate"));
    }
}
