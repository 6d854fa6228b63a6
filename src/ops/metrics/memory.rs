//! Memory of the process, read at each scrape.

use tikv_jemalloc_ctl::{epoch, stats};

/// Sets `lwm2m_memory_bytes`. A figure that cannot be read is left out.
pub(super) fn update() {
    // The allocator's figures are cached until the epoch advances.
    if epoch::advance().is_ok() {
        set("allocated", stats::allocated::read().ok());
        set("active", stats::active::read().ok());
        set("resident", stats::resident::read().ok());
    }
    set("rss", resident_set());
}

fn set(kind: &'static str, bytes: Option<usize>) {
    if let Some(bytes) = bytes {
        metrics::gauge!("lwm2m_memory_bytes", "kind" => kind).set(bytes as f64);
    }
}

/// Resident set as the kernel counts it, in bytes.
fn resident_set() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_from_the_kernel() {
        assert!(resident_set().unwrap() > 1 << 20);
    }
}
