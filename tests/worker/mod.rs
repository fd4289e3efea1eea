//! The worker as a value inside a larger program, with its own loops and the machine's time, on every backend.

mod beside;
mod bursts;
mod crowds;
mod desks;
mod discards;
mod doors;
mod doubt;
mod ends;
pub(crate) mod faults;
mod idle;
mod late_claims;
mod leases;
mod lone;
mod outage;
mod overruled;
pub(crate) mod overtaken;
mod passes;
mod patience;
mod places;
mod refusal;
mod rounds;
mod running;
mod said;
mod shares;
mod shut;
mod slow;
mod spans;
mod stopping;
mod tokens;
mod told;
mod twice;
mod units;
mod waiting;

/// Makes a test of every fact for each backend, but for those about who hears of new jobs.
macro_rules! facts {
    (everywhere: $($fact:ident)*; where_notices_come: $($heard:ident)*;) => {
        mod memory {
            facts! { @in memory: $($fact)* $($heard)* }
        }

        mod postgres {
            facts! { @in postgres: $($fact)* $($heard)* }
        }

        mod poll_only {
            facts! { @in poll_only: $($fact)* }
        }

        #[cfg(feature = "pooler")]
        mod pooler {
            facts! { @in pooler: $($fact)* }
        }
    };
    (@in $place:ident: $($fact:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() -> pgq::Result<()> {
                let (client, _database) = super::places::$place().await;
                super::running::$fact(client).await
            }
        )*
    };
}

facts! {
    everywhere:
    a_worker_runs_what_comes_in_until_it_is_stopped
    a_deferred_job_runs_when_it_is_due
    a_failed_job_runs_again_after_its_delay
    a_schedule_of_every_second_ticks_by_itself
    one_worker_makes_the_jobs_of_schedules_and_another_runs_them
    a_draining_worker_ends_when_nothing_is_left_but_what_is_due_later
    a_backlog_larger_than_the_slots_is_drained
    no_more_run_at_once_than_there_are_slots
    stopping_waits_for_handlers_that_end
    a_handler_that_outlives_the_drain_period_is_handed_back
    a_handler_that_fails_because_its_worker_stops_is_handed_back
    a_handler_that_fails_because_its_worker_stops_is_not_judged
    a_stopping_worker_fires_the_tokens
    two_workers_share_the_jobs
    resources_are_closed_at_the_end
    what_is_discarded_is_told_before_resources_are_closed
    progress_is_written_while_a_handler_runs
    what_an_operator_has_stopped_stays_so_when_a_worker_starts;
    where_notices_come:
        an_idle_worker_hears_of_a_new_job
        a_running_worker_hears_of_a_limit_that_is_set;
}
