"""The special token ids, and what a decoder reads in training.

The ids are the same in the whole library: tokenizers must have them, layers and samplers use them.
"""

import numpy as np

#: Fills up the rows of a batch.
PAD = 0
#: Stands for what a vocabulary does not have.
UNKNOWN = 1
#: What a decoder reads first.
START = 2
#: Ends every source and every output.
END = 3


def decoder_inputs(labels, concatenate=np.concatenate, where=np.where):
    """What the decoder reads in training: the start, then every label before the end.

    Args:
        labels: Integer ids `(..., target)`, each row ended by `END` and filled up with `PAD`.
        concatenate: NumPy's function, or another library's for tensors: `tf.concat`.
        where: NumPy's function, or another library's for tensors: `tf.where`.

    Returns:
        Ids of the same shape and dtype.

    Example:
    ```python
    import numpy as np
    from keras_s2s import tokens

    labels = np.array([[7, 8, 9, 3], [7, 3, 0, 0]])
    assert tokens.decoder_inputs(labels).tolist() == [[2, 7, 8, 9], [2, 7, 0, 0]]
    ```
    """
    start = 0 * labels[..., :1] + START
    # In rows shorter than the longest, the end would otherwise be read, too.
    before = where(labels[..., :-1] == END, PAD, labels[..., :-1])
    return concatenate([start, before], axis=-1)
