"""The filter's listening socket: one session per connection, and an orderly end."""

import asyncio
import functools
import logging
import socket
import sys

from ksmg.mail.spool import Spool
from ksmg.milter.connection import Connection
from ksmg.milter.packets import ProtocolError
from ksmg.milter.session import Process, Session

_log = logging.getLogger(__name__)
FINISH_SECONDS = 60.0
"""How long messages that are under way may take when the filter is told to end."""


class Server:
    """Serves the mail server's connections."""

    def __init__(self, spool: Spool, process: Process) -> None:
        self._spool = spool
        self._process = process
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Begins to accept connections."""
        start = asyncio.get_running_loop().create_unix_server
        if sys.version_info >= (3, 13):  # the socket is systemd's: without this, its file would be removed at the end
            start = functools.partial(start, cleanup_socket=False)
        self._server = await start(lambda: Connection(self._begin), sock=listening)

    async def stop(self) -> None:
        """Accepts nothing any more, closes idle connections, and waits for messages that are under way."""
        if self._server is not None:
            self._server.close()
        for task, session in self._sessions.items():
            if session.idle:
                task.cancel()
        if self._sessions:
            _, late = await asyncio.wait(self._sessions.keys(), timeout=FINISH_SECONDS)
            for task in late:
                task.cancel()

    def _begin(self, connection: Connection) -> None:
        session = Session(connection, self._spool, self._process)
        task = asyncio.get_running_loop().create_task(self._serve(session))
        self._sessions[task] = session
        task.add_done_callback(lambda done: self._end(done, connection))

    def _end(self, task: asyncio.Task[None], connection: Connection) -> None:
        self._sessions.pop(task, None)
        connection.close()

    async def _serve(self, session: Session) -> None:
        try:
            await session.converse()
        except ProtocolError as error:
            _log.warning("the mail server's connection was closed: %s", error)
        except asyncio.CancelledError:
            pass  # the filter ends
        except Exception:  # the mail server answers 4xx for this message, the filter goes on
            _log.exception("a connection of the mail server failed")
