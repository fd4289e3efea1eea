//! The machine that is measured on.

use std::fs;
use std::thread::available_parallelism;

/// The processor and how many cores of it may be used.
#[must_use]
pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, model)| model.trim());
    format!("{model}, {} cores", available_parallelism().map_or(0, std::num::NonZero::get))
}

/// How busy the machine was just before, as the kernel says it.
#[must_use]
pub fn load_average() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
