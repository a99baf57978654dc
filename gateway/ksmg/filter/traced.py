"""What the trace of the filter says of a message."""

from ksmg.diagnostics.trace import Level, Trace, shown
from ksmg.filter.answers import reply_text
from ksmg.filter.case import Case
from ksmg.milter.packets import Packet

_NEW_BODY = b"b"
"""The packet that replaces a body: what is in messages is in the trace of the protocol, and nowhere else."""


def trace_case(trace: Trace, case: Case, packets: list[Packet], failure: str) -> None:
    """A line for the message, one for what failed, and at debug one for each verdict, decision and change."""
    envelope = case.message.envelope
    to = ", ".join(map(shown, envelope.recipients))
    way = f"{envelope.client.address} from <{shown(envelope.sender)}> to {to}"
    trace.write(f"{case.id} {envelope.queue_id} {way}: {case.plan.answer.value}, {reply_text(packets)}")
    if failure or case.unscanned:
        trace.write(f"{case.id} {failure or case.unscanned}", Level.ERROR)
    if trace.detailed:
        _trace_details(trace, case, packets)


def _trace_details(trace: Trace, case: Case, packets: list[Packet]) -> None:
    trace.write(f"{case.id} subject: {case.message.spooled.text(b'Subject')}", Level.DEBUG)
    for verdict in case.verdicts.values():
        trace.write(f"{case.id} verdict: {verdict}", Level.DEBUG)
    for group, decision in zip(case.groups, case.decisions, strict=True):
        trace.write(f"{case.id} rule {group.rule.name!r} for {group.recipients}: {decision}", Level.DEBUG)
    for packet in packets:
        data = f"{len(packet.data)} bytes" if packet.command == _NEW_BODY else shown(packet.data)
        trace.write(f"{case.id} packet {shown(packet.command)}: {data}", Level.DEBUG)
