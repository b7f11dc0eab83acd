"""Lists of classes in every form that sets and tools write, and the error for other files."""

import json
import re

import pytest

from deixis.datasets.files.class_lists import ClassList, find_class_list, read_class_list


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("a.json", "", "expected a list of classes; Expecting value", id="no_json"),
        pytest.param("a.json", "3", "expected a list or an object, got 3", id="number"),
        pytest.param("a.json", "[]", "expected a list of classes, got an empty one", id="empty"),
        pytest.param("a.txt", "\n# nothing\n", "expected a list of classes, got an empty one", id="comment_alone"),
        pytest.param("a.json", '[{"id": 3}]', "expected a name for each class", id="no_name"),
        pytest.param("a.json", '[["sky"], 3]', "expected a name for each class, got [\"sky\"]", id="list_for_a_class"),
        pytest.param("a.json", '{"0": []}', "expected a colour [r, g, b] or a number for '0', got []", id="no_colour"),
        pytest.param("a.json", '[{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]',
                     "expected a number or a colour of its own for each class, got 'b' 3", id="number_twice"),
        pytest.param("a.json", '{"sky": [1, 2, 3], "road": 4}', "expected a number or a colour of its own", id="mixed"),
        pytest.param("a.csv", "name,r,g,b\nsky,1,2\n", "expected a list of classes", id="short_row"),
    ],
)  # fmt: skip
def test_refuses(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        read_class_list(tmp_path / name)
    assert name in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.json: expected a list of classes"):
        read_class_list(tmp_path / "gone.json")


SKY_ROAD = ClassList({0: ("sky",), 1: ("road",)})
COLOURS = ClassList({0x800001: ("sky",), 0x00FF00: ("road",)}, by_colour=True)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("a.json", '["sky", "road"]', SKY_ROAD, id="json_names"),
        pytest.param("a.json", '{"0": "sky", "1": "road"}', SKY_ROAD, id="json_names_of_numbers"),
        pytest.param("a.json", '{"sky": 0, "road": 1}', SKY_ROAD, id="json_numbers_of_names"),
        pytest.param("a.json", '{"classes": [{"id": 1, "name": "road"}, {"id": 0, "name": "sky"}]}',
                     ClassList({1: ("road",), 0: ("sky",)}), id="json_records"),
        pytest.param("a.json", '{"0": {"name": "sky"}, "1": {"name": "road"}}', SKY_ROAD, id="json_records_of_numbers"),
        pytest.param("a.json", '{"sky": [128, 0, 1], "road": [0, 255, 0]}', COLOURS, id="json_colours"),
        pytest.param("a.txt", "sky\nroad\n", SKY_ROAD, id="names"),
        pytest.param("a.txt", "0: sky\r\n1: road\r\n", SKY_ROAD, id="numbers_colon"),
        pytest.param("a.txt", "0 sky\n1 road\n", SKY_ROAD, id="numbers_blank"),
        pytest.param("a.txt", "0\tsky\n1\troad\n", SKY_ROAD, id="numbers_tab"),
        pytest.param("a.txt", "# label:color_rgb:parts:actions\nsky:128,0,1::\nroad:0,255,0::\n", COLOURS, id="cvat"),
        pytest.param("a.txt", "sky 128 0 1\nroad 0 255 0\n", COLOURS, id="colours_behind"),
        pytest.param("a.txt", "__ignore__\n_background_\ntraffic_light\n",
                     ClassList({0: ("background",), 1: ("traffic light",)}), id="labelme"),
        pytest.param("a.csv", "name,r,g,b\nsky,128,0,1\nroad,0,255,0\n", COLOURS, id="csv_colours"),
        pytest.param("a.csv", "id,name\n0,sky\n1,road\n", SKY_ROAD, id="csv_numbers"),
        pytest.param("a.txt", "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t9\t9\t1\twall\n2\t0.1\t9\t9\t1\t"
                     "building, edifice\n", ClassList({1: ("wall",), 2: ("building", "edifice")}), id="ade20k"),
    ],
)  # fmt: skip
def test_forms(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, newline="")
    found = read_class_list(tmp_path / name)
    assert found == expected
    assert ClassList.from_json(json.loads(json.dumps(found.to_json()))) == expected


def test_the_first_file_of_a_known_name_is_found(tmp_path):
    assert find_class_list([tmp_path]) is None
    (tmp_path / "classes.txt").write_text("sky")
    assert find_class_list([tmp_path / "labels", tmp_path]) == tmp_path / "classes.txt"
