"""One answer of an engine per message, for all checks that want it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ksmg.mail.message import Message

T = TypeVar("T")


class Once(Generic[T]):
    """Asks when the first check wants to know, and gives the same answer, or failure, to the others.

    Answers go with their messages. Whoever waits is part of the message's processing, and ends with all of it only.
    """

    def __init__(self, ask: Callable[[Message], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._answers: WeakKeyDictionary[Message, asyncio.Task[T]] = WeakKeyDictionary()

    def __call__(self, message: Message) -> asyncio.Task[T]:
        """The answer to wait for; asking has begun. It raises what asking raised."""
        answer = self._answers.get(message)
        if answer is None:
            answer = self._answers[message] = asyncio.create_task(self._ask(message))
            answer.add_done_callback(_seen)
        return answer


def _seen(answer: asyncio.Task[T]) -> None:
    """Failures count as seen even when nobody waited to the end."""
    if not answer.cancelled():
        answer.exception()
