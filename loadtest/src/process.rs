//! CPU time and memory of processes, from proc(5).

use std::fs;
use std::io;

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// The most that was resident since the process began, in bytes.
    pub peak_rss_bytes: u64,
}

impl Usage {
    /// Of the process `pid`.
    ///
    /// # Errors
    /// When there is no such process, or it may not be looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::read(&pid.to_string())
    }

    /// Of this process.
    ///
    /// # Errors
    /// When /proc is not there.
    pub fn own() -> io::Result<Self> {
        Self::read("self")
    }

    fn read(process: &str) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let statm = fs::read_to_string(format!("/proc/{process}/statm"))?;
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
        let ticks = cpu_ticks(&stat).ok_or_else(unreadable)?;
        let pages: u64 = statm
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse().ok())
            .ok_or_else(unreadable)?;
        Ok(Self {
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            rss_bytes: pages * rustix::param::page_size() as u64,
            peak_rss_bytes: peak_kilobytes(&status).ok_or_else(unreadable)? * 1_024,
        })
    }
}

/// `VmHWM` in the unit of that file.
fn peak_kilobytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// utime and stime, fields 14 and 15. The second field, a name in parentheses, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_process_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 7 8 9";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::own().unwrap();
        assert!(usage.rss_bytes > 100_000);
        assert!(usage.peak_rss_bytes >= usage.rss_bytes / 2);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
