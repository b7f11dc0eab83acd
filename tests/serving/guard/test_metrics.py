"""What Prometheus reads."""

from deixis.serving.guard.metrics import Metrics, MetricsMiddleware
from tests.serving.guard.small_app import application


def test_requests_by_route_and_the_numbers_of_parts():
    metrics = Metrics()
    metrics.add("scheduler", lambda: {"waiting": 3, "cancelled_total": 7})
    client = application((MetricsMiddleware, {"metrics": metrics}))
    client.app.add_route("/metrics", metrics.response)
    for path in ("/owner/a", "/owner/b", "/nowhere/c", "/stream", "/fails"):
        client.get(path)
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    lines = response.text.splitlines()
    assert 'deixis_requests_total{method="GET",route="/owner/{name}",status="200"} 2.0' in lines
    assert 'deixis_requests_total{method="GET",route="unknown",status="404"} 1.0' in lines
    assert 'deixis_requests_total{method="GET",route="/fails",status="500"} 1.0' in lines
    assert 'deixis_request_seconds_count{method="GET",route="/stream"} 1.0' in lines
    assert "deixis_requests_running 1.0" in lines
    assert "deixis_scheduler_waiting 3.0" in lines
    assert "deixis_scheduler_cancelled_total 7.0" in lines
    assert "nowhere/c" not in response.text


def test_two_servers_count_apart():
    first, second = Metrics(), Metrics()
    first.requests.labels("/", "GET", "200").inc()
    assert (
        second.registry.get_sample_value("deixis_requests_total", {"route": "/", "method": "GET", "status": "200"})
        is None
    )
