"""Anti-virus: what clamd finds, and what nobody could look into."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from ksmg.checks.antivirus import Antivirus
from ksmg.checks.blame import MOST_SCANS, infected_parts
from ksmg.checks.verdict import Status, Verdict
from ksmg.engines.clamd import Clamd, Scan
from ksmg.engines.failure import EngineFailure, Reason
from ksmg.engines.handover import Span
from ksmg.mail.message import Message
from ksmg.mail.structure import Problem
from unit.checks_sample import Sample, member, part, structure

UNREACHABLE = EngineFailure(Reason.UNREACHABLE, "no clamd")
TOO_MUCH = EngineFailure(Reason.LIMIT, "too much for clamd")


async def judge(sample: Sample) -> Verdict:
    return await Antivirus(sample.engines()).check(sample.message(), ())


def statuses(verdict: Verdict) -> list[Status]:
    return [finding.status for finding in verdict.findings]


async def test_a_clean_message_has_no_finding() -> None:
    assert (await judge(Sample(structure=structure(part(1, "a.pdf"))))).findings == ()


async def test_malware_is_named() -> None:
    verdict = await judge(Sample(scan=Scan("Eicar")))
    assert (verdict.status, verdict.detail) == (Status.INFECTED, "Eicar")


async def test_without_room_for_its_files_clamd_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample()
    message = sample.message()
    monkeypatch.setattr(message.spooled, "free", 1000, raising=True)
    with pytest.raises(EngineFailure, match="no room"):
        await sample.engines().scan(message)
    assert sample.asked == []


async def test_malware_counts_even_if_the_room_ran_out_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample(scan=Scan("Eicar"))
    message = sample.message()
    room = iter([10**12, 0])
    monkeypatch.setattr(message.spooled, "room", lambda: next(room))
    assert (await sample.engines().scan(message)).malware == "Eicar"


async def test_a_comparison_of_links_is_no_malware() -> None:
    assert (await judge(Sample(scan=Scan("Heuristics.Phishing.Email.SpoofedDomain")))).findings == ()


@pytest.mark.parametrize("problem", Problem)
async def test_a_message_that_was_not_looked_into_is_not_clean_even_if_clamd_says_so(problem: Problem) -> None:
    verdict = await judge(Sample(structure=structure(part(1, "a.zip"), problems=((problem, "a.zip"),))))
    assert (verdict.status, verdict.reason) == (Status.UNSCANNED, Reason.LIMIT)
    assert "a.zip" in verdict.detail


async def test_infected_is_infected_whatever_else_could_not_be_looked_into() -> None:
    verdict = await judge(Sample(Scan("Eicar"), structure=structure(problems=((Problem.BROKEN, "x"),))))
    assert statuses(verdict) == [Status.INFECTED]


async def test_an_encrypted_archive_is_named_with_its_part() -> None:
    archive = part(2, "a.zip", encrypted=True, members=(member("secret.txt", encrypted=True), member("plain.txt")))
    (finding,) = (await judge(Sample(structure=structure(part(1, "b"), archive)))).findings
    assert (finding.status, finding.detail, finding.parts) == (Status.ENCRYPTED, "a.zip/secret.txt", (2,))


async def test_a_document_with_macros_is_named_with_its_part() -> None:
    (finding,) = (await judge(Sample(structure=structure(part(1, "a.doc", macro=True))))).findings
    assert (finding.status, finding.detail, finding.parts) == (Status.MACRO, "a.doc", (1,))


async def test_a_limit_of_clamd_leaves_the_message_unscanned_beside_what_was_seen() -> None:
    verdict = await judge(Sample(TOO_MUCH, structure=structure(part(1, "a.zip", encrypted=True))))
    assert (statuses(verdict), verdict.reason) == ([Status.UNSCANNED, Status.ENCRYPTED], Reason.LIMIT)


async def test_a_clamd_that_is_down_is_a_failure_of_the_engine() -> None:
    with pytest.raises(EngineFailure, match="no clamd"):
        await judge(Sample(UNREACHABLE))


async def test_an_inspection_that_is_down_leaves_the_message_unscanned() -> None:
    with pytest.raises(EngineFailure, match="no clamd"):
        await judge(Sample(structure=UNREACHABLE))


async def test_malware_is_found_while_the_inspection_is_down() -> None:
    assert (await judge(Sample(Scan("Eicar"), structure=UNREACHABLE))).status is Status.INFECTED


@pytest.fixture
def spooled(tmp_path: Path) -> Message:
    """A message with a file."""
    return Sample(file=tmp_path / "message.eml").message()


class InfectedClamd(Clamd):
    """Finds malware in what overlaps some bytes of the message."""

    def __init__(self, *infected: Span) -> None:
        super().__init__(Path("none"))
        self._infected = infected

    async def scan_spans(self, file: Path, spans: Sequence[Span], before: bytes = b"") -> Scan:
        found = any(start < last and first < end for start, end in spans for first, last in self._infected)
        return Scan("Eicar" if found else None)


async def test_the_attachment_with_the_malware_is_blamed(spooled: Message) -> None:
    clamd = InfectedClamd((260, 270))
    assert await infected_parts(clamd, spooled, structure(part(1, "a"), part(2, "b"))) == (2,)


async def test_every_attachment_with_malware_is_blamed(spooled: Message) -> None:
    clamd = InfectedClamd((160, 170), (360, 370))
    assert await infected_parts(clamd, spooled, structure(part(1, "a"), part(2, "b"), part(3, "c"))) == (1, 3)


async def test_nothing_is_blamed_when_the_message_is_infected_without_its_attachments(spooled: Message) -> None:
    clamd = InfectedClamd((160, 170), (5, 6))
    assert await infected_parts(clamd, spooled, structure(part(1, "a"))) == ()


async def test_nothing_is_blamed_when_no_attachment_alone_is_infected(spooled: Message) -> None:
    assert await infected_parts(InfectedClamd((5, 6)), spooled, structure(part(1, "a"))) == ()


async def test_nothing_is_blamed_among_very_many_attachments(spooled: Message) -> None:
    many = structure(*(part(number, "a") for number in range(1, MOST_SCANS + 2)))
    assert await infected_parts(InfectedClamd((160, 170)), spooled, many) == ()


async def test_nothing_is_blamed_when_clamd_fails_meanwhile(spooled: Message) -> None:
    assert await infected_parts(Clamd(Path("/nonexistent")), spooled, structure(part(1, "a"))) == ()


async def test_a_verdict_names_the_engine_once_it_was_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def exchange(_: bytes) -> str:
        return "ClamAV 1.4.6/27000/Mon Nov 23 09:00:00 2020"

    sample = Sample()
    check = Antivirus(engines := sample.engines())
    monkeypatch.setattr(engines.clamd, "_exchange", exchange)
    await check.probe()
    assert check.outdated
    assert (await check.check(sample.message(), ())).engine == "ClamAV 1.4.6, signatures 27000 of 2020-11-23"
