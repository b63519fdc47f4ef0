"""Protection: what can be joined on cannot be reversed, and what is encrypted needs the key."""

import hashlib
import hmac

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.exceptions import InvalidTag

from tasks.protection import Protection

KEY, OTHER = b"a" * 32, b"b" * 32


def numbers(*texts):
    return pd.Series(list(texts), dtype="str", index=[10 * place for place in range(len(texts))])


def test_the_same_number_has_the_same_key_and_missing_has_none():
    keys = Protection(KEY).phone_keys(numbers("+8613812345678", None, "+8613812345678", "+8613812345679"))
    assert keys.index.tolist() == [0, 10, 20, 30]
    assert keys.iloc[0] == keys.iloc[2] != keys.iloc[3]
    assert pd.isna(keys.iloc[1])
    assert keys.dropna().str.fullmatch("[0-9a-f]{32}").all()
    assert keys.equals(Protection(KEY).phone_keys(numbers("+8613812345678", None, "+8613812345678", "+8613812345679")))


def test_the_key_depends_on_the_secret_and_is_no_plain_hash():
    number = "+8613812345678"
    key = Protection(KEY).phone_keys(numbers(number)).iloc[0]
    assert key != Protection(OTHER).phone_keys(numbers(number)).iloc[0]
    plain = {hashlib.new(name, number.encode()).hexdigest()[:32] for name in ("md5", "sha256", "blake2b")}
    assert key not in plain | {hmac.new(KEY, number.encode(), "sha256").hexdigest()[:32]}
    assert key != hashlib.blake2b(number.encode(), key=KEY, digest_size=16).hexdigest()  # keys are derived per purpose


@pytest.mark.parametrize("texts", [(), (None, None)])
def test_columns_without_numbers(texts):
    keys = Protection(KEY).phone_keys(numbers(*texts))
    assert len(keys) == len(texts)
    assert keys.isna().all()
    assert str(keys.dtype) == "str"


def test_encrypted_columns_need_the_key_and_the_others_do_not(tmp_path):
    file = tmp_path / "t.parquet"
    protection = Protection(KEY)
    table = pa.table({"phone": ["+8613812345678"], "series": ["星途"]})
    pq.write_table(table, file, encryption_properties=protection.encryption(["phone"]))
    assert b"13812345678" not in file.read_bytes()
    with pq.ParquetFile(file, decryption_properties=Protection(KEY).decryption()) as content:
        assert content.read().equals(table)
    with pq.ParquetFile(file) as content:
        assert content.read(columns=["series"]).to_pydict() == {"series": ["星途"]}
    with (
        pytest.raises(InvalidTag),
        pq.ParquetFile(file, decryption_properties=Protection(OTHER).decryption()) as content,
    ):
        content.read()


def test_tables_without_personal_columns_are_not_encrypted():
    assert Protection(KEY).encryption([]) is None


def test_fingerprints_are_keyed():
    def digest(key):
        seen = Protection(key).fingerprint()
        seen.update(b"content")
        return seen.hexdigest()

    assert digest(KEY) == digest(KEY) != digest(OTHER)
