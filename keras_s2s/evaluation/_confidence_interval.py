import numpy as np


def of_mean(values):
    """Half the width of the 95 % confidence interval of the mean over examples."""
    return 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
