"""Files read in processes of their own: as `open_signal` reads them, and what kills a parser kills no server."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest

from deixis.errors import InputError
from deixis.serving.reading import ReadingLimits, SignalReader
from deixis.signals import MODALITIES, VideoSpec, open_signal, to_tensor
from deixis.signals.video import chosen_indices
from tests.announced import gif
from tests.fuzz.bombs import signal_bombs
from tests.fuzz.damage import damaged_case
from tests.fuzz.run import foreign_files
from tests.fuzz.signal_seeds import single_files, sound, typed_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is bounded as Linux does")
DAMAGED = 6
"""Cases of each kind of file: some hundreds in all."""
FILES = single_files()


@pytest.fixture(scope="module")
def reader():
    made = SignalReader(ReadingLimits(decoded_mb=256, memory_mb=1024, seconds=20.0))
    yield made
    made.close()


def opened(path: Path, modality: str | None, number: float | None):
    """What `open_signal` makes of a file, or the sentence that refuses it."""
    options = {} if number is None else {MODALITIES[modality].parameter: number}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about what they repair
            return open_signal(path, modality, **options)
    except InputError as error:
        return str(error).replace(f"{path.parent}{os.sep}", "")


def read(reader: SignalReader, path: Path, *how):
    try:
        return reader.read(path, *how)
    except InputError as error:
        return str(error)


def same(first, second) -> bool:
    """Whether two values of `Signal.info` are the same, but for what decodes more frames."""
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second) and first.dtype == second.dtype
    if hasattr(first, "times_s"):
        shown = ("duration_s", "rate_hz", "size_hw", "codec")
        return all(getattr(first, key) == getattr(second, key) for key in shown) and same(first.times_s, second.times_s)
    return first == second and type(first) is type(second)


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"{seed.group}-{seed.name}") for seed in FILES])
def test_a_file_is_read_as_it_is_opened(reader, seed, tmp_path):
    name, modality, number = typed_in(seed.arguments)
    path = tmp_path / name
    path.write_bytes(seed.files[name])
    stored = tmp_path / "stored"
    stored.write_bytes(seed.files[name])  # as a server stores it, without its name
    there, here = reader.read(stored, name, modality, number), opened(path, modality, number)
    assert (there.modality, there.name, there.digest, there.extent) == (here.modality, name, here.digest, here.extent)
    assert np.array_equal(there.values, here.values)
    assert there.values.dtype == here.values.dtype
    assert there.path is there.image is None
    assert there.info.keys() == here.info.keys()
    assert all(same(here.info[key], there.info[key]) for key in here.info)


@pytest.mark.parametrize("group", [pytest.param(modality, id=modality) for modality in MODALITIES])
def test_a_damaged_file_is_the_sentence_that_it_is_elsewhere(reader, group):
    foreign, restarts = foreign_files(FILES), reader.restarts
    for seed in (seed for seed in FILES if seed.group == group):
        name, modality, number = typed_in(seed.arguments)
        for case in range(DAMAGED):
            files = damaged_case(seed, Random(f"{group}/{name}/{case}"), foreign)[0].files
            with tempfile.TemporaryDirectory(prefix="deixis-") as folder:  # as long as the reader's: some words are cut
                path = Path(folder) / name
                path.write_bytes(files[name])
                there, here = read(reader, path, name, modality, number), opened(path, modality, number)
            if isinstance(here, str) or isinstance(there, str):
                assert there == here
            else:
                assert there.digest == here.digest
    assert reader.restarts == restarts


@pytest.mark.parametrize("bomb", [pytest.param(bomb, id=f"{bomb.group}-{bomb.name}") for bomb in signal_bombs()])
def test_a_bomb_is_an_answer_or_one_sentence(reader, bomb, tmp_path):
    name, modality, number = typed_in(bomb.arguments)
    (tmp_path / name).write_bytes(bomb.files[name])
    restarts = reader.restarts
    sentence = read(reader, tmp_path / name, name, modality, number)
    if isinstance(sentence, str):
        assert name in sentence
        assert os.sep not in sentence.replace("NumPy/", "")
    assert reader.restarts == restarts


def wav(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(sound("WAV"))
    return path


def long_table(tmp_path: Path) -> Path:
    """A recording that takes seconds to parse."""
    rows = "\n".join(f"{row / 100:.2f},{row % 7},1,2,3,4,5" for row in range(600_000))
    path = tmp_path / "long.csv"
    path.write_text("time,ax,ay,az,gx,gy,gz\n" + rows)
    return path


def forks(reader: SignalReader) -> list[int]:
    """The processes that read files: the children of the reader's."""
    found = []
    for pid in reader.pids:
        found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return found


def until(true, seconds: float = 60.0):
    ends_s = time.monotonic() + seconds
    while not (got := true()) and time.monotonic() < ends_s:
        time.sleep(0.01)
    assert got
    return got


def test_a_file_that_takes_too_long(tmp_path):
    reader = SignalReader(ReadingLimits(seconds=0.3))
    try:
        reader.read(wav(tmp_path), "a.wav")
        before = reader.pids
        with pytest.raises(InputError, match=r"'long.csv': expected a file that is read within 0.3 s, got one that"):
            reader.read(long_table(tmp_path), "long.csv")
        assert reader.restarts == 1
        assert reader.read(wav(tmp_path), "a.wav").modality == "audio"
        assert reader.pids == before  # the fork alone was replaced
    finally:
        reader.close()


def test_a_file_that_takes_too_much_memory(tmp_path):
    reader = SignalReader(ReadingLimits(decoded_mb=4096, memory_mb=256))
    try:
        path = tmp_path / "large.gif"
        path.write_bytes(gif(12_000, 12_000))  # 144 million pixels, sound but for the frame that is missing
        with pytest.raises(InputError, match=r"'large.gif': expected .*(memory|cannot be decoded)"):
            reader.read(path, "large.gif")
        assert reader.read(wav(tmp_path), "a.wav").modality == "audio"
    finally:
        reader.close()


def test_what_decoding_takes_is_compared_with_the_budget_of_the_limits(tmp_path):
    reader = SignalReader(ReadingLimits(decoded_mb=3))
    path = tmp_path / "a.gif"
    path.write_bytes(gif(1000, 1000))
    try:
        with pytest.raises(InputError, match=r"at most 3 MB of memory when decoded, got 1000 x 1000 px"):
            reader.read(path, "a.gif")
    finally:
        reader.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_parser_that_dies_while_it_reads(reader, number, tmp_path):
    reader.read(wav(tmp_path), "a.wav")
    restarts, path = reader.restarts, long_table(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):  # what was read before may be to blame: it is tried again
            (fork,) = until(lambda: forks(reader))
            task = None if _ else pool.submit(read, reader, path, "long.csv")
            until(lambda fork=fork: "R" in Path(f"/proc/{fork}/stat").read_text().rpartition(")")[2][:3])
            os.kill(fork, number)
            until(lambda fork=fork: fork not in forks(reader))
            done = task or done
        sentence = done.result()
    assert sentence.startswith("'long.csv': expected a")
    assert ("crashed (" + signal.Signals(number).name if number != signal.SIGKILL else "memory") in sentence
    assert reader.restarts == restarts + 2
    assert reader.read(wav(tmp_path), "a.wav").modality == "audio"


def test_a_reading_process_that_dies_itself_is_started_again(reader, tmp_path):
    (pid,) = reader.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: not _lives(pid))
    assert reader.read(wav(tmp_path), "a.wav").modality == "audio"
    assert reader.pids != [pid]


def test_a_fork_that_refused_a_file_is_not_used_again(reader, tmp_path):
    reader.read(wav(tmp_path), "a.wav")
    before = forks(reader)
    reader.read(wav(tmp_path), "a.wav")
    assert forks(reader) == before
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"'bad\.png': expected"):
        reader.read(bad, "bad.png")
    until(lambda: forks(reader) not in (before, []))


def test_processes_end_with_the_server(tmp_path):
    """A server that is killed outright, while a file is read, leaves nothing behind."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom deixis.serving.reading import SignalReader\n"
        "reader = SignalReader()\nreader.read(Path(sys.argv[1]), 'a.wav')\n"
        "print(*reader.pids, flush=True)\nreader.read(Path(sys.argv[2]), 'long.csv')\n"
    )
    words = [sys.executable, "-c", code, str(wav(tmp_path)), str(long_table(tmp_path))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ) as server:
        pid = int(server.stdout.readline())
        (fork,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        server.kill()
    until(lambda: not _lives(pid) and not _lives(fork), 5.0)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_process_gets_no_secrets_no_descriptors_and_no_torch(reader, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_API_KEY", "sk-very-secret")
    with open(tmp_path / "held", "w") as held:
        os.set_inheritable(held.fileno(), True)
        fresh = SignalReader()
        try:
            fresh.read(wav(tmp_path), "a.wav")
            (pid,) = fresh.pids
            (fork,) = forks(fresh)
            assert b"very-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
            targets = [os.readlink(own) for own in Path(f"/proc/{fork}/fd").iterdir()]
            assert not [target for target in targets if not target.startswith(("socket:", "/dev/null"))]
            assert len([target for target in targets if target.startswith("socket:")]) == 1
            assert "libtorch" not in Path(f"/proc/{fork}/maps").read_text()
        finally:
            fresh.close()


def test_the_process_has_a_network_of_its_own(reader, tmp_path):
    if subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no user make a network")
    reader.read(wav(tmp_path), "a.wav")
    (fork,) = forks(reader)
    assert os.readlink(f"/proc/{fork}/ns/net") != os.readlink("/proc/self/ns/net")


def test_many_threads_and_processes(tmp_path):
    reader = SignalReader(ReadingLimits(), workers=2)
    path, bad = wav(tmp_path), tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG")
    expected = open_signal(path).digest
    try:
        with ThreadPoolExecutor(8) as pool:
            rows = list(
                pool.map(lambda n: read(reader, *((bad, "b.png") if n % 5 == 0 else (path, "a.wav"))), range(40))
            )
        assert all(isinstance(row, str) if n % 5 == 0 else row.digest == expected for n, row in enumerate(rows))
        assert len(set(reader.pids)) == 2
    finally:
        reader.close()


def test_closed_while_it_reads(tmp_path):
    reader = SignalReader()
    reader.read(wav(tmp_path), "a.wav")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.read, long_table(tmp_path), "long.csv")
        time.sleep(0.1)
        reader.close()
        with pytest.raises(InputError, match=r"'long.csv': expected to be read, but the server is stopping"):
            reading.result(timeout=30)
    with pytest.raises(InputError, match="the server is stopping"):
        reader.read(wav(tmp_path), "a.wav")
    assert not [pid for pid in reader.pids if _lives(pid)]


@pytest.mark.parametrize(
    ("name", "called"),
    [
        pytest.param("../../etc/passwd.wav", "_.._etc_passwd.wav", id="folders"),
        pytest.param("a\0\n\x1b[31m.wav", "a___[31m.wav", id="control"),
        pytest.param("\udc80.wav", "_.wav", id="surrogate"),
        pytest.param("音" * 200 + ".wav", "音" * 65 + ".wav", id="long"),
        pytest.param("http://a.b/c.wav", "http___a.b_c.wav", id="address"),
        pytest.param("imu:a+b.wav", "imu_a+b.wav", id="prefix"),
    ],
)
def test_names_of_clients_open_nothing(reader, name, called, tmp_path):
    assert reader.read(wav(tmp_path), name).name == called


@pytest.mark.parametrize(
    ("modality", "number", "match"),
    [
        pytest.param("smell", None, r"modality: expected one of image, .*, got 'smell'", id="unknown"),
        pytest.param(
            "audio", 5.0, r"'a.wav': expected a number beside a modality that takes one, .*beside audio", id="no"
        ),
        pytest.param(None, 5.0, r"got one beside none; leave it out", id="none"),
        pytest.param("imu", -1.0, r"'a.wav': expected", id="other"),
    ],
)
def test_a_modality_or_number_that_does_not_fit(reader, modality, number, match, tmp_path):
    with pytest.raises(InputError, match=match):
        reader.read(wav(tmp_path), "a.wav", modality, number)


def test_a_file_that_is_gone_or_too_large(reader, tmp_path):
    with pytest.raises(InputError, match=r"'a.wav': expected a file, but it is gone \(No such file or directory\)"):
        reader.read(tmp_path / "nowhere", "a.wav")
    small = SignalReader(ReadingLimits(file_bytes=1000))
    try:
        with pytest.raises(InputError, match=r"'a.wav': expected a file of at most 0 MB, got 0 MB"):
            small.read(wav(tmp_path), "a.wav")
    finally:
        small.close()


def test_a_video_holds_the_frames_that_a_model_takes(tmp_path):
    """More of them than an opened video keeps; the file is gone when they are asked for."""
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=25)
        track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
        for number in range(90):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 2 * number, np.uint8), format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode())
    spec = VideoSpec(size_px=16, frames=40)
    expected = to_tensor(open_signal(path), spec)[0]
    reader = SignalReader(specs={"video": spec, "audio": MODALITIES["audio"].spec()})
    try:
        held = reader.read(path, "film.mp4")
    finally:
        reader.close()
    path.unlink()
    assert set(chosen_indices(held.info["table"], spec)) <= set(held.info["kept"])
    assert np.array_equal(to_tensor(held, spec)[0], expected)
    assert np.array_equal(held.info["times_s"], held.info["table"].times_s[held.info["kept"]])
