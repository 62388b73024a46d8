"""Secrets in the database are encrypted with a key that lies beside it, in a file only the server reads.

A copy of the database alone (a backup, a support bundle) then gives no password away.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vmstead.kernel.model import SECRET_KEYS

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: A sealed value is stored as an object with this one key.
_MARK = "$sealed"
_WAY_OUT = "put back the key file that belongs to this database"


class Seal:
    """Encrypts and decrypts secrets: those among a device's attributes, and single ones.

    Args:
        key_file: where the key lies; made, readable by its owner alone, when the first secret is stored.
    """

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._fernet: Fernet | None = None
        self._opened = lru_cache(maxsize=10_000)(self._open_token)

    def _cipher(self, *, make_key: bool = False) -> "Fernet":
        # Imported on first use: most starts never meet a secret.
        from cryptography.fernet import Fernet

        if self._fernet is None:
            if make_key and not self._key_file.exists():
                self._put(Fernet.generate_key() + b"\n")
            try:
                self._fernet = Fernet(self._key_file.read_bytes().strip())
            except FileNotFoundError:
                raise ValueError(f"{self._key_file} is missing; {_WAY_OUT}") from None
            except ValueError:
                raise ValueError(f"{self._key_file} does not hold a key; {_WAY_OUT}") from None
        return self._fernet

    def _put(self, key: bytes) -> None:
        """Write the key file, whole or not at all."""
        part = self._key_file.with_name(f"{self._key_file.name}.part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self._key_file)

    def close(self, attributes: Mapping[str, object]) -> dict[str, object]:
        """A copy with every secret encrypted."""
        return {
            key: {_MARK: self.close_text(value)}
            if key in SECRET_KEYS and isinstance(value, str) and value
            else value
            for key, value in attributes.items()
        }

    def open(self, attributes: dict[str, object]) -> dict[str, object]:
        """The same with every secret in clear. Changes and returns what it is given.

        Raises:
            ValueError: a secret was encrypted with another key, or the key is gone.
        """
        # Most devices have none, and every query opens all of them.
        if SECRET_KEYS.isdisjoint(attributes):
            return attributes
        for key in SECRET_KEYS & attributes.keys():
            value = attributes[key]
            if isinstance(value, dict):
                attributes[key] = self._opened(str(value[_MARK]))
        return attributes

    def close_text(self, secret: str) -> str:
        """A single secret, encrypted."""
        return self._cipher(make_key=True).encrypt(secret.encode()).decode()

    def open_text(self, sealed: str) -> str:
        """The same in clear. Raises ValueError as ``open`` does."""
        return self._opened(sealed)

    def _open_token(self, token: str) -> str:
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher().decrypt(token).decode()
        except InvalidToken:
            raise ValueError(
                f"a secret in the database does not open with the key in {self._key_file}; {_WAY_OUT}"
            ) from None
