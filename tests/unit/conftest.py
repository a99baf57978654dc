"""Unit tests: no network, no root, no appliance; peers are fakes."""

from hypothesis import HealthCheck, settings

# The machine may be busy: a slow example is no failure. Every run has the same examples, so that a failure comes again.
settings.register_profile(
    "unit",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("unit")
