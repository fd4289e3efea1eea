//! Who does it all: by chance, but for when the next version is deployed, and rolled back.

use std::time::{Duration, Instant};

use pgq::Client;
use pgq::sqlx::{self, PgPool};

use crate::chance::Chance;
use crate::crew::Crew;
use crate::deeds::{Set, now};
use crate::limits::{Bounds, CHOICES, Choice, NONE};
use crate::tasks::{Feed, Version};

/// For how long what was set is left alone, at least: so that what is wrong with it shows.
const HOLD: f64 = 6.0;
/// Between two waves of jobs: a bucket of twenty fills in it.
const WAVES: Duration = Duration::from_secs(11);
/// What the second version calls otherwise.
const RENAMED: &str = "draft";
/// For how long it is waited until the workers of a version are gone: longer than a lease.
const GONE: Duration = Duration::from_secs(20);

pub(crate) struct Director {
    pub(crate) crew: Crew,
    pub(crate) feed: Feed,
    pub(crate) chance: Chance,
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
}

impl Director {
    /// For so long, with the next version deployed, rolled back and deployed again and again.
    pub(crate) async fn play(&mut self, span: Duration) -> anyhow::Result<()> {
        let (begun, act) = (Instant::now(), (span / 4).clamp(Duration::from_secs(5), Duration::from_secs(25)));
        let (mut next_act, mut next_wave) = (begun + act, begun);
        let mut code = Version::First;
        // So that each of these comes back at least once: what ran meanwhile counts then, and everybody has to hear of it.
        for choice in CHOICES.iter().filter(|choice| choice.value.is_none() && choice.bounds.contains(&NONE)) {
            self.set(choice, Some(NONE)).await?;
        }
        while begun.elapsed() < span {
            tokio::time::sleep(Duration::from_millis(60 + self.chance.draw(300))).await;
            self.crew.go_on(false)?;
            self.crew.see_off().await?;
            if Instant::now() >= next_wave {
                next_wave = Instant::now() + WAVES;
                self.feed.wave().await?;
            }
            if !self.crew.behind(code).is_empty() {
                // However slow the machine, what is deployed is there for a while.
                next_act = next_act.max(Instant::now() + act / 2);
            }
            if Instant::now() >= next_act {
                next_act = Instant::now() + act;
                code = self.turn(code).await?;
            }
            self.act(code).await?;
            if self.chance.draw(2) == 0 {
                self.operate().await?;
            }
            let names = self.names(code);
            self.feed.fill(names).await?;
        }
        Ok(())
    }

    /// What the task is called that the second version calls otherwise: both while workers of both are there, so that each has some.
    fn names(&self, code: Version) -> &'static [&'static str] {
        match (code, self.crew.behind(code).len()) {
            (Version::Second, 0) => &["letter"],
            (Version::Second, 1..crate::WORKERS) => &["draft", "letter"],
            _ => &["draft"],
        }
    }

    async fn turn(&mut self, code: Version) -> anyhow::Result<Version> {
        let (next, what) = match code {
            Version::First => (Version::Second, "deployed"),
            Version::Second => (Version::First, "rolled back"),
        };
        // What is set of the task that the second version calls otherwise has to hold for it under both names.
        if let Some(renamed) = CHOICES.iter().find(|choice| choice.of == RENAMED) {
            let bounds = renamed.bounds.first().copied();
            self.set(renamed, bounds.filter(|_| next == Version::Second)).await?;
        }
        self.crew.deeds.tell(what, format!("the second version is {what} from now on"));
        Ok(next)
    }

    async fn act(&mut self, code: Version) -> anyhow::Result<()> {
        let behind = self.crew.behind(code);
        if !behind.is_empty() && self.chance.draw(100) < 35 {
            let place = self.one_of(&behind);
            return self.replace(place, code).await;
        }
        match self.chance.draw(100) {
            0..40 => {
                if let Some(place) = self.anybody() {
                    let version = self.crew.version(place);
                    self.crew.kill(place, version).await?;
                }
            }
            40..80 => {
                if let Some(place) = self.anybody() {
                    let version = self.crew.version(place);
                    self.crew.relieve(place, version).await?;
                }
            }
            80..86 => self.stop()?,
            _ => {}
        }
        Ok(())
    }

    /// By another one of this version: told to end for the most part, as it is when a program is deployed.
    async fn replace(&mut self, place: usize, code: Version) -> anyhow::Result<()> {
        if self.chance.draw(100) < 25 {
            self.crew.kill(place, code).await?;
        } else {
            self.crew.relieve(place, code).await?;
        }
        if code == Version::First && self.crew.behind(code).is_empty() && self.crew.awake().len() == crate::WORKERS {
            return self.have_the_last_word().await;
        }
        Ok(())
    }

    /// The first version counts again once nobody of the second one is left, and somebody has declared it then.
    async fn have_the_last_word(&mut self) -> anyhow::Result<()> {
        let left = "select count(*) from tenure join process using (pid) where version = 2 and gone is null";
        let until = Instant::now() + GONE;
        while Instant::now() < until && sqlx::query_scalar::<_, i64>(left).fetch_one(&self.pool).await? > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.crew.go_on(false)?;
            self.crew.see_off().await?;
        }
        if let Some(place) = self.anybody() {
            self.crew.relieve(place, Version::First).await?;
        }
        Ok(())
    }

    /// Shorter than a lease, or for so long that nobody could wait for what he has locked.
    fn stop(&mut self) -> anyhow::Result<()> {
        let awake = self.crew.awake();
        if awake.len() < crate::WORKERS {
            return Ok(());
        }
        let (place, is_long) = (self.one_of(&awake), self.chance.draw(2) == 0);
        let millis = if is_long { 12_000 + self.chance.draw(2_000) } else { 300 + self.chance.draw(2_000) };
        self.crew.stop(place, Duration::from_millis(millis))
    }

    /// Sets bounds, sets other ones, or clears them.
    async fn operate(&mut self) -> anyhow::Result<()> {
        let is_new = |choice: &&Choice| {
            let last = self.crew.deeds.sets.iter().rfind(|set| std::ptr::eq(set.choice, *choice));
            last.is_none_or(|set| set.done + HOLD < now()) && choice.of != RENAMED
        };
        let ripe: Vec<&'static Choice> = CHOICES.iter().filter(is_new).collect();
        if ripe.is_empty() {
            return Ok(());
        }
        let choice = self.one_of(&ripe);
        let clears = self.is_set(choice) && (self.is_lifted(choice) || self.chance.draw(100) < 60);
        let bounds = (!clears).then(|| self.one_of(choice.bounds));
        self.set(choice, bounds).await
    }

    fn is_set(&self, choice: &Choice) -> bool {
        let last = self.crew.deeds.sets.iter().rfind(|set| std::ptr::eq(set.choice, choice));
        last.is_some_and(|set| set.bounds.is_some())
    }

    fn is_lifted(&self, choice: &Choice) -> bool {
        let last = self.crew.deeds.sets.iter().rfind(|set| std::ptr::eq(set.choice, choice));
        last.is_some_and(|set| set.bounds == Some(NONE))
    }

    async fn set(&mut self, choice: &'static Choice, bounds: Option<Bounds>) -> anyhow::Result<()> {
        let called = now();
        match bounds {
            Some(bounds) => self.client.set_limit(choice.limit(), bounds.allow()).await?,
            None => drop(self.client.clear_limit(choice.limit()).await?),
        }
        self.crew.deeds.sets.push(Set { choice, called, done: now(), bounds });
        let of = choice.value.map_or(choice.of.to_owned(), |value| format!("{}, `{value}`", choice.of));
        match bounds {
            Some(bounds) => self.crew.deeds.tell("overrides set", format!("{of} was set to {bounds}")),
            None => self.crew.deeds.tell("overrides cleared", format!("{of} was cleared")),
        }
        Ok(())
    }

    /// Nothing is done to anybody any more: the second version runs, and what was set is cleared.
    pub(crate) async fn calm(&mut self) -> anyhow::Result<()> {
        self.crew.go_on(true)?;
        for place in self.crew.behind(Version::Second) {
            self.crew.relieve(place, Version::Second).await?;
        }
        for choice in CHOICES.iter().filter(|choice| self.is_set(choice)).collect::<Vec<_>>() {
            self.set(choice, None).await?;
        }
        Ok(())
    }

    fn anybody(&mut self) -> Option<usize> {
        let awake = self.crew.awake();
        (!awake.is_empty()).then(|| self.one_of(&awake))
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.chance.draw(of.len() as u64)).unwrap_or_default()]
    }
}
