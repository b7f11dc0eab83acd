"""Names and predicates in sentences."""

import pytest

from deixis.language.english import counted, is_plural, listed, name_words, plural, verb_of, with_article


@pytest.mark.parametrize(
    ("name", "several"),
    [
        pytest.param("", "s", id="empty"),
        pytest.param("person", "people", id="irregular"),
        pytest.param("baby carriage", "baby carriages", id="last_word"),
        pytest.param("bunch of bananas", "bunches of bananas", id="before_of"),
        pytest.param("man in a hat", "men in a hat", id="before_in"),
        pytest.param("city", "cities", id="y"),
        pytest.param("toy", "toys", id="vowel_y"),
        pytest.param("couch", "couches", id="ch"),
        pytest.param("wine glass", "wine glasses", id="ss"),
        pytest.param("bus", "buses", id="us"),
        pytest.param("sheep", "sheep", id="the_same"),
        pytest.param("skis", "skis", id="of_several_already"),
        pytest.param("tennis", "tennises", id="is"),
    ],
)
def test_plural(name, several):
    assert plural(name) == several
    assert is_plural(name) == (name == several and name != "sheep")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("umbrella", "an umbrella", id="u_as_in_up"),
        pytest.param("utensil", "a utensil", id="u_as_in_you"),
        pytest.param("hour glass", "an hour glass", id="silent_h"),
        pytest.param("house", "a house", id="h"),
        pytest.param("x-ray", "an x-ray", id="letter"),
        pytest.param("Orange", "an Orange", id="capital"),
        pytest.param("sour cream", "sour cream", id="mass"),
        pytest.param("jeans", "jeans", id="plural"),
        pytest.param("leg of a dog", "a leg of a dog", id="part"),
    ],
)
def test_articles(name, said):
    assert with_article(name) == said


@pytest.mark.parametrize(
    ("predicate", "one", "several"),
    [
        pytest.param("", "is", "are", id="empty"),
        pytest.param("ON", "is on", "are on", id="preposition"),
        pytest.param("across from", "is across from", "are across from", id="preposition_in_s"),
        pytest.param("sitting on", "is sitting on", "are sitting on", id="ing"),
        pytest.param("carry", "carries", "carry", id="base"),
        pytest.param("catches", "catches", "catch", id="third_person"),
        pytest.param("has", "has", "have", id="has"),
        pytest.param("are near", "is near", "are near", id="be"),
        pytest.param("of", "belongs to", "belong to", id="of"),
        pytest.param("covered in", "is covered in", "are covered in", id="participle"),
        pytest.param("supports", "supports", "support", id="listed_verb"),
        pytest.param("blocks", "blocks", "block", id="other_verb"),
    ],
)
def test_verbs(predicate, one, several):
    assert (verb_of(predicate), verb_of(predicate, several=True)) == (one, several)


def test_stuff_and_plurals_agree():
    grass, people = name_words("grass", mass=True), name_words("people", "other")
    assert (grass["a name"], grass["names"], grass["is name"]) == ("grass", "grass", "is")
    assert (people["a other"], people["is other"], people["that is other"]) == ("people", "are", "those are")


def test_counts_and_lists():
    assert [counted(n, "knife") for n in (0, 1, 2, 21)] == ["no knives", "one knife", "two knives", "21 knives"]
    assert listed(["a", "b"]) == "a and b"
