//! The metrics of the process, with the names that Prometheus' own clients use, read on each scrape.

use procfs::process::{LimitValue, Process as OwnProcess, Stat};
use procfs::{ProcResult, WithCurrentSystemInfo as _, boot_time_secs, ticks_per_second};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// Reads /proc/self on each scrape. If it cannot be read, these metrics are absent.
#[derive(Debug)]
pub(super) struct Process;

/// A name, its help, and the value.
type Figure = (&'static str, &'static str, Box<dyn EncodeMetric>);

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for (name, help, metric) in figures().unwrap_or_default() {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

fn figures() -> ProcResult<Vec<Figure>> {
    let process = OwnProcess::myself()?;
    let stat = process.stat()?;
    let mut figures: Vec<Figure> = vec![
        ("process_cpu_seconds", "CPU time spent", Box::new(ConstCounter::new(cpu_seconds(&stat)))),
        ("process_start_time_seconds", "Start time in seconds since 1970", gauge(start_seconds(&stat)?)),
        ("process_resident_memory_bytes", "Memory resident", gauge(as_f64(stat.rss_bytes().get()))),
        ("process_virtual_memory_bytes", "Memory mapped", gauge(as_f64(stat.vsize))),
        ("process_threads", "Threads", gauge(as_f64(stat.num_threads.unsigned_abs()))),
        ("process_open_fds", "File descriptors open", gauge(as_f64(process.fd_count()? as u64))),
    ];
    if let LimitValue::Value(most) = process.limits()?.max_open_files.soft_limit {
        figures.push(("process_max_fds", "File descriptors allowed", gauge(as_f64(most))));
    }
    Ok(figures)
}

fn cpu_seconds(stat: &Stat) -> f64 {
    as_f64(stat.utime + stat.stime) / as_f64(ticks_per_second())
}

fn start_seconds(stat: &Stat) -> ProcResult<f64> {
    Ok(as_f64(boot_time_secs()?) + as_f64(stat.starttime) / as_f64(ticks_per_second()))
}

fn gauge(value: f64) -> Box<dyn EncodeMetric> {
    Box::new(ConstGauge::new(value))
}

/// Prometheus has no other type of number.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which no figure of a process comes near")]
fn as_f64(value: u64) -> f64 {
    value as f64
}
