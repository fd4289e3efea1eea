//! What is said to who operates a program.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    /// The spans that there were: the first one is 1.
    pub(crate) spans: Arc<Mutex<Vec<String>>>,
    /// Who is in which one.
    pub(crate) inside: Arc<Mutex<Vec<(ThreadId, u64)>>>,
    /// Whether it is said on standard error instead, as of a program, all of whose threads are heard.
    pub(crate) aloud: bool,
    /// Whether no more than warnings of ours are kept, as with `RUST_LOG=debug,pgq=warn`.
    pub(crate) strict: bool,
}

impl Log {
    /// Hears this thread from now on. Where there is no more than one that hears, whoever is the first to say something is asked once
    /// and for all whether he is heard: so there are two.
    pub(crate) fn listen(&self) -> DefaultGuard {
        static OTHER: OnceLock<Dispatch> = OnceLock::new();
        OTHER.get_or_init(|| Dispatch::new(Self::default()));
        tracing::subscriber::set_default(self.clone())
    }

    pub(crate) fn about(&self, words: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// The span that this thread is in.
    fn inside(&self) -> Option<String> {
        let me = thread::current().id();
        let inside = self.inside.lock().unwrap().iter().rfind(|(thread, _)| *thread == me).map(|(_, span)| *span)?;
        self.spans.lock().unwrap().get(usize::try_from(inside).ok()? - 1).cloned()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if self.strict && metadata.target().starts_with("pgq") && *metadata.level() > Level::WARN {
            return false;
        }
        !self.aloud || *metadata.level() <= Level::INFO && metadata.target().starts_with("pgq")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut line = Line(attributes.metadata().name().to_owned());
        attributes.record(&mut line);
        let mut spans = self.spans.lock().unwrap();
        spans.push(line.0);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        if let Some(span) = self.inside() {
            let _ = write!(line.0, " in {span}");
        }
        if self.aloud {
            eprintln!("{}", line.0);
        } else {
            self.lines.lock().unwrap().push(line.0);
        }
    }

    fn enter(&self, span: &Id) {
        self.inside.lock().unwrap().push((thread::current().id(), span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = (thread::current().id(), span.into_u64());
        let mut inside = self.inside.lock().unwrap();
        if let Some(place) = inside.iter().rposition(|entered| *entered == left) {
            inside.remove(place);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
