"""The statement as a page for people: which blocks it has, in which order, and what they say."""

from collections.abc import Iterator

from ksmg.statement import wording
from ksmg.statement.blocks import Block, Bullets, Code, Heading, Page, Pairs, Paragraph, Table
from ksmg.statement.facts import Place, Sent, StatedRow, Statement
from ksmg.statement.language import Language
from ksmg.statement.remarks import CHANNELS, CHECKING, DUMPS_OFF, DUMPS_ON, LICENCE, LIMITS

CHECK_COMMAND = "openssl cms -verify -binary -inform PEM -in FILE.p7s -content FILE -CAfile ca.crt -out /dev/null"
"""Checks the signature of a statement without this product."""


def page(statement: Statement, language: Language) -> Page:
    """The page in a language."""
    say, host = language.say, statement.identity.hostname
    return Page(
        language=language.code,
        title=say("Data protection statement"),
        subtitle=say("of the mail gateway {host}", host=host),
        foot=f"{host} · {language.moment(statement.time)}",
        contents=say("Contents"),
        sheet=say("page {page} of {pages}"),
        made=statement.time.timestamp(),
        blocks=(
            *_identity(statement, language),
            *_accounts(statement, language),
            *_overview(statement, language),
            *_rows(statement, language),
            *_sent(statement, language),
            *_remarks(statement, language),
        ),
    )


def permission(language: Language, stated: StatedRow) -> str:
    """What a user of the web interface needs to see a row's data."""
    row = stated.row
    named = [row.permission, *(place.location.permission for place in stated.places)]
    names = dict.fromkeys(name for name in named if name)
    if not names:
        return language.say("none: it is not shown there")
    said = language.say("; ").join(language.say(wording.PERMISSIONS[name]) for name in names)
    if not row.permission_excludes:
        return said
    return language.say("{permission}, but not {what}", permission=said, what=language.say_all(row.permission_excludes))


def proof(language: Language, differences: int | None) -> str:
    """What the last proof of access found, of one row or of all."""
    if differences is None:
        return language.say("not proven yet")
    if differences == 0:
        return language.say("as stated")
    return language.count(differences, "difference", "differences")


def sending(language: Language, sent: Sent) -> str:
    """Whether something is sent at this time."""
    if sent.unit is None:
        return language.say("Nothing is sent: this version has no part that could, and nobody was asked to agree.")
    if sent.active:
        return language.say("In use: {unit} runs.", unit=sent.unit)
    return language.say("Nothing is sent: {unit} does not run.", unit=sent.unit)


def _identity(statement: Statement, language: Language) -> Iterator[Block]:
    say, identity = language.say, statement.identity
    yield Paragraph(
        say(
            "Which personal data this appliance keeps, where, for how long, and who can reach it. The rules come "
            "from the data policy that the appliance was built with and enforces; the amounts were measured at the "
            "time below."
        )
    )
    image = identity.image or say("none: set up on an installed system")
    made = say("{moment} (time zone {zone})", moment=language.moment(statement.time), zone=statement.zone)
    yield Pairs(
        (
            (say("Appliance"), identity.hostname),
            (say("Version"), identity.version),
            (say("Image"), image),
            (say("Operating system"), identity.system),
            (say("Made"), made),
            (say("Access last proven"), _last_proof(statement, language)),
        )
    )


def _last_proof(statement: Statement, language: Language) -> str:
    proven = statement.proof
    if proven is None:
        return language.say("never on this appliance; `ksmg audit access` does it")
    return language.say(
        "{moment}: {result}; {accounts} and {services} tried in {seconds} s",
        moment=language.moment(proven.time),
        result=proof(language, proven.differences),
        accounts=language.count(proven.accounts, "account", "accounts"),
        services=language.count(proven.units, "service", "services"),
        seconds=language.decimal(proven.seconds),
    )


def _accounts(statement: Statement, language: Language) -> Iterator[Block]:
    say = language.say
    yield Heading(2, say("Who can reach personal data"), "accounts")
    yield Paragraph(
        say(
            "Only these accounts. An account reaches data at rest, when it may open the files; in process, when it "
            "handles the data while it works; in transit, when it only sees the data pass and can open none of the "
            "files."
        )
    )
    yield Table(
        say("Accounts"),
        (say("Account"), say("Kind"), say("Purpose")),
        tuple((who.name, say(wording.KINDS[who.kind]), say(who.purpose)) for who in statement.accounts),
        (18, 41, 41),
    )


def _overview(statement: Statement, language: Language) -> Iterator[Block]:
    say = language.say
    yield Heading(2, say("Data kept on the appliance"), "data")
    yield Table(
        say("All data at a glance"),
        (say("Data"), say("Kept now"), say("Oldest entry"), say("Access")),
        tuple(_glance(statement, stated, language) for stated in statement.rows),
        (40, 20, 22, 18),
    )


def _glance(statement: Statement, stated: StatedRow, language: Language) -> tuple[str, ...]:
    held = [holding for place in stated.places for holding in place.holdings]
    oldest = min((holding.oldest for holding in held if holding.oldest is not None), default=None)
    return (
        language.say(stated.row.title),
        language.size(sum(holding.bytes for holding in held)) if held else language.say("not stored"),
        language.moment(statement.moment(oldest)) if oldest is not None else "–",
        proof(language, statement.differences(stated.row.id)),
    )


def _rows(statement: Statement, language: Language) -> Iterator[Block]:
    say = language.say
    for stated in statement.rows:
        row = stated.row
        yield Heading(3, say(row.title), row.id)
        yield Paragraph(say("Holds: {what}.", what=language.say_all(row.holds)))
        if stated.places:
            yield Table(
                say("Places of: {title}", title=say(row.title)),
                (say("Place"), say("At rest"), say("Kept for"), say("Now")),
                tuple(_place(statement, place, language) for place in stated.places),
                (34, 20, 25, 21),
            )
        yield Pairs(tuple(_access(statement, stated, language)))


def _place(statement: Statement, place: Place, language: Language) -> tuple[str, ...]:
    say, location = language.say, place.location
    owner = say(
        "owner {owner}, group {group}, mode {mode}",
        owner=location.owner,
        group=location.group,
        mode=wording.mode(location),
    )
    kept = [wording.retention(language, location.retention), *wording.in_force(language, location, place.holdings)]
    return (
        f"{location.place}\n{owner}",
        "\n".join(wording.holders(language, location)),
        "\n".join(kept),
        "\n".join(_now(statement, place, language)),
    )


def _now(statement: Statement, place: Place, language: Language) -> Iterator[str]:
    """How much there is; of a place with streams, those that have something."""
    held = [holding for holding in place.holdings if holding.bytes or holding.records]
    if not held:
        yield language.say("nothing")
    for holding in held:
        kept = language.size(holding.bytes)
        yield kept if holding.stream is None else language.say("{what}: {result}", what=holding.stream, result=kept)
        if holding.records is not None:
            yield language.count(holding.records, "record", "records")
        if holding.oldest is not None:
            yield language.say("since {moment}", moment=language.moment(statement.moment(holding.oldest)))


def _access(statement: Statement, stated: StatedRow, language: Language) -> Iterator[tuple[str, str]]:
    say, row = language.say, stated.row
    if not stated.places:
        yield say("Kept for"), say("not stored")
    if row.also_in:
        yield say("Also in"), ", ".join(map(str, row.also_in))
    yield say("In process"), ", ".join(row.in_process)
    yield say("In transit"), ", ".join(row.in_transit) or say("nobody")
    purposes = dict.fromkeys(purpose for place in stated.places for purpose in place.location.purpose)
    if purposes:
        yield say("Only for"), language.say_all(wording.PURPOSES[purpose] for purpose in purposes)
    yield say("Web permission"), permission(language, stated)
    yield say("Access last proven"), _proven(statement, row.id, language)


def _proven(statement: Statement, row_id: str, language: Language) -> str:
    found = proof(language, statement.differences(row_id))
    if statement.proof is None or statement.differences(row_id) is None:
        return found
    return language.say("{what}: {result}", what=language.moment(statement.proof.time), result=found)


def _sent(statement: Statement, language: Language) -> Iterator[Block]:
    say = language.say
    yield Heading(2, say("Data sent out"), "outgoing")
    yield Paragraph(say("Nothing else than this. What needs the administrator's agreement is not sent before it."))
    yield Table(
        say("What can leave the appliance"),
        (say("What"), say("Rules"), say("At this time")),
        tuple(
            (
                f"{say(wording.OUTGOING[sent.outgoing.id])}\n{language.say_all(sent.outgoing.sends)}",
                "\n".join(wording.rules(language, sent.outgoing)),
                sending(language, sent),
            )
            for sent in statement.outgoing
        ),
        (44, 31, 25),
    )


def _remarks(statement: Statement, language: Language) -> Iterator[Block]:
    say = language.say
    yield Heading(2, say("Channels"), "channels")
    yield Bullets(tuple(map(say, CHANNELS)))
    yield Heading(2, say("Dumps of crashed components"), "dumps")
    yield Paragraph(say(DUMPS_ON if statement.dumps_on else DUMPS_OFF))
    yield Heading(2, say("Licence"), "licence")
    yield Paragraph(say(LICENCE))
    yield Heading(2, say("Known limits"), "limits")
    yield Bullets(tuple(map(say, LIMITS)))
    yield Heading(2, say("How to check this page"), "check")
    yield Paragraph(say(CHECKING))
    yield Code(CHECK_COMMAND)
