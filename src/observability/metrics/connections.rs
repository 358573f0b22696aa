//! The metrics of connections, and of the bodies that are read from them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitLabels {
    waited_for: &'static str,
}

/// The metrics of a listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionFigures {
    pub active: Gauge,
    pub refused: Counter,
    /// The refused connections whose address had too many.
    pub limited: Counter,
    timed_out: Family<WaitLabels, Counter>,
}

impl ConnectionFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let (open, refused) = ("Connections open", "Connections rejected because too many were open");
        registry.register("http_server_active_connections", open, self.active.clone());
        registry.register("http_server_refused_connections", refused, self.refused.clone());
        let limited = "Of these, the ones whose address had too many open";
        registry.register("http_server_limited_connections", limited, self.limited.clone());
        let timed_out = "Connections closed because their client exceeded a time limit";
        registry.register("http_server_timed_out_connections", timed_out, self.timed_out.clone());
        for waited_for in WaitedFor::ALL {
            let _ = self.timed_out.get_or_create(&WaitLabels { waited_for: waited_for.as_str() });
        }
    }

    /// Counts a connection whose client exceeded a time limit.
    pub(crate) fn timed_out(&self, waited_for: WaitedFor) {
        self.timed_out.get_or_create(&WaitLabels { waited_for: waited_for.as_str() }).inc();
    }
}

/// What a client did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitedFor {
    /// The TLS handshake.
    Handshake,
    /// Sending the head of a request.
    Head,
    /// Sending the rest of a body after the response.
    Body,
    /// Reading its response.
    Reading,
}

impl WaitedFor {
    const ALL: [Self; 4] = [Self::Handshake, Self::Head, Self::Body, Self::Reading];

    fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Head => "head",
            Self::Body => "body",
            Self::Reading => "reading",
        }
    }
}

/// The memory of the bodies being read.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyFigures {
    /// The bytes of the buffers.
    pub memory: Gauge,
    /// Requests rejected because there was no room for their body.
    pub shed: Counter,
}

impl BodyFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let memory = "Bytes of the bodies being read";
        registry.register("http_server_body_memory_bytes", memory, self.memory.clone());
        let shed = "Requests rejected because bodies took too much memory";
        registry.register("http_server_shed_bodies", shed, self.shed.clone());
    }
}
