//! gRPC health: for the whole server, as kubelet asks by default, and for the function's service.

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use crate::protocol::service::SERVICE_NAME;

/// The server as a whole has the empty name: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>.
const SERVICES: [&str; 2] = ["", SERVICE_NAME];

/// A health service that says so: serving.
pub(super) async fn serving() -> (HealthReporter, HealthServer<impl Health>) {
    let (reporter, service) = tonic_health::server::health_reporter();
    set(&reporter, ServingStatus::Serving).await;
    (reporter, service)
}

/// From here on calls go elsewhere.
pub(super) async fn stopping(reporter: &HealthReporter) {
    set(reporter, ServingStatus::NotServing).await;
}

async fn set(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
