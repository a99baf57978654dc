"""The application: its routes, and the headers that every answer carries."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from ksmg import __version__
from ksmg.diagnostics.trace import Trace
from ksmg.web.health import HealthProbe

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""On every answer.

Nothing is loaded from elsewhere, nothing runs, nobody may frame the pages (OWASP secure headers).
"""

_trace = Trace("web")
_templates = Environment(
    loader=PackageLoader("ksmg.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def make_app(probe: HealthProbe, hostname: str, password_set: bool) -> FastAPI:
    """The application. Without a password the page says how to set one."""
    app = FastAPI(title="ksmg", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    page = _templates.get_template("locked.html").render(hostname=hostname, password_set=password_set)
    style = _templates.get_template("style.css").render()

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> JSONResponse:
        found = await probe.health()
        answer = {"status": "ok" if found.healthy else "unavailable", "checks": found.parts}
        return JSONResponse(answer, 200 if found.healthy else 503)

    @app.api_route("/", methods=["GET", "HEAD"], response_class=HTMLResponse)
    async def locked() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/style.css")
    async def stylesheet() -> Response:
        return Response(style, media_type="text/css")

    app.add_exception_handler(HTTPException, _plain_error)
    app.middleware("http")(_with_security_headers)
    return app


async def _plain_error(_: Request, error: Exception) -> Response:
    """404, 405 and the like as one line of text."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return PlainTextResponse(f"{code} {getattr(error, 'detail', 'Error')}\n", code, headers)


async def _with_security_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.update(SECURITY_HEADERS)
    if _trace.enabled:
        _trace.write(f"{request.method} {request.url.path}: {response.status_code}")
    return response
