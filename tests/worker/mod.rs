//! The worker as a value inside a larger program, with its own loops and the machine's time, on both backends.

mod faults;
mod refusal;
mod running;
mod slow;

/// Makes a test of every fact for each backend.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    super::running::$fact(pgq::Client::memory()).await
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    let database = crate::world::installed().await;
                    let pool = database.pool().await.unwrap();
                    super::running::$fact(pgq::Client::from_pool(pool)?).await
                }
            )*
        }
    };
}

facts! {
    a_worker_runs_what_comes_in_until_it_is_stopped
    an_idle_worker_hears_of_a_new_job
    a_deferred_job_runs_when_it_is_due
    a_failed_job_runs_again_after_its_delay
    a_schedule_of_every_second_ticks_by_itself
    one_worker_makes_the_jobs_of_schedules_and_another_runs_them
    a_draining_worker_ends_when_nothing_is_left_but_what_is_due_later
    a_backlog_larger_than_the_slots_is_drained
    no_more_run_at_once_than_there_are_slots
    stopping_waits_for_handlers_that_end
    a_handler_that_outlives_the_drain_period_is_handed_back
    a_stopping_worker_fires_the_tokens
    two_workers_share_the_jobs
    resources_are_closed_at_the_end
    what_is_discarded_is_told_before_resources_are_closed
    a_handler_that_blocks_the_runtime_keeps_its_lease
}
