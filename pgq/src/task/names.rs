//! The names of listed tasks, compared while the program is compiled: [`tasks!`](crate::tasks) refuses two of one name.

use std::marker::PhantomData;

use super::{Location, Task};

/// What a task of a list is called.
#[derive(Clone, Copy)]
pub struct Names {
    name: &'static str,
    aliases: &'static [&'static str],
    location: Location,
}

/// A type that may be a task. `Listed::<T>::NAMES` is the task's names, or none by [`Nameless`] for what isn't one: that it
/// isn't is told elsewhere, once.
pub struct Listed<T>(PhantomData<T>);

impl<T: Task> Listed<T> {
    /// Its names.
    pub const NAMES: Option<Names> = Some(Names { name: T::NAME, aliases: T::ALIASES, location: T::LOCATION });
}

/// What every [`Listed`] has if it hasn't anything better.
pub trait Nameless {
    /// No names.
    const NAMES: Option<Names> = None;
}

impl<T> Nameless for Listed<T> {}

/// Refuses the list if the task at `index` has a name or alias of one before it.
#[track_caller]
pub const fn distinct(list: &[Option<Names>], index: usize) {
    let Some(task) = list[index] else { return };
    let mut before = 0;
    while before < index {
        if let Some(earlier) = list[before] {
            if task.is(&earlier) {
                refuse(["the task `", task.name, "` stands in this list already: take it away"]);
            }
            if let Some(name) = task.shared(&earlier) {
                refuse(["two tasks of this list have the name `", name, "`: give one of them `name = \"…\"`"]);
            }
        }
        before += 1;
    }
}

impl Names {
    const fn is(&self, other: &Self) -> bool {
        same(self.name, other.name)
            && self.location.line == other.location.line
            && same(self.location.file, other.location.file)
            && same(self.location.krate, other.location.krate)
    }

    /// The first name or alias that both have.
    const fn shared(&self, other: &Self) -> Option<&'static str> {
        let mut index = 0;
        while index <= self.aliases.len() {
            let name = if index == 0 { self.name } else { self.aliases[index - 1] };
            if other.has(name) {
                return Some(name);
            }
            index += 1;
        }
        None
    }

    const fn has(&self, name: &str) -> bool {
        let mut index = 0;
        while index < self.aliases.len() {
            if same(self.aliases[index], name) {
                return true;
            }
            index += 1;
        }
        same(self.name, name)
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// Panics with the parts, which a constant's panic can't put together by itself. A name has at most 128 bytes.
#[track_caller]
const fn refuse(parts: [&str; 3]) -> ! {
    let (mut message, mut length, mut part) = ([0; 256], 0, 0);
    while part < parts.len() {
        let (bytes, mut index) = (parts[part].as_bytes(), 0);
        while index < bytes.len() && length < message.len() {
            message[length] = bytes[index];
            (index, length) = (index + 1, length + 1);
        }
        part += 1;
    }
    match str::from_utf8(message.split_at(length).0) {
        Ok(message) => panic!("{}", message),
        Err(_) => panic!("two tasks of this list have one name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn names(name: &'static str, aliases: &'static [&'static str], line: u32) -> Names {
        Names { name, aliases, location: Location { krate: "shop", file: "tasks.rs", line } }
    }

    #[test]
    fn a_list_of_different_names_is_taken() {
        const LIST: &[Option<Names>] =
            &[Some(names("a", &["b"], 1)), None, Some(names("ab", &[], 1)), Some(names("c", &["d"], 2))];
        const { distinct(LIST, 1) };
        const { distinct(LIST, 2) };
        const { distinct(LIST, 3) };
    }

    #[test]
    #[should_panic(expected = "two tasks of this list have the name `b`: give one of them `name = \"…\"`")]
    fn an_alias_of_another_is_refused_by_its_name() {
        distinct(&[Some(names("a", &["b"], 1)), Some(names("c", &["d", "b"], 2))], 1);
    }

    #[test]
    #[should_panic(expected = "the task `a` stands in this list already: take it away")]
    fn a_task_twice_is_refused_as_such() {
        distinct(&[Some(names("a", &[], 1)), Some(names("b", &[], 2)), Some(names("a", &[], 1))], 2);
    }
}
