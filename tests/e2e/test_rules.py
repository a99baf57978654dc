"""An administrator's own rules: each recipient gets the outcome of its rule, once, and it can be explained."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dkim
import pytest
from ksmg.cli.failure import ExitCode
from ksmg.filter.answers import REFUSED
from ksmg.filter.plan import REFUSED_FOR_SOME
from ksmg.rules.rule import Preset
from ksmg.rules.treatment import Action
from lab.target import Target

from e2e import samples
from e2e.appliance import Appliance
from e2e.conftest import Send, look_up
from e2e.mailbox import Delivery, Mailbox
from e2e.waiting import until

Put = Callable[..., None]
DISCLAIMER = "Grüße: this mail is confidential."


@pytest.fixture
def put(appliance: Appliance) -> Iterator[Put]:
    """Puts rules in force, above all others; afterwards the rules are as they were."""
    before = appliance.run("ksmg", "rules", "export")

    def add(*rules: Mapping[str, Any]) -> None:
        for rule in rules:
            appliance.feed(json.dumps(rule), "ksmg", "rules", "add", "-", "--before", Preset.DENY_LIST.value)
        in_force(appliance)

    yield add
    appliance.feed(before, "ksmg", "rules", "import", "-")
    in_force(appliance)


def in_force(appliance: Appliance) -> None:
    """Waits until the filter applies the active rules."""
    digest = appliance.ksmg("rules", "list")["digest"]

    def loaded() -> bool:
        events = appliance.ksmg("events", "--system")
        loadings = [event["detail"] for event in events if event["name"] == "rules_loaded"]
        return loadings[:1] == [{"digest": digest}]

    until(loaded, f"filter with the rules {digest}")


def rule(target: Target, name: str, **modules: Any) -> dict[str, Any]:
    """A rule for one person of the organisation."""
    return {"name": name, "when": {"recipient": [f"{name}@{target.domain}"]}, "modules": modules}


def deliveries(inside: Mailbox, marker: str) -> list[Delivery]:
    """All deliveries of a message."""
    stems = (path for path in sorted(inside.directory.glob("*.json")))
    found = [path for path in stems if marker.encode() in path.with_suffix(".eml").read_bytes()]
    return [
        Delivery(path.with_suffix(".eml").read_bytes(), facts["from"], tuple(facts["to"]), facts["peer"])
        for path in found
        for facts in [json.loads(path.read_text())]
    ]


def test_each_recipient_gets_the_outcome_of_its_own_rule_once(
    put: Put, send_in: Send, inside: Mailbox, target: Target, stranger: str, employee: str
) -> None:
    plain = {"on": {status: {"action": "skip"} for status in ("spam", "probable_spam")}}
    put(rule(target, "carla", antispam=plain))
    sample = samples.spam(stranger, employee)
    assert send_in(sample, "--to", f"{employee},carla@{target.domain}").code == 250
    until(lambda: len(deliveries(inside, sample.marker)) == 2, "two deliveries")
    found = {d.recipients: str(d.message["Subject"]) for d in deliveries(inside, sample.marker)}
    assert found == {(employee,): f"[SPAM] {sample.subject}", (f"carla@{target.domain}",): sample.subject}


def test_a_refusal_for_one_of_two_is_kept_and_never_bounced(
    put: Put, send_in: Send, inside: Mailbox, target: Target, appliance: Appliance, stranger: str, employee: str
) -> None:
    put(rule(target, "carla", antispam={"on": {s: {"action": "reject"} for s in ("spam", "probable_spam")}}))
    sample = samples.spam(stranger, employee)
    assert send_in(sample, "--to", f"{employee},carla@{target.domain}").code == 250
    assert inside.receive(sample.marker).recipients == (employee,)
    assert appliance.backup_of(sample.marker)["recipients"] == [f"carla@{target.domain}"]
    appliance.event_about(sample.marker)
    events = [e for e in appliance.ksmg("events") if sample.marker in e["message_id"]]
    assert {e["rule"]: REFUSED_FOR_SOME in e["marks"] for e in events} == {"carla": True, "Default": False}
    assert Mailbox(Path(target.outside.sink)).find(sample.marker) is None


def test_a_held_message_waits_in_the_quarantine_and_is_delivered_on_demand(
    put: Put, send_in: Send, inside: Mailbox, target: Target, appliance: Appliance, stranger: str
) -> None:
    put(rule(target, "dora", antispam={"on": {s: {"action": "quarantine"} for s in ("spam", "probable_spam")}}))
    sample = samples.spam(stranger, f"dora@{target.domain}")
    assert send_in(sample, "--to", f"dora@{target.domain}").code == 250
    held = next(e for e in appliance.ksmg("quarantine", "list") if sample.marker in e["message_id"])
    assert inside.find(sample.marker) is None
    appliance.run("ksmg", "quarantine", "deliver", held["id"])
    assert inside.receive(sample.marker).content.endswith(sample.content)


def test_a_forbidden_attachment_is_replaced_by_a_text_that_names_it(
    put: Put, send_in: Send, inside: Mailbox, target: Target, stranger: str
) -> None:
    content = {
        "enabled": True,
        "options": {"forbidden_names": ["*.exe"]},
        "on": {"name": {"action": "delete_attachment"}},
    }
    put(rule(target, "emil", content=content))
    sample = samples.compose(stranger, f"emil@{target.domain}", "See the file.\n", ("Rechnung.exe", b"not really"))
    assert send_in(sample, "--to", f"emil@{target.domain}").code == 250
    parts = [part for part in inside.receive(sample.marker).message.walk() if not part.is_multipart()]
    assert [part.get_filename() for part in parts] in ([None, None], [None, "Rechnung.exe.txt"])
    assert "Rechnung.exe" in str(parts[1].get_payload())
    assert b"not really" not in inside.receive(sample.marker).content


def test_outbound_mail_gets_a_disclaimer_under_a_signature_that_verifies(
    put: Put,
    send_out: Send,
    outside: Mailbox,
    target: Target,
    published_key: str,
    stranger: str,
    employee: str,
) -> None:
    put(
        {
            "name": "Disclaimer",
            "when": {"direction": ["outbound"]},
            "disclaimers": [{"text": DISCLAIMER, "at": "bottom"}],
        }
    )
    sample = samples.greeting(employee, stranger)
    assert send_out(sample).code == 250
    arrived = outside.receive(sample.marker)
    payload = arrived.message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    text = payload.decode("utf-8")
    assert (text.startswith("Good morning."), DISCLAIMER in text) == (True, True)
    assert dkim.verify(arrived.content, dnsfunc=look_up(target))


def test_a_denied_sender_is_refused(
    put: Put, send_in: Send, appliance: Appliance, stranger: str, employee: str
) -> None:
    appliance.run("ksmg", "lists", "personal", employee, "add", "deny", stranger)
    try:
        appliance.run("ksmg", "rules", "enable", Preset.DENY_LIST.value)
        put()
        answer = send_in(samples.greeting(stranger, employee))
    finally:
        appliance.run("ksmg", "lists", "personal", employee, "remove", "deny", stranger)
    assert (answer.code, answer.text[:5]) == REFUSED


def test_the_postmaster_is_told_where_a_rule_wants_it(
    put: Put, send_in: Send, inside: Mailbox, outside: Mailbox, target: Target, stranger: str
) -> None:
    told = {"action": "reject", "notify": ["administrator", "sender"]}
    put(rule(target, "frida", antivirus={"on": {"infected": told}}))
    sample = samples.infected("zipped", stranger, f"frida@{target.domain}")
    assert send_in(sample, "--to", f"frida@{target.domain}").code == REFUSED[0]
    notice = inside.receive(sample.marker)
    assert (notice.sender, notice.recipients) == ("<>", (f"postmaster@{target.domain}",))
    assert notice.message["Auto-Submitted"] == "auto-generated"
    assert outside.find(sample.marker) is None


def test_a_message_is_explained_and_runs_again_without_a_difference(
    send_in: Send, appliance: Appliance, stranger: str, employee: str
) -> None:
    sample = samples.infected("zipped", stranger, employee)
    send_in(sample)
    event = appliance.event_about(sample.marker)
    told = appliance.ksmg("explain", event["queue_id"])
    found = {v["check"]: [f["status"] for f in v.get("findings", [])] for v in told["verdicts"]}
    assert (found["antivirus"], told["groups"][0]["action"]) == (["infected"], Action.REJECT.value)
    again = appliance.attempt("ksmg", "replay", event["id"], "--json")
    assert json.loads(again.stdout)["engines"] == "asked again"
    assert (json.loads(again.stdout)["differences"], again.returncode) == ([], ExitCode.DONE)


def test_a_trial_says_what_would_happen_and_does_nothing(
    appliance: Appliance, inside: Mailbox, stranger: str, employee: str
) -> None:
    sample = samples.spam(stranger, employee)
    appliance.feed(sample.content.decode(), "tee", "/run/trial.eml")
    tried = appliance.run(
        "ksmg", "rules", "try", "/run/trial.eml", "--from", stranger, "--to", employee, "--ip", "192.0.2.1"
    )
    appliance.run("rm", "/run/trial.eml")
    assert "spam" in tried
    assert inside.find(sample.marker) is None
    assert not [e for e in appliance.ksmg("events") if sample.marker in e["message_id"]]


def test_other_rules_are_compared_with_what_was_done(
    send_in: Send, appliance: Appliance, stranger: str, employee: str
) -> None:
    sample = samples.infected("zipped", stranger, employee)
    send_in(sample)
    event = appliance.event_about(sample.marker)
    other = json.loads(appliance.run("ksmg", "rules", "export"))
    other["rules"][-1]["modules"]["antivirus"]["on"]["infected"] = {"action": "delete"}
    told = json.loads(appliance.feed(json.dumps(other), "ksmg", "rules", "shadow", "-", "--days", "1", "--json"))
    assert event["id"] in json.dumps(told)
