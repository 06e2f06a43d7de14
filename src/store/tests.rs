//! The store's contract: every backend must hold it, so each test is generic over where a store lives.

use crate::store::catalog::Tick;
use std::path::Path;

use super::{Error, Settings, Store};
use crate::world::World;
use crate::world::seal::{KEY, Keyring};

pub mod alerts;
mod audit;
mod errors;
mod evidence;
mod faults;
pub mod fixtures;
mod keys;
mod ledger;
pub mod outbox;
mod recent;
mod rollups;
mod sealing;

/// Where a store lives: opened again, it has what it had.
pub trait Place {
    /// A new, empty one.
    fn new() -> Self;
    /// Opens it.
    async fn open(&self) -> Result<Store, Error>;
    /// Its data folder.
    fn folder(&self) -> &Path;
}

/// A temporary folder with a SQLite catalog.
pub struct Sqlite(tempfile::TempDir);

impl Place for Sqlite {
    fn new() -> Self {
        Sqlite(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Result<Store, Error> {
        Store::open(Settings::new(self.folder()), &World::real()).await
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }
}

/// The same, whose segments are sealed.
pub struct Sealed(tempfile::TempDir);

impl Place for Sealed {
    fn new() -> Self {
        Sealed(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Result<Store, Error> {
        let keyring = Keyring::new(Some(&[7; KEY]), &[]);
        Store::open(Settings { keyring, ..Settings::new(self.folder()) }, &World::real()).await
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }
}

macro_rules! contract {
    ($backend:ident, $place:ident: $($theme:ident { $($name:ident),* $(,)? })*) => {
        mod $backend {
            $(mod $theme {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::super::$theme::$name::<super::super::$place>().await;
                })*
            })*
        }
    };
}

contract! {
    sqlite, Sqlite:
    rollups {
        hot_and_cold_are_one, a_read_beside_flushes_never_gaps_nor_doubles, a_window_is_cut_by_time_and_scope,
        counts_leave_histograms_out, names_of_any_kind_survive, thousands_of_series_survive_two_flushes,
        a_job_with_many_runs_gives_the_latest,
    }
    recent { what_is_kept_is_what_the_catalog_has, filling_it_beside_flushes_never_gaps_nor_doubles }
    evidence {
        spans_survive_hot_and_cold, logs_survive_hot_and_cold, spans_are_found_by_each_condition,
        lists_are_newest_first_over_memory_and_files, files_out_of_time_or_scope_are_not_read,
        a_trace_in_many_files_is_whole, a_missing_file_is_told, a_file_of_several_row_groups_is_read_by_row,
    }
    faults {
        a_second_server_is_refused, the_folder_is_private, numbers_count_once, claims_are_kept_with_their_owner,
        a_claim_is_never_kept_before_its_record,
        a_failed_segment_leaves_all_hot, orphans_go_at_open, a_watermark_that_moved_is_refused,
        a_flush_that_was_cut_off_after_its_commit_counts_once, nothing_to_flush_is_nothing,
    }
    errors {
        all_failures_are_counted_and_twenty_a_day_are_kept_whole,
        what_is_replayed_after_a_crash_is_counted_and_kept_once,
        groups_are_found_by_what_their_payloads_say_and_left_out_where_they_did_not_fail,
        evidence_is_forgotten_by_its_receipt,
    }
    ledger {
        a_record_that_is_replayed_is_counted_once_and_its_first_times_stand, records_go_a_day_after_their_first_hop,
    }
    audit { entries_hang_together, entries_are_found_by_any_of_their_texts }
    keys {
        a_key_is_kept_as_its_hash_and_audited, a_third_valid_key_is_refused_and_leaves_no_trace,
        keys_made_at_once_are_two_at_most, revoking_may_leave_a_grace_and_end_it, the_last_use_only_moves_forward,
    }
    alerts { a_tick_is_kept_whole_and_can_be_repeated, incidents_are_found }
    outbox {
        mails_wait_for_the_earlier_of_their_thread, leases_end, deferred_mails_come_back,
        a_sent_mail_stays_sent, mails_are_listed, a_refused_mail_and_who_stands_in_are_one_step,
        what_is_held_back_is_told_once, a_paused_channel_holds_up_no_other,
    }
}

contract! {
    sealed, Sealed:
    evidence {
        spans_survive_hot_and_cold, logs_survive_hot_and_cold, spans_are_found_by_each_condition,
        lists_are_newest_first_over_memory_and_files, files_out_of_time_or_scope_are_not_read,
        a_trace_in_many_files_is_whole, a_missing_file_is_told, a_file_of_several_row_groups_is_read_by_row,
    }
    faults { a_failed_segment_leaves_all_hot, orphans_go_at_open }
    errors {
        all_failures_are_counted_and_twenty_a_day_are_kept_whole,
        what_is_replayed_after_a_crash_is_counted_and_kept_once, evidence_is_forgotten_by_its_receipt,
    }
}

/// Servers spawn these: a future that is not `Send` fails to compile here, not there.
#[allow(dead_code)]
fn futures_can_be_spawned(store: Store) {
    fn can_be<T: Send>(_: T) {}
    let (from, to) = (crate::rollup::window::Minute(0), crate::rollup::window::Minute(1));
    can_be(Store::open(Settings::new(""), &World::real()));
    can_be(store.flush(&[], 0));
    can_be(store.window(from, to, None, super::Detail::Full));
    can_be(store.states());
    can_be(store.trace([0; 16]));
    can_be(store.spans(super::SpanQuery::default()));
    can_be(store.logs(super::LogQuery::default()));
    can_be(store.spans_of(super::query::around::Traces::default()));
    can_be(store.pin(&[]));
    can_be(store.forget_evidence(0));
    can_be(store.record_tick(&Tick { at: from, ..Tick::default() }));
    can_be(store.access());
    can_be(store.revoke_key(1, None, &crate::access::audit::Actor::server(), 0));
    can_be(store.claim_mails(0, std::time::Duration::ZERO, 1, &[]));
}
