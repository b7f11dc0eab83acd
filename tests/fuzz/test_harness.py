"""The harness itself: cases follow from their seed, and every kind of failure is reported as what it is."""

import sys
from random import Random

import pytest

from tests.fuzz.damage import damaged_case
from tests.fuzz.pool import Worker, open_workers
from tests.fuzz.run import Case, case_named, cases_of, run
from tests.fuzz.seeds import Seed
from tests.fuzz.signal_seeds import signal_seeds
from tests.fuzz.value_damage import VALUES, changed_value

linux = pytest.mark.skipif(sys.platform != "linux", reason="time and memory of a process are bounded as Linux does")


@pytest.fixture(scope="module")
def worker():
    """A worker without the toy model."""
    worker = Worker()
    yield worker
    worker.close()


@linux
@pytest.mark.parametrize(
    ("way", "kind", "text"),
    [
        pytest.param("answers", "answered", "", id="answers"),
        pytest.param("refuses", "refused", "expected a file, got none", id="refuses"),
        pytest.param("raises", "traceback", "KeyError: 'size'", id="raises"),
        pytest.param("counts", "hang", "in _count", id="never_ends"),
        pytest.param("waits", "hang", "in _wait", id="waits_for_ever"),
        pytest.param("fills", "memory", "MemoryError", id="fills_the_memory"),
        pytest.param("fills_and_says_so", "memory", "too large", id="fills_the_memory_and_refuses"),
        pytest.param("grows", "memory", "2.", id="takes_much_and_answers"),
        pytest.param("exits", "crash", "exit code 3", id="ends_the_process"),
        pytest.param("runs", "forbidden", "subprocess.Popen", id="runs_a_program"),
        pytest.param("connects", "forbidden", "socket.", id="asks_the_network"),
        pytest.param("prompts", "forbidden", "builtins.input", id="asks_the_keyboard"),
        pytest.param("rings", "refused", r"\x07 rings", id="control_character_that_is_written_out"),
        pytest.param("names", "sentence", "characters: ", id="sentence_without_end"),
        pytest.param("talks", "refused", "a … a", id="sentence_without_end_that_is_shortened"),
    ],
)
def test_every_kind_of_failure_is_seen(worker, tmp_path, way, kind, text):
    # short where the limit has to come, and long where a busy machine must not reach it
    worker.cpu_s, worker.wall_s = (2.0, 4.0) if kind == "hang" else (60.0, 240.0)
    outcome = worker.run("wrong", tmp_path, {"way": way})
    assert outcome.kind == kind
    assert text in outcome.text
    assert outcome.is_fine == (kind in ("answered", "refused"))


@linux
def test_a_failure_is_kept_and_the_next_case_is_run(worker, tmp_path):
    seeds = [
        Seed("state", way, "wrong", {"a": b"1"}, {"way": way}) for way in ("exits", "raises", "answers", "refuses")
    ]
    report = run([Case(f"state/{seed.name}/0", seed, "undamaged") for seed in seeds], [worker], tmp_path)
    assert [(case.name, outcome.kind) for case, outcome in report.failures] == [
        ("state/exits/0", "crash"),
        ("state/raises/0", "traceback"),
        ("state/refuses/0", "sound file refused"),
    ]
    assert report.counts["state"]["answered"] == 1
    assert (tmp_path / "state" / "raises" / "0" / "files" / "a").read_bytes() == b"1"
    assert "KeyError" in (tmp_path / "state" / "raises" / "0" / "outcome.txt").read_text()


def test_a_case_follows_from_its_name_and_seed():
    seeds = signal_seeds()
    made = list(cases_of("audio", 30, 7, seeds))
    again = [case_named(case.name, 7, seeds) for case in made]
    assert [case.seed.files for case in made] == [case.seed.files for case in again]
    other = list(cases_of("audio", 30, 8, seeds))
    assert [case.seed.files for case in made[-30:]] != [case.seed.files for case in other[-30:]]


def test_damage_changes_the_file():
    seeds = signal_seeds()
    cases = [
        case for group in ("image", "video", "fmri") for case in cases_of(group, 60, 0, seeds) if not case.is_sound
    ]
    sound = {(seed.group, seed.name): seed.files for seed in seeds}
    changed = sum(case.seed.files != sound[case.seed.group, case.seed.name] for case in cases)
    assert changed > 0.95 * len(cases)  # a byte may be set to what it was


def test_only_what_is_named_is_damaged():
    seed = Seed("model", "a", "load_and_ask", {"a.json": b'{"a": [1, 2]}', "b.json": b"[]"}, damaged=("a.json",))
    for number in range(50):
        made, how = damaged_case(seed, Random(number), {".json": b"[3]"})
        assert made.files["b.json"] == b"[]"
        assert how.startswith("a.json: ")


def test_every_value_finds_its_way_into_a_record():
    seen = [repr(changed_value({"a": [1, {"b": 2}]}, Random(number))) for number in range(3000)]
    for value in VALUES:
        assert any(repr(value) in text for text in seen), value


@linux
def test_several_workers_share_the_cases(tmp_path):
    seed = Seed("state", "answers", "wrong", {"a": b"1"}, {"way": "answers"})
    with open_workers(2) as workers:
        report = run([Case(f"state/answers/{n}", seed, "") for n in range(6)], workers, tmp_path)
        assert report.counts["state"] == {"answered": 6}
        assert all(worker.process is not None for worker in workers)
