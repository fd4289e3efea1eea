//! Whose a database or a container is, told by its name: `pgq_test_<place>_<pid>_<start>_<n>`.
//!
//! - place: where a process number means the same: boot, pid and user namespace, user (a hash);
//! - pid and start: which process there, even when its number is used again;
//! - n: which of its databases; a container has 0.
//!
//! Such a thing is stale if it is of *our* place and that process is gone. Of another place's nothing is known: another
//! host, a container, another user whose processes may be hidden from us, or this host before it was booted again.
//! Those are never touched.

use std::{fs, io, process, process::Command, sync::OnceLock};

use crate::account::Account;

const PREFIX: &str = "pgq_test_";

/// This process, as an owner.
#[derive(Debug, PartialEq)]
pub(crate) struct Owner {
    place: u64,
    pid: u32,
    start: u64,
}

impl Owner {
    /// `None` on a system that can't tell: then all have nobody's name, and nothing is swept.
    fn this() -> Option<&'static Self> {
        static THIS: OnceLock<Option<Owner>> = OnceLock::new();
        let find = || {
            let Liveness::Started(start) = liveness(process::id()) else { return None };
            Some(Owner { place: place()?, pid: process::id(), start })
        };
        THIS.get_or_init(find).as_ref()
    }

    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('_');
        let owner = Self {
            place: u64::from_str_radix(parts.next()?, 16).ok()?,
            pid: parts.next()?.parse().ok()?,
            start: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        let _number: u64 = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(owner)
    }
}

/// The name of this process's `n`th; 63 bytes at most.
pub(crate) fn name(n: u64) -> String {
    match Owner::this() {
        Some(Owner { place, pid, start }) => format!("{PREFIX}{place:x}_{pid}_{start:x}_{n}"),
        None => format!("{PREFIX}{}_{n}", process::id()),
    }
}

/// What all our names begin with, as a pattern for `like`.
pub(crate) fn name_pattern() -> String {
    PREFIX.replace('_', r"\_") + "%"
}

/// Whether the process that gave this name is certainly gone.
pub(crate) fn is_stale(name: &str) -> bool {
    let (Some(this), Some(owner)) = (Owner::this(), Owner::of(name)) else { return false };
    owner.place == this.place
        && match liveness(owner.pid) {
            Liveness::Gone => true,
            Liveness::Started(start) => start != owner.start,
            Liveness::Unknown => false,
        }
}

enum Liveness {
    Gone,
    /// Its start, in some unit: good for comparing only.
    Started(u64),
    Unknown,
}

fn liveness(pid: u32) -> Liveness {
    // The link shows whether /proc is that of our own pid namespace.
    if fs::read_link("/proc/self").is_ok_and(|pid| pid.to_str() == Some(&process::id().to_string())) {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => start_in_stat(&stat).map_or(Liveness::Unknown, Liveness::Started),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Liveness::Gone,
            Err(_) => Liveness::Unknown,
        }
    } else if cfg!(target_os = "macos") {
        match output(Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()])) {
            Some(start) if start.is_empty() => Liveness::Gone,
            Some(start) => Liveness::Started(hash(&start)),
            None => Liveness::Unknown,
        }
    } else {
        Liveness::Unknown
    }
}

/// The 22nd field. The second is the program's name in parentheses, which may hold spaces and parentheses itself.
fn start_in_stat(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn place() -> Option<u64> {
    let uid = Account::own_uid().ok()?;
    let place = if cfg!(target_os = "macos") {
        output(Command::new("sysctl").args(["-n", "kern.bootsessionuuid"])).filter(|boot| !boot.is_empty())?
    } else {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let [pids, users] = ["pid", "user"].map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")));
        format!("{boot} {} {}", pids.ok()?.display(), users.ok()?.display())
    };
    Some(hash(&format!("{place} {uid}")))
}

fn output(command: &mut Command) -> Option<String> {
    Some(String::from_utf8_lossy(&command.output().ok()?.stdout).trim().to_owned())
}

/// FNV-1a: it has to come out the same in every build, which std's hasher doesn't promise.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(place: u64, pid: u32, start: u64) -> String {
        format!("{PREFIX}{place:x}_{pid}_{start:x}_7")
    }

    #[test]
    fn a_name_tells_its_owner() {
        let own = name(7);
        assert!(own.len() <= 63, "{own}");
        assert_eq!(Owner::of(&own).as_ref(), Owner::this());
    }

    #[test]
    fn only_a_gone_process_of_this_place_leaves_stale_databases() {
        let Some(this) = Owner::this() else { return };
        // Process numbers end at 2^22 on Linux and at 99998 on macOS.
        let gone = 4_194_305;
        assert!(is_stale(&name_of(this.place, gone, this.start)));
        assert!(is_stale(&name_of(this.place, this.pid, this.start + 1)), "its number was used again");
        assert!(!is_stale(&name_of(this.place, this.pid, this.start)), "it is alive");
        assert!(!is_stale(&name_of(this.place ^ 1, gone, this.start)), "it is another host's");
        for foreign in ["pgq_test_mine", "pgq_test_1_2_3", "pgq_test_1_2_3_4_5", "postgres", "pgq_test_1_2_3_x"] {
            assert!(!is_stale(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_start_is_found_behind_a_hostile_program_name() {
        let stat = "1 (a) (b c) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 1";
        assert_eq!(start_in_stat(stat), Some(4711));
    }
}
