"""What is held out of the data of which a recipe is made."""

import random


def split(keys, most, seed):
    """Shuffles keys and holds a twentieth out for validation, and as many for the test.

    Args:
        keys: List of what must not be both learnt and tested: sources, or names of images.
        most: Integer: the most to hold out for each.
        seed: Integer: what is held out.

    Returns:
        Dict of lists: "train", "valid" and "test".
    """
    keys = list(keys)
    random.Random(seed).shuffle(keys)
    count = min(max(len(keys) // 20, 2), most)
    return {"train": keys[2 * count :], "valid": keys[:count], "test": keys[count : 2 * count]}
