//! The limits of the fleet's tasks: what each version of the code declares, and what the operator sets.

use std::fmt;
use std::time::Duration;

use pgq::{Allow, LimitRef};

use crate::tasks::Version;

/// What a limit allows; what is `None` isn't bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) at_once: Option<u32>,
    /// Starts in a second, and in one moment.
    pub(crate) pace: Option<(f64, u32)>,
}

pub(crate) const NONE: Bounds = Bounds { at_once: None, pace: None };

const fn at_once(most: u32) -> Bounds {
    Bounds { at_once: Some(most), pace: None }
}

const fn pace(rate: f64, burst: u32) -> Bounds {
    Bounds { at_once: None, pace: Some((rate, burst)) }
}

impl Bounds {
    pub(crate) fn allow(self) -> Allow {
        let allow = self.at_once.map_or_else(Allow::everything, Allow::at_once);
        self.pace.map_or(allow, |(rate, burst)| allow.starts(rate, Duration::from_secs(1)).burst(burst))
    }
}

/// What a limit counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    All,
    Key,
    Process,
}

pub(crate) struct Limit {
    pub(crate) what: &'static str,
    /// By all the names that their jobs may have.
    pub(crate) tasks: &'static [&'static str],
    pub(crate) each: Each,
    /// Counts only attempts of workers of this version: a renamed task's limits are counted apart, and what each worker counts.
    pub(crate) only: Option<Version>,
    /// As each version declares it.
    pub(crate) declared: [Bounds; 2],
    /// Under what it is overridden.
    pub(crate) named: Option<fn() -> LimitRef>,
}

const fn own(what: &'static str, tasks: &'static [&'static str], first: Bounds, second: Bounds) -> Limit {
    Limit { what, tasks, each: Each::All, only: None, declared: [first, second], named: None }
}

const fn keyed(what: &'static str, tasks: &'static [&'static str], first: Bounds, second: Bounds) -> Limit {
    Limit { each: Each::Key, ..own(what, tasks, first, second) }
}

impl Limit {
    const fn of(self, version: Version) -> Self {
        Self { only: Some(version), ..self }
    }

    const fn named(self, named: fn() -> LimitRef) -> Self {
        Self { named: Some(named), ..self }
    }
}

pub(crate) const LIMITS: &[Limit] = &[
    own("narrow", &["narrow"], at_once(3), at_once(5)).named(|| LimitRef::task("narrow")),
    own("serial", &["serial"], at_once(1), at_once(1)).named(|| LimitRef::task("serial")),
    own("freed", &["freed"], at_once(2), NONE).named(|| LimitRef::task("freed")),
    own("long", &["long"], at_once(3), at_once(2)).named(|| LimitRef::task("long")),
    own("draft", &["draft"], at_once(2), NONE).of(Version::First).named(|| LimitRef::task("draft")),
    own("draft, now called letter", &["draft", "letter"], at_once(2), at_once(2))
        .of(Version::Second)
        .named(|| LimitRef::task("draft")),
    Limit { each: Each::Process, ..own("local, each worker of the first version", &["local"], at_once(2), at_once(2)) }
        .of(Version::First),
    Limit {
        each: Each::Process,
        ..own("local, each worker of the second version", &["local"], at_once(3), at_once(3))
    }
    .of(Version::Second),
    own("press: print and bind", &["print", "bind"], at_once(5), at_once(3)).named(|| LimitRef::shared("press")),
    own("print", &["print"], at_once(4), at_once(4)),
    own("paced", &["paced"], pace(40.0, 5), pace(15.0, 10)).named(|| LimitRef::task("paced")),
    own("slow", &["slow"], pace(2.0, 20), pace(4.0, 8)).named(|| LimitRef::task("slow")),
    own("waves", &["waves"], pace(2.0, 20), pace(2.0, 20)),
    own("by the minute", &["minutely"], pace(5.0, 5), pace(10.0, 10)),
    own("carrier: pack and ship", &["pack", "ship"], pace(20.0, 4), pace(20.0, 4))
        .named(|| LimitRef::shared("carrier")),
    keyed("tenants, each", &["tenants"], at_once(2), at_once(3)).named(|| LimitRef::task("tenants").key("tenant")),
    keyed("accounts, each", &["accounts"], at_once(1), at_once(1)).named(|| LimitRef::task("accounts").key("account")),
    keyed("hosts, each", &["hosts"], pace(10.0, 2), pace(4.0, 6)).named(|| LimitRef::task("hosts").key("host")),
    keyed(
        "values, each of 1,200",
        &["values"],
        Bounds { at_once: Some(1), ..pace(1.0, 1) },
        Bounds { at_once: Some(1), ..pace(2.0, 1) },
    ),
];

/// What the operator may set of a limit, also of one value of its key.
pub(crate) struct Choice {
    pub(crate) of: &'static str,
    pub(crate) value: Option<&'static str>,
    pub(crate) bounds: &'static [Bounds],
}

const fn choice(of: &'static str, bounds: &'static [Bounds]) -> Choice {
    Choice { of, value: None, bounds }
}

/// What bounds nothing takes a limit away, and what is set or cleared after it brings it back.
pub(crate) const CHOICES: &[Choice] = &[
    choice("narrow", &[at_once(1), at_once(8), at_once(0), NONE, NONE]),
    choice("serial", &[at_once(0), at_once(2), NONE]),
    choice("long", &[NONE, at_once(6), NONE, at_once(1)]),
    choice("freed", &[at_once(1), at_once(4)]),
    choice("draft", &[at_once(1), at_once(4), at_once(0)]),
    choice("press: print and bind", &[at_once(2), at_once(8), NONE]),
    choice("paced", &[pace(6.0, 3), pace(80.0, 20), pace(40.0, 1), NONE]),
    choice("slow", &[pace(1.0, 20), pace(6.0, 12), pace(2.0, 2)]),
    choice("carrier: pack and ship", &[pace(5.0, 1), pace(40.0, 10)]),
    choice("tenants, each", &[at_once(1), at_once(4), NONE]),
    Choice { value: Some("t1"), ..choice("tenants, each", &[at_once(5), at_once(1)]) },
    choice("accounts, each", &[at_once(0)]),
    choice("hosts, each", &[pace(2.0, 8), pace(20.0, 1), NONE]),
    Choice { value: Some("1"), ..choice("hosts, each", &[pace(3.0, 3), pace(20.0, 10)]) },
];

impl Choice {
    pub(crate) fn limit(&self) -> LimitRef {
        let named = LIMITS.iter().find(|limit| limit.what == self.of).and_then(|limit| limit.named);
        let limit = named.map_or_else(|| LimitRef::task(self.of), |named| named());
        self.value.map_or(limit.clone(), |value| limit.value(value))
    }

    /// Whether it is about this limit: a task's names all follow one override.
    pub(crate) fn is_of(&self, limit: &Limit) -> bool {
        limit.what == self.of || limit.named.is_some_and(|named| named() == Self { value: None, ..*self }.limit())
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_once, self.pace) {
            (None, None) => write!(f, "no bounds"),
            (Some(most), None) => write!(f, "{most} at once"),
            (None, Some((rate, burst))) => write!(f, "{rate} a second with a burst of {burst}"),
            (Some(most), Some((rate, burst))) => write!(f, "{most} at once, {rate} a second with a burst of {burst}"),
        }
    }
}
