"""Heads: what a decoder relies on, with one that copies from the source."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_s2s
from keras_s2s.layers import Head, RNNDecoder, RNNEncoder, VocabularyHead
from keras_s2s.tokens import END, START, UNKNOWN
from tests.fewer import fewer_elsewhere
from tests.layers.decoders import EMBEDDING, LENGTHS, UNITS, VOCABULARY, WIRINGS, make, make_targets
from tests.layers.helpers import gradients, numpy, random, run, tensors

SLOTS = 4
# The context enters the loop, the readout does, and nothing does.
LOOPS = "bahdanau", "luong_feeding", "luong"


@keras.saving.register_keras_serializable("keras_s2s_tests")
class PointerHead(Head):
    """Adds to the logit of each id of the source what the attention gives to its positions.

    The memory has `"copy_token_ids"` `(batch, source)`; those from the vocabulary's size on are
    words that the vocabulary lacks.
    """

    def __init__(self, slots, **kwargs):
        super().__init__(**kwargs)
        self.slots = slots

    def build(self, readout_shape):
        self.strength = self.add_weight((), initializer="ones", name="strength")

    def output_size(self, vocabulary_size):
        return vocabulary_size + self.slots

    def prepare(self, memory, dtype):
        return {"ids": memory["copy_token_ids"]}

    def call(self, readout, weights, prepared, embedding):
        logits = embedding(readout, reverse=True)
        logits = ops.pad(logits, [(0, 0)] * (len(logits.shape) - 1) + [(0, self.slots)])
        size = self.output_size(embedding.input_dim)
        batch, source = ops.shape(prepared["ids"])
        places = ops.one_hot(prepared["ids"], size, dtype=weights.dtype)
        copied = ops.matmul(ops.reshape(weights, (batch, -1, source)), places)
        return logits + self.strength * ops.reshape(copied, ops.shape(logits))

    def get_config(self):
        return {**super().get_config(), "slots": self.slots}


def make_pointer(wiring="bahdanau", strength=3.0, **kwargs):
    """A decoder that copies, a memory for it, and a decoder with the same weights that does not."""
    plain, memory = make(wiring, **kwargs)
    ids = np.random.default_rng(3).integers(3, VOCABULARY + SLOTS, memory["mask"].shape)
    memory = {**memory, "copy_token_ids": ids.astype("int32")}
    kwargs.pop("lengths", None)
    head = PointerHead(SLOTS, dtype=kwargs.get("dtype"))
    kwargs = {"embedding_dim": EMBEDDING, "head": head, **WIRINGS[wiring](), **kwargs}
    decoder = RNNDecoder(VOCABULARY, UNITS, **kwargs)
    decoder.start(tensors(memory))  # builds it
    for layer, other in zip(layers_without_head(decoder), layers_without_head(plain), strict=True):
        layer.set_weights(other.get_weights())
    decoder.head.strength.assign(strength)
    return decoder, memory, plain


def layers_without_head(decoder):
    attention = [] if decoder.attention is None else [decoder.attention]
    return [decoder.embedding, decoder.bridge, decoder.readout, *decoder.rnn_layers, *attention]


def targets_with_copies(batch=4, length=5):
    targets = make_targets(batch, length)
    targets[:, 2] = VOCABULARY + np.arange(batch) % SLOTS
    return targets


def steps(decoder, targets, memory):
    memory, state = decoder.start(tensors(memory))
    logits = []
    for t in range(targets.shape[1]):
        step, state = decoder.step(ops.convert_to_tensor(targets[:, t]), state, memory)
        logits.append(step)
    return ops.stack(logits, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", fewer_elsewhere(LOOPS, 2))
def test_logits_are_the_heads(wiring):
    """All steps at once, and one by one: the vocabulary's logits and the copies, in NumPy."""
    decoder, memory, plain = make_pointer(wiring, num_layers=2)
    assert decoder.output_size == VOCABULARY + SLOTS and plain.output_size == VOCABULARY
    targets = targets_with_copies()
    known = np.where(targets < VOCABULARY, targets, UNKNOWN)
    expected, attention = run(lambda t, m: plain(t, m, return_attention=True), known, memory)
    expected = np.pad(expected, ((0, 0), (0, 0), (0, SLOTS)))
    for row, step, position in np.ndindex(attention.shape):
        token = memory["copy_token_ids"][row, position]
        expected[row, step, token] += 3 * attention[row, step, position]
    np.testing.assert_allclose(run(decoder, targets, memory), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(steps(decoder, targets, memory)), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", ["bahdanau", "luong"])
def test_rows_of_one_example_share_what_is_prepared(wiring):
    decoder, memory, _ = make_pointer(wiring)
    targets = targets_with_copies(2 * len(LENGTHS))
    repeated = keras.tree.map_structure(lambda x: np.repeat(x, 2, axis=0), memory)
    together = run(lambda t, m: decoder(t, m, rows_per_example=2), targets, memory)
    np.testing.assert_allclose(together, run(decoder, targets, repeated), atol=1e-6)


@pytest.mark.slow
def test_no_steps():
    decoder, memory, _ = make_pointer()
    logits = run(decoder, targets_with_copies()[:, :0], memory)
    assert logits.shape == (len(LENGTHS), 0, VOCABULARY + SLOTS)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", ["bahdanau", "luong"])
def test_mixed_precision(wiring):
    decoder, memory, _ = make_pointer(wiring, dtype="mixed_bfloat16")
    full, _, _ = make_pointer(wiring)
    targets = targets_with_copies()
    together = decoder(ops.convert_to_tensor(targets), tensors(memory))
    assert keras.backend.standardize_dtype(together.dtype) == "bfloat16"
    expected = run(full, targets, memory)
    np.testing.assert_allclose(numpy(together), expected, atol=0.1)
    np.testing.assert_allclose(numpy(steps(decoder, targets, memory)), expected, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("wiring", fewer_elsewhere(LOOPS, 3))
def test_gradient_equals_that_of_unrolled_steps(wiring):
    decoder, memory, _ = make_pointer(wiring)
    targets, tokens = targets_with_copies(length=3), tensors(targets_with_copies(length=3))
    direction = ops.convert_to_tensor(random(*targets.shape, VOCABULARY + SLOTS))
    variables = decoder.trainable_variables
    assert any(v is decoder.head.strength for v in variables)

    def total(logits):
        return ops.sum(ops.tanh(logits) * direction)

    _, got = gradients(lambda: total(decoder(tokens, tensors(memory))), variables)
    _, expected = gradients(lambda: total(steps(decoder, targets, memory)), variables)
    for variable, a, b in zip(variables, got, expected, strict=True):
        assert np.any(a), f"No gradient reaches {variable.path}"
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4, err_msg=variable.path)


@pytest.mark.slow
def test_beam_search_copies():
    """What it finds has the score that the decoder gives it, and holds ids of the source alone."""
    decoder, memory, _ = make_pointer(strength=9.0, lengths=[4, 2, 3])
    ids = memory["copy_token_ids"]
    ids[:, ::2] = VOCABULARY + np.arange(3)[:, None]  # A word of its own for each example.
    ids[:, 1::2] = 5
    sampler = keras_s2s.decoding.Beam(
        num_beams=3, num_return_sequences=2, length_penalty=0.0, min_length=3
    )
    result = numpy(sampler(decoder, tensors(memory), max_length=6))
    token_ids, log_probs = result["token_ids"], result["log_probs"]
    assert (np.diff(log_probs, axis=1) <= 1e-6).all()
    for row in range(3):
        copied = set(token_ids[row][token_ids[row] >= VOCABULARY])
        assert VOCABULARY + row in copied and copied <= set(ids[row])
    # Both hypotheses of an example, read by the decoder at once.
    rows = token_ids.reshape(6, 6)
    targets = np.concatenate([np.full((6, 1), START), rows[:, :-1]], axis=1).astype("int32")
    logits = run(lambda t, m: decoder(t, m, rows_per_example=2), targets, memory)
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    taken = np.take_along_axis(scores, rows[..., None], -1)[..., 0]
    before = np.cumsum(rows == END, axis=1) - (rows == END)
    total = (taken * (before == 0)).sum(-1)
    np.testing.assert_allclose(total, log_probs.reshape(6), atol=1e-4)


@pytest.mark.slow
def test_config_round_trip():
    decoder, memory, _ = make_pointer()
    decoder.head.trainable = False
    config = decoder.get_config()
    again = RNNDecoder.from_config(config)
    assert type(again.head) is PointerHead and again.head.slots == SLOTS
    assert again.output_size == VOCABULARY + SLOTS
    again.start(tensors(memory))
    assert again.get_config() == config and not again.head.strength.trainable
    again.set_weights(weights_of(decoder))
    targets = targets_with_copies()
    np.testing.assert_array_equal(run(again, targets, memory), run(decoder, targets, memory))


def weights_of(layer):
    return [ops.convert_to_numpy(w) for w in layer.weights]


@pytest.mark.slow
def test_saved_in_a_model(tmp_path):
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    memory = {**RNNEncoder(3, vocabulary_size=9)(source), "copy_token_ids": source}
    decoder = RNNDecoder(VOCABULARY, UNITS, head=PointerHead(SLOTS, name="pointer"))
    logits = decoder(target, memory)
    assert tuple(logits.shape) == (None, None, VOCABULARY + SLOTS)
    model = keras.Model([source, target], logits)
    decoder.head.strength.assign(5.0)
    inputs = [np.array([[3, 5, 1], [4, 0, 0]], "int32"), targets_with_copies(2)]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(inputs)), numpy(model(inputs)), atol=1e-6)


def test_configs_from_before_there_were_heads():
    decoder, memory = make("bahdanau")
    config = decoder.get_config()
    del config["head"]
    again = RNNDecoder.from_config(config)
    again.start(tensors(memory))
    assert type(again.head) is VocabularyHead and not again.head.weights
    assert [w.shape for w in again.weights] == [w.shape for w in decoder.weights]


@pytest.mark.parametrize("head", ["vocabulary", keras.layers.Dense(3), VocabularyHead])
def test_another_head_is_refused(head):
    with pytest.raises(TypeError, match="`head` must be a head of keras_s2s.layers"):
        RNNDecoder(9, 4, head=head)
