"""The web application: health for load balancers, a locked page, and headers on every answer."""

import html.parser
from pathlib import Path

import httpx
import pytest
from ksmg.checks.verdict import Check, Verdict
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.mail.message import Message
from ksmg.web.app import SECURITY_HEADERS, make_app
from ksmg.web.health import Health, HealthProbe


class Engine(Check):
    """An engine that works or does not."""

    name = "antivirus"
    description = "a fake"

    def __init__(self, works: bool) -> None:
        self.works = works
        self.probes = 0

    async def check(self, message: Message, options: object) -> Verdict:
        raise NotImplementedError

    async def probe(self) -> str:
        self.probes += 1
        if not self.works:
            raise EngineFailure(Reason.UNREACHABLE, "the secret path /run/x")
        return "1"


class Probe(HealthProbe):
    """Says what it is told to."""

    def __init__(self, healthy: bool) -> None:
        self._healthy = healthy

    async def health(self) -> Health:
        return Health({"filter": True, "antivirus": self._healthy})


async def ask(path: str, method: str = "GET", healthy: bool = True, password_set: bool = False) -> httpx.Response:
    app = make_app(Probe(healthy), "<gw>.example.org", password_set)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://gw.example.org") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(("healthy", "code", "status"), [(True, 200, "ok"), (False, 503, "unavailable")])
async def test_health_for_load_balancers(healthy: bool, code: int, status: str) -> None:
    answer = await ask("/health", healthy=healthy)
    assert (answer.status_code, answer.json()) == (
        code,
        {"status": status, "checks": {"filter": True, "antivirus": healthy}},
    )
    assert (await ask("/health", "HEAD", healthy)).status_code == code


@pytest.mark.parametrize("path", ["/", "/health", "/style.css", "/nothing", "/docs", "/openapi.json"])
async def test_every_answer_has_the_security_headers(path: str) -> None:
    answer = await ask(path)
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/nothing", "/../etc/passwd"])
async def test_there_is_nothing_else(path: str) -> None:
    assert (await ask(path)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(method: str) -> None:
    assert (await ask("/", method)).status_code == 405


async def test_without_a_password_the_page_says_how_to_set_one() -> None:
    page = (await ask("/")).text
    assert "site_admin_password_hash" in page
    assert "ksmg password-hash" in page


async def test_with_a_password_the_page_says_that_pages_are_not_part_of_this_version() -> None:
    page = (await ask("/", password_set=True)).text
    assert "not part of this version" in page
    assert "site_admin_password_hash" not in page


async def test_the_page_is_accessible_and_loads_nothing_from_elsewhere() -> None:
    found: list[tuple[str, dict[str, str | None]]] = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    page = (await ask("/")).text
    Parser().feed(page)
    tags = [tag for tag, _ in found]
    assert ("html", {"lang": "en"}) in found
    assert {"title", "main", "h1"} <= set(tags)
    assert "script" not in tags
    assert not any({"src", "style", "onclick"} & attributes.keys() for _, attributes in found)
    assert [attributes["href"] for _, attributes in found if "href" in attributes] == ["/style.css"]
    assert "&lt;gw&gt;" in page


async def test_health_looks_at_socket_engine_and_space(tmp_path: Path) -> None:
    found = await HealthProbe([Engine(works=False)], tmp_path, tmp_path / "none").health()
    assert found.parts == {"filter": False, "antivirus": False, "storage": True}
    assert not found.healthy


async def test_health_is_remembered_for_a_moment(tmp_path: Path) -> None:
    engine = Engine(works=True)
    probe = HealthProbe([engine], tmp_path, tmp_path / "none")
    await probe.health()
    await probe.health()
    assert engine.probes == 1
