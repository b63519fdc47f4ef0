"""Protection of personal data at rest: keyed hashes to join on, encryption by Parquet's own modular encryption.

One 32-byte secret of the workspace, separate keys for separate purposes derived by HKDF. Phones and names are
encrypted column by column by the Parquet writer (AES-GCM, a fresh data key per file, wrapped by our key; the footer
stays plain, so the other columns are read without any key). Why not our own: it is a standard other engines read, and
measured as fast as writing in clear (docs/benchmarks.md).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet.encryption as pqe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_MASTER_KEY = "personal"
_HASH_BYTES = 16
_NONCE_BYTES = 12


class _KeyWrapper(pqe.KmsClient):  # type: ignore[misc]
    """Wraps a file's data keys by AES-GCM under the workspace's derived key; the wrapped key stands in the file."""

    def __init__(self, cipher: AESGCM) -> None:
        super().__init__()
        self._cipher = cipher

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._cipher.encrypt(nonce, key_bytes, master_key_identifier.encode())
        return base64.b64encode(wrapped).decode("ascii")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        wrapped = base64.b64decode(wrapped_key)
        nonce, content = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, content, master_key_identifier.encode())


class Protection:
    """What a workspace's secret protects with; ``key`` is ``Workspace.key()`` (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._hash_key = _derive(key, b"phone hash")
        self._fingerprint_key = _derive(key, b"fingerprint")
        cipher = AESGCM(_derive(key, b"personal columns"))
        self._factory = pqe.CryptoFactory(lambda _configuration: _KeyWrapper(cipher))
        self._connection = pqe.KmsConnectionConfig()

    def phone_keys(self, numbers: pd.Series[Any]) -> pd.Series[Any]:
        """Keyed hashes (32 hex digits) of E.164 numbers, missing where the number is; the same number, the same key."""
        array = pa.array(numbers.astype("str"))
        encoded = array.dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        if isinstance(encoded, pa.ChunkedArray):  # an empty column has no chunk to combine
            encoded = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
        start = hashlib.blake2b(key=self._hash_key, digest_size=_HASH_BYTES)
        keys = []
        for number in encoded.dictionary.to_pylist():
            seen = start.copy()
            seen.update(number.encode("utf-8"))
            keys.append(seen.hexdigest())
        series = pa.array(keys, pa.string()).take(encoded.indices).to_pandas().astype("str")
        return series.set_axis(numbers.index)

    def encryption(self, columns: Sequence[str]) -> Any:
        """Parquet encryption properties for these columns; None when there are none."""
        if not columns:
            return None
        configuration = pqe.EncryptionConfiguration(
            footer_key=_MASTER_KEY,
            column_keys={_MASTER_KEY: list(columns)},
            plaintext_footer=True,
            double_wrapping=False,
            data_key_length_bits=256,
        )
        return self._factory.file_encryption_properties(self._connection, configuration)

    def decryption(self) -> Any:
        """Parquet decryption properties for files this secret encrypted."""
        configuration = pqe.DecryptionConfiguration(cache_lifetime=timedelta(minutes=5))
        return self._factory.file_decryption_properties(self._connection, configuration)

    def fingerprint(self) -> Any:
        """A fresh keyed hash object for content that may be personal: nobody can guess content from its digest."""
        return hashlib.blake2b(key=self._fingerprint_key, digest_size=_HASH_BYTES)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"rematch/1/" + purpose).derive(key)
