"""Puts together what judges messages, for the service and for those who want to know what it would say."""

from collections.abc import Iterable

from ksmg.checks.verdict import Check
from ksmg.filter.budget import Budget
from ksmg.filter.engine_watch import EngineWatch
from ksmg.filter.judgement import Judges
from ksmg.filter.pipeline import Judgement, Rules
from ksmg.inspection.client import Inspector
from ksmg.inspection.limits import Limits
from ksmg.mail.facts import Neighbourhood
from ksmg.settings import Settings


def neighbourhood(settings: Settings) -> Neighbourhood:
    """Which networks and domains are ours."""
    domains = (entry["domain"] for entry in settings["relay_domains"])
    return Neighbourhood(settings["internal_networks"], domains)


def make_judgement(
    settings: Settings,
    rules: Rules,
    checks: Iterable[Check],
    watch: EngineWatch,
    budget: Budget,
) -> Judgement:
    """The judgement as the settings say."""
    inspector = Inspector(Limits(unpacked=settings.number("antivirus.unpacked_limit")))
    return Judgement(neighbourhood(settings), inspector.inspect, Judges(list(checks), watch), rules, budget)
