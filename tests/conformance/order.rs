//! Who runs first.

use std::time::Duration;

use pgq::Result;
use pgq::backend::When;

use crate::world::{World, claim, claim_of, ids, in_queue, job, want, with_priority};

const ALL: u32 = 100;

pub(crate) async fn a_higher_priority_runs_first(world: World) -> Result<()> {
    let put = world.put([-32_767, 0, 32_767, 5].map(|priority| with_priority("a", priority)).into()).await?;
    let session = world.session(&["a"]).await?;
    assert_eq!(ids(&claim(&session, &["a"], ALL).await?), [put[2], put[3], put[1], put[0]]);
    Ok(())
}

pub(crate) async fn among_equals_the_longest_due_runs_first(world: World) -> Result<()> {
    let late = world.put_one(job("a")).await?;
    let instant = pgq::Timestamp::from_micros(world.clock.now().as_micros() - 1);
    let early = world.put_one(pgq::backend::NewJob { when: When::At(instant), ..job("a") }).await?;
    let last = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    assert_eq!(ids(&claim(&session, &["a"], ALL).await?), [early, late, last]);
    Ok(())
}

pub(crate) async fn priority_is_strict_over_tasks_and_queues(world: World) -> Result<()> {
    let low = world.put_one(job("a")).await?;
    let high = world.put_one(pgq::backend::NewJob { queue: "mail".into(), ..with_priority("b", 9) }).await?;
    let middle = world.put_one(with_priority("a", 5)).await?;
    let wants = || vec![want("default", "a", ALL), want("mail", "b", ALL), want("mail", "a", ALL)];
    let session = world.session_for(wants()).await?;
    let mut order = Vec::new();
    for _ in 0..3 {
        order.extend(ids(&claim_of(&session, wants(), 1).await?));
    }
    assert_eq!(order, [high, middle, low]);
    Ok(())
}

pub(crate) async fn a_task_at_the_front_never_overtakes_the_next_head(world: World) -> Result<()> {
    let put = world
        .put(vec![with_priority("a", 9), with_priority("a", 8), with_priority("a", 1), with_priority("b", 5)])
        .await?;
    let session = world.session(&["a", "b"]).await?;
    assert_eq!(ids(&claim(&session, &["a", "b"], ALL).await?), put[..2], "what is above the next head, and no more");
    assert_eq!(ids(&claim(&session, &["a", "b"], ALL).await?), [put[3]]);
    assert_eq!(ids(&claim(&session, &["a", "b"], ALL).await?), [put[2]]);
    Ok(())
}

pub(crate) async fn a_task_at_the_front_shares_what_is_equal_to_the_next_head(world: World) -> Result<()> {
    let put = world.put(vec![with_priority("a", 9), job("a"), job("a"), job("b")]).await?;
    let session = world.session(&["a", "b"]).await?;
    assert_eq!(ids(&claim(&session, &["a", "b"], 2).await?), put[..1]);
    let mut shared = ids(&claim(&session, &["a", "b"], 2).await?);
    shared.sort_unstable();
    assert_eq!(shared, [put[1], put[3]]);
    Ok(())
}

pub(crate) async fn tasks_with_equal_heads_share_a_claim(world: World) -> Result<()> {
    world.put((0..10).map(|_| job("a")).collect()).await?;
    world.clock.advance(Duration::from_secs(1));
    world.put((0..10).map(|_| job("b")).collect()).await?;
    let session = world.session(&["a", "b"]).await?;
    let won = claim(&session, &["a", "b"], 5).await?;
    let of = |task: &str| won.iter().filter(|job| job.task == task).count();
    assert_eq!((of("a"), of("b")), (3, 2), "the one more goes to the older head");
    Ok(())
}

pub(crate) async fn one_free_slot_goes_to_the_oldest_head(world: World) -> Result<()> {
    let older = world.put_one(job("b")).await?;
    world.clock.advance(Duration::from_millis(1));
    let newer = world.put_one(job("a")).await?;
    let session = world.session(&["a", "b"]).await?;
    assert_eq!(ids(&claim(&session, &["a", "b"], 1).await?), [older]);
    assert_eq!(ids(&claim(&session, &["a", "b"], 1).await?), [newer]);
    Ok(())
}

pub(crate) async fn a_cap_holds_for_its_task_alone(world: World) -> Result<()> {
    world.put((0..4).flat_map(|_| [job("a"), job("b"), in_queue("a", "mail")]).collect()).await?;
    let wants = || vec![want("default", "a", 1), want("default", "b", 0), want("mail", "a", 3)];
    let session = world.session_for(wants()).await?;
    let won = claim_of(&session, wants(), ALL).await?;
    let of = |queue: &str, task: &str| won.iter().filter(|job| job.queue == queue && job.task == task).count();
    assert_eq!((of("default", "a"), of("default", "b"), of("mail", "a")), (1, 0, 3));
    Ok(())
}
