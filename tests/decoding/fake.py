"""A small decoder with attention, and the same in NumPy with plain loops to check a search."""

import itertools

import keras
import numpy as np
from keras import ops

PAD, START, END = 0, 2, 3
DIM = 4

# On JAX `decode` compiles, which takes less time than its eager loop.
COMPILED = keras.backend.backend() == "jax"


class FakeDecoder:
    """h = tanh(W h + embedding[token]); attention on h; logits from h and the context."""

    def __init__(self, vocabulary_size=6, seed=0, sharpness=2.0, end_bias=0.0, dtype="float32"):
        rng = np.random.default_rng(seed)
        self.vocabulary_size = self.output_size = vocabulary_size
        self.dtype = dtype
        self.embedding = rng.normal(size=(vocabulary_size, DIM)).astype("float32")
        self.recurrent = rng.normal(size=(DIM, DIM)).astype("float32")
        self.output = sharpness * rng.normal(size=(2 * DIM, vocabulary_size)).astype("float32")
        self.bias = np.zeros(vocabulary_size, "float32")
        self.bias[END] = end_bias
        self.python_steps = 0
        self.memories = []

    def start(self, memory, rows_per_example=1, max_length=None):
        memory = {**memory, "keys": 2.0 * memory["values"]}
        return memory, {"cells": [ops.repeat(memory["state"], rows_per_example, axis=0)]}

    def step(self, tokens, state, memory, return_attention=False):
        self.python_steps += 1
        batch, source = ops.shape(memory["mask"])
        self.memories.append((batch, ops.shape(tokens)[0]))
        h = ops.cast(state["cells"][0], "float32")
        h = ops.tanh(ops.matmul(h, self.recurrent) + ops.take(self.embedding, tokens, axis=0))
        query = ops.reshape(h, (batch, ops.shape(h)[0] // batch, DIM))
        scores = ops.matmul(query, ops.transpose(memory["keys"], (0, 2, 1)))
        scores = ops.where(memory["mask"][:, None], scores, -1e9)
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        context = ops.reshape(ops.matmul(weights, memory["values"]), (ops.shape(h)[0], DIM))
        weights = ops.reshape(weights, (ops.shape(h)[0], source))
        logits = ops.matmul(ops.concatenate([h, context], -1), self.output) + self.bias
        state = {"cells": [ops.cast(h, self.dtype)]}
        logits = ops.cast(logits, self.dtype)
        return (logits, state, weights) if return_attention else (logits, state)

    def numpy_step(self, token, h, values):
        """Log-probabilities, state and attention of one row, from its unpadded values."""
        h = np.tanh(h @ self.recurrent + self.embedding[token])
        weights = softmax(2.0 * values @ h)
        logits = np.concatenate([h, weights @ values]) @ self.output + self.bias
        return np.log(softmax(logits)), h, weights


class TableDecoder:
    """Always the same distribution, whatever came before; attends to the first position."""

    def __init__(self, probabilities):
        self.logits = np.log(np.maximum(np.array([probabilities], "float32"), 1e-30))
        self.vocabulary_size = self.output_size = len(probabilities)

    def start(self, memory, rows_per_example=1, max_length=None):
        return memory, ops.repeat(memory["state"], rows_per_example, axis=0)

    def step(self, tokens, state, memory, return_attention=False):
        rows = ops.shape(tokens)[0]
        logits = ops.tile(ops.convert_to_tensor(self.logits), (rows, 1))
        if not return_attention:
            return logits, state
        source = ops.shape(memory["mask"])[1]
        return logits, state, ops.tile(ops.one_hot(ops.zeros((1,), "int32"), source), (rows, 1))


def make_memory(lengths, seed=0, pad_to=None):
    rng = np.random.default_rng(seed)
    source = max(*lengths, pad_to or 1)
    values = np.full((len(lengths), source, DIM), 9.0, "float32")  # what must not be read
    for row, length in enumerate(lengths):
        values[row, :length] = rng.normal(size=(length, DIM))
    mask = np.arange(source) < np.array(lengths)[:, None]
    state = np.stack([v[:n].sum(0) for v, n in zip(values, lengths)]).astype("float32")
    return {"values": values, "mask": mask, "state": state}


def example(memory, row):
    """One example alone, without padding."""
    length = memory["mask"][row].sum()
    return {
        "values": memory["values"][row : row + 1, :length],
        "mask": memory["mask"][row : row + 1, :length],
        "state": memory["state"][row : row + 1],
    }


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def decode(sampler, decoder, memory, max_length, **kwargs):
    """The result as NumPy arrays."""

    def run(memory):
        return sampler(decoder, memory, max_length, **kwargs)

    memory = keras.tree.map_structure(ops.convert_to_tensor, memory)
    if COMPILED and not sampler.variables:
        import jax

        run = jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})
    return {key: ops.convert_to_numpy(value) for key, value in run(memory).items()}


def as_list(token_ids):
    """A row of the result without its padding."""
    return [int(i) for i in token_ids if i != PAD]


def replay(decoder, memory, row, tokens):
    """Teacher forcing of one hypothesis: its log-probability and its attention `(len, source)`."""
    one = example(memory, row)
    h, previous, total, attention = one["state"][0], START, 0.0, []
    for token in tokens:
        log_probs, h, weights = decoder.numpy_step(previous, h, one["values"][0])
        total, previous = total + log_probs[token], token
        attention.append(weights)
    return total, np.array(attention)


def score(log_prob, attention, alpha=0.0, beta=0.0):
    """Wu et al. (2016), equation 14."""
    penalty = ((5 + len(attention)) / 6) ** alpha
    coverage = np.log(np.minimum(attention.sum(0), 1.0)).sum() if beta else 0.0
    return log_prob / penalty + beta * coverage


def exhaustive(decoder, memory, row, max_length, alpha=0.0, beta=0.0):
    """All hypotheses there are, as (score, log_prob, tokens), best first."""
    words = [i for i in range(decoder.vocabulary_size) if i not in (PAD, START, END)]
    hypotheses = list(itertools.product(words, repeat=max_length))
    for length in range(max_length):
        hypotheses += [(*start, END) for start in itertools.product(words, repeat=length)]
    found = []
    for tokens in hypotheses:
        log_prob, attention = replay(decoder, memory, row, tokens)
        found.append((score(log_prob, attention, alpha, beta), log_prob, list(tokens)))
    return sorted(found, key=lambda x: -x[0])


def best_of_each(hypotheses, spell):
    """`hypotheses`, best first, without those that have the text of a better one."""
    texts = {}
    for hypothesis in hypotheses:
        texts.setdefault(spell(hypothesis[2]), hypothesis)
    return list(texts.values())


def reference_beam(decoder, memory, row, max_length, beams, n, alpha, beta, stop=True, spell=tuple):
    """Beam search of one example with lists. Returns the n best, as `exhaustive`, and the steps.

    `spell` makes of tokens what hypotheses must not share.
    """
    one = example(memory, row)
    alive = [(0.0, [], one["state"][0], np.zeros((0, one["mask"].sum())))]
    pool = []
    for step in range(max_length):
        candidates = []
        for log_prob, tokens, h, attention in alive:
            log_probs, h, weights = decoder.numpy_step(
                tokens[-1] if tokens else START, h, one["values"][0]
            )
            attention = np.concatenate([attention, weights[None]])
            for token in range(decoder.vocabulary_size):
                if token not in (PAD, START):
                    candidate = (log_prob + log_probs[token], [*tokens, token], h, attention)
                    candidates.append(candidate)
        candidates.sort(key=lambda x: -x[0])
        for log_prob, tokens, _, attention in candidates[:beams]:
            if tokens[-1] == END:
                pool.append((score(log_prob, attention, alpha, beta), log_prob, tokens))
        alive = [c for c in candidates if c[1][-1] != END][:beams]
        pool = best_of_each(sorted(pool, key=lambda x: -x[0]), spell)[:n]
        bound = alive[0][0] / ((5 + max_length) / 6) ** alpha
        if stop and len(pool) == n and bound <= pool[-1][0]:
            return pool, step + 1
    for log_prob, tokens, _, attention in alive:
        pool.append((score(log_prob, attention, alpha, beta), log_prob, tokens))
    return best_of_each(sorted(pool, key=lambda x: -x[0]), spell)[:n], max_length
