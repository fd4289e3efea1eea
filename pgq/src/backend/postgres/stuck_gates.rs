//! Gates at which a job waits that the database refuses to let go, as by a trigger of the user's. Whoever waits behind that job waits
//! with it, and nobody at other gates does.

use super::gate_looks::{Cause, look};
use super::gates::PATIENCE;
use super::namespace::fnv1a_64;
use super::refused::Chore;
use super::session::PgSession;
use crate::error::{Error, Result};

impl PgSession {
    /// Lets those go who may leave these gates, in halves, down to the single gates that nobody can be let go from. A gate that holds
    /// somebody up is looked at again within a minute.
    pub(super) async fn look_apart(&self, gates: &[String]) -> Result<()> {
        let mut parts = vec![gates];
        while let Some(part) = parts.pop() {
            match look(&self.engine(), &self.holder(), Cause::Any, part, PATIENCE).await {
                Ok((call, missed)) => {
                    self.unseen.looked_at(part, &missed);
                    self.tell_of_ready(&call).await?;
                }
                Err(error) if error.is_refusal() => match part {
                    [gate] => self.tell_of_stuck(gate, &error),
                    several => {
                        let (part, rest) = several.split_at(several.len() / 2);
                        parts.extend([rest, part]);
                    }
                },
                Err(error) => {
                    parts.push(part);
                    let left = parts.concat();
                    self.unseen.looked_at(&left, &left);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn tell_of_stuck(&self, gate: &str, error: &Error) {
        if self.refused().add(Chore::Unpark, fnv1a_64([gate]).cast_signed()) {
            let error = error.in_line();
            tracing::error!(gate, error, "{}: it is tried again now and then", Chore::Unpark);
        }
    }
}
