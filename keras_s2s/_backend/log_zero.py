"""Finite stand-ins for the logarithm of 0, so that no difference or gradient becomes NaN."""

#: The log-probability, or the logit, of what is impossible.
IMPOSSIBLE = -1e9
#: The probability to which smaller ones are raised before their logarithm is taken.
TINY = 1e-37
