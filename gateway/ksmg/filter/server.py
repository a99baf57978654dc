"""The filter's listening socket: one session per connection, and an orderly end."""

import asyncio
import functools
import logging
import socket
import sys

from ksmg.mail.spool import Spool
from ksmg.milter.packets import ProtocolError
from ksmg.milter.session import Process, Session

_log = logging.getLogger(__name__)
_BUFFER = 262_144
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
        if sys.version_info >= (3, 13):  # the socket is systemd's: without this, its file would be removed at the end
            start = functools.partial(asyncio.start_unix_server, cleanup_socket=False)
        else:
            start = asyncio.start_unix_server
        self._server = await start(self._serve, sock=listening, limit=_BUFFER)

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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(reader, writer, self._spool, self._process)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._sessions[task] = session
        try:
            await session.converse()
        except ProtocolError as error:
            _log.warning("the mail server's connection was closed: %s", error)
        except asyncio.CancelledError:
            pass  # the filter ends
        except Exception:  # the mail server answers 4xx for this message, the filter goes on
            _log.exception("a connection of the mail server failed")
        finally:
            self._sessions.pop(task, None)
            writer.close()
