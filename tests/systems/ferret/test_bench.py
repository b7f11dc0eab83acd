"""The prompt of Ferret-Bench's judge and the parsing of its responses, on adversarial texts."""

import pytest

from deixis.systems.ferret.bench import judge_messages, judged_text, official_scores, parse_scores


@pytest.mark.parametrize(
    ("text", "category", "expected"),
    [
        pytest.param("A cup [1, 2, 3, 4]. It[5].", "refer_reason", "A cup. It[5].", id="only_behind_a_blank"),
        pytest.param("A cup [1, 20, 300, 1000].", "ground_conv", "A cup [0.001, 0.020, 0.300, 1.000].", id="shares"),
        pytest.param("A cup [1, 2] [a].", "ground_conv", "A cup  .", id="no_boxes"),
        pytest.param("", "ground_conv", "", id="empty"),
    ],
)
def test_judged_text(text, category, expected):
    assert judged_text(text, category) == expected


def test_messages():
    parts = {"context": "C", "question": "Q", "prompt": "P", "role": "Helper"}
    system, user = judge_messages(parts, ("one", "two"))
    assert system["role"] == "system"
    assert user == {
        "role": "user",
        "content": "[Context]\\C\n\n[Question]\nQ\n\n[Helper 1]\none\n\n[End of Helper 1]\n\n[Helper 2]\ntwo\n\n"
        "[End of Helper 2]\n\n[System]\nP\n\n",
    }


@pytest.mark.parametrize(
    ("review", "official", "read"),
    [
        pytest.param("8 7\nBecause 1 2.", (8, 7), (8, 7), id="two"),
        pytest.param("8,7", (8, 7), (8, 7), id="comma"),
        pytest.param("8, 7", (-1, -1), (8, 7), id="comma_and_blank"),
        pytest.param("Assistant: 8 and 6.5", (-1, -1), (8, 6.5), id="words"),
        pytest.param("\n9/10 4/10", (-1, -1), (9, 4), id="of_ten"),
        pytest.param("8", (-1, -1), None, id="one"),
        pytest.param("80 20", (80, 20), None, id="out_of_range"),
        pytest.param("", (-1, -1), None, id="empty"),
    ],
)
def test_scores(review, official, read):
    assert official_scores(review) == official
    assert parse_scores(review) == read
