"""Which words before the mention of a region name it: "a red mug" of "There is a red mug [region] on the table".

Only what the text tells beyond doubt, by a rule over words: no parser, so that it is the same everywhere and costs
nothing. Where two phrases could be meant ("the man in a hat [region]") there is none.
"""

import re

MAX_WORDS = 6
MAX_BARE_WORDS = 3
DETERMINERS = re.compile(
    "a|an|the|this|these|those|his|her|its|my|your|our|their|another|some|several|many|few|both|each|every|one|two|"
    "three|four|five|six|seven|eight|nine|ten"
)
"""Words that a phrase begins with."""
_NO_PART = re.compile(
    # words that no phrase holds: they join two phrases, or say something of one
    "of|in|on|at|by|with|from|to|for|near|under|over|above|below|behind|beside|between|into|onto|upon|through|across|"
    "along|around|against|inside|outside|within|without|towards?|and|or|but|nor|as|than|like|that|which|who|whom|"
    "whose|where|when|while|if|because|so|is|are|was|were|be|been|being|am|has|have|had|do|does|did|can|could|may|"
    "might|will|would|shall|should|must|not|no|yes|yeah|here|there|it|he|she|they|we|you|i|him|them|us|me|also|too|"
    "very|then|now|sure|okay|ok|located|shown|seen|please|note"
)
_CLAUSE = re.compile(r"[.,;:!?\n()\[\]{}\"“”]")
_WORD = re.compile(r"[^\W_](?:[\w'’-]*\w)?")
_VERB_LIKE = re.compile(r".{2,}(?:ing|ed)")


def phrase_start(before: str, follows_mention: bool = False) -> int | None:
    """Where, in the text before a mention, the phrase begins that names the region; None if unsure.

    before: from the last mention, if any (`follows_mention`), to this one.

    >>> text = "There is a red mug "
    >>> text[phrase_start(text):], phrase_start("The man in a hat "), phrase_start("It is at ")
    ('a red mug ', None, None)
    """
    clause = max((match.end() for match in _CLAUSE.finditer(before)), default=0)
    words = list(_WORD.finditer(before, clause))
    if not words or before[words[-1].end() :].strip():
        return None
    first = [number for number, word in enumerate(words) if DETERMINERS.fullmatch(word[0].lower())]
    if len(first) > 1:
        return None
    if not first:
        # behind a mention without a stop between, a verb: "[a man]{0} holds {1}"
        is_bare = len(words) <= MAX_BARE_WORDS and (clause > 0 or not follows_mention)
        return words[0].start() if is_bare and _is_phrase(before, words, verbs_from=0) else None
    named = words[first[0] + 1 :]
    if not named or len(named) >= MAX_WORDS or not _is_phrase(before, named):
        return None
    return words[first[0]].start()


def _is_phrase(before: str, words: list[re.Match[str]], verbs_from: int = 1) -> bool:
    """Whether words are adjectives and nouns, as far as words alone tell; nothing but single blanks between them."""
    if before[words[0].start() : words[-1].end()] != " ".join(word[0] for word in words):
        return False
    if any(_NO_PART.fullmatch(word[0].lower()) for word in words):
        return False
    # "a sleeping dog" is a phrase, "a man riding horse" is two
    return not any(_VERB_LIKE.fullmatch(word[0].lower()) for word in words[verbs_from:])
