"""The certificate that the server shows, as far as clients bind their logins to it."""

import asyncio
from functools import lru_cache
from pathlib import Path


class ServerCertificate:
    """A certificate in a file (PEM), perhaps followed by those that signed it; None where there is none."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    async def digest(self) -> bytes | None:
        """Its ``tls-server-end-point`` (RFC 5929, section 4.1); None where that is not defined."""
        if self._file is None:
            return None
        return _digest(await asyncio.to_thread(self._file.read_bytes))


@lru_cache(maxsize=4)
def _digest(pem: bytes) -> bytes | None:
    # Imported on first use: it is a large library, and few clients bind.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    certificate = x509.load_pem_x509_certificate(pem)
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return None
    if algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)
