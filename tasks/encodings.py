"""Which encoding a text file has, and its content as UTF-8 (domain.md section 4: UTF-8, UTF-16, GB18030)."""

from __future__ import annotations

import codecs
import re
from typing import Any

import charset_normalizer
import pyarrow as pa

from models.errors import SourceError
from tasks.compute.frames import Notice

_CHUNK = 4 << 20
_SAMPLE = 256 << 10
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HIGH_RUNS = re.compile(rb"[\x80-\xff]+")
_TEXT_NUL_SHARE = 0.01  # more zero bytes than this and it is no text file


def to_utf8(data: pa.Buffer, file: str, declared: str | None) -> tuple[pa.Buffer, list[Notice]]:
    """``data`` as UTF-8 without byte order mark, and notices.

    ``declared`` is the mapping's encoding, which then must fit; empty: detected in the order byte order mark, UTF-16 by
    its zero bytes, strict UTF-8, GB18030, at last a guess that is told in a notice. Raises SourceError naming file,
    encoding and row when the bytes do not fit, or when it is no text.
    """
    marked = next(((mark, name) for mark, name in _MARKS if bytes(data[: len(mark)]) == mark), None)
    if declared:
        encoding, skip = _known(declared, file), len(marked[0]) if marked else 0
    elif marked:
        encoding, skip = marked[1], len(marked[0])
    else:
        encoding, skip = _detect(data, file), 0
    notices = []
    if not declared and encoding not in ("utf-8", "gb18030") and not encoding.startswith("utf-"):
        notices.append(Notice("ingest.guessed_encoding", {"file": file, "encoding": encoding}))
    text = _transcode(data[skip:], encoding, file)
    return _without_zeros(text, file, notices), notices


def _known(name: str, file: str) -> str:
    try:
        codec = codecs.lookup(name).name
    except LookupError as error:
        raise SourceError("ingest.unknown_encoding", file=file, encoding=name) from error
    # GBK and GB2312 are subsets; exports called so hold the larger set. Marks are cut off before decoding.
    known = {"gbk": "gb18030", "gb2312": "gb18030", "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
    return known.get(codec, codec)


def is_utf8(data: pa.Buffer) -> bool:
    """Whether the bytes are valid UTF-8."""
    offsets = pa.array([0, data.size], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, offsets, data).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _detect(data: pa.Buffer, file: str) -> str:
    sample = bytes(data[:_SAMPLE])
    wide = _utf16_by_zeros(sample)
    if wide:
        return wide
    if sample.count(0) > _TEXT_NUL_SHARE * len(sample):
        raise SourceError("ingest.not_text", file=file)
    if is_utf8(data):
        return "utf-8"
    place = _first_error(data, "utf-8")
    around = bytes(data[max(0, place - _SAMPLE // 2) : place + _SAMPLE // 2])
    if _damaged_utf8(around):
        raise SourceError("ingest.wrong_encoding", file=file, encoding="UTF-8", row=_line(data, place))
    if _looks_gb(around):
        return "gb18030"
    guess = charset_normalizer.from_bytes(around).best()
    if guess is None:
        raise SourceError("ingest.no_encoding", file=file, row=_line(data, place))
    return str(guess.encoding)


def _utf16_by_zeros(sample: bytes) -> str:
    half = len(sample) // 2
    if half < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > half * 0.3 and even < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.3 and odd < half * 0.05 else ""


def _damaged_utf8(sample: bytes) -> bool:
    """Whether most of what is not ASCII is sound UTF-8: then it is a damaged UTF-8 file and no other encoding."""
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(len(run) for run in re.findall(r"[^\x00-\x7f\ufffd]+", text))
    return sound > 10 * broken


def _looks_gb(sample: bytes) -> bool:
    """Chinese text has bytes over 127 in pairs; single ones between letters are a Western encoding."""
    runs = _HIGH_RUNS.findall(sample)
    single = sum(len(run) == 1 for run in runs)
    if single * 2 > len(runs):
        return False
    text = sample.decode("gb18030", "replace")
    return text.count("\ufffd") <= 2  # a cut character at either end of the sample


def _first_error(data: pa.Buffer, encoding: str) -> int:
    """Byte position of the first byte that ``encoding`` does not allow; the size when all fit."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, data.size, _CHUNK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(bytes(data[start : start + _CHUNK]), start + _CHUNK >= data.size)
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return int(data.size)


def _line(data: pa.Buffer, place: int) -> int:
    return bytes(data[:place]).count(b"\n") + 1


def _transcode(data: pa.Buffer, encoding: str, file: str) -> pa.Buffer:
    if encoding == "utf-8":
        if is_utf8(data):
            return data
        raise SourceError(
            "ingest.wrong_encoding", file=file, encoding="UTF-8", row=_line(data, _first_error(data, "utf-8"))
        )
    decoder = codecs.getincrementaldecoder(encoding)()
    out = pa.BufferOutputStream()
    try:
        for start in range(0, data.size, _CHUNK):
            out.write(decoder.decode(data[start : start + _CHUNK], start + _CHUNK >= data.size).encode("utf-8"))
    except UnicodeError as error:
        row = _line(data, _first_error(data, encoding))
        raise SourceError("ingest.wrong_encoding", file=file, encoding=encoding.upper(), row=row) from error
    return out.getvalue()


def _without_zeros(text: pa.Buffer, file: str, notices: list[Notice]) -> pa.Buffer:
    view: Any = memoryview(text)
    if re.search(rb"\x00", view) is None:
        return text
    content = bytes(view)
    if content.count(0) > _TEXT_NUL_SHARE * len(content):
        raise SourceError("ingest.not_text", file=file)
    notices.append(Notice("ingest.zero_bytes", {"file": file, "count": content.count(0)}))
    return pa.py_buffer(content.replace(b"\0", b""))
