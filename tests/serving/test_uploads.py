"""Files of clients in a folder that several servers share."""

import json
import os

import pytest

from deixis.errors import InputError
from deixis.serving.errors import RequestError
from deixis.serving.settings import ServerSettings
from deixis.serving.uploads import UploadStore


@pytest.fixture
def stores(tmp_path):
    """Two servers on one folder, which hold 10 bytes."""
    settings = ServerSettings(uploads=tmp_path / "uploads", max_stored_bytes=10)
    return UploadStore(settings), UploadStore(settings)


def test_a_server_finds_what_another_one_took(stores):
    one, other = stores
    sent = one.add("../x/scan.nii.gz", [b"ab", b"c"], "anna", "fmri", 2.0)
    found = other.get(sent.id, "anna")
    assert (found, found.path.read_bytes(), found.path.name) == (sent, b"abc", "content.nii.gz")
    assert (found.name, found.bytes, found.modality, found.number) == ("scan.nii.gz", 3, "fmri", 2.0)
    assert other.owned("anna") == [sent]
    assert other.owned("ben") == []
    other.delete(sent.id, "anna")
    with pytest.raises(RequestError, match="there is none"):
        one.get(sent.id, "anna")
    assert os.listdir(one.folder) == []


def test_the_same_content_is_the_same_file(stores):
    one, other = stores
    first, second = one.add("a.png", [b"abc"]), other.add("b.png", [b"abc"])
    assert first.id == second.id
    assert (one.get(first.id).name, one.stored_bytes) == ("b.png", 3)


def test_small_files_are_counted(tmp_path):
    store = UploadStore(ServerSettings(uploads=tmp_path / "uploads", max_stored_files=2))
    first, second = store.add("1", [b"a"]), store.add("2", [b"b"])
    os.utime(first.path.with_name("upload.json"), (0, 0))
    third = store.add("3", [b"c"])
    assert {own.id for own in store.owned("")} == {second.id, third.id}


def test_the_files_not_used_for_longest_go_where_a_new_one_needs_their_place(stores):
    one, other = stores
    first, second = one.add("1", [b"aaaa"]), other.add("2", [b"bbbb"])
    for number, own in enumerate((first, second)):
        os.utime(own.path.with_name("upload.json"), (number, number))
    other.get(first.id)
    third = one.add("3", [b"cccc"])
    assert {own.id for own in other.owned("")} == {first.id, third.id}
    assert one.stored_bytes == 8
    alone = one.add("4", [bytes(20)])  # which is larger than all together may be
    assert [own.id for own in other.owned("")] == [alone.id]


def test_what_is_too_old_goes(stores):
    one, other = stores
    sent = one.add("a", [b"abc"])
    facts = sent.path.with_name("upload.json")
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"created_at": 0.0}))
    with pytest.raises(RequestError, match="there is none"):
        other.get(sent.id)
    assert not sent.path.exists()


@pytest.mark.parametrize("identity", ["", "..", "../uploads", "file-x", "file-" + "0" * 32, "file-" + "0" * 32 + "\n"])
def test_an_id_that_is_none_opens_nothing(stores, identity):
    with pytest.raises(RequestError, match="there is none"):
        stores[0].get(identity)


def test_a_file_that_is_refused_leaves_nothing(stores):
    with pytest.raises(RequestError, match="got an empty one"):
        stores[0].add("a", [])
    assert os.listdir(stores[0].folder) == []


def test_a_folder_that_is_named_stays_and_one_of_its_own_goes(stores, tmp_path):
    own = UploadStore(ServerSettings())
    for store in (stores[0], own):
        store.add("a", [b"a"])
        store.close()
    assert (stores[0].folder.is_dir(), own.folder.exists()) == (True, False)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--uploads: expected a folder"):
        UploadStore(ServerSettings(uploads=tmp_path / "file"))
