"""A scripted LDAP server on the loopback address: simple binds, and searches for equality."""

from __future__ import annotations

import socketserver
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

with warnings.catch_warnings():
    # The library uses names that its own dependency calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from ldap3.protocol.rfc4511 import LDAPMessage
    from pyasn1.codec.ber import decoder, encoder

Attributes = Mapping[str, list[str]]


@dataclass
class Directory:
    """Entries by their names; ``passwords`` of those that can bind."""

    url: str = ""
    entries: dict[str, Attributes] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    def answers(self, message: Any) -> list[bytes] | None:
        """The answers to one request; None to end the connection."""
        number, request = int(message["messageID"]), message["protocolOp"]
        kind = request.getName()
        if kind == "bindRequest":
            name = str(request["bindRequest"]["name"])
            password = bytes(request["bindRequest"]["authentication"]["simple"]).decode()
            # As real ones do: without a password anybody is let in, as nobody.
            fits = not password or self.passwords.get(name) == password
            return [_result(number, 0x61, 0 if fits else 49)]
        if kind == "searchRequest":
            found = list(self._found(request["searchRequest"]))
            return [*(_entry(number, dn, self.entries[dn]) for dn in found), _result(number, 0x65, 0)]
        return None

    def _found(self, search: Any) -> Iterator[str]:
        base, scope = str(search["baseObject"]), int(search["scope"])
        asked = search["filter"]
        for dn, attributes in self.entries.items():
            inside = dn == base if scope == 0 else dn.endswith(f",{base}")
            if not inside:
                continue
            if asked.getName() == "present":
                yield dn
            elif asked.getName() == "equalityMatch":
                name = str(asked["equalityMatch"]["attributeDesc"])
                value = bytes(asked["equalityMatch"]["assertionValue"]).decode()
                if value in attributes.get(name, []):
                    yield dn


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def _text(text: str) -> bytes:
    return _tlv(0x04, text.encode())


def _result(number: int, tag: int, code: int) -> bytes:
    body = _tlv(tag, _tlv(0x0A, bytes([code])) + _text("") + _text(""))
    return _tlv(0x30, encoder.encode(_integer(number)) + body)


def _entry(number: int, dn: str, attributes: Attributes) -> bytes:
    listed = b"".join(
        _tlv(0x30, _text(name) + _tlv(0x31, b"".join(map(_text, values))))
        for name, values in attributes.items()
    )
    return _tlv(0x30, encoder.encode(_integer(number)) + _tlv(0x64, _text(dn) + _tlv(0x30, listed)))


def _integer(number: int) -> Any:
    from pyasn1.type.univ import Integer

    return Integer(number)


@contextmanager
def directory() -> Iterator[Directory]:
    """A directory for the length of the block."""
    found = Directory()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            pending = b""
            while received := self.request.recv(65_536):
                pending += received
                while pending:
                    try:
                        message, pending = decoder.decode(pending, asn1Spec=LDAPMessage())
                    except Exception:  # noqa: BLE001 (the rest is still on its way)
                        break
                    answers = found.answers(message)
                    if answers is None:
                        return
                    self.request.sendall(b"".join(answers))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.url = f"ldap://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(10)
