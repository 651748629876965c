"""A small part of what the command measures: 20 pictures of 1 MB, and a process that is killed amid them."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.media import PICTURE, check_files, land, section, write_answers
from tests.benchmarks.server import serving

PICTURES = 20


def test_pictures_land_in_the_memory_of_a_few_and_whole_after_a_kill(tmp_path: Path) -> None:
    write_answers(tmp_path, PICTURES)
    media = tmp_path / f"media-{PICTURES}"
    with serving(tmp_path) as address:
        land(address, PICTURES, tmp_path, dies_at=8)
        first = {path.name: path.stat().st_ino for path in media.glob("[!.]*")}
        assert len(first) == 7, "the eighth is not there under its name"
        assert not (tmp_path / f"rows-{PICTURES}.jsonl").exists()
        figures = land(address, PICTURES, tmp_path)
    assert figures is not None
    check_files(tmp_path, PICTURES)
    assert {name: (media / name).stat().st_ino for name in first} == first, "what was there is left as it is"
    assert figures["growth_mb"] * 1e6 < 8 * PICTURE, "that is more than a few lines"
    assert "1/" in section([("landing alone", PICTURES, figures)], PICTURES)
