"""Settings, rules, lists and the mail server's files as holders: found, and kept unless more is wanted."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ksmg.rules.lists import GLOBAL, Entry, Lists
from ksmg.rules.store import RuleStore, digest_of
from ksmg.stores.durable import erase_file
from ksmg.subject.finding import Erasure, Finding, Kind, Outcome
from ksmg.subject.line_source import every
from ksmg.subject.log_files import suspicious_lines
from ksmg.subject.matcher import Matcher
from ksmg.subject.texts import texts

_LONGEST_SHOWN = 1000


class FilesHolder:
    """All files of a place: one file, or a directory with all below it."""

    def __init__(self, row: str, place: Path, ground: str) -> None:
        self.row = row
        self.place = str(place)
        self._path = place
        self._ground = ground

    def find(self, matcher: Matcher) -> Iterator[Finding]:
        """The lines that name the person; of JSON, whose escapes may be anywhere, the whole file."""
        for file, descriptor in every(self._files):
            if file.suffix == ".json" and _in_document(file, matcher):
                yield self._finding(file, "the document names the person")
                continue
            for line in suspicious_lines(descriptor, matcher):
                if matcher.spans(line.data):
                    yield self._finding(file, line.data[:_LONGEST_SHOWN].decode("utf-8", "backslashreplace").strip())

    def erase(self, run: Erasure) -> Outcome:
        """Keeps and counts them."""
        kept = sum(1 for _ in self.find(run.matcher))
        return Outcome(self.row, self.place, kept=kept, grounds=[self._ground] if kept else [])

    def _finding(self, file: Path, text: str) -> Finding:
        return Finding(self.row, str(file), Kind.CONFIGURATION, text, file.stat().st_mtime)

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path] if self._path.is_file() else []
        found = (Path(folder) / name for folder, _, names in os.walk(self._path) for name in names)
        return sorted(file for file in found if file.is_file() and not file.is_symlink())


class RulesHolder(FilesHolder):
    """The rules with their versions, and the allow and deny lists."""

    def __init__(self, row: str, place: Path, rules: RuleStore, lists: Lists, ground: str) -> None:
        super().__init__(row, place, ground)
        self._rules = rules
        self._lists = lists

    def erase(self, run: Erasure) -> Outcome:
        """When configuration is to go: the person's entries and lists, and old versions that name it."""
        erased = self._erase_entries(run.matcher) + self._erase_versions(run.matcher) if run.scope.configuration else 0
        outcome = super().erase(run)
        outcome.erased = erased
        return outcome

    def _erase_entries(self, matcher: Matcher) -> int:
        erased = 0
        for owner in (GLOBAL, *self._lists.owners()):
            before = self._lists.entries(owner)
            kept = [entry for entry in before if not _names(entry, matcher)] if not matcher.names(owner) else []
            if len(kept) < len(before):
                self._lists.replace(kept, owner)
                erased += len(before) - len(kept)
        return erased

    def _erase_versions(self, matcher: Matcher) -> int:
        """Flight records that were decided by them can be explained no more in full, and not be run again."""
        active = digest_of(self._rules.data())
        erased = 0
        for version in self._rules.versions():
            file = Path(self.place) / "versions" / f"{version.digest}.json"
            if version.digest != active and _in_document(file, matcher):
                erase_file(file)
                erased += 1
        return erased


def _names(entry: Entry, matcher: Matcher) -> bool:
    return any(map(matcher.within, (entry.entry, entry.comment)))


def _in_document(file: Path, matcher: Matcher) -> bool:
    """Whether a file is JSON that names the person."""
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    return any(map(matcher.within, texts(document)))
