"""The papers' comparisons at the scale of the generated world: variants of one recipe, trained and asked the same.

`onellm`, `ferret` and `lisa` declare them as data (`comparison`); `run` trains and asks, `statistics` gives intervals,
`report` says what was found beside what the paper found.
"""

from deixis.ablations import ferret, lisa, onellm
from deixis.ablations.comparison import Comparison

COMPARISONS: dict[str, Comparison] = {
    own.name: own for own in (*onellm.COMPARISONS, *ferret.COMPARISONS, *lisa.COMPARISONS)
}
