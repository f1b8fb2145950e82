//! How the exchange is doing.

use std::sync::Arc;

use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};

use crate::access::Reader;
use crate::calls::Tag;
use crate::documented::Failure;
use crate::health::HealthSource;
use crate::metrics::Metrics;
use crate::payload::JsonResponse;
use crate::problem::{Code, Problem};
use crate::schema::health::{HealthStatus, HealthView};

failures! {
    MetricsFailures: Internal;
}

/// The calls about how the exchange is doing.
#[derive(Clone)]
pub struct Operations {
    health: Arc<dyn HealthSource>,
    metrics: Metrics,
}

#[derive(ApiResponse)]
enum Health {
    /// Orders are accepted.
    #[oai(status = 200)]
    Accepting(JsonResponse<HealthView>),
    /// No orders are accepted.
    #[oai(status = 503)]
    Unavailable(JsonResponse<HealthView>),
}

#[derive(ApiResponse)]
enum MetricsText {
    /// The metrics in Prometheus's text format.
    #[oai(status = 200)]
    Text(PlainText<String>),
}

impl Operations {
    /// Calls that tell what these know.
    #[must_use]
    pub fn new(health: Arc<dyn HealthSource>, metrics: Metrics) -> Self {
        Self { health, metrics }
    }
}

#[OpenApi(tag = "Tag::Operations")]
impl Operations {
    /// Whether the exchange is well
    ///
    /// 200 with `ok` while all is well, 200 with `degraded` while orders are accepted and something
    /// else is not well (the database is down, an instrument is being rebuilt), 503 with
    /// `unavailable` while no orders are accepted. Needs no key.
    #[oai(path = "/healthz", method = "get", operation_id = "get_health")]
    async fn healthz(&self) -> Health {
        let health = self.health.health();
        match health.status.0 {
            HealthStatus::Ok | HealthStatus::Degraded => Health::Accepting(JsonResponse(health)),
            HealthStatus::Unavailable => Health::Unavailable(JsonResponse(health)),
        }
    }

    /// Figures for Prometheus
    ///
    /// Orders received, matched and rejected, the latency of orders, the depth of books, trades,
    /// the journal, the projector behind the database, streams, the feed and the process, in
    /// Prometheus's text format. Counters count from the process's start.
    #[oai(path = "/metrics", method = "get", operation_id = "get_metrics")]
    async fn metrics(&self, _by: Reader) -> Result<MetricsText, Failure<MetricsFailures>> {
        let text = self.metrics.text().map_err(|error| {
            tracing::error!(%error, "the metrics can't be written");
            Problem::new(Code::Internal, "the metrics can't be written")
        })?;
        Ok(MetricsText::Text(PlainText(text)))
    }
}
