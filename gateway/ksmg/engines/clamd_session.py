"""A session with clamd that stays open (IDSESSION, man 8 clamd): files go in, one after the other, replies come out.

Its socket is watched from beginning to end: to begin and end that for every reply costs more than the reply.
"""

import array
import asyncio
import contextlib
import socket

_LONGEST_REPLY = 65_536
_END = b"\0"


class ClamdSession:
    """One session. It takes a file at a time."""

    def __init__(self, connection: socket.socket) -> None:
        """Begins on a connection that was just made."""
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._answer: asyncio.Future[bytes | None] | None = None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # passing a file tells
            connection.send(b"zIDSESSION\0")  # into an empty buffer: it fits
        self._loop.add_reader(connection, self._readable)

    @property
    def ended(self) -> bool:
        """Whether no file can be passed any more."""
        return self._connection.fileno() < 0

    @property
    def usable(self) -> bool:
        """Whether it waits for a file: it has not ended, and nothing came that nobody asked for. Else it ends."""
        if not self.ended:
            try:
                self._connection.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return True
            except OSError:
                pass
            self.close()
        return False

    async def pass_file(self, descriptor: int) -> str | None:
        """clamd's whole reply to an open file; None when the session ended instead.

        Whoever gives up waiting ends the session: a late reply must not be taken for the next file's.
        """
        self._answer = self._loop.create_future()
        answer = None
        try:
            rights = array.array("i", [descriptor])
            self._connection.sendmsg([b"zFILDES\0\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            answer = await self._answer
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._answer = None
            if answer is None:
                self.close()
        return answer.decode("utf-8", "backslashreplace") if answer is not None else None

    def close(self) -> None:
        """Ends it."""
        if not self.ended:
            self._loop.remove_reader(self._connection)
            self._connection.close()
        self._tell(None)

    def _readable(self) -> None:
        """Something came, or the end."""
        try:
            piece = self._connection.recv(_LONGEST_REPLY)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._received += piece
        if not piece or self._answer is None or len(self._received) > _LONGEST_REPLY:
            self.close()
        elif self._received.endswith(_END):
            reply, self._received = self._received[: -len(_END)], b""
            self._tell(reply)

    def _tell(self, reply: bytes | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reply)
