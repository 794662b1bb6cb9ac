"""Addresses on the wire: what may stand in an envelope. The last gate against a line break or a bracket that ends a command."""

import re

import idna

_LOCAL = re.compile(r"[^\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff<>()\[\],;:\\\"@]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*")
_PHONE = re.compile(r"\+?[0-9]{7,15}")


class AddressError(ValueError):
    """The address cannot be written on the wire. Its text names the fault, never the address."""


def mailbox(address: str) -> str:
    """An e-mail address as it stands in MAIL and RCPT: domain in ASCII (IDNA 2008), local part as typed (may need SMTPUTF8).

    Quoted local parts are refused: nobody has one, and they are how commands are smuggled.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        raise AddressError("an e-mail address needs an @")
    if not _LOCAL.fullmatch(local) or len(local.encode("utf-8", "replace")) > 64:
        raise AddressError("the part before @ has characters that may not stand there, or is longer than 64 bytes")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise AddressError("the domain is not a valid international name") from error
    if not _DOMAIN.fullmatch(ascii_domain):
        raise AddressError("the part after @ is not a domain name")
    return f"{local}@{ascii_domain}"


def phone(address: str) -> str:
    """E.164 digits without the plus."""
    if not _PHONE.fullmatch(address):
        raise AddressError("a phone must be 7 to 15 digits in E.164, such as +79161234567")
    return address.lstrip("+")
