import pickle
from operator import ne

import keras
import numpy as np
import pytest

from keras_s2s.data import Batches, ExamplesPerBatch, SimilarLengths, TokensPerBatch
from keras_s2s.preprocessing import CutWarning
from tests.data.pairs import pair_batches

START, END = 2, 3


def make_pairs(count=700, longest=40, seed=0):
    """Pairs told apart by their first source id, of lengths from 0 (targets) or 1 up."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.poisson(rng.gamma(2.0, 6.0, size=count)), 0, longest - 2)
    sources = [np.append(1000 + i, rng.integers(4, 99, n)) for i, n in enumerate(lengths)]
    targets = [rng.integers(4, 99, max(0, n + rng.integers(-2, 3))) for n in lengths]
    return sources, targets


def rows(batches):
    """All rows that are no padding, as `(source, target)` lists; checks the layout on the way."""
    found = []
    for x, labels, weights in batches:
        source, decoder = x["encoder_token_ids"], x["decoder_token_ids"]
        assert source.dtype == decoder.dtype == labels.dtype == "int32"
        assert weights.dtype == "float32"
        for s, d, y, w in zip(source, decoder, labels, weights):
            if not s.any():
                assert not (d.any() or y.any() or w.any())
                continue
            n, m = np.flatnonzero(s == END)[0], np.flatnonzero(y == END)[0]
            assert not s[n + 1 :].any() and not y[m + 1 :].any() and not d[m + 1 :].any()
            assert d[0] == START and d[1 : m + 1].tolist() == y[:m].tolist()
            assert w.tolist() == [1.0] * (m + 1) + [0.0] * (len(w) - m - 1)
            found.append((s[:n].tolist(), y[:m].tolist()))
    return found


def as_lists(sources, targets):
    return [(s.tolist(), t.tolist()) for s, t in zip(sources, targets)]


def shapes_of(batches):
    return {(*x["encoder_token_ids"].shape, y.shape[1]) for x, y, _ in batches}


@pytest.mark.slow
@pytest.mark.parametrize("tokens_per_batch", [16, 256, 1024, 10**6])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_pair_once_an_epoch(tokens_per_batch, shuffle):
    pairs = make_pairs()
    batches = pair_batches(*pairs, tokens_per_batch=tokens_per_batch, shuffle=shuffle)
    for _ in range(3):
        assert sorted(rows(batches)) == sorted(as_lists(*pairs))
        batches.on_epoch_end()


@pytest.mark.parametrize("max_buckets", [1, 3, 12])
def test_shapes_are_few_and_within_budget(max_buckets):
    batches = pair_batches(*make_pairs(), tokens_per_batch=256, max_buckets=max_buckets)
    assert len(batches.shapes) == max_buckets
    for _ in range(2):
        assert shapes_of(batches) <= set(batches.shapes)
        batches.on_epoch_end()
    for size, source, target in batches.shapes:
        assert size * (source + target) <= 256
        assert size % 8 == 0 or size < 8


def test_as_many_pairs_in_each_batch():
    batches = pair_batches(*make_pairs(), batch_size=24, max_buckets=None)
    sizes = [len(labels) for _, labels, _ in batches]
    # 700 pairs: only what is left over at the end is fewer.
    assert sorted(sizes) == [700 % 24] + [24] * (700 // 24)
    bounded = pair_batches(*make_pairs(), batch_size=24, max_buckets=12)
    assert len(bounded.shapes) > 3
    assert {rows for rows, _, _ in bounded.shapes} == {24}
    assert pair_batches(*make_pairs(10), batch_size=24).shapes[0][0] == 10


def test_sorted_batches_are_as_wide_as_their_longest():
    batches = pair_batches(*make_pairs(), tokens_per_batch=256, max_buckets=None)
    for index, (x, labels, _) in enumerate(batches):
        size, source, target = x["encoder_token_ids"].shape + labels.shape[1:]
        assert size == 1 or size * (source + target) <= 256
        if index != 1:  # which may show Keras an axis
            assert x["encoder_token_ids"][:, -1].any() and labels[:, -1].any()
    assert set(batches.shapes) == shapes_of(batches)
    bounded = pair_batches(*make_pairs(), tokens_per_batch=256, max_buckets=12)
    assert batches.padding_share < 0.7 * bounded.padding_share


def test_shapes_are_bounded_where_each_is_compiled():
    batches = pair_batches(*make_pairs(4000), tokens_per_batch=128)
    assert (len(batches.shapes) <= 12) == (keras.backend.backend() == "jax")


def test_padding_share_counts_what_comes():
    batches = pair_batches(*make_pairs(), tokens_per_batch=256)
    used = total = 0
    for x, labels, _ in batches:
        for ids in (x["encoder_token_ids"], labels):
            used, total = used + np.count_nonzero(ids), total + ids.size
    assert batches.padding_share == pytest.approx(1 - used / total)
    one = pair_batches(*make_pairs(), tokens_per_batch=256, max_buckets=1)
    assert batches.padding_share < 0.2 < 0.5 < one.padding_share


def test_at_most_one_batch_is_partial():
    batches = pair_batches(*make_pairs(), tokens_per_batch=256)
    full = [x["encoder_token_ids"].any(axis=1).all() for x, _, _ in batches]
    assert full.count(False) <= 1


def test_order_depends_on_seed_and_epoch_only():
    pairs = make_pairs()
    first, second, other = (pair_batches(*pairs, 256, seed=seed) for seed in (5, 5, 6))
    start = rows(first)
    assert start == rows(second) != rows(other)
    first.on_epoch_end()
    assert start != rows(first)
    second.set_epoch(1)
    assert rows(first) == rows(second)
    first.set_epoch(0)
    assert rows(first) == start


def test_order_is_mixed_across_buckets():
    batches = pair_batches(*make_pairs(3000), tokens_per_batch=256)
    widths = [labels.shape[1] for _, labels, _ in batches]
    assert 0.3 < np.mean(np.diff(widths) < 0) < 0.7


def test_no_shuffle_keeps_the_order_over_epochs():
    batches = pair_batches(*make_pairs(), tokens_per_batch=256, shuffle=False)
    start = rows(batches)
    batches.on_epoch_end()
    assert rows(batches) == start


def test_long_pairs_are_cut_or_dropped():
    pairs = make_pairs()
    long = sum(len(s) >= 12 or len(t) >= 9 for s, t in zip(*pairs))
    with pytest.warns(CutWarning, match=f"^{long} of 700 examples are cut, the first at index"):
        cut = pair_batches(*pairs, 256, lengths=(12, 9))
    assert cut.num_cut == long
    expected = [(s[:11].tolist(), t[:8].tolist()) for s, t in zip(*pairs)]
    assert sorted(rows(cut)) == sorted(expected) and cut.num_dropped == 0
    with pytest.warns(CutWarning, match=f"^{long} of 700 examples are left out"):
        drop = pair_batches(*pairs, 256, lengths=(12, 9), drop_long=True)
    expected = [(s, t) for s, t in as_lists(*pairs) if len(s) < 12 and len(t) < 9]
    assert sorted(rows(drop)) == sorted(expected)
    assert drop.num_dropped == len(pairs[0]) - len(expected) == long and drop.num_cut == 0
    with pytest.raises(ValueError, match="700 were longer than `lengths`: encoder_token_ids=1"):
        pair_batches(*pairs, lengths=(1, None), drop_long=True)


def halves(row):
    """A longer spelling of the same row, as drawn segmentations are."""
    return np.repeat(row, 2)


def test_inputs_and_labels_of_some_rows():
    columns = {"encoder_token_ids": [[5], [6, 7], [8]], "decoder_token_ids": [[9], [8, 7, 6], [5]]}
    batches = Batches(columns, shuffle=False)
    rows = np.array([2, 1])
    assert batches.inputs(rows)["encoder_token_ids"][:, :3].tolist() == [[8, 3, 0], [6, 7, 3]]
    assert batches.labels(rows, 4).tolist() == [[[5, 3, 0, 0]], [[8, 7, 6, 3]]]
    several = Batches({**columns, "decoder_token_ids": [[[9]], [[8], [7, 6]], [[5]]]})
    rows = several.labels(rows, 3).tolist()
    assert rows == [[[5, 3, 0], [0, 0, 0]], [[8, 3, 0], [7, 6, 3]]]


def test_no_draw_is_cut_where_the_given_ids_fit():
    pairs = make_pairs(50)
    drawn = [[np.repeat(row, 9) for row in side] for side in pairs]
    most = [1 + max(map(len, side)) for side in pairs]
    batches = pair_batches(*pairs, 256, lengths=most, resample=lambda epoch: drawn)
    fits = [all(len(row) < n for row, n in zip(pair, most)) for pair in zip(*drawn)]
    expected = [
        long if fit else short for long, short, fit in zip(as_lists(*drawn), as_lists(*pairs), fits)
    ]
    assert any(fits) and not all(fits)
    assert batches.num_cut == 0 and sorted(rows(batches)) == sorted(expected)


@pytest.mark.slow
def test_resample_each_epoch():
    pairs = make_pairs()

    def resample(epoch):
        rng = np.random.default_rng(epoch)
        return [[halves(row) if rng.random() < 0.3 else row for row in side] for side in pairs]

    batches = pair_batches(*pairs, tokens_per_batch=256, resample=resample)
    for epoch in (0, 1, 2, 3, 7, 1):
        batches.set_epoch(epoch)
        assert len(list(batches)) == len(batches)
        given, drawn, found = as_lists(*pairs), as_lists(*resample(epoch)), sorted(rows(batches))
        assert len(found) == len(given)
        assert all(pair in (given[i], drawn[i]) for i, pair in enumerate(found))
        fresh = sum(pair == drawn[i] != given[i] for i, pair in enumerate(found))
        assert fresh > 0.7 * sum(map(ne, drawn, given)) > 0
        assert shapes_of(batches) <= set(batches.shapes)


def test_resample_asks_once_for_each_epoch():
    pairs = make_pairs(50)
    asked = []

    def resample(epoch):
        asked.append(epoch)
        return pairs

    batches = pair_batches(*pairs, resample=resample)
    for _ in range(3):
        list(batches)
        list(batches)
        batches.on_epoch_end()
    assert asked in ([0, 1, 2], [0, 1, 2, 3])  # The next one is asked for ahead.


def test_errors_of_resample_arrive():
    pairs = make_pairs(50)
    batches = pair_batches(*pairs, resample=lambda epoch: pairs if epoch < 2 else [[[5]]] * 2)
    batches.set_epoch(1)
    list(batches)
    batches.set_epoch(2)
    with pytest.raises(ValueError, match="`resample` must return as many"):
        list(batches)


def test_resample_that_fits_no_shape_falls_back():
    """Epoch 0 fixes shapes and number of batches; later draws are far longer."""
    pairs = make_pairs()

    def resample(epoch):
        return pairs if epoch == 0 else [[np.repeat(row, 3) for row in side] for side in pairs]

    batches = pair_batches(*pairs, tokens_per_batch=256, resample=resample)
    batches.on_epoch_end()
    drawn = dict(zip((row[0] for row in pairs[0]), zip(as_lists(*pairs), as_lists(*resample(1)))))
    found = rows(batches)
    assert len(found) == len(pairs[0])
    for pair in found:
        assert pair in drawn.pop(pair[0][0])
    assert not drawn
    assert shapes_of(batches) <= set(batches.shapes)


def test_small_sets():
    for count in (1, 2, 5):
        pairs = make_pairs(count)
        batches = pair_batches(*pairs)
        assert len(batches) == 1 and batches.shapes[0][0] == count
        assert sorted(rows(batches)) == sorted(as_lists(*pairs))
        batches = pair_batches(*pairs, resample=lambda epoch, pairs=pairs: pairs)
        assert sorted(rows(batches)) == sorted(as_lists(*pairs))
        assert all(weights.any() for _, _, weights in batches)
    empty = pair_batches([[]], [[]])
    assert rows(empty) == [([], [])]


@pytest.mark.parametrize(
    "sources, targets, error, message",
    [
        ([], [], ValueError, "no examples"),
        (
            [[5]],
            [[5], [6]],
            ValueError,
            "same length.*'encoder_token_ids': 1, 'decoder_token_ids': 2",
        ),
        ([[5], [[6]]], [[5], [6]], TypeError, "`encoder_token_ids`.*Element 1"),
        ([[5]], [[0.5]], TypeError, "`decoder_token_ids`.*float64"),
        ([["a"]], [[5]], TypeError, "`encoder_token_ids`.*Element 0"),
        ([[5]], [[5, END]], ValueError, "`decoder_token_ids`.*element 0 has the special id 3"),
        ([[5], [], [7, 0]], [[5]] * 3, ValueError, "element 2 has the special id 0"),
    ],
)
def test_wrong_input(sources, targets, error, message):
    with pytest.raises(error, match=message):
        pair_batches(sources, targets)


@pytest.mark.parametrize(
    "name, make",
    [
        ("tokens", lambda: TokensPerBatch(0)),
        ("batch_size", lambda: ExamplesPerBatch(0)),
        ("batch_size", lambda: SimilarLengths(0)),
        ("max_buckets", lambda: TokensPerBatch(8, 0)),
        (r"lengths\['encoder_token_ids'\]", lambda: pair_batches([[5]], [[6]], lengths=(0, None))),
    ],
)
def test_sizes_below_one(name, make):
    with pytest.raises(ValueError, match=f"`{name}` must be an int, at least 1. Received: 0"):
        make()


def test_index_outside():
    batches = pair_batches([[5]], [[6]])
    for index in (-1, 1):
        with pytest.raises(IndexError, match="there are 1"):
            batches[index]


def test_pickle():
    batches = pair_batches(*make_pairs(), tokens_per_batch=256)
    assert rows(pickle.loads(pickle.dumps(batches))) == rows(batches)


def make_model():
    source = keras.Input((None,), dtype="int32", name="encoder_token_ids")
    target = keras.Input((None,), dtype="int32", name="decoder_token_ids")
    memory = keras.layers.Embedding(2000, 4)(source)
    memory = keras.layers.GlobalAveragePooling1D(keepdims=True)(memory)
    hidden = keras.layers.Embedding(2000, 4)(target) + memory
    model = keras.Model([source, target], keras.layers.Dense(100)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile("sgd", loss)
    return model


@pytest.mark.slow
def test_fit_and_evaluate_see_every_batch():
    seen = []

    class Recording(Batches):
        def __getitem__(self, index):
            seen.append((self.epoch, index))
            return super().__getitem__(index)

    batches = pair_batches(*make_pairs(), tokens_per_batch=512, kind=Recording)
    validation = pair_batches(*make_pairs(50), tokens_per_batch=512, shuffle=False)
    history = make_model().fit(batches, validation_data=validation, epochs=3, verbose=0)
    assert len(history.history["val_loss"]) == 3
    assert history.history["loss"][2] < history.history["loss"][0]
    epochs = sorted({epoch for epoch, _ in seen})
    complete = [
        epoch for epoch in epochs if {i for e, i in seen if e == epoch} == set(range(len(batches)))
    ]
    assert len(complete) == 3


def test_first_two_batches_show_which_axes_vary():
    """Keras on TensorFlow takes the axes on which they agree to be fixed."""
    batches = pair_batches(*make_pairs(), tokens_per_batch=256)
    for _ in range(3):
        (x0, y0, _), (x1, y1, _) = batches[0], batches[1]
        assert x0["encoder_token_ids"].shape[1] != x1["encoder_token_ids"].shape[1]
        assert y0.shape[1] != y1.shape[1]
        batches.on_epoch_end()


def test_an_axis_that_the_first_two_batches_would_not_show():
    """Of the narrowest and the widest, which have equally long sources."""
    pairs = [[4], [4], [4] * 5], [[4], [4] * 9, [4] * 4]
    batches = pair_batches(*pairs, batch_size=1, max_buckets=None)
    widths = [(x["encoder_token_ids"].shape[1], y.shape[1]) for x, y, _ in batches]
    assert widths == [(2, 2), (6, 10), (6, 5)]
    assert sorted(rows(batches)) == sorted(zip(*pairs))


@pytest.mark.slow
def test_tf_dataset_is_the_same_and_goes_on():
    pytest.importorskip("tensorflow")
    pairs = make_pairs()
    batches, same = (pair_batches(*pairs, tokens_per_batch=256) for _ in range(2))
    dataset = batches.as_tf_dataset()
    assert len(dataset) == len(batches)
    for _ in range(2):
        assert rows(dataset.as_numpy_iterator()) == rows(same)
        same.on_epoch_end()


@pytest.fixture(scope="module")
def texts():
    pytest.importorskip("sentencepiece")
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abdeiklmnorst"), 5)) for _ in range(60)]
    return [" ".join(rng.choice(words, rng.integers(1, 12))) for _ in range(250)]


def preprocessor(texts, **options):
    from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor

    tokenizer = SentencePieceTokenizer.train(texts, vocabulary_size=60, **options)
    return TextPairPreprocessor(tokenizer, source_length=30, target_length=20)


def test_from_text_equals_the_preprocessor(texts):
    pytest.importorskip("tensorflow_text")
    targets = texts[::-1]
    make = preprocessor(texts)
    batches = Batches.from_raw(make, texts, targets, TokensPerBatch(512))
    x, labels, weights = make(texts, targets)
    whole = {"encoder_token_ids": x["encoder_token_ids"]}
    whole["decoder_token_ids"] = x["decoder_token_ids"]
    expected = sorted(rows([(whole, labels, weights)]))
    assert sorted(rows(batches)) == expected
    batches.on_epoch_end()
    assert sorted(rows(batches)) == expected


def test_from_text_draws_segmentations_by_seed(texts):
    make = preprocessor(texts, sample_alpha=0.2)
    first, second = (
        Batches.from_raw(make, texts, texts, TokensPerBatch(512), seed=3) for _ in range(2)
    )
    fixed = Batches.from_raw(make, texts, texts, TokensPerBatch(512), sample=False)
    epochs = []
    for _ in range(2):
        epochs.append(sorted(rows(first)))
        assert epochs[-1] == sorted(rows(second)) != sorted(rows(fixed))
        first.on_epoch_end()
        second.on_epoch_end()
    assert epochs[0] != epochs[1]


def test_from_text_names_the_wrong_element(texts):
    make = preprocessor(texts)
    with pytest.raises(TypeError, match="`targets`.*Element 1 is None"):
        Batches.from_raw(make, ["a", "b"], ["a", None])
    with pytest.raises(
        ValueError, match="same length.*'encoder_token_ids': 2, 'decoder_token_ids': 1"
    ):
        Batches.from_raw(make, ["a", "b"], ["a"])
