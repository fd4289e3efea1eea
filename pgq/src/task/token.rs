//! The token of an attempt, made when somebody asks for it: most handlers never do.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Token {
    /// Fires for all attempts of a worker.
    all: Arc<CancellationToken>,
    own: OnceLock<CancellationToken>,
}

impl Token {
    /// Fires when this one does, or [by itself](Self::cancel).
    pub(crate) fn under(all: &Arc<CancellationToken>) -> Self {
        Self { all: Arc::clone(all), own: OnceLock::new() }
    }

    pub(crate) fn get(&self) -> &CancellationToken {
        self.own.get_or_init(|| self.all.child_token())
    }

    pub(crate) fn cancel(&self) {
        self.get().cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.own.get().unwrap_or(&self.all).is_cancelled()
    }
}
