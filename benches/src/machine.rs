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

/// The bytes of this process that are in memory; not a number where the system doesn't say it in Linux's way.
#[must_use]
pub fn resident_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kilobytes.and_then(|text| text.parse::<f64>().ok()).map_or(f64::NAN, |kilobytes| kilobytes * 1024.0)
}

/// How busy the machine was just before, as the kernel says it.
#[must_use]
pub fn load_average() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
