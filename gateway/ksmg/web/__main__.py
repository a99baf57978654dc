"""`python3 -m ksmg.web`: the service's process. systemd passes the socket that nginx connects to."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ksmg.checks.catalogue import make_checks
from ksmg.diagnostics.levels import LevelsInForce
from ksmg.policy import PolicyError, load_policy
from ksmg.settings import Settings, SettingsError, load_settings
from ksmg.stores.locations import open_system_events, settings_file
from ksmg.system.syslog import Syslog, SyslogHandler
from ksmg.system.systemd import listening_sockets, notify
from ksmg.web.app import make_app
from ksmg.web.health import HealthProbe

_log = logging.getLogger("ksmg.web")
IDENT = "ksmg-web"


def main() -> int:
    """Serves the application. Exit code 1 with one sentence when it cannot start."""
    logging.basicConfig(level=logging.INFO, handlers=[SyslogHandler(Syslog(IDENT))])
    try:
        _serve(_application())
    except (PolicyError, SettingsError, OSError) as error:
        _log.error("The web interface cannot start: %s", error)
        print(f"The web interface cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _application() -> FastAPI:
    policy = load_policy()
    settings = load_settings(settings_file(policy)) or Settings({})
    probe = HealthProbe(make_checks(settings), Path(policy.place("message_events")))
    app = make_app(probe, settings.text("hostname"), settings["admin_password_hash"] is not None)
    app.router.lifespan_context = _announced(LevelsInForce(policy, settings, open_system_events(policy, settings).add))
    return app


def _announced(levels: LevelsInForce) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def announced(_: FastAPI) -> AsyncIterator[None]:
        """Tells systemd when the application is ready and when it ends."""
        watching = asyncio.create_task(levels.watch())
        notify("READY=1")
        yield
        notify("STOPPING=1")
        watching.cancel()

    return announced


def _serve(app: FastAPI) -> None:
    sockets = listening_sockets()
    if len(sockets) != 1:
        raise OSError("systemd passed no socket; start ksmg-web.socket instead")
    config = uvicorn.Config(
        app,
        access_log=False,  # nginx keeps the one access log
        log_config=None,
        server_header=False,
        date_header=False,
        limit_concurrency=64,
        timeout_keep_alive=30,
        proxy_headers=False,
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=sockets))


if __name__ == "__main__":
    sys.exit(main())
