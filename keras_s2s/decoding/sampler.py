"""The decoding loop, shared by every way to choose tokens."""

from collections.abc import Iterable

import keras
from keras import ops

from keras_s2s._autograph import unconverted
from keras_s2s._backend.gather import take_rows
from keras_s2s._backend.shapes import repeat_rows, size
from keras_s2s._checks import check_int
from keras_s2s.decoding import finished
from keras_s2s.decoding._tensors import same_static_shape, write
from keras_s2s.decoding.choices import Choices, Constraints
from keras_s2s.tokens import END, PAD, START


@unconverted
class Sampler:
    """Base class of the decoding strategies: `Greedy`, `Beam`, `Random`.

    It owns the loop, one `keras.ops.while_loop` from the first token to the last, which runs
    eagerly, in `tf.function` (all axes may be dynamic) and in `jax.jit`, and ends as soon as every
    example is done. In a `tf.function` for batches of any size, examples that are done leave the
    batch, which XLA cannot compile. A strategy says how tokens are chosen, in three methods:

    - `_start(batch, max_length, memory)`: its own loop variables, a dict with at least `"done"`
      (bool, examples or rows) and `"tokens"` (`(rows, max_length)`, int32 zeros), all of which
      have examples or rows as their first axis; `_of_examples` names those that have examples,
    - `_advance(step, choices, weights, search)`: from the `Choices` at this step the chosen
      `tokens (rows,)`, the row each continues (`parents (rows,)`, or None for its own), and the
      new `search`,
    - `_finish(search, max_length, attention)`: the result.

    Args:
        min_length: Int, how many tokens must come before the end id.
        banned_tokens: Ints, ids that are never produced (the unknown id, say). The pad and the
            start id never are.
        no_repeat_ngram_size: Int, no hypothesis has any n-gram of this many tokens twice; 0 for
            no limit.
    """

    # Decoder rows per example.
    rows_per_example = 1
    # Keras variables that a call changes.
    variables = ()
    # Names of the loop variables whose first axis is examples.
    _of_examples = ("limits",)
    # Whether `_advance` needs attention weights.
    _uses_attention = False

    def __init__(self, min_length=0, banned_tokens=(), no_repeat_ngram_size=0):
        self.min_length = check_int("min_length", min_length, 0)
        self.no_repeat_ngram_size = check_int("no_repeat_ngram_size", no_repeat_ngram_size, 0)
        if isinstance(banned_tokens, str) or not isinstance(banned_tokens, Iterable):
            raise TypeError(
                f"`banned_tokens` must be a list of token ids. Received: {banned_tokens!r}"
            )
        self.banned_tokens = tuple(
            check_int(f"banned_tokens[{index}]", token, 0)
            for index, token in enumerate(banned_tokens)
        )

    def __call__(
        self,
        decoder,
        memory,
        max_length,
        prefix=None,
        limits=None,
        return_attention=False,
        drop_finished=True,
    ):
        """Decodes a batch.

        Args:
            decoder: A `keras_s2s.layers.Decoder` or a `keras_s2s.decoding.Fusion`.
            memory: What the encoder returned: `"values"` `(batch, source, dim)`, `"mask"`
                `(batch, source)` and whatever else the decoder reads, with `batch` as first axis.
            max_length: Int, or on TensorFlow an int scalar tensor: tokens per hypothesis at most,
                the end id counted.
            prefix: Optional int32 tensor `(batch, prefix_length)`: the tokens every hypothesis
                begins with, without the start id; 0 leaves the choice free. It overrules every
                ban, and its tokens count in the scores.
            limits: Optional int32 tensor `(batch,)`, at most `max_length`: the tokens per
                hypothesis of each example. Where it is reached the end id is forced, so that an
                example's result does not depend on the others in its batch.
            return_attention: Whether to return attention weights.
            drop_finished: Whether examples that are done leave the batch, which is possible in a
                `tf.function` for batches of any size, without attention. Without it such a
                function is traced in less time.

        Returns:
            A dict of tensors, `n` hypotheses per example, best first:

            - `"token_ids"`: `(batch, n, max_length)`, int32, zeros after the end id, which is
              included where it was reached,
            - `"lengths"`: `(batch, n)`, int32, in tokens, the end id counted,
            - `"scores"`: `(batch, n)`, float32, what the hypotheses are ranked by,
            - `"log_probs"`: `(batch, n)`, float32, the sum of the tokens' log-probabilities
              (natural logarithm),
            - `"attention"`: with `return_attention`, `(batch, n, max_length, source)`, float32,
              zeros after the end.

        Raises:
            ValueError: If `max_length` or `prefix` is of the wrong kind, or the options do not
                fit the decoder's vocabulary.
        """
        max_length = _check_max_length(max_length)
        if prefix is not None:
            prefix = _check_prefix(prefix)
        batch = size(memory["values"], 0)
        rows = batch * self.rows_per_example
        search = self._start(batch, max_length, memory)
        if limits is not None:
            search["limits"] = ops.cast(limits, "int32")
        attention = ()
        if return_attention:
            source = size(memory["values"], 1)
            attention = ops.zeros((rows, max_length, source), dtype="float32")
        examples = {"memory": memory} if prefix is None else {"memory": memory, "prefix": prefix}
        prepared, state = decoder.start(memory, self.rows_per_example, max_length)
        variables = (
            ops.zeros((), dtype="int32"),
            ops.full((rows,), START, dtype="int32"),
            state,
            attention,
            search,
        )

        def run(examples, variables, left):
            memory, _ = decoder.start(examples["memory"], self.rows_per_example, max_length)
            return self._run(decoder, memory, examples.get("prefix"), max_length, variables, left)

        # Not with attention, whose rows must keep their order.
        if drop_finished and finished.can_leave(memory) and not return_attention:
            search = finished.run(
                run, examples, variables, max_length, self.rows_per_example, self._of_examples
            )
        elif not (isinstance(batch, int) and batch == 0):  # few decoders can trace it
            *_, attention, search = self._run(decoder, prepared, prefix, max_length, variables)
        return self._finish(search, max_length, attention if return_attention else None)

    def _run(self, decoder, memory, prefix, max_length, variables, left=None):
        """Runs the loop until all examples, or all but `left`, are done."""
        with_weights = self._uses_attention or ops.is_tensor(variables[3])
        limits = variables[-1].get("limits")
        rows_of_done = 1 if "done" in self._of_examples else self.rows_per_example
        constraints = self._constraints(decoder.output_size, prefix, limits)
        # Decoders by other authors need not be layers.
        are_scores = getattr(decoder, "gives_scores", False)

        def is_unfinished(step, tokens, state, attention, search):
            if left is None:
                going_on = ops.logical_not(ops.all(search["done"]))
            else:
                going_on = finished.going_on(search["done"], rows_of_done)
                going_on = ops.sum(ops.cast(going_on, "int32")) > left
            return ops.logical_and(step < max_length, going_on)

        def take_step(step, *old):
            tokens, state, attention, search = old
            if with_weights:
                logits, state, weights = decoder.step(tokens, state, memory, return_attention=True)
                weights = ops.cast(weights, "float32")
            else:
                logits, state = decoder.step(tokens, state, memory)
                weights = None
            choices = Choices(logits, constraints, search["tokens"], step, are_scores)
            tokens, parents, search = self._advance(step, choices, weights, search)
            if parents is not None:
                state = keras.tree.map_structure(lambda x: take_rows(x, parents), state)
            if ops.is_tensor(attention):
                attention = write(attention, step, weights)
            new = (tokens, state, attention, search)
            return step + 1, *same_static_shape(new, old)

        return ops.while_loop(is_unfinished, take_step, variables)

    def _constraints(self, vocabulary_size, prefix, limits):
        banned = {PAD, START, *self.banned_tokens}
        if max(banned) >= vocabulary_size:
            raise ValueError(
                f"`banned_tokens` holds the id {max(banned)}, but the decoder's vocabulary has "
                f"only {vocabulary_size} tokens."
            )
        if len(banned | {END}) == vocabulary_size and (self.min_length or END in banned):
            raise ValueError(
                "Nothing could be produced: `banned_tokens` and `min_length` leave no token of "
                f"the {vocabulary_size} in the decoder's vocabulary. Ban fewer tokens."
            )
        if limits is not None:
            limits = repeat_rows(limits, self.rows_per_example)
        if prefix is not None:
            prefix = repeat_rows(prefix, self.rows_per_example)
        return Constraints(
            vocabulary_size, banned, self.min_length, self.no_repeat_ngram_size, limits, prefix
        )

    def get_config(self):
        return {
            "min_length": self.min_length,
            "banned_tokens": list(self.banned_tokens),
            "no_repeat_ngram_size": self.no_repeat_ngram_size,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def make_result(token_ids, scores, log_probs, attention=None):
    """The dict every strategy returns, from its parts; see `Sampler.__call__`."""
    real = token_ids != PAD
    result = {
        "token_ids": token_ids,
        "lengths": ops.sum(ops.cast(real, "int32"), axis=-1),
        "scores": scores,
        "log_probs": log_probs,
    }
    if attention is not None:
        result["attention"] = ops.where(ops.expand_dims(real, -1), attention, 0.0)
    return result


def _check_prefix(prefix):
    prefix = ops.convert_to_tensor(prefix)
    dtype = keras.backend.standardize_dtype(prefix.dtype)
    if len(prefix.shape) != 2 or "int" not in dtype:
        raise ValueError(
            "`prefix` must be an int tensor of shape (batch, prefix_length). Received: "
            f"shape {tuple(prefix.shape)}, dtype {dtype}"
        )
    return ops.cast(prefix, "int32")


def _check_max_length(max_length):
    if ops.is_tensor(max_length):
        if len(max_length.shape) or "int" not in keras.backend.standardize_dtype(max_length.dtype):
            raise ValueError(f"`max_length` must be an int scalar. Received: {max_length}")
        if keras.backend.backend() == "tensorflow":
            return ops.cast(max_length, "int32")
        raise ValueError(
            "`max_length` sets the shape of the result: it must be a Python int on this backend. "
            f"Received: {max_length}"
        )
    return check_int("max_length", max_length, 1)
