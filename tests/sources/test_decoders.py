"""Decoding apart: the same picture as decoding here, and what kills or stalls a decoder process harms nobody else."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from covaudit.errors import BadImage
from covaudit.sources import decoders, images
from covaudit.sources.decoders import Decoders
from covaudit.sources.images import REASONS, open_image, open_thumbnail, open_upload

GARBAGE = b"\x89PNG\r\n\x1a\n" + bytes(60)


@pytest.fixture
def own(monkeypatch):
    """Decoders of this test alone, behind the one door."""
    made = Decoders(size=2, patience_s=10)
    monkeypatch.setattr(images, "_decoders", lambda: made)
    monkeypatch.setattr(images, "_broke_a_decoder", set())
    yield made
    made.close()


@pytest.fixture
def faulty(monkeypatch):
    """Children that are started from now on fail in this way; '' ends it."""

    def fail(fault):
        monkeypatch.setenv("COVAUDIT_TEST", "1")
        monkeypatch.setenv("COVAUDIT_FAULT", fault)

    return fail


def reason(data):
    with pytest.raises(BadImage) as caught:
        open_upload(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


_of_others: set[int] = set()


@pytest.fixture(autouse=True)
def _know_those_of_other_tests():
    _of_others.clear()
    _of_others.update(child.pid for child in psutil.Process().children())


def children():
    """The decoders that this test has started."""
    mine = [one for one in psutil.Process().children() if one.pid not in _of_others]
    return [one for one in mine if "covaudit.sources.decoder_process" in one.cmdline()]


@pytest.fixture
def samples(encode, ramp, make_dicom):
    return [
        encode(ramp(64, 70)),
        encode(ramp(300, 200, 4095, np.uint16)),
        encode(ramp(90, 80), "JPEG"),
        encode(ramp(70, 70, 900, np.int32), "TIFF"),
        make_dicom(ramp(64, 80, 4095, np.uint16), PhotometricInterpretation="MONOCHROME1"),
        encode(np.full((70, 70), 9, np.uint8)),
    ]


def test_it_is_what_open_image_gives(own, samples):
    for data in samples:
        here, apart = open_image(data), open_upload(data)
        assert np.array_equal(here.pixels, apart.pixels)
        assert here[1:] == apart[1:]


def test_refusals_come_back_as_they_are(own, encode):
    for data in (GARBAGE, b"", b"words", encode(np.zeros((5, 400), np.uint8)), bytes(128) + b"DICM" + bytes(60)):
        with pytest.raises(BadImage) as here:
            open_image(data)
        with pytest.raises(BadImage) as apart:
            open_upload(data)
        assert (apart.value.reason, str(apart.value)) == (here.value.reason, str(here.value))


def test_one_process_stays_warm(own, samples):
    open_upload(samples[0])
    first = [child.pid for child in children()]
    for data in (*samples, GARBAGE):
        with suppress(BadImage):
            open_upload(data)
    assert [child.pid for child in children()] == first and len(first) == 1


def test_a_crash_kills_the_child_alone_and_the_file_is_not_tried_again(own, samples, faulty):
    faulty("decode:segv")
    assert reason(samples[0]) == "crashed"
    faulty("")
    own.close()
    assert reason(samples[0]) == "crashed"  # remembered: no decoder sees it again
    assert children() == []
    assert open_upload(samples[1]).width == 200  # others are served, by a fresh process


def test_a_hang_is_ended_and_the_next_file_served(own, samples, faulty, monkeypatch):
    monkeypatch.setattr(decoders, "SECONDS", 0.5)
    faulty("decode:hang")
    started = time.perf_counter()
    assert reason(samples[0]) == "too_slow"
    assert time.perf_counter() - started < 20
    faulty("")
    monkeypatch.setattr(decoders, "SECONDS", 30)
    for child in children():
        child.kill()
        child.wait()
    assert open_upload(samples[0]).width == 70  # not remembered: the machine may have been busy


def test_faults_need_the_test_switch(own, samples, monkeypatch):
    monkeypatch.setenv("COVAUDIT_FAULT", "decode:segv")
    monkeypatch.delenv("COVAUDIT_TEST", raising=False)
    assert open_upload(samples[0]).width == 70


def test_a_child_killed_while_idle_is_replaced(own, samples):
    open_upload(samples[0])
    for child in children():
        child.kill()
        child.wait()
    assert open_upload(samples[0]).width == 70


def test_memory_is_limited(own, encode, monkeypatch):
    """49 million 32-bit values take 196 MB and pass; a limit below that refuses them and the child lives on."""
    data = encode(np.zeros((7000, 7000), np.int32), "TIFF")
    assert open_upload(data).width == 7000
    own.close()
    code = "import covaudit.sources.decoder_process as p; p.MEMORY_BYTES = 900 * 2**20; p.main()"
    monkeypatch.setattr(decoders, "PROGRAM", ("-c", code))
    assert reason(data) == "out_of_memory"
    assert open_upload(encode(np.eye(64, dtype=np.uint8))).width == 64


def test_closed_decoders_open_again(own, samples):
    for _ in range(3):
        assert open_upload(samples[0]).width == 70
        own.close()
        assert children() == []


def test_no_more_than_two_at_once_and_who_waits_too_long_is_told(own, samples):
    threads = [threading.Thread(target=open_upload, args=(samples[1],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(children()) <= 2
    nobody = Decoders(size=0, patience_s=0.01)
    with pytest.raises(BadImage) as caught:
        nobody.ask({"do": "open"}, samples[0])
    assert caught.value.reason == "busy"


def test_what_a_library_prints_is_kept_short_and_on_one_line(own, encode, ramp, monkeypatch, caplog):
    code = (
        "import os, covaudit.sources.decoder_process as p\n"
        "real = p.open_image\n"
        "def noisy(data):\n"
        "    os.write(1, b'{}\\n'); os.write(2, b'TIFFRead: \\x1b[31m bad\\n' * 20_000); return real(data)\n"
        "p.open_image = noisy; p.main()"
    )
    monkeypatch.setattr(decoders, "PROGRAM", ("-c", code))
    with caplog.at_level(logging.INFO):
        assert np.array_equal(open_upload(encode(ramp())).pixels, ramp())
        assert np.array_equal(open_upload(encode(ramp(70))).pixels, ramp(70))
    said = [record.getMessage() for record in caplog.records if "decoder said" in record.getMessage()]
    assert len(said) == 2 and all("TIFFRead" in text and text.isprintable() and len(text) < 500 for text in said)


def test_the_child_ends_with_its_parent(encode, ramp, tmp_path):
    (tmp_path / "a.png").write_bytes(encode(ramp()))
    code = (
        "import os, sys, psutil; from covaudit.sources.images import open_upload\n"
        "open_upload(open(sys.argv[1], 'rb').read())\n"
        "print(psutil.Process().children()[0].pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(200):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail("the decoder process outlived its parent")


def test_a_thumbnail_is_the_file_made_small(own, encode, ramp, tmp_path):
    (tmp_path / "a.png").write_bytes(encode(ramp(200, 400)))
    small = open_thumbnail(tmp_path / "a.png", 100)
    assert small.shape == (50, 100) and np.abs(small[0].astype(int) - ramp(1, 400)[0, 2::4]).max() <= 2
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(BadImage):
        open_thumbnail(tmp_path / "link.png", 100)


def test_nothing_is_left_behind(own, samples, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for data in samples:
        open_upload(data)
    assert list(Path(tmp_path).iterdir()) == []
