//! What a task's function may return, and where it runs.

use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use pgq::{BoxError, Context, Control, State};

use super::ending;

/// An error of one's own, as thiserror would write it.
#[derive(Debug)]
enum MailError {
    Bounced,
    Control(Control),
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounced => f.write_str("bounced"),
            Self::Control(control) => control.fmt(f),
        }
    }
}

impl Error for MailError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bounced => None,
            Self::Control(control) => Some(control),
        }
    }
}

impl From<Control> for MailError {
    fn from(control: Control) -> Self {
        Self::Control(control)
    }
}

/// An error that can't leave its thread.
#[derive(Debug)]
struct Local(#[allow(dead_code, reason = "only there to be no `Send`")] Rc<()>);

impl From<Local> for BoxError {
    fn from(_: Local) -> Self {
        "a local error".into()
    }
}

type Outcome<T> = Result<T, MailError>;

#[pgq::task]
async fn own_error(wish: u8) -> Outcome<()> {
    match wish {
        0 => Err(pgq::snooze(Duration::from_mins(1)))?,
        1 => Err(pgq::discard("gone"))?,
        2 => Err(MailError::Bounced),
        _ => Ok(()),
    }
}

#[pgq::task]
async fn any_error(wish: u8) -> anyhow::Result<()> {
    anyhow::ensure!(wish != 1, "not one");
    if wish == 0 {
        Err(anyhow::Error::new(pgq::cancel("enough")).context("deep inside"))?;
    }
    Ok(())
}

#[pgq::task]
async fn boxed_error(number: String) -> Result<u8, Box<dyn Error + Send + Sync>> {
    Ok(number.parse()?)
}

#[pgq::task]
async fn text_error() -> Result<(), &'static str> {
    Err("no")
}

#[pgq::task]
fn blocking_local_error() -> Result<(), Local> {
    Err(Local(Rc::new(())))
}

#[pgq::task]
fn blocking(_ctx: Context, name: String, times: u8) -> Result<String, BoxError> {
    // A runtime's own threads can't be blocked on.
    let runs_off_the_runtime =
        thread::current().name() != Some("main") && tokio::runtime::Handle::try_current().is_ok();
    if !runs_off_the_runtime {
        return Err("on the runtime".into());
    }
    Ok(name.repeat(usize::from(times)))
}

#[tokio::test]
async fn an_error_of_ones_own_is_one_to_retry_and_may_carry_a_wish() {
    assert_eq!(ending::<own_error>(0).await, State::Scheduled);
    assert_eq!(ending::<own_error>(1).await, State::Discarded);
    assert_eq!(ending::<own_error>(2).await, State::Retryable);
    assert_eq!(ending::<own_error>(3).await, State::Completed);
}

#[tokio::test]
async fn an_error_of_anyhow_may_carry_a_wish_below_its_context() {
    assert_eq!(ending::<any_error>(0).await, State::Cancelled);
    assert_eq!(ending::<any_error>(1).await, State::Retryable);
    assert_eq!(ending::<any_error>(2).await, State::Completed);
}

#[tokio::test]
async fn a_boxed_error_and_a_text_will_do() {
    assert_eq!(ending::<boxed_error>("7".to_owned()).await, State::Completed);
    assert_eq!(ending::<boxed_error>("x".to_owned()).await, State::Retryable);
    assert_eq!(ending::<text_error>(()).await, State::Retryable);
}

#[tokio::test]
async fn a_blocking_task_runs_off_the_runtime() {
    assert_eq!(ending::<blocking>(BlockingArgs { name: "ab".to_owned(), times: 2 }).await, State::Completed);
}

#[tokio::test]
async fn the_error_of_a_blocking_task_need_not_be_send() {
    assert_eq!(ending::<blocking_local_error>(()).await, State::Retryable);
}

#[test]
fn a_blocking_function_is_called_like_any_other() {
    assert!(blocking_local_error().is_err());
}
