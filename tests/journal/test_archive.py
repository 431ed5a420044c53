"""What is archived comes back byte for byte, or it is said that it does not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.journal.archive import Archive, Stored

AT = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
NAME = "NODURS_20260305_5860571.xml"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def keep(archive: Archive, content: bytes, name: str = NAME) -> Stored:
    source = archive.root.parent / "source"
    source.write_bytes(content)
    return archive.store(source, name, AT)


def files(archive: Archive) -> list[Path]:
    return [path for path in archive.root.rglob("*") if path.is_file()]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), st.binary(min_size=1, max_size=9).map(lambda part: part * 400_000)))
def test_bytes_come_back_as_they_were(archive: Archive, content: bytes) -> None:
    """What the authority was sent can be shown to it again, to the last byte."""
    stored = keep(archive, content)
    target = archive.root.parent / "back"
    archive.extract(stored.path, target)
    assert target.read_bytes() == content
    assert (stored.size_bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert archive.intact(stored.path, stored.sha256)


def test_the_path_is_relative_and_by_month(archive: Archive) -> None:
    """A workspace can be moved, and a person finds the file."""
    stored = keep(archive, b"x")
    assert stored.path.startswith(f"2026/03/{NAME}.")
    assert stored.path.endswith(".zst")
    assert files(archive) == [archive.root / stored.path]


def test_the_same_name_again_overwrites_nothing(archive: Archive) -> None:
    """A report sent again has the same name; both are kept."""
    first, second = keep(archive, b"first"), keep(archive, b"second")
    assert first.path != second.path
    assert b"".join(archive.blocks(first.path)) == b"first"


def test_any_zstd_program_reads_the_files(archive: Archive) -> None:
    """In ten years somebody opens an archived report without this program."""
    import zstandard

    stored = keep(archive, b"<Nodurs/>" * 1_000)
    with zstandard.open(archive.root / stored.path) as plain:
        assert plain.read() == b"<Nodurs/>" * 1_000


def test_every_flipped_bit_that_alters_the_report_is_found(archive: Archive) -> None:
    """Exhaustive: a damaged file is never taken for the report. A few bits of zstd's head mean nothing."""
    content = b"<Nodurs>Pekarna</Nodurs>" * 3
    stored = keep(archive, content)
    path = archive.root / stored.path
    original = path.read_bytes()
    harmless = 0
    for bit in range(len(original) * 8):
        damaged = bytearray(original)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if archive.intact(stored.path, stored.sha256):
            harmless += 1
            assert b"".join(archive.blocks(stored.path)) == content, f"bit {bit}"
    assert harmless < 16


def test_every_cut_is_found_when_the_file_is_read(archive: Archive) -> None:
    """Half of a report is never taken out of the archive as if it were whole."""
    stored = keep(archive, bytes(range(256)) * 20)
    path = archive.root / stored.path
    original = path.read_bytes()
    for length in range(len(original)):
        path.write_bytes(original[:length])
        assert not archive.intact(stored.path, stored.sha256)
        with pytest.raises(UsageError, match="cut off"):
            list(archive.blocks(stored.path))


@pytest.mark.parametrize("behind", [b"x", b"\x00" * 100_000])
def test_what_hangs_on_behind_the_end_is_found(archive: Archive, behind: bytes) -> None:
    """A file that somebody wrote on is not whole, though its beginning is."""
    stored = keep(archive, b"<Nodurs/>")
    with (archive.root / stored.path).open("ab") as file:
        file.write(behind)
    assert not archive.intact(stored.path, stored.sha256)


def test_a_missing_file_is_named(archive: Archive) -> None:
    """Whoever restores the backup knows which file to look for."""
    assert not archive.intact("2026/03/gone.zst", "0" * 64)
    with pytest.raises(UsageError, match=r"2026/03/gone\.zst") as refused:
        archive.extract("2026/03/gone.zst", archive.root.parent / "target")
    assert "backup" in refused.value.remedy


def test_another_file_in_its_place_is_found(archive: Archive) -> None:
    """A whole file with other content is not the one that was sent."""
    stored, other = keep(archive, b"sent"), keep(archive, b"forged")
    (archive.root / stored.path).write_bytes((archive.root / other.path).read_bytes())
    assert not archive.intact(stored.path, stored.sha256)


_ON_A_FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.journal.archive import Archive
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    Archive(Path(sys.argv[1])).store(Path(sys.argv[2]), "report.xml", datetime(2026, 3, 5, tzinfo=UTC))
except AjpesReportingError as error:
    print(error.message, "|", error.remedy)
"""


@pytest.mark.parametrize("room", [0, 1_000, 3_000_000])
def test_a_disk_that_is_full_keeps_nothing_and_says_so(archive: Archive, tmp_path: Path, room: int) -> None:
    """A report that could not be archived whole is not sent, and leaves no half file behind."""
    source = tmp_path / "report.xml"
    source.write_bytes(hashlib.shake_256(b"noise").digest(5_000_000))
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, archive.root, source, str(room)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "report.xml could not be archived" in done.stdout
    assert "It was not sent or applied." in done.stdout
    assert "make room on the disk" in done.stdout
    assert files(archive) == []


def test_a_file_in_the_place_of_the_folder_is_told(archive: Archive) -> None:
    """Whatever is wrong with the folder itself ends in words too."""
    archive.root.write_text("not a folder")
    with pytest.raises(AjpesReportingError, match="could not be archived"):
        keep(archive, b"x")


def test_a_name_that_no_disk_takes_is_told(archive: Archive) -> None:
    """A name of 300 letters is no reason for a traceback."""
    with pytest.raises(AjpesReportingError, match="could not be archived"):
        keep(archive, b"x", "x" * 300)
    assert files(archive) == []
