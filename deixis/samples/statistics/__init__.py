"""What a set of samples is made of: counts, lengths, sizes, balance and repeats, in one pass of little memory."""
