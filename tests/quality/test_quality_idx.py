"""IDX files are read to the last byte or refused in one line, whatever is in them."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import idx_bytes

from a2u_bench.errors import BenchError
from a2u_bench.quality import idx

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
WHOLE = idx_bytes(IMAGES)


def header(*sizes: int) -> bytes:
    return bytes((0, 0, 8, len(sizes))) + struct.pack(f">{len(sizes)}I", *sizes)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_what_is_written_is_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(WHOLE) if name.endswith(".gz") else WHOLE)
    read = idx.read(path, 3)
    assert np.array_equal(read.values, IMAGES)
    assert read.sha256 == hashlib.sha256(WHOLE).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "truncated: 0 bytes"),
        (b"\0\0\x08", "truncated: 3 bytes"),
        (b"\x1f\x8b\x08\0" + WHOLE, "wrong magic number 1f 8b 08 00"),
        (b"\0\0\x0d\x03" + WHOLE[4:], "wrong magic number 00 00 0d 03; expected 00 00 08 03"),
        (b"\0\0\x08\x01" + WHOLE[4:], "wrong magic number 00 00 08 01"),
        (WHOLE[:10], "truncated within its header"),
        (WHOLE[:-1], "truncated: its header says 2×3×4 values, 23 are there"),
        (WHOLE + b"\0", "longer than its header says (2×3×4 values)"),
        (header(0, 3, 4), "says 0×3×4 values; allowed: 1 to"),
        (header(2**32 - 1, 2**32 - 1, 2**32 - 1), "values; allowed: 1 to"),
        (header(60_000, 28, 28), "truncated: its header says 60000×28×28 values, 0 are there"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_wrong_is_one_line_with_the_path(tmp_path, content, said, packed):
    path = tmp_path / ("images.gz" if packed else "images")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(BenchError) as caught:
        idx.read(path, 3)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda packed: packed[:-9], "damaged gzip file"),
        (lambda packed: packed[:-5] + bytes((packed[-5] ^ 1,)) + packed[-4:], "damaged gzip file: CRC check failed"),
        (lambda packed: b"not gzip at all", "damaged gzip file"),
        (lambda packed: packed + b"more", "damaged gzip file"),
    ],
)
def test_a_damaged_gzip_file_is_one_line(tmp_path, damage, said):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(WHOLE)))
    with pytest.raises(BenchError, match=said):
        idx.read(path, 3)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BenchError, match="no such file"):
            idx.read(path, 3)


def test_a_false_header_allocates_no_more_than_the_file_holds(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(header(8192, 256, 256) + b"\0" * 1000)  # half a gigabyte, it says
    tracemalloc.start()
    with pytest.raises(BenchError, match="truncated"):
        idx.read(path, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(header(2, 3, 4) + b"\0" * (64 << 20), 1))
    tracemalloc.start()
    with pytest.raises(BenchError, match="longer than its header"):
        idx.read(path, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=64),
        st.binary(max_size=40).map(lambda tail: WHOLE[:4] + tail),
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)).map(
            lambda change: WHOLE[: change[0]] + bytes((change[1],)) + WHOLE[change[0] + 1 :]
        ),
    ),
    st.booleans(),
)
def test_any_bytes_are_read_exactly_or_refused_in_one_line(tmp_path_factory, content, packed):
    path = tmp_path_factory.getbasetemp() / ("fuzz.gz" if packed else "fuzz")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    try:
        read = idx.read(path, 3)
    except BenchError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
    else:
        assert idx_bytes(read.values) == content


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_under_a_gzip_name_are_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.gz"
    path.write_bytes(content)
    with pytest.raises(BenchError) as caught:
        idx.read(path, 3)
    assert "\n" not in str(caught.value)
