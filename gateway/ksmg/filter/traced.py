"""What the trace of the filter says of a message."""

from ksmg.diagnostics.trace import Level, Trace, shown
from ksmg.filter.answers import Reply
from ksmg.filter.case import Case
from ksmg.filter.delivery import Done


def trace_case(trace: Trace, case: Case, done: Done, reply: Reply, failure: str) -> None:
    """A line for the message, one for what failed, and at debug one for each verdict, decision and change."""
    envelope = case.message.envelope
    to = ", ".join(map(shown, envelope.recipients))
    way = f"{envelope.client.address} from <{shown(envelope.sender)}> to {to}"
    trace.write(f"{case.id} {envelope.queue_id} {way}: {case.plan.answer.value}, {reply.text}")
    if failure or case.unscanned:
        trace.write(f"{case.id} {failure or case.unscanned}", Level.ERROR)
    if trace.detailed:
        _trace_details(trace, case, done)


def _trace_details(trace: Trace, case: Case, done: Done) -> None:
    trace.write(f"{case.id} subject: {case.message.spooled.text(b'Subject')}", Level.DEBUG)
    for verdict in case.verdicts.values():
        trace.write(f"{case.id} verdict: {verdict}", Level.DEBUG)
    for group, decision in zip(case.groups, case.decisions, strict=True):
        trace.write(f"{case.id} rule {group.rule.name!r} for {group.recipients}: {decision}", Level.DEBUG)
    if done.changes:
        for edit in done.changes.headers:
            trace.write(f"{case.id} change: {edit}", Level.DEBUG)
