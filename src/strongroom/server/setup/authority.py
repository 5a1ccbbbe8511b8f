"""Our own certificate authority, and the server's certificate.

Agents and the command line trust this authority and no other (its fingerprint stands in their tokens), so nobody has
to buy or install a certificate. ECDSA P-256: every TLS library takes it. The server's certificate is short-lived and
renewed at the server's start; the authority's lasts as long as the hosts that were told of it.
"""

from __future__ import annotations

import ipaddress
import socket
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.errors import Damaged, Mistake
from strongroom.server.setup.files import PRIVATE, PUBLIC, keep_or_write, write_durably

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.server.config import DataFolder

_AUTHORITY_LASTS = timedelta(days=365 * 30)
_SERVER_LASTS = timedelta(days=800)
_RENEW_BEFORE = timedelta(days=90)
_CLOCKS_DIFFER = timedelta(days=1)
_NAME_LIMIT: Final = 64


def create_authority(folder: DataFolder, *, now: datetime) -> None:
    """Make the authority's key and certificate, each unless it is there."""
    key = ec.generate_private_key(ec.SECP256R1())
    keep_or_write(folder.authority_key, _private_pem(key), mode=PRIVATE)
    key = _load_key(folder)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom authority")])
    usage = _usage(signs_certificates=True)
    builder = (
        _builder(name, name, key.public_key(), now, now + _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, SHA256())
    keep_or_write(folder.authority_certificate, certificate.public_bytes(Encoding.PEM), mode=PUBLIC)


def renew_server_certificate(folder: DataFolder, *, names: Iterable[str], now: datetime) -> bool:
    """Make the server's certificate if there is none, it ends soon, or it lacks a name; tell whether it was made.

    Args:
        names: names and addresses it must be good for, beside those of this machine.

    Raises:
        Mistake: a name cannot be in a certificate.
    """
    old = _certificate_there(folder)
    wanted = _all_names(names)
    if old is not None and wanted <= _names_of(old) and old.not_valid_after_utc - _RENEW_BEFORE > now:
        return False
    wanted |= _names_of(old)
    authority = x509.load_pem_x509_certificate(folder.authority_certificate.read_bytes())
    authority_key = _load_key(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom server")])
    ends = min(now + _SERVER_LASTS, authority.not_valid_after_utc)
    builder = (
        _builder(subject, authority.subject, key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(sorted(wanted, key=str)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    certificate = builder.sign(authority_key, SHA256())
    chain = certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
    # The key first: a certificate without its key is renewed at the next start, and so is a pair that does not match.
    write_durably(folder.server_key, _private_pem(key), mode=PRIVATE)
    write_durably(folder.server_certificate, chain, mode=PUBLIC)
    return True


def _all_names(names: Iterable[str]) -> set[x509.GeneralName]:
    """Return the given names and those of this machine."""
    own = ["localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()]
    return {_general_name(name.strip().lower()) for name in [*names, *own] if name.strip()}


def _certificate_there(folder: DataFolder) -> x509.Certificate | None:
    """Return the server's certificate, if there is one and its key fits."""
    try:
        certificate = x509.load_pem_x509_certificate(folder.server_certificate.read_bytes())
        key = load_pem_private_key(folder.server_key.read_bytes(), None)
    except (OSError, ValueError):
        return None
    return certificate if key.public_key() == certificate.public_key() else None


def _names_of(certificate: x509.Certificate | None) -> set[x509.GeneralName]:
    """Return what a certificate is good for."""
    if certificate is None:
        return set()
    return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _general_name(name: str) -> x509.GeneralName:
    """Return a host name or an address as certificates have it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except (UnicodeError, ValueError) as error:
        raise Mistake(f"{name} is not a host name or an address.", code="bad_name") from error


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    """Begin a certificate."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _CLOCKS_DIFFER)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key may be used for."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_key(folder: DataFolder) -> ec.EllipticCurvePrivateKey:
    """Read the authority's key."""
    try:
        key = load_pem_private_key(folder.authority_key.read_bytes(), None)
    except ValueError as error:
        raise Damaged(f"{folder.authority_key} is not a private key.", code="bad_authority") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Damaged(f"{folder.authority_key} is not a key of the kind we make.", code="bad_authority")
    return key
