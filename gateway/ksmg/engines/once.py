"""One answer of an engine per message, for all checks that want it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from ksmg.mail.message import Message

T = TypeVar("T")


class Once(Generic[T]):
    """Asks when the first check wants to know, and gives the same answer, or failure, to the others.

    Answers go with their messages.
    """

    def __init__(self, ask: Callable[[Message], Awaitable[T]]) -> None:
        self._ask = ask
        self._answers: WeakKeyDictionary[Message, asyncio.Future[T]] = WeakKeyDictionary()

    async def __call__(self, message: Message) -> T:
        """The answer. Raises what asking raised."""
        answer = self._answers.get(message)
        if answer is None:
            answer = asyncio.ensure_future(self._ask(message))
            answer.add_done_callback(_seen)
            self._answers[message] = answer
        return await asyncio.shield(answer)  # one check that gives up must not end it for the others


def _seen(answer: asyncio.Future[T]) -> None:
    """Failures count as seen even when nobody waited to the end."""
    if not answer.cancelled():
        answer.exception()
