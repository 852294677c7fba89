"""The attentions against their papers' equations, and alone in a functional model."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import (
    BahdanauAttention,
    CoverageAttention,
    LocalAttention,
    LocationAwareAttention,
    LuongAttention,
    MultiHeadAttention,
    check_attention,
)
from tests.fewer import chosen, fewer_elsewhere
from tests.layers.helpers import gradients, make_memory, numpy, random, randomize, run, softmax

LENGTHS = [4, 1, 0, 3]
QUERIES, DIM, UNITS = 3, 6, 5

ATTENTIONS = {
    "bahdanau": lambda **kw: BahdanauAttention(UNITS, **kw),
    "bahdanau_normalized": lambda **kw: BahdanauAttention(UNITS, normalize=True, **kw),
    "dot": lambda **kw: LuongAttention("dot", **kw),
    "dot_scaled": lambda **kw: LuongAttention("dot", scale=True, **kw),
    "general": lambda **kw: LuongAttention("general", **kw),
    "general_scaled": lambda **kw: LuongAttention("general", scale=True, **kw),
    "concat": lambda **kw: LuongAttention("concat", units=UNITS, **kw),
    "coverage": lambda **kw: CoverageAttention(UNITS, **kw),
    "location": lambda **kw: LocationAwareAttention(UNITS, filters=2, kernel_size=3, **kw),
    "local_monotonic": lambda **kw: LocalAttention("monotonic", 1, **kw),
    "local_predictive": lambda **kw: LocalAttention("predictive", 2, **kw),
    "multi_head": lambda **kw: MultiHeadAttention(2, 3, value_dim=4, **kw),
}
all_attentions = pytest.mark.parametrize("kind", fewer_elsewhere(ATTENTIONS, 2, first=1))
# On other backends one with a state, and one of many heads.
kinds_of_attentions = pytest.mark.parametrize("kind", fewer_elsewhere(ATTENTIONS, 4, first=7))


def weight(attention, path):
    """The weight of that name, as a matrix that multiplies from the left, as in the papers."""
    found = [v for v in attention.weights if v.path.endswith(path)]
    assert len(found) == 1, [v.path for v in attention.weights]
    return ops.convert_to_numpy(found[0]).T


def score(kind, attention, s, h):
    """The score of one query with one position, from the papers and from tensorflow-addons."""

    def get(path):
        return weight(attention, path)

    if kind == "bahdanau":  # A.1.2: v^T tanh(W s + U h)
        w, u, v = get("query_projection/kernel"), get("key_projection/kernel"), get("vector")
        return v @ np.tanh(w @ s + u @ h)
    if kind == "bahdanau_normalized":  # tfa: g v / |v| . tanh(W s + U h + b)
        w, u, v = get("query_projection/kernel"), get("key_projection/kernel"), get("vector")
        return get("gain") * v / np.linalg.norm(v) @ np.tanh(w @ s + u @ h + get("additive/bias"))
    if kind.startswith("dot"):  # equation 8
        value = s @ h
    elif kind.startswith(("general", "local")):
        value = s @ get("key_projection/kernel") @ h
    else:  # v^T tanh(W [s; h])
        w = np.concatenate([get("query_projection/kernel"), get("key_projection/kernel")], axis=1)
        return get("vector") @ np.tanh(w @ np.concatenate([s, h]))
    return get("gain") * value if kind.endswith("scaled") else value


def with_past(kind, attention, s, values, past):
    """Weights of one query, where they depend on the weights `past` of the queries before."""

    def get(path):
        return weight(attention, path)

    w, u, v = get("query_projection/kernel"), get("key_projection/kernel"), get("additive/vector")
    hidden = [w @ s + u @ h + get("/bias") for h in values]
    if kind == "coverage":  # See et al., equations 10 and 11: the sum of the weights before
        coverage = np.sum(past, axis=0)
        hidden = [x + get("coverage_vector") * c for x, c in zip(hidden, coverage)]
    else:  # Chorowski et al., equations 8 and 9: f = F * a, a convolution
        before = np.pad(past[-1], 1)
        filters = get("convolution")[:, 0]  # (filters, 3)
        features = [filters @ before[i : i + 3] for i in range(len(values))]
        hidden = [x + get("location_projection") @ f for x, f in zip(hidden, features)]
    return softmax(np.array([v @ np.tanh(x) for x in hidden]))


def local(kind, attention, s, values, t):
    """Luong et al., section 3.2: weights within two positions or one, equation 10 in local-p."""
    scores = np.array([score(kind, attention, s, h) for h in values])
    positions, middle, window = np.arange(len(values)), min(t, len(values) - 1), 1
    if kind == "local_predictive":  # equation 9
        hidden = np.tanh(weight(attention, "position_projection") @ s)
        share = 1 / (1 + np.exp(-weight(attention, "position_vector") @ hidden))
        middle, window = len(values) * share, 2
    near = np.abs(positions - middle) <= window
    weights = np.zeros(len(values))
    weights[near] = softmax(scores[near])
    if kind == "local_predictive":
        weights *= np.exp(-((positions - middle) ** 2) / (2 * (window / 2) ** 2))
    return weights


def heads(attention, s, values):
    """Context and mean weights (Vaswani et al., section 3.2.2)."""
    names = "query_projection", "key_projection", "value_projection"
    q, k, v = (np.split(weight(attention, f"{name}/kernel"), 2) for name in names)
    weights, parts = [], []
    for i in range(2):
        scores = np.array([(q[i] @ s) @ (k[i] @ h) / np.sqrt(3) for h in values])
        weights.append(softmax(scores))
        parts.append(sum(a * (v[i] @ h) for a, h in zip(weights[-1], values)))
    output = weight(attention, "output_projection/kernel")
    return output @ np.concatenate(parts), np.mean(weights, axis=0)


def reference(kind, attention, query, memory):
    """Contexts and weights with plain loops (Bahdanau A.1.2, Luong equation 7)."""
    batch, queries = query.shape[:2]
    contexts = np.zeros((batch, queries, memory["values"].shape[2]))
    weights = np.zeros((batch, queries, memory["values"].shape[1]))
    for b, length in enumerate(LENGTHS):
        values, past = memory["values"][b, :length], [np.zeros(length)]
        for q in range(queries if length else 0):
            s = query[b, q]
            if kind == "multi_head":
                contexts[b, q], weights[b, q, :length] = heads(attention, s, values)
                continue
            if kind in ("coverage", "location"):
                found = with_past(kind, attention, s, values, past)
            elif kind.startswith("local"):
                found = local(kind, attention, s, values, q)
            else:
                found = softmax(np.array([score(kind, attention, s, h) for h in values]))
            past.append(found)
            weights[b, q, :length] = found
            contexts[b, q] = found @ values
    return contexts, weights


def make(kind, **kwargs):
    """An attention with random weights, queries and a memory."""
    memory = make_memory(LENGTHS, DIM)
    query = random(len(LENGTHS), QUERIES, DIM if kind.startswith("dot") else 4, seed=1)
    attention = ATTENTIONS[kind](**kwargs)
    attention.build(query.shape, memory["values"].shape)
    return randomize(attention), query, memory


@pytest.mark.every_backend
@all_attentions
def test_equals_the_equations(kind):
    attention, query, memory = make(kind)
    context, weights = run(
        lambda q, m: attention(q, m["values"], values_mask=m["mask"]), query, memory
    )
    expected = reference(kind, attention, query, memory)
    np.testing.assert_allclose(context, expected[0], atol=1e-5)
    np.testing.assert_allclose(weights, expected[1], atol=1e-5)
    # A memory that is all padding is not attended to, and nothing is NaN.
    assert not weights[LENGTHS.index(0)].any()


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_softmax_of_16_bit_scores_is_of_32_bits(dtype):
    attention = LuongAttention("dot", dtype=dtype)
    query, keys = random(2, 3, DIM), 3 * random(2, 50, DIM, seed=1)
    query, keys = (ops.cast(tensor, dtype) for tensor in (query, keys))
    scores = attention.score(query, {}, {"keys": keys})
    weights = numpy(attention.weigh(scores, np.ones((2, 50), "bool")))
    scores = numpy(ops.cast(scores, "float32"))
    np.testing.assert_allclose(weights, softmax(scores), rtol=1e-5)


@all_attentions
def test_a_memory_prepared_once_gives_the_same(kind):
    attention, query, memory = make(kind)

    def prepared(query, memory):
        return attention.attend(query, attention.prepare(memory))

    for got, expected in zip(
        run(prepared, query, memory),
        run(lambda q, m: attention(q, m["values"], values_mask=m["mask"]), query, memory),
    ):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize("kind", fewer_elsewhere(ATTENTIONS, 5, first=7))
def test_does_what_decoders_rely_on(kind):
    check_attention(ATTENTIONS[kind](), query_dim=DIM if kind.startswith("dot") else 4)


class Unmasked(LuongAttention):
    def weigh(self, scores, mask):
        return super().weigh(scores, ops.ones_like(mask))


class Forgetful(LuongAttention):
    def get_config(self):
        return {**super().get_config(), "scale": False}


class Growing(CoverageAttention):
    def update(self, state, weights, prepared):
        return {**super().update(state, weights, prepared), "more": weights}


class Neighbours(LuongAttention):
    """Each query sees those beside it, which may be of other rows."""

    def score(self, query, state, prepared):
        mean = ops.mean(query, axis=1, keepdims=True)
        return super().score(query + mean, state, prepared)


class Rounded(CoverageAttention):
    def start(self, prepared, rows_per_example=1):
        state = super().start(prepared, rows_per_example)
        return {name: ops.cast(x, "bfloat16") for name, x in state.items()}

    def update(self, state, weights, prepared):
        return {"coverage": ops.cast(state["coverage"], "float32") + weights}


class Deaf(MultiHeadAttention):
    def prepare(self, memory, dtype=None, onto=None):
        return super().prepare(memory, dtype)


@pytest.mark.parametrize(
    "layer, message",
    [
        (Unmasked("general"), "padding has weights"),
        (Forgetful("general", scale=True), "`get_config` does not tell scale"),
        (Growing(3), "but `step` gives"),
        (Neighbours("general"), "`step` differs from `attend`"),
        (Rounded(3), "but `step` gives"),
        (Deaf(2, 3), "with `onto`"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, keras.layers.Layer) else "",
)
def test_the_check_names_what_is_wrong(layer, message):
    with pytest.raises(AssertionError, match=f"(?s){type(layer).__name__}: .*{message}"):
        check_attention(layer)


def test_initial_normalised_form_is_that_of_addons():
    attention = BahdanauAttention(16, normalize=True)
    attention.build((1, 1, 3), (1, 2, 4))
    assert numpy(attention.additive.gain.value) == pytest.approx((1 / 16) ** 0.5)
    assert not ops.convert_to_numpy(attention.additive.bias).any()
    scaled = LuongAttention("general", scale=True)
    scaled.build((1, 1, 3), (1, 2, 4))
    assert numpy(scaled.gain.value) == 1


@all_attentions
def test_without_mask_all_positions_count(kind):
    attention, query, memory = make(kind)
    whole = np.ones_like(memory["mask"])
    for got, expected in zip(
        run(lambda q, m: attention(q, m["values"]), query, memory),
        run(lambda q, m: attention(q, m["values"], values_mask=whole), query, memory),
    ):
        np.testing.assert_allclose(got, expected, atol=1e-6)
        assert got.shape[:2] == (len(LENGTHS), QUERIES)


@pytest.mark.every_backend
@kinds_of_attentions
def test_gradient_reaches_every_weight_and_no_padding(kind):
    attention, query, memory = make(kind)
    values = keras.Variable(memory["values"])
    direction = ops.convert_to_tensor(random(len(LENGTHS), QUERIES, DIM, seed=2))

    def loss():
        context, _ = attention(query, ops.convert_to_tensor(values), values_mask=memory["mask"])
        return ops.sum(context * direction)

    _, (by_values, *by_weights) = gradients(loss, [values, *attention.trainable_variables])
    assert all(np.any(g) and np.isfinite(g).all() for g in by_weights)
    assert np.isfinite(by_values).all()
    assert not by_values[~memory["mask"]].any()
    if not kind.startswith("local"):  # whose window has an outside
        assert by_values[memory["mask"]].any(axis=-1).all()


@pytest.mark.slow
@pytest.mark.parametrize("policy", fewer_elsewhere(["mixed_bfloat16", "mixed_float16"], 2))
@kinds_of_attentions
def test_mixed_precision(kind, policy):
    attention, query, memory = make(kind, dtype=policy)
    context, weights = attention(query, memory["values"], values_mask=memory["mask"])
    compute = policy.removeprefix("mixed_")
    assert {keras.backend.standardize_dtype(x.dtype) for x in (context, weights)} == {compute}
    assert all(w.dtype == "float32" for w in attention.weights)
    expected = reference(kind, attention, query, memory)
    tolerance = 0.15 if compute == "bfloat16" else 0.02
    np.testing.assert_allclose(numpy(weights), expected[1], atol=tolerance)
    np.testing.assert_allclose(numpy(context), expected[0], atol=3 * tolerance)


def test_long_sources_keep_their_weights_in_float16():
    # A sum of 5,000 float16 numbers of 1 would stop at 2,048.
    attention = LuongAttention("dot", dtype="mixed_float16")
    _, weights = attention(np.zeros((1, 1, 2), "float32"), np.ones((1, 5000, 2), "float32"))
    np.testing.assert_allclose(numpy(weights), 1 / 5000, rtol=2e-3)


def functional(kind):
    """Token ids, embedded with a mask, attended to by features: a plain functional model."""
    tokens, query = keras.Input((None,), dtype="int32"), keras.Input((None, DIM))
    values = keras.layers.Embedding(9, DIM, mask_zero=True)(tokens)
    context, weights = ATTENTIONS[kind](name="attend")(query, values)
    assert context.shape == (None, None, DIM) and weights.shape == (None, None, None)
    context = keras.layers.Dense(2)(context)
    return keras.Model([tokens, query], [context, weights])


@pytest.mark.slow
@pytest.mark.parametrize("kind", chosen(ATTENTIONS, "local_predictive", "multi_head"))
def test_alone_in_a_functional_model(kind, tmp_path):
    model = functional(kind)
    randomize(model)
    tokens = np.array([[5, 3, 8, 1], [7, 0, 0, 0], [0, 0, 0, 0]])
    query = random(3, 2, DIM)
    context, weights = model.predict([tokens, query], verbose=0)
    # Keras's own mask, carried by the values, hides the padding.
    assert not weights[1:][(np.repeat(tokens[1:, None], 2, axis=1) == 0)].any()
    if kind != "local_predictive":
        np.testing.assert_allclose(weights.sum(-1), [[1, 1], [1, 1], [0, 0]], atol=1e-6)
        np.testing.assert_allclose(weights[1, :, 0], 1)

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for got, expected in zip(loaded([tokens, query]), (context, weights)):
        np.testing.assert_allclose(numpy(got), expected, atol=1e-6)


def test_mask_of_a_masking_layer():
    values = keras.Input((None, DIM))
    query = keras.Input((1, DIM))
    masked = keras.layers.Masking(9.0)(values)
    model = keras.Model([query, values], LuongAttention("dot")(query, masked))
    memory = make_memory([3, 1], DIM)
    _, weights = model.predict([random(2, 1, DIM), memory["values"]], verbose=0)
    np.testing.assert_array_equal(weights[:, 0] > 0, memory["mask"])


@pytest.mark.thorough
@pytest.mark.every_backend
@pytest.mark.slow
def test_functional_model_trains():
    model = functional("bahdanau")
    model.compile(loss=["mse", None], optimizer="adam")
    before = model.get_weights()
    model.fit([np.array([[5, 3], [7, 0]]), random(2, 2, DIM)], random(2, 2, 2), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights()))


@all_attentions
def test_config_round_trip(kind):
    attention = ATTENTIONS[kind](dtype="mixed_bfloat16", name="mine")
    again = type(attention).from_config(attention.get_config())
    assert again.get_config() == attention.get_config()
    assert again.dtype_policy.name == "mixed_bfloat16" and again.name == "mine"


@pytest.mark.slow
@all_attentions
def test_comes_back_built(kind):
    attention, query, memory = make(kind)
    config = keras.saving.serialize_keras_object(attention)
    again = keras.saving.deserialize_keras_object(config)
    again.set_weights(attention.get_weights())
    for got, expected in zip(again(query, memory["values"]), attention(query, memory["values"])):
        np.testing.assert_array_equal(numpy(got), numpy(expected))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"score_type": "cosine"}, "score_type.*dot.*general.*concat.*cosine"),
        ({"score_type": "concat"}, "units.*units=None"),
        ({"score_type": "general", "units": 4}, "units.*units=4"),
        ({"score_type": "concat", "units": 4, "scale": True}, "scale=True"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LuongAttention(**arguments)


def test_dot_needs_equal_sizes():
    with pytest.raises(ValueError, match="(?s)same size.*general.*4 and 6"):
        LuongAttention("dot")(random(1, 1, 4), random(1, 2, 6))


@all_attentions
def test_no_queries_and_no_examples(kind):
    attention, query, memory = make(kind)
    context, weights = attention(query[:, :0], memory["values"], values_mask=memory["mask"])
    assert context.shape == (4, 0, DIM) and weights.shape == (4, 0, 4)
    context, weights = attention(query[:0], memory["values"][:0], values_mask=memory["mask"][:0])
    assert context.shape == (0, QUERIES, DIM) and weights.shape == (0, QUERIES, 4)
