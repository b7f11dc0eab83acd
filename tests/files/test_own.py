"""Only files of ours are replaced."""

import pytest
from PIL import Image

from deixis.errors import InputError
from deixis.files.own import check_own
from deixis.inference import Answer
from deixis.visualize.answer_image import FORMATS, draw_answer


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_drawing_is_ours_and_another_image_is_not(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    check_own(path)  # nothing is there
    draw_answer(Answer("A mug.", (), ()), path)
    check_own(path)
    Image.new("RGB", (900, 700), (9, 99, 200)).save(path, "PNG")
    with pytest.raises(InputError, match="got another, which would be lost; name another, or move it away"):
        check_own(path)


def test_an_empty_file_may_be_replaced_and_a_folder_not(tmp_path):
    (tmp_path / "a.png").touch()
    check_own(tmp_path / "a.png")
    with pytest.raises(InputError, match="expected a regular file, got a folder"):
        check_own(tmp_path)
