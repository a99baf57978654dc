"""Generated mail: well formed, sloppy and hostile, for the inspection's tests and its fuzzing."""

import base64
import quopri

from hypothesis import strategies as st

BOUNDARIES = st.sampled_from(["XX", "XXY", "=_a", "a b", "----=_Part_1", "----=_Part_12", "x--", "é"])
NAMES = st.sampled_from(
    [
        "a.exe",
        "a b.exe",
        "ä.exe",
        'a".exe',
        "a;b.exe",
        "a\\b.exe",
        "../a.exe",
        "a.exe.",
        "=?utf-8?B?YS5leGU=?=",
        "a%2Eexe",
    ]
)
TYPES = st.sampled_from(
    ["application/octet-stream", "image/png", "text/plain", "text/html", "application/zip", "TEXT", "a/b"]
)
CONTENTS = st.binary(max_size=200) | st.sampled_from([b"MZ\x90\0", b"hello\n", b"begin 644 u.exe\n#0V%T\n`\nend\n"])


def quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def extended(name: str) -> str:
    return "*=utf-8''" + "".join(f"%{byte:02X}" for byte in name.encode())


def continued(name: str) -> str:
    return f"*0={quoted(name[:2])}; @*1={quoted(name[2:])}"


@st.composite
def name_parameters(draw: st.DrawFn, parameter: str) -> str:
    """`filename="a.exe"` in one of the forms that exist."""
    name = draw(NAMES)
    form = draw(
        st.sampled_from(
            [
                lambda n: "=" + quoted(n),
                lambda n: "=" + n,
                extended,
                continued,
                lambda n: f'="{n}',
                lambda n: f" = {quoted(n)}",
            ]
        )
    )
    value: str = form(name)
    return f"{parameter}{value.replace('@', parameter)}"


@st.composite
def headers(draw: st.DrawFn) -> list[str]:
    """The fields of a part that is no multipart."""
    fields = [f"Content-Type: {draw(TYPES)}"]
    if draw(st.booleans()):
        fields[0] += draw(st.sampled_from(["; ", ";\n "])) + draw(name_parameters("name"))
    if draw(st.booleans()):
        fields.append(f"Content-Disposition: attachment; {draw(name_parameters('filename'))}")
    if draw(st.integers(0, 9)) == 0:
        fields.append(
            draw(st.sampled_from(["Content-Type: text/plain", "no colon", "X: \0", "Content-ID : <a>", " folded"]))
        )
    return draw(st.permutations(fields)) if draw(st.booleans()) else fields


@st.composite
def leaves(draw: st.DrawFn) -> str:
    """A part with a body."""
    fields, content = draw(headers()), draw(CONTENTS)
    encoding = draw(st.sampled_from(["base64", "quoted-printable", "8bit", ""]))
    if encoding:
        fields.append(f"Content-Transfer-Encoding: {encoding}")
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(content)
    return "\n".join(fields) + "\n\n" + body.decode("latin-1")


@st.composite
def multiparts(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A multipart, complete or not."""
    boundary = draw(BOUNDARIES)
    written = draw(st.sampled_from([f'"{boundary}"', boundary]))
    kind = draw(st.sampled_from(["mixed", "alternative", "digest", "related"]))
    parts = draw(st.lists(inner, max_size=4))
    end = draw(st.sampled_from([f"--{boundary}--\n", f"--{boundary}--", "", f"--{boundary}-- \nepilogue\n"]))
    text = "".join(f"--{boundary}{draw(st.sampled_from(['', ' ']))}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={written}\n\npreamble\n{text}{end}"


def enclosed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Parts that hold others."""
    forwarded = inner.map(lambda text: f"Content-Type: message/rfc822\n\nSubject: x\n{text}")
    encoded = inner.map(
        lambda text: (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + base64.encodebytes(text.encode("latin-1", "replace")).decode()
        )
    )
    return multiparts(inner) | forwarded | encoded


PARTS = st.recursive(leaves(), enclosed, max_leaves=8)
"""Parts of all kinds, within each other."""


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message as it lies in the spool, now and then with a few bytes changed."""
    text = "From: a@example.com\nMIME-Version: 1.0\n" + draw(PARTS)
    raw = bytearray(text.encode("utf-8").replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"]))))
    if draw(st.booleans()):
        for place, byte in draw(
            st.lists(st.tuples(st.integers(0, len(raw) - 1), st.sampled_from(b'\0\r\n";=- A')), max_size=3)
        ):
            raw[place] = byte
    return bytes(raw)
