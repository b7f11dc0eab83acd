"""Pickles read as plain data: equal to what Python reads, and refused wherever Python would run something."""

import collections
import copyreg
import datetime
import os
import pickle
import pickletools
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deixis.datasets.files.safe_pickle import MAX_DEPTH, load_pickle, plain_pickle


class Calls:
    """What an attacker pickles: on loading, Python calls `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce_ex__(self, protocol):
        return self.reduced


class Filled:
    """An object whose state Python would restore."""

    def __init__(self):
        self.x = 1

    def __setstate__(self, state):
        raise AssertionError("the state was restored")


def boom(*_):
    raise AssertionError("something was run")


ALL_PROTOCOLS = [pytest.param(number, id=f"protocol_{number}") for number in range(6)]


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param(Calls(os.system, "echo run"), r"(posix|nt)\.system", id="os_system"),
        pytest.param(Calls(eval, "1 + 1"), r"(__builtin__|builtins)\.eval", id="eval"),
        pytest.param([1, {"a": Calls(boom)}], r"test_safe_pickle\.boom|test_safe_pickle boom", id="deep_inside"),
        pytest.param(
            Filled(), r"copy_reg\._reconstructor|copyreg\._reconstructor|test_safe_pickle\.Filled", id="state"
        ),
        pytest.param(datetime.date(2020, 1, 1), r"datetime\.date", id="harmless_class"),
        pytest.param(collections.OrderedDict(a=1), r"collections\.OrderedDict", id="dict_of_another_kind"),
        pytest.param(Fraction(1, 2), r"fractions\.Fraction", id="fraction"),
        pytest.param(np.float64(1.5), r"numpy\S*\.scalar", id="numpy_number"),
        pytest.param(np.arange(3), r"numpy\S*\._(reconstruct|frombuffer)", id="numpy_array"),
        pytest.param(len, r"(__builtin__|builtins)\.len", id="function"),
        pytest.param(complex(1, 2), r"(__builtin__|builtins)\.complex", id="complex"),
    ],
)
def test_whatever_is_no_plain_data_is_refused_by_name(value, name, protocol):
    with pytest.raises(ValueError, match=rf"expected a pickle of plain data, got the global .*{name}") as refusal:
        plain_pickle(pickle.dumps(value, protocol))
    assert "\n" not in str(refusal.value)


HOSTILE = [
    pytest.param(b"cos\nsystem\n(S'echo run'\ntR.", "the global os.system", id="global"),
    pytest.param(b"(S'echo run'\nios\nsystem\n.", "the global os.system", id="inst"),
    pytest.param(b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "the global os.system", id="stack_global"),
    pytest.param(b"\x80\x04K\x01K\x02\x93.", "the global .", id="stack_global_of_numbers"),
    pytest.param(b"\x80\x02\x82\x07.", "the extension 7", id="extension_1"),
    pytest.param(b"\x80\x02\x83\x07\x01.", "the extension 263", id="extension_2"),
    pytest.param(b"\x80\x02\x84\x07\x00\x01\x00.", "the extension 65543", id="extension_4"),
    pytest.param(b"Psomething\n.", "a persistent id", id="persistent_id"),
    pytest.param(b"K\x01Q.", "a persistent id", id="binary_persistent_id"),
    pytest.param(b"K\x01)R.", "the instruction REDUCE", id="reduce"),
    pytest.param(b"}}b.", "the instruction BUILD", id="build"),
    pytest.param(b"(K\x01o.", "the instruction OBJ", id="obj"),
    pytest.param(b"K\x01)\x81.", "the instruction NEWOBJ", id="newobj"),
    pytest.param(b"K\x01)}\x92.", "the instruction NEWOBJ_EX", id="newobj_ex"),
    pytest.param(pickle.dumps(bytearray(b"ab"), 5), "the instruction BYTEARRAY8", id="bytearray"),
    pytest.param(b"\x80\x05\x97.", "the instruction NEXT_BUFFER", id="next_buffer"),
    pytest.param(b"\x80\x05N\x98.", "the instruction READONLY_BUFFER", id="readonly_buffer"),
]


@pytest.mark.parametrize(("data", "what"), HOSTILE)
def test_every_instruction_that_could_run_code_is_refused(data, what):
    with pytest.raises(ValueError, match=re.escape(f"expected a pickle of plain data, got {what} at byte")):
        plain_pickle(data)


def test_a_registered_extension_is_refused_even_when_python_has_found_it_before():
    """Python keeps what an extension stands for, and then no longer asks which class may be found."""
    copyreg.add_extension(__name__, "boom", 0x1234)
    try:
        data = b"\x80\x02\x83\x34\x12)R."
        with pytest.raises(AssertionError, match="something was run"):
            pickle.loads(data)
        with pytest.raises(ValueError, match="the extension 4660"):
            plain_pickle(data)
    finally:
        copyreg.remove_extension(__name__, "boom", 0x1234)


def doubled(levels: int) -> bytes:
    """A list of twice a list of twice ...: few bytes, 2 ** levels values."""
    return b"]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(levels)) + b"."


def tuples(levels: int) -> bytes:
    """A tuple of twice a tuple of twice ...: Python would hash it 2 ** levels times."""
    return b")q\x00" + b"".join(b"0h%ch%c\x86q%c" % (n, n, n + 1) for n in range(levels))


BROKEN = [
    pytest.param(b"", "the end at byte 0", id="empty"),
    pytest.param(b".", "broken", id="nothing_on_the_stack"),
    pytest.param(b"K\x01", "the end at byte 2", id="no_end"),
    pytest.param(b"\xff", "an unknown instruction or the end at byte 0", id="unknown_instruction"),
    pytest.param(b"{\"a\": 1}", "an unknown instruction", id="json"),
    pytest.param(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.", "broken", id="longer_than_the_file"),
    pytest.param(b"T\xff\xff\xff\xffab.", "broken", id="length_below_zero"),
    pytest.param(b"h\x05.", "broken", id="no_such_reference"),
    pytest.param(b"]r\xff\xff\xff\xff.", "references numbered in order, got 4294967295", id="distant_reference"),
    pytest.param(b"a.", "broken", id="append_to_nothing"),
    pytest.param(b"K\x01K\x02a.", "broken", id="append_to_a_number"),
    pytest.param(b"(K\x01s.", "broken", id="set_below_a_mark"),
    pytest.param(b"(K\x01d.", "broken", id="odd_dict"),
    pytest.param(b"}]K\x01s.", "numbers, got list", id="list_as_key"),
    pytest.param(b"})K\x01s.", "expected keys that are texts or numbers, got tuple", id="tuple_as_key"),
    pytest.param(b"\x80\x04\x8f()\x90.", "numbers, got tuple", id="set_of_tuples"),
    pytest.param(b"}\x8a\x09" + b"\x01" * 9 + b"Ns.", "at most 64 bits, got a longer one", id="long_integer"),
    pytest.param(b"}" + tuples(30) + b"Ns.", "numbers, got tuple", id="tuples_of_tuples_as_key"),
    pytest.param(b"}" + tuples(30) + b"2s.", "numbers, got tuple", id="duplicated_key"),
    pytest.param(b"(" + tuples(30) + b"Nd.", "numbers, got tuple", id="key_of_a_dict_at_once"),
    pytest.param(b"\x80\x04(" + tuples(30) + b"\x91.", "numbers, got tuple", id="member_of_a_frozen_set"),
    pytest.param(b"(Nh\x05t" + tuples(3) + b"0}(" + b"K\x01h\x03h\x03Nu.", "numbers, got tuple", id="second_key"),
    pytest.param(doubled(14), "at most 13000 values and characters, got more", id="more_than_its_size_allows"),
    pytest.param(b"Sabc\n.", "must be quoted", id="no_quotes"),
    pytest.param(b"Iabc\n.", "broken at byte 0", id="no_number"),
    pytest.param(b"L" + b"9" * 5_000 + b"L\n.", "broken", id="endless_decimal"),
    pytest.param(b"\x8b\x00\x00\x10\x00" + b"\x01" * 0x100000 + b".", "at most 64 bits", id="endless_long"),
    pytest.param(b"X\x01\x00\x00\x00\xff.", "broken", id="no_unicode"),
    pytest.param(b"]q\x00h\x00a.", "got a value that holds itself", id="holds_itself"),
    pytest.param(b"]q\x00}q\x01K\x01h\x00sa.", "got a value that holds itself", id="holds_itself_by_a_dict"),
    pytest.param(b"]" * 20_000 + b"a" * 19_999 + b".", f"at most {MAX_DEPTH} levels", id="deep"),
    pytest.param(b")" + b"\x85" * 20_000 + b".", f"at most {MAX_DEPTH} levels", id="deep_tuple"),
    pytest.param(doubled(60), "parts repeat too often", id="doubled_sixty_times"),
    pytest.param(b"X\x00\x00\x10\x00" + b"a" * 0x100000 + b"q\x00(" + b"h\x00" * 2_000 + b"l.", "repeat too often",
                 id="one_long_text_many_times"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BROKEN)
def test_broken_and_bloated(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plain_pickle(data)


def test_a_file_is_named_and_bounded(tmp_path):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(b"cos\nsystem\n.")
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p: expected a pickle of plain data, got the global os\.system"):
        load_pickle(path)
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p: expected a pickle of at most 5 bytes, got 12"):
        load_pickle(path, max_bytes=5)


def test_the_form_of_refcoco_as_python_2_writes_it(tmp_path):
    """Protocol 0 with byte texts, references to kept ones, a long number, a unicode text, and bytes beyond ASCII."""
    path = tmp_path / "refs(unc).p"
    path.write_bytes(
        b"(lp1\n(dp2\nS'sent_ids'\np3\n(lp4\nI0\naI1\nasS'file_name'\np5\nS'COCO_train2014_000000000009_1.jpg'\np6\ns"
        b"S'ann_id'\np7\nL1719310L\nsS'sentences'\np8\n(lp9\n(dp10\nS'tokens'\np11\n(lp12\nS'the'\np13\nag13\nas"
        b"S'sent'\np14\nS\"it's a caf\\xc3\\xa9\"\np15\nsS'raw'\np16\nVcaf\\u00e9\np17\nsS'old'\nS'caf\\xe9'\nsa"
        b"sS'seen'\nI01\nsS'score'\nF0.5\nsa."
    )
    assert load_pickle(path) == [
        {
            "sent_ids": [0, 1],
            "file_name": "COCO_train2014_000000000009_1.jpg",
            "ann_id": 1719310,
            "sentences": [{"tokens": ["the", "the"], "sent": "it's a café", "raw": "café", "old": "café"}],
            "seen": True,
            "score": 0.5,
        }
    ]


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS)
def test_a_list_of_references_of_any_protocol(protocol):
    reference = {"ref_id": 3, "ann_id": [1, -1], "split": "testAB", "sentences": [{"sent": "left", "tokens": ["left"]}]}
    references = [dict(reference, ref_id=number) for number in range(3_000)]
    assert plain_pickle(pickle.dumps(references, protocol)) == references


ATOMS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**63 - 1), inner)
    | st.tuples(inner) | st.tuples(inner, inner) | st.tuples(inner, inner, inner) | st.lists(inner).map(tuple),
    max_leaves=25,
)  # fmt: skip
MODERN = PLAIN | st.sets(st.integers(0, 99)) | st.frozensets(st.text()) | st.binary(max_size=600)


@settings(max_examples=150, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_plain_data_comes_back(value, protocol):
    assert plain_pickle(pickle.dumps(value, protocol)) == value


@settings(max_examples=60, deadline=None)
@given(MODERN)
@example(b"\xff" * 300)
def test_bytes_and_sets_come_back_where_a_protocol_has_them(value):
    assert plain_pickle(pickle.dumps(value, 4)) == value


def instructions() -> st.SearchStrategy[bytes]:
    """Programs made of pickle's instructions, allowed and forbidden, in any order."""
    piece = st.sampled_from([code.code.encode("latin-1") for code in pickletools.opcodes]) | st.sampled_from(
        [b"K\x01", b"]", b"(", b"q\x00", b"h\x00"]
    )
    return st.lists(piece | st.binary(max_size=3) | st.just(b"1\n"), max_size=40).map(
        lambda parts: b"".join(parts) + b"."
    )


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=60) | instructions())
def test_any_bytes_are_plain_data_or_a_value_error(data):
    try:
        value = plain_pickle(data)
    except ValueError:
        return
    assert_plain(value)


def assert_plain(value):
    assert type(value) in (type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset)
    if isinstance(value, dict):
        assert_plain([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            assert_plain(item)


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.integers(0, 5), st.data())
def test_a_damaged_pickle_is_plain_data_or_refused(value, protocol, data):
    pickled = bytearray(pickle.dumps(value, protocol))
    pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = plain_pickle(bytes(pickled))
    except ValueError:
        return
    assert_plain(read)
