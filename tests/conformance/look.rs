//! What a beat sees of what there is to do.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{
    Bounds, Claim, Declared, Limited, LookFor, NewJob, Outlook, Pulse, Rate, Renewal, Session, Transition, Want,
};
use pgq::{Missed, Overlap, Pausable, Priority, Result, State};

use crate::world::{SPAN, World, after, claim, end, in_queue, job, want};

const MINUTE: Duration = Duration::from_mins(1);
const MOMENT: Duration = Duration::from_micros(1);

async fn see(pulse: &mut Box<dyn Pulse>, look_for: LookFor) -> Result<Outlook> {
    let (renewal, seen) = pulse.look(look_for).await?;
    assert_ne!(renewal, Renewal::Gone);
    Ok(seen)
}

async fn is_ready(pulse: &mut Box<dyn Pulse>, wants: &[Want], suspect: bool) -> Result<bool> {
    Ok(see(pulse, LookFor { wants: wants.into(), suspect, ..LookFor::default() }).await?.ready)
}

async fn due(pulse: &mut Box<dyn Pulse>) -> Result<Option<Duration>> {
    Ok(see(pulse, LookFor { due: true, ..LookFor::default() }).await?.due)
}

async fn schedules(pulse: &mut Box<dyn Pulse>) -> Result<Outlook> {
    see(pulse, LookFor { schedules: true, ..LookFor::default() }).await
}

async fn others(pulse: &mut Box<dyn Pulse>) -> Result<(Option<Duration>, bool)> {
    let seen = see(pulse, LookFor { lost: true, ..LookFor::default() }).await?;
    Ok((seen.lapse, seen.lost))
}

pub(crate) async fn a_beat_sees_whether_there_is_something_to_claim(world: World) -> Result<()> {
    let (session, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let mut pulse = session.attend().await?;
    // How much of it would be claimed doesn't matter: who has none of a limit left has to know too.
    let wants = [want("default", "a", 0), want("mail", "b", 9)];
    world.put(vec![job("b"), in_queue("a", "mail"), after("a", MINUTE)]).await?;
    assert!(!is_ready(&mut pulse, &wants, true).await?);
    world.put_one(job("a")).await?;
    assert!(is_ready(&mut pulse, &wants, true).await?);
    assert!(!is_ready(&mut pulse, &wants[1..], true).await?);
    assert!(!is_ready(&mut pulse, &[], true).await?, "it wasn't asked");
    claim(&other, &["a"], 1).await?;
    assert!(!is_ready(&mut pulse, &wants, true).await?, "somebody has it");
    world.put_one(in_queue("b", "mail")).await?;
    assert!(is_ready(&mut pulse, &wants, true).await?);
    Ok(())
}

pub(crate) async fn a_beat_sees_nothing_to_claim_of_what_is_paused(world: World) -> Result<()> {
    let mut pulse = world.session(&["a"]).await?.attend().await?;
    let wants = [want("default", "a", 9)];
    world.put_one(job("a")).await?;
    for what in [Pausable::Queue("default".to_owned()), Pausable::Task("a".to_owned())] {
        world.client.pause(what.clone(), "", None).await?;
        assert!(!is_ready(&mut pulse, &wants, true).await?);
        world.client.resume(what).await?;
        assert!(is_ready(&mut pulse, &wants, true).await?);
    }
    world.client.pause(Pausable::Task("a".to_owned()), "", Some(MINUTE)).await?;
    assert!(!is_ready(&mut pulse, &wants, true).await?);
    world.clock.advance(MINUTE);
    assert!(is_ready(&mut pulse, &wants, true).await?, "the pause is over");
    Ok(())
}

pub(crate) async fn a_beat_sees_suspects_where_one_may_be_claimed(world: World) -> Result<()> {
    world.put_one(job("a")).await?;
    let heir = world.session(&["a"]).await?;
    for _ in 0..2 {
        let silent = world.session(&["a"]).await?;
        assert_eq!(claim(&silent, &["a"], 1).await?.len(), 1);
        world.clock.advance(SPAN + MOMENT);
        heir.attend().await?.renew().await?;
        heir.rescue(10).await?;
    }
    world.clock.advance(MINUTE * 5);
    let mut pulse = heir.attend().await?;
    pulse.renew().await?;
    heir.promote(10).await?;
    let wants = [want("default", "a", 9)];
    assert!(!is_ready(&mut pulse, &wants, false).await?);
    assert!(is_ready(&mut pulse, &wants, true).await?);
    Ok(())
}

pub(crate) async fn a_beat_sees_when_the_next_job_is_due(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    assert_eq!(due(&mut pulse).await?, None);
    world.put(vec![after("a", MINUTE / 2), after("b", MINUTE / 4)]).await?;
    assert_eq!(due(&mut pulse).await?, Some(MINUTE / 4));
    assert_eq!(see(&mut pulse, LookFor::default()).await?.due, None, "it wasn't asked");
    world.clock.advance(MINUTE / 3);
    assert_eq!(due(&mut pulse).await?, Some(Duration::ZERO), "nobody has promoted it");
    session.promote(10).await?;
    assert_eq!(due(&mut pulse).await?, Some(MINUTE / 2 - MINUTE / 3));
    Ok(())
}

pub(crate) async fn a_beat_sees_a_gate_that_nobody_has_looked_at_in_time(world: World) -> Result<()> {
    let (session, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let bounds = Bounds { concurrency: None, rate: Rate::every(MINUTE, 1) };
    let (name, task) = ("task:a[key]".to_owned(), Some("a".to_owned()));
    let limits = vec![Limited { name, task, sharers: Vec::new(), keyed: true, bounds }];
    session.declare(Declared { tasks: vec!["a".to_owned()], schedules: Vec::new(), limits }).await?;
    let gated = || NewJob { limit_keys: vec!["task:a[key]=1".to_owned()], ..job("a") };
    world.put((0..4).map(|_| gated()).collect()).await?;
    let claim = || Claim {
        wants: [want("default", "a", 9)].into(),
        groups: Vec::new(),
        limit: 9,
        thorough: true,
        suspect: true,
    };
    assert_eq!(session.claim(claim()).await?.opens, Some(MINUTE), "it is the first that is held up there");
    world.put_one(gated()).await?;
    assert_eq!(other.claim(claim()).await?.opens, None);
    let mut pulse = other.attend().await?;
    world.clock.advance(MINUTE + Duration::from_millis(99));
    assert_eq!(due(&mut pulse).await?, None, "somebody does, most likely");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(due(&mut pulse).await?, Some(Duration::ZERO));
    let opened = session.promote(9).await?;
    assert!(opened.opened && opened.opens > Some(Duration::ZERO), "{opened:?}");
    assert_eq!(due(&mut pulse).await?, None);
    let late = other.promote(9).await?;
    assert_eq!((late.opened, late.opens), (false, opened.opens));
    Ok(())
}

#[pgq::task]
async fn look_on() -> Result<(), pgq::BoxError> {
    Ok(())
}

async fn create(world: &World, cadence: &str) -> Result<()> {
    world.client.backend().create_schedule(scheduled(cadence)).await.map(drop)
}

fn scheduled(cadence: &str) -> pgq::backend::Scheduled {
    pgq::backend::Scheduled {
        name: "bell".to_owned(),
        task: "a".to_owned(),
        queue: "default".to_owned(),
        priority: Priority::default(),
        max_attempts: 20,
        expires_in: None,
        cadence: cadence.to_owned(),
        zone: "UTC".to_owned(),
        missed: Missed::Once,
        overlap: Overlap::Queue,
        payload: vec![0xc0],
        limit_keys: Vec::new(),
    }
}

/// Whether the schedules are others than at the last look, which this one then is.
async fn have_changed(session: &Arc<dyn Session>, pulse: &mut Box<dyn Pulse>, mark: &mut i64) -> Result<bool> {
    let before = std::mem::replace(mark, session.agenda().await?.mark);
    assert_eq!(schedules(pulse).await?.mark, *mark, "both say the same");
    Ok(before != *mark)
}

pub(crate) async fn a_beat_sees_that_schedules_have_changed(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    let mut mark = session.agenda().await?.mark;
    let mut changed = async || have_changed(&session, &mut pulse, &mut mark).await;
    assert!(!changed().await?);
    create(&world, "0 * * * *").await?;
    assert!(changed().await?, "it was created");
    assert!(!changed().await?);
    world.client.pause_schedule("bell", "not now").await?;
    assert!(changed().await?, "it was paused");
    world.client.resume_schedule("bell").await?;
    assert!(changed().await?, "it goes on");
    world.client.delete_schedule("bell").await?;
    assert!(changed().await?, "it is gone");
    create(&world, "0 * * * *").await?;
    assert!(changed().await?);
    world.client.delete_schedule("bell").await?;
    create(&world, "* * * * *").await?;
    assert!(changed().await?, "it is another one, and as new");
    let other = world.session(&["a"]).await?;
    other.declare(Declared { tasks: vec!["b".to_owned()], ..Declared::default() }).await?;
    assert!(changed().await?, "another version declares what it has");
    other.deregister(true).await?;
    assert!(changed().await?, "it has left");
    Ok(())
}

pub(crate) async fn a_beat_sees_a_tick_that_waits_for_nothing_any_more(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    create(&world, "* * * * *").await?;
    let mut ticking = world.worker(pgq::tasks![look_on], ()).await?;
    world.clock.advance(MINUTE);
    ticking.tick().await?;
    let won = claim(&session, &["a"], 1).await?;
    assert!(!schedules(&mut pulse).await?.overdue);
    world.clock.advance(MINUTE);
    ticking.tick().await?;
    assert!(!schedules(&mut pulse).await?.overdue, "the job before it runs");
    end(&session, &won[0], Transition::Complete).await?;
    assert!(schedules(&mut pulse).await?.overdue);
    ticking.tick().await?;
    assert!(!schedules(&mut pulse).await?.overdue, "it is fired");
    Ok(())
}

pub(crate) async fn a_beat_sees_who_is_silent_and_who_is_gone(world: World) -> Result<()> {
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    assert_eq!(others(&mut pulse).await?, (None, false));
    world.put_one(job("a")).await?;
    let (silent, heir) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    claim(&silent, &["a"], 1).await?;
    assert_eq!(others(&mut pulse).await?, (Some(SPAN), false));
    world.clock.advance(SPAN / 2);
    heir.attend().await?.renew().await?;
    assert_eq!(others(&mut pulse).await?, (Some(SPAN / 2), false));
    world.clock.advance(SPAN / 2 + MOMENT);
    assert_eq!(others(&mut pulse).await?.0, Some(Duration::ZERO));
    heir.attend().await?.renew().await?;
    assert_eq!(heir.rescue(0).await?.gone, 1);
    assert_eq!(others(&mut pulse).await?, (Some(SPAN), true), "its job isn't free yet");
    while heir.rescue(10).await?.freed > 0 {}
    assert_eq!(others(&mut pulse).await?, (Some(SPAN), false));
    Ok(())
}

pub(crate) async fn a_beat_sees_a_wish_to_cancel_that_came_too_late(world: World) -> Result<()> {
    let id = world.put_one(job("a")).await?;
    let session = world.session(&["a"]).await?;
    let mut pulse = session.attend().await?;
    let won = claim(&session, &["a"], 1).await?;
    world.client.cancel(id, "enough").await?;
    assert_eq!(others(&mut pulse).await?, (None, false), "it is told");
    end(&session, &won[0], Transition::Release).await?;
    assert_eq!(others(&mut pulse).await?, (None, true));
    session.rescue(10).await?;
    assert_eq!(others(&mut pulse).await?, (None, false));
    assert_eq!(world.state(id).await?, State::Cancelled);
    Ok(())
}
