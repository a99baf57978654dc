"""The one exception that ends a build with a sentence for people."""

from __future__ import annotations


class Problem(Exception):
    """What is wrong, in one sentence, and the cure, in another. Never shown with a traceback."""

    def __init__(self, sentence: str, cure: str, output: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cure = cure
        self.output = output
