"""Certificates of an authority that only one test knows, and clients that believe it."""

import datetime
import ssl
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.tls import Tls

HOST = "127.0.0.1"


class Authority:
    """An authority with its certificate in `path`; `tls` issues a server's certificate and configures it."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.path = directory / f"{name}.pem"
        self._directory = directory
        self._name = name
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(self.path))

    def issue(self, file: str, *names: str, expired: bool = False, subject: str | None = None) -> Path:
        """A server's or client's certificate for addresses and host names, with its key beside it."""
        until = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC) if expired else None
        begun = until - datetime.timedelta(days=1) if until is not None else None
        made = self._ca.issue_cert(
            *(names or (HOST,)), common_name=subject, not_before=begun, not_after=until
        )
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        return self._write(file, chain, made.private_key_pem.bytes())

    def workload(self, file: str, uri: str) -> Path:
        """A client's certificate with a URI for a name, as SPIFFE has them; trustme makes none."""
        key = ec.generate_private_key(ec.SECP256R1())
        signing = serialization.load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes()).subject
        now = datetime.datetime.now(datetime.UTC)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
            .sign(signing, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        return self._write(file, made.public_bytes(pem), secret)

    def _write(self, file: str, chain: bytes, key: bytes) -> Path:
        path = self._directory / f"{self._name}-{file}.pem"
        path.write_bytes(chain)
        key_of(path).write_bytes(key)
        return path

    def tls(self, **settings: Any) -> Tls:
        certificate = self.issue("server")
        return Tls(certificate=str(certificate), key=str(key_of(certificate)), **settings)

    def client(self, certificate: Path | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority alone, and presents `certificate`."""
        context = ssl.create_default_context(cafile=str(self.path))
        if certificate is not None:
            context.load_cert_chain(certificate, key_of(certificate))
        return context


def key_of(certificate: Path) -> Path:
    return certificate.with_suffix(".key")
