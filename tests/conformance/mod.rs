//! The semantics that every backend has: each fact is tested on all of them.

mod agenda;
mod blocking;
mod by_name;
mod cancel;
mod claim;
mod crew;
mod deferral;
mod discards;
mod editions;
mod enqueue;
mod fence;
mod finish;
mod follow_ups;
mod gates;
mod handlers;
mod idle_gates;
mod layers;
mod life;
mod limit_keys;
pub(crate) mod limits;
mod look;
mod operate;
mod order;
mod overrides;
mod paces;
mod pause;
mod programs;
mod progress;
mod rates;
mod rescue;
mod retention;
mod retry;
mod schedules;
mod shares;
mod terms;
mod transaction;
mod transactional;
mod turns;
mod unique;
mod unknown_limits;
mod unrest;
mod upheaval;
mod versions;
mod waits;
mod wake;
mod zombies;

/// Makes a test of every fact for each backend, by the name of the backend and the fact.
macro_rules! facts {
    ($($room:ident: $($fact:ident)*;)*) => {
        mod memory {
            $($(
                #[tokio::test]
                async fn $fact() -> pgq::Result<()> {
                    super::$room::$fact(crate::world::World::memory()).await
                }
            )*)*
        }

        mod postgres {
            $($(
                #[tokio::test]
                async fn $fact() -> pgq::Result<()> {
                    super::$room::$fact(crate::world::World::postgres().await).await
                }
            )*)*
        }

        mod poll_only {
            $($(
                #[tokio::test]
                async fn $fact() -> pgq::Result<()> {
                    super::$room::$fact(crate::world::World::poll_only().await).await
                }
            )*)*
        }

        #[cfg(feature = "pooler")]
        mod pooler {
            $($(
                #[tokio::test]
                async fn $fact() -> pgq::Result<()> {
                    super::$room::$fact(crate::world::World::pooler().await).await
                }
            )*)*
        }
    };
}

facts! {
    discards:
        who_asks_is_told_of_every_job_that_is_given_up
        what_nobody_begins_in_time_is_discarded_though_nobody_claims_it
        a_hook_that_panics_harms_nobody
        who_rescues_is_told_of_what_died_with_its_workers
        nobody_is_told_of_an_end_that_came_too_late;
    enqueue:
        a_job_is_available_once_it_is_enqueued
        a_job_carries_what_it_was_given
        an_empty_batch_enqueues_nothing
        a_batch_of_100_000_is_enqueued_whole
        handles_come_in_the_order_of_the_batch
        tasks_can_be_mixed_in_a_batch
        a_payload_over_the_limit_is_refused
        a_job_is_the_same_in_a_batch_as_alone
        a_batch_with_one_bad_job_enqueues_none
        a_job_of_any_task_can_be_enqueued_again
        an_id_comes_back_from_a_table_of_ones_own
        arguments_that_cannot_be_encoded_are_refused
        odd_values_are_refused_with_what_was_expected
        the_ends_of_every_range_are_taken
        nan_travels_in_a_payload
        nothing_happens_before_an_enqueue_is_awaited;
    gates:
        who_waits_too_long_at_a_gate_is_discarded
        who_comes_too_late_to_a_gate_takes_no_token
        who_comes_too_late_to_a_gate_takes_nobodys_turn
        a_clock_that_is_set_back_strands_nobody_at_a_gate
        what_is_done_now_and_then_is_done_though_the_clock_is_set_back
        what_began_while_a_limit_was_gone_counts
        a_backlog_of_one_key_is_parked_in_larger_steps_than_its_task_may_run
        a_value_that_is_allowed_a_higher_rate_starts_at_once
        a_job_whose_workers_died_is_passed_by
        a_job_that_moves_on_to_another_gate_leaves_the_first_one_open
        jobs_of_a_task_that_nobody_runs_any_more_leave_a_shared_gate_open
        jobs_of_a_task_that_nobody_runs_leave_the_rest_of_a_shared_gate_open
        a_shared_limit_that_is_taken_away_holds_up_nobody
        a_shared_limit_holds_as_long_as_a_worker_declares_it
        a_shared_limit_waits_for_a_program_that_is_away
        a_limit_of_a_task_that_is_taken_out_of_its_program_is_gone
        each_value_of_a_limit_key_is_counted_by_itself
        who_waits_for_a_key_starts_when_an_attempt_ends
        jobs_of_one_key_run_one_at_a_time_and_in_order
        a_key_has_a_rate_of_its_own
        a_job_waits_for_all_its_gates_and_holds_none
        tasks_share_a_limit_with_a_key
        a_gate_is_free_when_the_worker_behind_it_is_gone
        a_gate_is_free_when_a_job_is_handed_back
        a_job_that_waits_can_be_cancelled_and_leaves_no_hole
        a_retry_goes_behind_those_that_wait
        a_higher_bound_lets_more_through
        other_arguments_lead_to_another_gate
        what_waits_at_a_gate_holds_up_no_other_key
        a_job_that_nobody_runs_holds_up_no_other_task_at_its_gate
        nobody_who_waits_is_claimed_again_and_again;
    limits:
        no_more_attempts_of_a_task_run_at_once_than_it_allows
        workers_that_starve_are_given_their_part
        what_is_limited_holds_up_nothing_else
        one_worker_runs_no_more_of_a_task_than_a_worker_may
        tasks_that_name_one_limit_share_it
        what_a_worker_runs_counts_until_it_is_gone
        what_a_worker_does_not_use_goes_back_within_a_second
        a_rate_lets_its_burst_start_and_then_one_at_a_time
        workers_keep_a_rate_together
        a_rate_that_is_used_up_stays_for_a_while_and_then_goes_round
        a_rate_that_was_lifted_for_a_while_is_kept_again
        who_moves_the_clock_on_meets_each_token_of_a_rate
        who_moves_the_clock_on_gives_back_what_is_not_used
        a_slow_rate_goes_on_filling_while_workers_come_and_go
        what_a_rate_has_for_who_leaves_goes_on_to_others;
    zombies:
        what_a_zombie_ends_frees_no_place_at_a_gate
        what_a_zombie_ends_frees_nothing_of_a_limit
        what_a_zombie_hands_back_frees_no_place_at_a_gate
        an_end_that_is_told_again_frees_no_place_that_was_taken_since;
    idle_gates:
        a_gate_at_rest_is_forgotten_and_back_when_it_is_needed
        a_gate_that_somebody_has_passed_or_waits_at_is_kept
        a_rate_that_has_starts_to_forget_is_kept
        what_is_set_of_a_value_is_kept;
    paces:
        what_a_value_lacks_is_kept_where_an_operator_changes_its_rate
        what_a_value_lacks_is_kept_where_another_version_declares_its_rate
        what_a_value_lacks_is_kept_where_it_is_given_a_rate_of_its_own
        what_a_value_lacks_is_counted_once_where_its_own_rate_goes_while_its_limit_has_none
        what_a_value_lacks_is_kept_while_nobody_looks
        what_a_value_lacks_is_kept_through_the_changes_since_its_limit_is_back
        what_a_value_lacks_is_kept_through_many_changes
        a_burst_that_is_lowered_and_raised_again_is_there_once
        values_that_lack_something_by_another_rate_keep_no_others_from_being_forgotten
        a_value_that_lacks_something_by_another_rate_is_not_forgotten;
    rates:
        a_rate_that_an_operator_raises_has_not_filled_faster_before
        a_rate_that_another_version_raises_has_not_filled_faster_before
        a_rate_that_is_lowered_keeps_what_has_filled
        a_burst_that_grows_comes_empty
        a_burst_that_shrinks_and_grows_again_has_lost_what_it_had;
    shares:
        nobody_has_more_of_a_limit_than_there_is
        what_is_given_back_goes_to_who_waits_and_he_is_told
        who_has_more_than_an_even_part_is_told_that_somebody_starves
        what_a_worker_had_that_is_gone_is_others
        what_a_worker_had_that_leaves_is_others
        a_worker_that_is_gone_gets_nothing
        who_is_silent_is_given_nothing_and_told_of_what_is_free
        who_was_silent_and_waits_is_heard_again
        tokens_come_back_with_their_units
        a_token_that_is_told_of_other_units_or_another_rate_is_not_known
        tokens_of_a_worker_that_leaves_are_not_there_again
        tokens_of_a_worker_that_dies_are_not_there_again
        a_rate_that_bounds_again_begins_with_nothing
        who_has_not_said_what_he_runs_is_awaited_until_he_is_gone
        what_is_said_before_a_limit_comes_back_does_not_count
        what_is_said_before_a_limit_is_declared_again_does_not_count
        who_lives_and_does_not_say_what_he_runs_is_awaited_while_a_lease_lasts
        a_rates_tokens_grow_while_nobody_has_them
        a_limit_that_the_newest_set_does_not_have_bounds_nothing
        the_newest_set_that_a_live_worker_has_bounds_a_limit
        a_lower_bound_is_come_down_to
        a_want_of_none_is_only_looked_for
        a_group_of_wants_shares_its_room;
    versions:
        a_shared_limit_counts_what_a_version_runs_that_does_not_name_it
        a_task_that_joins_a_shared_limit_brings_what_a_version_before_runs_of_it
        a_rate_begins_full_where_nobody_ran_its_task
        a_rate_begins_with_nothing_where_a_version_runs_its_task_without_it
        what_is_set_of_a_task_outlives_the_rollback_of_its_name;
    waits:
        a_job_that_nobody_has_come_for_waits_for_a_gate_that_is_closed
        a_job_waits_for_its_time_and_then_for_a_worker
        who_runs_or_has_finished_waits_for_nothing
        the_worker_of_a_job_that_is_gone_has_no_name
        a_job_of_a_paused_queue_or_task_waits_for_that
        a_job_waits_for_those_that_have_passed_its_gate
        a_job_waits_while_others_are_let_through_its_gate_that_is_open
        what_a_worker_that_is_gone_has_of_a_limit_is_told
        a_job_waits_for_who_has_places_and_runs_nothing_in_them
        a_job_waits_for_who_has_not_said_what_he_runs
        a_job_waits_for_the_next_start_of_its_gates_rate
        a_job_is_told_when_a_rate_lets_it_start_at_the_latest
        when_a_slow_rate_lets_a_job_start_is_one_instant_whenever_it_is_asked
        of_several_workers_the_first_to_have_a_token_of_a_slow_rate_is_told
        when_a_job_starts_under_another_slow_rate_is_told_by_that
        a_job_waits_for_the_workers_that_have_all_units
        a_job_waits_for_a_token_and_not_for_units_that_nothing_runs_with
        a_job_waits_for_the_limit_that_holds_it_up_of_several
        a_job_waits_for_all_that_run_of_tasks_that_share_its_limit;
    overrides:
        what_another_worker_runs_counts_where_a_limit_is_new
        what_another_worker_runs_counts_where_a_limit_was_lifted
        who_has_nothing_of_a_new_limit_holds_up_nobody
        a_lower_rate_holds_for_all_workers_together
        an_override_holds_until_it_is_cleared
        a_cleared_limit_is_as_it_is_declared
        a_lifted_limit_lets_all_start
        however_many_wait_none_is_left_behind_when_a_limit_is_lifted
        nothing_starts_where_none_is_allowed
        after_a_rollback_limits_are_as_the_old_version_says
        a_task_without_a_limit_can_be_given_one
        a_shared_limit_is_bound_also_in_what_it_does_not_declare
        units_that_nobody_needs_any_more_do_not_go_round
        a_rate_can_be_set
        one_value_can_be_allowed_more
        what_is_set_of_a_value_holds_under_all_names_of_a_task
        what_is_set_of_a_task_outlives_its_name
        a_limit_is_set_by_any_name_of_its_task
        what_is_set_of_a_value_outlives_its_limits_declaration
        what_began_while_a_limit_was_lifted_counts
        limits_are_listed_with_who_has_what
        an_odd_bound_is_refused
        whatever_is_set_and_cleared_no_job_is_left_behind;
    unknown_limits:
        a_wrong_key_is_told_with_what_else_the_same_task_has
        a_wrong_key_is_told_with_what_else_the_same_shared_limit_has
        a_shared_limit_is_told_from_a_tasks_own
        a_wrong_name_is_told_with_the_nearest_one
        a_value_wants_a_key
        a_limit_is_set_once_a_worker_has_declared_it;
    transaction:
        a_job_exists_once_its_transaction_is_committed
        a_job_of_a_rolled_back_transaction_never_existed
        a_dropped_transaction_is_rolled_back
        a_refused_job_leaves_the_transaction_usable;
    order:
        a_higher_priority_runs_first
        among_equals_the_longest_due_runs_first
        priority_is_strict_over_tasks_and_queues
        a_task_at_the_front_never_overtakes_the_next_head
        a_task_at_the_front_shares_what_is_equal_to_the_next_head
        tasks_with_equal_heads_share_a_claim
        one_free_slot_goes_to_the_oldest_head
        a_cap_holds_for_its_task_alone;
    deferral:
        a_deferred_job_waits_for_its_time
        promotion_tells_how_long_until_the_next
        promotion_goes_in_bounded_steps
        an_instant_in_the_past_means_at_once;
    claim:
        a_job_is_claimed_once
        a_claim_counts_the_attempt_and_the_claim
        a_claim_takes_no_more_than_it_asks_for
        a_claim_says_when_it_has_won_all_that_there_was
        other_tasks_and_queues_are_left_alone
        claims_at_one_time_share_the_jobs
        a_claim_whose_answer_was_lost_can_be_handed_back
        a_worker_that_left_claims_nothing
        who_leaves_hands_back_what_it_holds;
    finish:
        a_completed_job_leaves_and_is_kept_for_its_time
        nothing_is_kept_where_nothing_is_asked_for
        a_retry_waits_and_counts
        a_retry_without_delay_is_available_at_once
        a_snooze_refunds_the_attempt
        a_release_refunds_the_attempt_and_keeps_its_place
        what_is_given_up_is_kept_with_its_failure
        a_batch_ends_every_way_at_once
        hostile_failures_hurt_nobody_in_their_batch
        a_failure_says_who_ran_the_attempt_and_from_when_to_when
        a_failure_that_is_written_late_says_when_it_was;
    follow_ups:
        a_completed_job_leaves_its_follow_ups
        a_job_that_does_not_complete_leaves_none
        who_lost_the_lease_leaves_no_follow_ups
        a_follow_up_whose_unique_key_is_taken_is_left_out
        a_follow_up_with_a_mistake_is_told_of_at_once
        follow_ups_wake_a_sleeper;
    transactional:
        what_a_handler_did_in_its_transaction_stands_with_its_completion
        nothing_stands_of_an_attempt_that_does_not_complete
        follow_ups_are_in_the_same_commit
        nothing_stands_of_an_attempt_that_was_overtaken
        a_handler_that_is_out_of_time_leaves_nothing;
    blocking:
        no_more_blocking_jobs_are_claimed_than_can_begin
        blocking_tasks_share_the_threads_that_are_free
        a_handler_that_outlives_its_time_counts_until_its_thread_ends
        a_cancelled_handler_counts_until_its_thread_ends
        a_handler_that_is_out_of_time_can_be_cancelled_while_its_thread_goes_on
        a_handler_that_is_left_behind_keeps_its_place_and_its_result_is_ignored;
    by_name:
        a_job_by_name_is_as_its_task_declares
        a_job_by_name_has_the_unique_key_of_a_typed_one
        a_job_by_name_goes_wherever_a_typed_one_does
        arguments_that_do_not_fit_the_schema_are_refused
        a_task_of_another_program_gets_what_it_is_given
        arguments_that_cannot_be_read_are_told_by_the_worker
        what_a_program_has_itself_is_keyed_as_the_task_would_write_it
        a_name_that_nobody_has_declared_is_refused
        a_queued_job_is_edited_by_name;
    retention:
        failures_go_with_their_job
        a_retry_by_hand_keeps_the_failures
        a_cancelled_job_is_kept_as_its_task_declares
        what_is_not_kept_leaves_no_failures
        a_job_keeps_its_last_hundred_failures
        pruning_goes_in_bounded_steps;
    cancel:
        a_queued_job_is_cancelled_at_once
        a_finished_job_cannot_be_cancelled_and_it_is_said
        thousands_are_cancelled_in_one_call_with_an_answer_for_each
        the_holder_of_a_running_job_is_told
        a_running_job_is_cancelled_when_its_handler_ends
        a_wish_to_cancel_outlives_the_worker_that_died
        a_wish_to_cancel_is_said_for_as_long_as_the_job_runs
        a_wish_to_cancel_outlives_a_job_that_is_handed_back
        a_job_that_is_retried_by_hand_is_not_cancelled_by_an_old_wish;
    fence:
        a_stale_epoch_cannot_finish_a_job
        another_workers_lease_cannot_finish_a_job
        a_late_write_harms_none_of_its_batch
        an_end_is_written_once;
    rescue:
        jobs_of_a_silent_worker_run_elsewhere
        who_rescues_is_told_when_the_next_lease_is_over
        a_clock_that_is_set_on_makes_nobody_gone
        a_clock_that_is_set_back_lets_nobody_be_silent_for_longer
        a_beat_keeps_the_lease
        a_rescued_jobs_first_holder_cannot_finish_it
        what_a_worker_left_behind_is_freed_within_a_minute
        a_freed_job_keeps_what_became_of_its_attempt
        a_job_that_kills_its_workers_waits_longer_each_time_and_is_discarded
        a_job_whose_last_attempt_crashed_is_discarded
        suspects_are_claimed_one_at_a_time
        an_attempt_that_ends_by_itself_clears_its_job
        a_worker_that_starts_late_declares_nobody_gone_at_once;
    turns:
        each_of_more_workers_than_units_has_its_turn
        a_rate_that_is_raised_is_used_up_by_a_worker_that_is_alone
        who_waits_for_a_rate_asks_again_where_it_was_lifted_for_a_moment
        who_waits_for_a_rate_has_nothing_of_a_limit_that_others_wait_for
        who_waits_for_an_attempt_to_end_has_nothing_of_a_limit_that_others_wait_for
        who_is_busy_with_jobs_of_higher_priority_leaves_a_limits_units_to_others
        a_shared_limits_units_stay_until_the_other_ones_have_come
        what_was_kept_for_something_else_lets_one_start_once_that_has_come
        units_with_which_nothing_may_start_do_not_go_round
        nothing_starts_while_more_run_than_may_since_a_bound_was_lowered;
    unrest:
        whatever_is_set_no_more_start_than_may_and_all_have_their_turn;
    upheaval:
        whoever_dies_and_whatever_is_late_no_more_start_than_may_and_all_have_their_turn;
    unique:
        a_second_job_with_a_key_is_refused_and_told_of_the_first
        a_key_is_taken_until_its_job_has_ended
        a_second_job_can_be_skipped_for_the_first
        a_second_job_can_replace_what_the_first_carries
        a_second_job_can_raise_the_priority_of_the_first
        a_key_can_stay_taken_for_a_while_after_its_job
        what_was_cancelled_frees_its_key_at_once
        each_outcome_of_a_batch_stands_at_its_place
        a_key_is_exact_under_many_enqueuers
        batches_that_cross_do_not_deadlock
        a_refused_duplicate_leaves_the_transaction_usable
        a_key_of_a_rolled_back_transaction_is_free
        a_task_can_name_the_arguments_that_make_its_key
        a_task_can_be_one_job_at_a_time
        a_task_says_how_a_conflict_is_met_and_a_job_may_differ
        an_odd_key_is_refused;
    retry:
        a_finished_job_is_available_again_with_attempts_granted_anew
        what_is_not_finished_or_kept_is_not_retried
        a_retried_job_takes_its_unique_key_again
        a_job_whose_unique_key_is_taken_by_now_is_not_retried
        retrying_wakes_a_sleeper;
    life:
        any_sequence_of_events_leaves_a_job_where_the_table_says;
    limit_keys:
        limit_keys_are_the_values_of_fields_and_of_functions
        a_field_that_is_left_out_is_null
        arguments_without_fields_make_no_limit_key_of_one
        hostile_values_make_limit_keys_too
        limit_keys_stay_with_their_job
        a_replacement_brings_its_limit_keys
        other_arguments_bring_other_limit_keys
        a_job_whose_arguments_make_no_limit_keys_loses_those_that_it_had
        a_job_by_name_has_the_limit_keys_of_a_typed_one
        a_task_of_another_program_has_limit_keys_of_its_fields
        a_created_schedule_hands_its_limit_keys_on
        a_follow_up_has_limit_keys
        workers_publish_the_limits_of_their_tasks;
    operate:
        jobs_are_listed_in_pages_the_newest_first
        a_list_takes_every_condition
        arguments_are_looked_into
        a_look_reads_no_more_than_it_is_told_to
        a_count_says_whether_it_is_exact
        jobs_are_cancelled_by_what_they_have_in_common
        jobs_are_retried_by_what_they_have_in_common
        jobs_are_deleted_by_what_they_have_in_common
        to_act_on_many_takes_a_condition
        a_queued_job_can_be_edited
        an_edit_leaves_the_time_that_a_job_has_to_begin
        what_runs_or_is_finished_is_not_edited
        arguments_of_another_task_are_refused
        an_odd_edit_is_refused
        an_edit_wakes_a_sleeper
        a_deleted_job_is_gone_with_its_unique_key
        a_running_job_is_not_deleted;
    pause:
        nothing_of_a_paused_queue_is_claimed
        nothing_of_a_paused_task_is_claimed
        a_pause_ends_by_itself
        a_second_pause_takes_the_place_of_the_first
        resuming_wakes_a_sleeper
        an_odd_reason_is_refused;
    programs:
        a_job_waits_for_what_another_program_runs_of_their_limit
        nobody_is_awaited_who_runs_no_task_that_joins_a_limit
        a_task_that_a_later_version_takes_out_of_a_limit_shares_it_no_more;
    progress:
        progress_is_seen_while_an_attempt_runs
        the_last_progress_is_written_with_the_end
        a_new_attempt_begins_without_progress
        progress_stays_with_its_job
        what_died_with_its_worker_keeps_its_progress
        the_last_progress_is_in_the_commit_of_a_handlers_transaction
        odd_progress_is_kept_as_it_is_said
        a_late_holders_progress_is_refused
        an_attempt_that_was_overtaken_hears_of_it_by_its_progress;
    schedules:
        each_tick_is_fired_once_and_tells_of_the_one_before
        two_workers_make_one_job_of_a_tick
        a_tick_that_somebody_else_has_fired_makes_no_job
        what_the_fleet_missed_is_fired_as_the_schedule_says
        a_tick_beside_an_unfinished_job_is_passed_over
        one_tick_waits_for_an_unfinished_job
        jobs_overlap_where_that_is_allowed
        a_changed_expression_takes_the_place_of_the_old_one
        a_changed_expression_takes_a_schedule_nowhere_back
        declaring_a_schedule_again_changes_nothing
        every_second_is_fired
        a_day_has_one_tick_also_when_clocks_change
        a_day_that_passes_at_once_is_fired_in_order
        a_day_is_walked_from_tick_to_tick
        many_schedules_that_share_a_tick_make_a_job_each
        two_workers_make_one_job_of_each_of_many_ticks
        a_job_that_outlives_the_fleet_overlaps_what_was_missed
        the_jobs_of_ticks_pass_what_the_client_asks_of_all
        a_hook_that_panics_stops_no_other_schedule
        a_task_can_say_when_its_jobs_are_made;
    agenda:
        a_created_schedule_makes_jobs_with_its_arguments
        a_schedule_is_listed_with_what_it_is_and_when_it_ticks
        the_last_tick_is_listed
        a_job_tells_which_tick_of_which_schedule_made_it
        creating_a_schedule_again_changes_it
        nothing_is_made_of_a_paused_schedule
        a_declared_schedule_stays_paused_when_a_worker_starts
        a_triggered_schedule_makes_a_job_and_stays_where_it_stands
        a_triggered_job_counts_as_one_of_the_schedules_own
        a_schedules_jobs_carry_its_limit_keys
        a_deleted_schedule_is_gone
        a_deleted_schedule_comes_back_with_a_worker_that_declares_it
        a_schedule_that_no_live_worker_declares_is_orphaned
        a_declaration_leaves_a_created_schedule_as_it_is
        a_declared_schedule_is_not_created_over
        an_unknown_schedule_is_told_with_the_nearest_one
        an_odd_reason_for_pausing_a_schedule_is_refused
        a_cadence_is_kept_as_it_is_shown
        what_a_task_declares_as_unique_does_not_count_for_a_schedule
        an_odd_schedule_is_refused;
    editions:
        a_set_of_schedules_keeps_its_number
        the_version_that_was_seen_last_wins_while_it_lives
        of_those_that_are_left_the_one_that_was_seen_last_wins
        after_a_rollback_the_old_declaration_is_put_in_by_itself
        a_worker_for_tasks_only_puts_its_declaration_back_too
        side_by_side_no_tick_is_doubled
        workers_of_other_schedules_have_no_say
        a_deleted_declaration_stays_away_until_a_worker_starts
        a_worker_that_is_told_to_deletes_what_nobody_has_declared_for_a_while
        a_schedule_follows_its_task_to_another_name_and_stays_where_it_stands
        a_renamed_schedule_is_not_doubled_by_the_version_before
        after_a_rollback_a_schedule_has_its_old_name_by_itself
        a_function_under_another_name_goes_on_with_its_schedule
        a_worker_of_other_tasks_gives_a_schedule_the_new_name_of_its_task
        of_two_names_of_a_task_one_schedule_is_left
        a_worker_of_some_tasks_is_of_the_same_version_as_one_of_all
        a_worker_of_some_tasks_deletes_no_schedule_of_its_program
        schedules_and_tasks_can_be_left_to_others
        a_worker_for_nothing_is_refused;
    look:
        a_beat_sees_whether_there_is_something_to_claim
        a_beat_sees_nothing_to_claim_of_what_is_paused
        a_beat_sees_suspects_where_one_may_be_claimed
        a_beat_sees_when_the_next_job_is_due
        a_beat_sees_a_gate_that_nobody_has_looked_at_in_time
        a_beat_sees_that_schedules_have_changed
        a_beat_sees_a_tick_that_waits_for_nothing_any_more
        a_beat_sees_who_is_silent_and_who_is_gone
        a_beat_sees_a_wish_to_cancel_that_came_too_late;
    wake:
        a_sleeper_is_woken_by_work_it_can_do
        a_sleeper_is_not_woken_by_work_of_others
        a_worker_that_is_awake_is_not_woken
        a_transaction_wakes_when_it_is_committed
        promotion_wakes_a_sleeper
        promotion_wakes_nobody_for_one_job_that_the_asker_would_claim
        promotion_says_whether_enough_were_woken
        a_release_wakes_a_sleeper
        what_is_due_soon_wakes_a_sleeper_to_promote_it
        a_retry_that_is_due_before_the_next_look_wakes_a_sleeper;
    handlers:
        a_handler_runs_with_its_arguments_and_resources
        a_failing_handler_is_retried_until_its_attempts_are_used_up
        a_panic_ends_only_its_attempt
        a_panic_in_the_drop_of_an_output_ends_only_its_attempt
        an_unreadable_payload_is_parked_with_its_cause
        a_handler_can_snooze_retry_discard_and_cancel
        an_endless_snooze_harms_no_neighbour
        a_control_is_found_inside_anyhow
        an_alias_runs_jobs_of_the_old_name
        a_blocking_handler_runs_off_the_runtime
        a_handler_can_enqueue_more
        a_context_lends_what_a_field_provides
        a_handler_that_takes_too_long_has_failed
        a_task_can_limit_how_long_its_attempts_run_and_its_jobs_wait
        a_handler_that_heeds_its_timeout_has_succeeded
        a_job_that_did_not_begin_in_time_is_discarded_as_expired
        a_job_that_began_in_time_may_be_retried_after_it
        a_time_in_the_past_leaves_a_job_all_its_time_to_begin
        what_a_handler_says_when_its_time_is_over_is_kept
        a_task_says_what_to_do_about_an_error
        options_of_a_task_reach_its_jobs;
    layers:
        layers_see_an_attempt_and_its_outcome_the_first_outermost
        a_tasks_layers_are_within_its_workers
        a_layer_sees_how_a_handler_failed
        a_layer_can_answer_in_the_handlers_place
        a_panic_in_a_layer_ends_only_its_attempt
        a_client_adds_to_every_job_before_it_goes
        a_client_can_refuse_a_job_and_its_batch;
}
