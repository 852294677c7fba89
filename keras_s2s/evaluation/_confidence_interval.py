import numpy as np


def of_mean(values):
    """Half of the 95 % interval of a mean over examples."""
    return 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
