//! What the chaos run tells where a promise was broken: its accounts, and ones that we wrote.

use std::time::{Duration, SystemTime};

use pgq::sqlx::{PgPool, raw_sql};

use crate::evidence::{Deed, crowd, tell};
use crate::tables;
use crate::world::installed;

/// A second after the epoch two jobs of a limit of one run at once: the first one's worker was killed, and its lease wasn't over.
const ACCOUNTS: &str = "
    insert into worker_process values ('3', 333);
    insert into kill values (333, to_timestamp(1.5));
    insert into lease_end values (30, to_timestamp(4));
    insert into run (job, epoch, worker, crashes, begun, task, key, noted, lease, ended)
    values (7, 1, '3', 0, to_timestamp(1), 'narrow', 'a', to_timestamp(1.001), 30, null),
           (8, 1, '4', 0, to_timestamp(2), 'narrow', 'a', to_timestamp(2.001), 40, to_timestamp(3)),
           (9, 1, '4', 0, to_timestamp(2), 'narrow', 'b', to_timestamp(2.001), 40, to_timestamp(3));
    insert into pgq.failure (job, epoch, attempt, ended, kind, message, chain)
    values (7, 1, 1, to_timestamp(4.1), 'crashed', 'the worker fell silent', '[]')";

fn deed(what: &str, begun: u64, ended: u64) -> Deed {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Deed { what: what.to_owned(), begun: at(begun), ended: at(ended) }
}

async fn accounts() -> (pgq_testdb::Database, PgPool) {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    tables::open(&pool).await.unwrap();
    raw_sql(ACCOUNTS).execute(&pool).await.unwrap();
    (database, pool)
}

#[tokio::test]
async fn those_who_ran_beside_each_other_are_named() {
    let (_database, pool) = accounts().await;
    assert_eq!(crowd(&pool, &["narrow"]).await.unwrap(), [7, 8]);
    assert!(crowd(&pool, &["another"]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_happened_is_told_in_order_with_what_the_monkey_did_then() {
    let (_database, pool) = accounts().await;
    let deeds = [deed("servers killed", 2, 5), deed("links gone silent", 60, 61)];
    let story = tell(&pool, &[7, 8], &deeds).await.unwrap();
    let expected = "
     +0.000 s  job 7: attempt 1 begun by worker 3, after 0 crashes
     +0.001 s  job 7: attempt 1 written down under lease 30
     +0.500 s  job 7: worker 3 killed, of attempt 1
     +1.000 s  job 8: attempt 1 begun by worker 4, after 0 crashes
     +1.000 s  monkey: servers killed, for 3.000 s
     +1.001 s  job 8: attempt 1 written down under lease 40
     +2.000 s  job 8: attempt 1 at its end
     +3.000 s  job 7: lease 30 declared over, of attempt 1
     +3.100 s  job 7: failure of attempt 1: crashed, the worker fell silent
";
    assert_eq!(
        story.split_whitespace().collect::<Vec<_>>(),
        expected.split_whitespace().collect::<Vec<_>>(),
        "{story}"
    );
}

#[tokio::test]
async fn of_many_jobs_some_are_told_of_and_of_one_without_a_trace_that_it_has_none() {
    let (_database, pool) = accounts().await;
    let many: Vec<i64> = (4..20).collect();
    assert!(tell(&pool, &many, &[]).await.unwrap().ends_with("and 10 more jobs\n"));
    assert!(tell(&pool, &[99], &[]).await.unwrap().contains("nothing is known"));
}
