"""What may come next, against NumPy: few bans and many, ends that are too early, forced tokens."""

import numpy as np
import pytest
from keras import ops

from keras_s2s.decoding.choices import IMPOSSIBLE, Choices, Constraints
from keras_s2s.tokens import END, PAD, START

ROWS, VOCABULARY = 6, 150
LOGITS = np.random.default_rng(0).normal(scale=3, size=(ROWS, VOCABULARY)).astype("float32")
LOGITS[:, [PAD, START, END]] += 9  # likely, each of them
FEW = {PAD, START, 40, 149}
MANY = {PAD, START, *range(30, 149)}
LIMITS = np.array([1, 2, 3, 9, 9, 9], "int32")
PREFIX = np.array([[7, 0, 8]] * 5 + [[0, 40, 0]], "int32")


def expected(step, banned, min_length, limits, prefix):
    """Scores as the samplers' arguments tell, written as they are said."""
    scores = LOGITS.copy()
    scores[:, sorted(banned)] = IMPOSSIBLE
    if step < min_length:
        scores[:, END] = IMPOSSIBLE
    for row in range(ROWS):
        forced = PAD
        if limits is not None and step >= limits[row] - 1:
            forced = END
        if prefix is not None and step < prefix.shape[1] and prefix[row, step]:
            forced = prefix[row, step]
        if forced:
            scores[row] = IMPOSSIBLE
            scores[row, forced] = LOGITS[row, forced]
    return scores


@pytest.mark.parametrize("step", [0, 1, 4])
@pytest.mark.parametrize("banned", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize(["min_length", "limits"], [(0, None), (2, None), (2, LIMITS)])
@pytest.mark.parametrize("prefix", [None, PREFIX], ids=["free", "prefix"])
def test_choices_are_those_of_the_masked_vocabulary(step, banned, min_length, limits, prefix):
    constraints = Constraints(VOCABULARY, banned, min_length, 0, limits, prefix)
    tokens = np.zeros((ROWS, 9), "int32")
    choices = Choices(ops.convert_to_tensor(LOGITS), constraints, tokens, np.int32(step))
    scores = expected(step, banned, min_length, limits, prefix)
    np.testing.assert_array_equal(ops.convert_to_numpy(choices.scores()), scores)

    normalizer = np.log(np.exp(LOGITS.astype("float64")).sum(-1, keepdims=True))
    log_probs, token_ids = (ops.convert_to_numpy(x) for x in choices.best(5))
    order = np.argsort(-scores, axis=-1, kind="stable")[:, :5]
    right = np.take_along_axis(scores, order, -1)
    possible = right > IMPOSSIBLE / 2
    np.testing.assert_array_equal(token_ids[possible], order[possible])
    np.testing.assert_allclose(log_probs[possible], (right - normalizer)[possible], atol=1e-4)
    assert (log_probs[~possible] < IMPOSSIBLE / 2).all()
    # A beam that ended must not seem to end again.
    is_forced = (scores > IMPOSSIBLE / 2).sum(-1, keepdims=True) == 1
    assert (token_ids != END)[is_forced & ~possible].all()
    of_ids = ops.convert_to_numpy(choices.log_probs(order.astype("int32")))
    all_log_probs = np.take_along_axis(LOGITS - normalizer, order, -1)
    np.testing.assert_allclose(of_ids, all_log_probs, atol=1e-4)
