//! What was probably meant, where there is no such limit: first another one of the same task or name, then what else goes by that
//! name, then what goes by one that is near to it.

use pgq_core::suggest::nearest;

use super::{LimitRef, Owner};
use crate::backend::{Declaration, LimitInfo};

/// A limit that can be set.
pub(super) struct Known {
    limit: LimitRef,
    /// Whether it is there: else its task can be given it.
    is_there: bool,
    /// The tasks that share it.
    sharers: Vec<String>,
}

impl Known {
    pub(super) fn all(kept: &[LimitInfo], tasks: &[Declaration]) -> Vec<Self> {
        let tasks = tasks.iter().flat_map(|task| task.aliases().chain([&*task.name]));
        kept.iter().map(Self::there).chain(tasks.map(Self::new)).collect()
    }

    fn there(info: &LimitInfo) -> Self {
        let name = info.name.split_once('[').map_or(&*info.name, |(name, _)| name);
        let limit = if info.task.is_some() { LimitRef::task(name) } else { LimitRef::shared(name) };
        let limit = LimitRef { key: info.key.clone(), ..limit };
        Self { limit, is_there: true, sharers: info.sharers.clone() }
    }

    fn new(task: &str) -> Self {
        Self { limit: LimitRef::task(task), is_there: false, sharers: Vec::new() }
    }

    fn key(&self) -> Option<&str> {
        self.limit.key.as_deref()
    }
}

/// What to say of a limit that is none of the known ones.
pub(super) fn hint(limit: &LimitRef, known: &[Known]) -> String {
    let other = limit.owner.other();
    let near = |owner: &Owner| nearest_owner(owner, known);
    if !of(&limit.owner, known).is_empty() {
        of_same_owner(limit, known)
    } else if !of(&other, known).is_empty() {
        of_other_kind(limit, &other, known)
    } else if let Some(owner) = near(&limit.owner) {
        format!("did you mean `{}`?", meant(limit, &owner, known).written())
    } else if let Some(owner) = near(&other) {
        of_other_kind(limit, &owner, known)
    } else {
        of_nothing(&limit.owner, known).to_owned()
    }
}

/// The name is right, the key isn't.
fn of_same_owner(limit: &LimitRef, known: &[Known]) -> String {
    let (name, own) = (limit.owner.name(), of(&limit.owner, known));
    let keys = keys(&own);
    let shares = |other: &&Known| other.key() == limit.key.as_deref() && other.sharers.iter().any(|task| task == name);
    if limit.key.is_some()
        && let Some(shared) = known.iter().find(shares)
    {
        return format!("`{name}` shares one: `{}`", limit.instead(shared).written());
    }
    if limit.key.as_deref().is_some_and(|key| nearest(key, &keys).is_some()) {
        return format!("did you mean `{}`?", meant(limit, &limit.owner, known).written());
    }
    if !keys.is_empty() {
        let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
        return format!("`{name}` is counted by {}", keys.join(" and by "));
    }
    if own.iter().any(|own| own.is_there) {
        return format!("`{name}` has one without a key: `{}`", meant(limit, &limit.owner, known).written());
    }
    let same_key = known.iter().filter(|other| other.key().is_some() && other.key() == limit.key.as_deref());
    let same_key: Vec<String> = same_key.take(5).map(|other| format!("`{}`", other.limit.shown())).collect();
    let others = if same_key.is_empty() { String::new() } else { format!(": of that key are {}", same_key.join(", ")) };
    format!("`{name}` has none{others}")
}

/// It is a task's own instead of one that tasks share, or the other way round.
fn of_other_kind(limit: &LimitRef, owner: &Owner, known: &[Known]) -> String {
    let is = match owner {
        Owner::Task(name) => format!("`{name}` is a task"),
        Owner::Tasks(name) => format!("`{name}` is shared"),
    };
    format!("{is}: `{}`", meant(limit, owner, known).written())
}

fn of_nothing(owner: &Owner, known: &[Known]) -> &'static str {
    match owner {
        _ if known.is_empty() => "no worker has declared any yet, and one has to before it can be set",
        Owner::Task(_) => "no worker has declared a task of that name",
        Owner::Tasks(_) => "`Client::limits` lists those that there are",
    }
}

/// Of the limits of an owner the one that was probably meant.
fn meant(limit: &LimitRef, owner: &Owner, known: &[Known]) -> LimitRef {
    let own = of(owner, known);
    let keys = keys(&own);
    let wants_key = limit.key.is_some() || limit.value.is_some();
    let near = limit.key.as_deref().and_then(|key| nearest(key, &keys));
    let is_meant = |own: &&&Known| match near {
        Some(near) => own.key() == Some(near),
        None => own.key().is_some() == wants_key,
    };
    own.iter().find(is_meant).or(own.first()).map_or_else(|| limit.clone(), |own| limit.instead(own))
}

impl LimitRef {
    /// Another limit, and the same value if that has any.
    fn instead(&self, other: &Known) -> Self {
        Self { value: self.value.clone().filter(|_| other.limit.key.is_some()), ..other.limit.clone() }
    }

    /// As a program writes it.
    fn written(&self) -> String {
        let part = |verb, text: Option<&str>| text.map(|text| format!(".{verb}({text:?})")).unwrap_or_default();
        let (key, value) = (part("key", self.key.as_deref()), part("value", self.value.as_deref()));
        let kind = if matches!(self.owner, Owner::Task(_)) { "task" } else { "shared" };
        format!("LimitRef::{kind}({:?}){key}{value}", self.owner.name())
    }
}

/// All that an owner has, and could be given.
fn of<'k>(owner: &Owner, known: &'k [Known]) -> Vec<&'k Known> {
    known.iter().filter(|known| known.limit.owner == *owner).collect()
}

fn keys<'k>(own: &[&'k Known]) -> Vec<&'k str> {
    own.iter().filter_map(|own| own.key()).collect()
}

/// Whose name is near to that of this one, and of its kind.
fn nearest_owner(owner: &Owner, known: &[Known]) -> Option<Owner> {
    let alike = known.iter().map(|known| &known.limit.owner).filter(|known| known.is_of_kind(owner));
    let names: Vec<&str> = alike.map(Owner::name).collect();
    nearest(owner.name(), &names).map(|name| owner.renamed(name))
}

impl Owner {
    pub(super) fn name(&self) -> &str {
        let (Self::Task(name) | Self::Tasks(name)) = self;
        name
    }

    fn is_of_kind(&self, other: &Self) -> bool {
        matches!(self, Self::Task(_)) == matches!(other, Self::Task(_))
    }

    fn renamed(&self, name: &str) -> Self {
        match self {
            Self::Task(_) => Self::Task(name.to_owned()),
            Self::Tasks(_) => Self::Tasks(name.to_owned()),
        }
    }

    /// Of the same name and the other kind.
    fn other(&self) -> Self {
        match self {
            Self::Task(name) => Self::Tasks(name.clone()),
            Self::Tasks(name) => Self::Task(name.clone()),
        }
    }
}
