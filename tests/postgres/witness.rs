//! Whatever keeps everybody from beating makes nobody count as gone.

use std::time::Duration;

use pgq::Result;
use pgq::sqlx;

use crate::world::{SPAN, World};

const MOMENT: Duration = Duration::from_micros(1);

/// As a disk that is full, or a server that only reads.
const REFUSE: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin raise 'no space left'; end $$;
    create trigger refuse before update on pgq.worker for each row execute function refuse()";

#[tokio::test]
async fn who_could_not_beat_gives_the_others_a_leases_time() -> Result<()> {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let (_silent, other) = (world.session(&["a"]).await?, world.session(&["a"]).await?);
    let mut pulse = other.attend().await?;
    pulse.renew().await?;
    sqlx::raw_sql(REFUSE).execute(pool).await.unwrap();
    assert!(pulse.renew().await.is_err());
    world.clock.advance(SPAN * 2);
    sqlx::raw_sql("drop trigger refuse on pgq.worker").execute(pool).await.unwrap();
    assert_eq!(other.rescue(10).await?.gone, 0, "it couldn't beat either");
    pulse.renew().await?;
    world.clock.advance(SPAN);
    assert_eq!(other.rescue(10).await?.gone, 0, "there was a lease's time to beat again");
    world.clock.advance(MOMENT);
    assert_eq!(other.rescue(10).await?.gone, 1);
    Ok(())
}
