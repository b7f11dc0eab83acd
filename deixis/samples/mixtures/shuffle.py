"""A shuffled order of n objects of which any place can be asked for, without a list of them.

A permutation of the numbers below 4^b >= n by rounds that mix one half of the bits into the other (Feistel); numbers
that fall outside n are permuted on until they fall inside, which keeps it a permutation (Black and Rogaway, "Ciphers
with arbitrary finite domains", 2002, method 3).
"""

from hashlib import blake2b

ROUNDS = 6
_WORD = (1 << 64) - 1


class Shuffle:
    """`shuffle[i]` for i below `count`: every number below `count` once, in an order that the words decide.

    >>> sorted(Shuffle(10, 7, "data")[i] for i in range(10))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, count: int, *words: object):
        self.count = count
        self._bits = max((max(count, 2) - 1).bit_length() + 1, 2) // 2  # of a half
        digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8 * ROUNDS).digest()
        self._keys = [int.from_bytes(digest[8 * n : 8 * n + 8], "little") for n in range(ROUNDS)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> int:
        if not 0 <= place < self.count:
            raise IndexError(f"expected a place below {self.count}, got {place}")
        place = self._permuted(place)
        while place >= self.count:
            place = self._permuted(place)
        return place

    def _permuted(self, number: int) -> int:
        mask = (1 << self._bits) - 1
        left, right = number >> self._bits, number & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return left << self._bits | right


def _mixed(word: int) -> int:
    """A word whose bits all depend on all bits of another one (the finaliser of SplitMix64: Steele et al., 2014)."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _WORD
    return word ^ (word >> 31)
