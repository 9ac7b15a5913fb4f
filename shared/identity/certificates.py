"""When certificates end, for those who have to renew them in time."""

from datetime import datetime

from cryptography import x509


def ends(content: bytes) -> list[datetime]:
    """The end of every certificate in a PEM file, or of the one in DER. Raises ValueError where it is
    neither.
    """
    if b"-----BEGIN CERTIFICATE-----" in content:
        return [one.not_valid_after_utc for one in x509.load_pem_x509_certificates(content)]
    return [x509.load_der_x509_certificate(content).not_valid_after_utc]
