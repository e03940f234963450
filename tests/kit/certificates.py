"""Certificates for tests, made on the spot by an authority of their own."""
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Files:
    """Where the PEM files are."""

    certificate: str
    key: str
    authority: str


class Authority:
    """Signs certificates; its own is in `file`."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder, self._issuer, self._key = folder, _name(name), ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.ca"
        own = _signed(self._issuer, self._issuer, self._key.public_key(), self._key, authority=True)
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, subject: str | None = None, dns: str | None = None) -> Files:
        """A certificate for a name (and 127.0.0.1), with its key; with another common or DNS name, or none, if that is said."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = _signed(_name(name if subject is None else subject), self._issuer, key.public_key(), self._key,
                      names=name if dns is None else dns)
        files = Files(str(self._folder / f"{name}.crt"), str(self._folder / f"{name}.key"), str(self.file))
        Path(files.certificate).write_bytes(own.public_bytes(serialization.Encoding.PEM))
        Path(files.key).write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                      serialization.NoEncryption()))
        return files


def certificate(folder: Path, name: str) -> Files:
    """A certificate for a name (and 127.0.0.1) with its key, and that of the authority which signed it, and no other."""
    return Authority(folder, f"authority of {name}").issue(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def _signed(subject, issuer, public_key, signing_key, *, authority: bool = False, names: str = "") -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=30))
               .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(
            [x509.DNSName(names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())
