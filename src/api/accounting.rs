//! Around every request: what it cost, and that a panic of its handler ends only the request.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::error;

use super::problem::{Problem, ProblemKind};

pub(super) async fn account(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = response.unwrap_or_else(|_| {
        error!(method, route, "the handler of an API request panicked");
        metrics::counter!("lwm2m_api_panics_total").increment(1);
        let detail = "the request could not be completed; the server's log says more";
        Problem::new(ProblemKind::Internal, detail).into_response()
    });
    let seconds = started.elapsed().as_secs_f64();
    metrics::histogram!("lwm2m_api_request_duration_seconds", "route" => route.clone())
        .record(seconds);
    let status = response.status().as_u16().to_string();
    metrics::counter!(
        "lwm2m_api_requests_total", "method" => method, "route" => route, "status" => status
    )
    .increment(1);
    response
}

/// A closed set: a peer may invent methods.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower_service::Service;

    use super::*;

    async fn panics() -> &'static str {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_handler_that_panics_costs_one_request() {
        let mut router = Router::new()
            .route("/bad", get(panics))
            .route("/good", get(|| async { "good" }))
            .layer(from_fn(account));
        for (path, status) in [
            ("/bad", StatusCode::INTERNAL_SERVER_ERROR),
            ("/good", StatusCode::OK),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(
                router.call(request).await.unwrap().status(),
                status,
                "{path}"
            );
        }
    }
}
