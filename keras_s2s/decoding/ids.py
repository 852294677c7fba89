"""The token ids with a meaning, the same in the whole library."""

PAD = 0
UNKNOWN = 1
START = 2
END = 3
