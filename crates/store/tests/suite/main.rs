//! One suite over a place: every scenario runs on SQLite, and on PostgreSQL where a server is installed.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod history;
mod lease;
mod moving;
mod people;
mod sealing;
mod writing;

use common::*;
use history::*;
use lease::*;
use moving::*;
use people::*;
use sealing::*;
use writing::*;

/// Each scenario as a test of its own on SQLite, and all of them in one test on PostgreSQL.
macro_rules! suite {
    ($($name:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&super::Ground::sqlite()).await;
                }
            )*
        }

        #[test]
        fn postgres() {
            let server = match Postgres::start() {
                Ok(server) => server,
                Err(why) => {
                    println!("skipped on PostgreSQL: {why}");
                    return;
                }
            };
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                $(
                    println!("postgres: {}", stringify!($name));
                    $name(&Ground::postgres(&server)).await;
                )*
            });
        }
    };
}

suite! {
    what_was_written_is_there_after_opening_again
    a_batch_is_written_whole_or_not_at_all
    what_begins_alike_is_found_by_its_beginning
    a_bundle_holds_what_its_rows_do_and_the_next_one_goes_on
    waiting_batches_share_a_transaction_and_fail_alone
    events_are_numbered_without_gaps
    events_are_found_by_everything_that_may_be_asked
    operations_are_found_by_everything_that_may_be_asked
    a_remotes_number_is_never_given_twice
    removing_a_remote_takes_with_it_what_was_seen
    people_come_and_go_with_all_they_had
    what_is_a_persons_own_goes_with_them
    a_request_changes_something_once
    remembered_requests_keep_their_answer_sealed
    what_is_remembered_of_a_request_is_not_overwritten
    a_sign_in_undoes_no_change_of_password
    what_was_decided_by_an_older_book_is_stale
    gauges_that_wait_are_replaced
    the_audit_chain_tells_what_was_done_to_it
    a_piece_of_another_audit_chain_does_not_fit
    what_is_old_expires_in_small_steps
    a_clock_that_jumped_makes_nothing_old
    swapped_rows_do_not_open
    the_wrong_key_is_refused_and_nothing_changed
    keys_are_changed_while_reading_goes_on
    a_change_of_keys_cut_short_is_taken_up_again
    a_newer_or_foreign_database_is_refused
    a_backup_is_one_moment_and_comes_back
    a_backup_moves_between_engines
    a_closed_store_says_so
    drift_keeps_when_it_was_first_seen
    sizes_count_what_is_there
    odd_text_from_outside_is_kept_on_both_engines
    a_remote_has_one_owner_and_nobody_else_writes_about_it
    what_a_process_looked_after_is_free_once_it_is_gone
    two_processes_cannot_give_the_same_name
    a_database_in_use_is_not_restored_over
}
