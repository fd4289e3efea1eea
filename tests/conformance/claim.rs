//! Winning leases.

use std::collections::BTreeSet;

use pgq::backend::{Claim, Reconciled, Transition, Verdict, Want};
use pgq::{Result, State};

use crate::world::{World, claim, claim_of, claims, end, ids, in_queue, job, retry, want, with_priority};

pub(crate) async fn a_job_is_claimed_once(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let (first, second) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    assert_eq!(ids(&claim(&first, &["a"], 1).await?), [id]);
    assert!(claim(&second, &["a"], 1).await?.is_empty());
    assert_eq!(world.state(id).await?, State::Running);
    Ok(())
}

pub(crate) async fn a_claim_counts_the_attempt_and_the_claim(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    for number in 1..=3 {
        let won = claim(&session, &["a"], 1).await?;
        assert_eq!((won[0].attempt, won[0].epoch), (number, number.into()));
        end(&session, &won[0], retry(std::time::Duration::ZERO)).await?;
    }
    Ok(())
}

pub(crate) async fn a_claim_takes_no_more_than_it_asks_for(world: World) -> Result<()> {
    world.put((0..5).map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    assert_eq!(claim(&session, &["a"], 2).await?.len(), 2);
    assert_eq!(claim(&session, &["a"], 2).await?.len(), 2);
    assert_eq!(claim(&session, &["a"], 2).await?.len(), 1);
    Ok(())
}

/// Where it isn't sure it isn't said.
pub(crate) async fn a_claim_says_when_it_has_won_all_that_there_was(world: World) -> Result<()> {
    let session = world.session(&["a", "b"]).await?;
    let (a, b) = (want("default", "a", 9), want("default", "b", 9));
    let narrow = |want: &Want, cap| Want { cap, ..want.clone() };
    let low = |task| with_priority(task, -5);
    let cases = [
        ("one", vec![job("a")], vec![a.clone(), b.clone()], 9, true),
        ("of two priorities", vec![job("a"), low("a")], vec![a.clone(), b.clone()], 9, true),
        ("what nobody asks for", vec![job("a"), job("b")], vec![a.clone()], 9, true),
        ("nothing", vec![], vec![a.clone()], 9, false),
        ("as many as it may", vec![job("a"), job("a")], vec![a.clone()], 2, false),
        ("more than it may", vec![job("a"), job("a")], vec![a.clone()], 1, false),
        ("more than it may of the task", vec![job("a"), job("a")], vec![narrow(&a, 1)], 9, false),
        ("a lower priority of another", vec![job("a"), low("b")], vec![a.clone(), b.clone()], 9, false),
        ("what is only looked for", vec![job("a"), job("b")], vec![a.clone(), narrow(&b, 0)], 9, false),
    ];
    for (what, jobs, wants, limit, all) in cases {
        world.put(jobs).await?;
        let claim = Claim { wants: wants.into(), groups: Vec::new(), limit, thorough: true, suspect: true };
        let batch = session.claim(claim).await?;
        assert_eq!(batch.all, all, "{what}");
        let mut rest = batch.jobs;
        while !rest.is_empty() {
            for job in &rest {
                end(&session, job, Transition::Complete).await?;
            }
            rest = self::claim(&session, &["a", "b"], 9).await?;
        }
    }
    Ok(())
}

pub(crate) async fn other_tasks_and_queues_are_left_alone(world: World) -> Result<()> {
    let put = world.put(vec![job("a"), job("b"), in_queue("a", "mail"), in_queue("b", "mail")]).await?;
    let session = world.session(&["a"]).await?;
    assert_eq!(ids(&claim(&session, &["a"], 9).await?), [put[0]]);
    assert_eq!(ids(&claim_of(&session, vec![want("mail", "b", 9)], 9).await?), [put[3]]);
    Ok(())
}

pub(crate) async fn claims_at_one_time_share_the_jobs(world: World) -> Result<()> {
    let put: BTreeSet<_> = world.put((0..200).map(|_| job("a")).collect()).await?.into_iter().collect();
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let session = world.session(&["a"]).await?;
        claims.spawn(async move {
            let mut won = Vec::new();
            for _ in 0..20 {
                won.extend(ids(&claim(&session, &["a"], 10).await?));
            }
            Ok::<_, pgq::Error>(won)
        });
    }
    let won: Vec<_> = claims.join_all().await.into_iter().collect::<Result<Vec<_>>>()?.concat();
    assert_eq!(won.len(), 200, "none twice");
    assert_eq!(won.into_iter().collect::<BTreeSet<_>>(), put, "none lost");
    Ok(())
}

pub(crate) async fn a_claim_whose_answer_was_lost_can_be_handed_back(world: World) -> Result<()> {
    world.put((0..3).map(|_| job("a")).collect()).await?;
    let session = world.session(&["a"]).await?;
    let known = claim(&session, &["a"], 1).await?;
    drop(claim(&session, &["a"], 2).await?);
    assert_eq!(session.release_all_but(claims(&known)).await?, Reconciled { released: 2, forgotten: Vec::new() });
    let again = claim(&session, &["a"], 3).await?;
    assert_eq!(again.iter().map(|job| (job.attempt, job.epoch)).collect::<Vec<_>>(), [(1, 2), (1, 2)]);
    assert_eq!(end(&session, &known[0], Transition::Complete).await?, Verdict::Written);
    Ok(())
}

pub(crate) async fn a_worker_that_left_claims_nothing(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    session.deregister(false).await?;
    assert_eq!(pulse.renew().await?, pgq::backend::Renewal::Gone);
    // Its connections may be closed by now, which is as good as winning nothing.
    drop(claim(&session, &["a"], 1).await);
    assert_eq!(world.state(id).await?, State::Available);
    Ok(())
}

pub(crate) async fn who_leaves_hands_back_what_it_holds(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let (first, second) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&first, &["a"], 1).await?;
    first.deregister(false).await?;
    let won = claim(&second, &["a"], 1).await?;
    assert_eq!((won[0].attempt, won[0].epoch, won[0].crashes), (1, 2, 0), "the attempt is refunded, the claim is not");
    Ok(())
}
