"""The `sentencepiece` library and TensorFlow Text give the same ids and the same texts."""

import copy
import itertools
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.preprocessing import SentencePieceTokenizer
from keras_s2s.preprocessing.sentence_piece_host_ops import SentencePieceHostOps
from keras_s2s.preprocessing.sentence_piece_library import SentencePieceLibrary
from keras_s2s.preprocessing.sentence_piece_model import BYTE, read_pieces
from keras_s2s.preprocessing.sentence_piece_ops import SentencePieceResource
from keras_s2s.preprocessing.sentence_piece_unigram import UnigramSegmenter
from tests.preprocessing.sentences import make_sentences
from tests.preprocessing.strings import NASTY, random_strings

PRESETS = sorted(Path(__file__).parents[2].glob("zoo/*/assets/**/spm.model"))
#: Options of `train`, and how many random strings try them.
OPTIONS = {
    "unigram": ({}, 2000),
    "bpe": ({"model_type": "bpe", "vocabulary_size": 160}, 2000),
    "byte_fallback": ({"byte_fallback": True}, 500),
    "bpe_byte_fallback": ({"model_type": "bpe", "byte_fallback": True}, 500),
    "split_digits": ({"split_digits": True}, 100),
    "nfkc": ({"normalization": "nfkc"}, 100),
    "nmt_nfkc_cf": ({"normalization": "nmt_nfkc_cf"}, 100),
    "identity": ({"normalization": "identity"}, 500),
    "char": ({"model_type": "char"}, 100),
    "word": ({"model_type": "word", "vocabulary_size": 100}, 100),
    "symbols": ({"user_defined_symbols": ["<2de>", "▁▁", "é"], "control_symbols": ["<c>"]}, 500),
    "blanks": (
        {
            "remove_extra_whitespaces": False,
            "byte_fallback": True,
            "user_defined_symbols": ["▁▁", "▁▁▁"],
        },
        500,
    ),
    "no_first_blank": ({"add_dummy_prefix": False, "byte_fallback": True}, 100),
    "last_blank": ({"treat_whitespace_as_suffix": True, "remove_extra_whitespaces": False}, 100),
    "across_words": ({"split_by_whitespace": False, "split_by_unicode_script": False}, 100),
}


def trained(options):
    options = {"vocabulary_size": 420, **options}
    if options.get("model_type") != "bpe":
        options["hard_vocab_limit"] = False
    texts = make_sentences(300) + ["000 00 0 0000 aaa aa a bbb bb haha ha ... .. !! !!!"] * 3
    return SentencePieceTokenizer.train(texts, **options)


@pytest.fixture(
    scope="module",
    params=[*OPTIONS, *PRESETS],
    ids=[*OPTIONS, *(path.parents[2].name for path in PRESETS)],
)
def model(request):
    """A tokenizer and how many random strings are to try it."""
    if isinstance(request.param, Path):
        return SentencePieceTokenizer(request.param), 500
    options, count = OPTIONS[request.param]
    return trained(options), count


@pytest.mark.slow
def test_encode_equals_tokenize(model):
    tokenizer, count = model
    strings = NASTY + random_strings(count, seed=1) + make_sentences(50, seed=1)
    ids = [row.tolist() for row in tokenizer.encode(strings)]
    expected = []
    for start in range(0, len(strings), 500):
        part = [as_bytes(string) for string in strings[start : start + 500]]
        expected += tokenizer.tokenize(tf.constant(part)).to_list()
    different = [item for item in zip(strings, expected, ids, strict=True) if item[1] != item[2]]
    assert different == []


@pytest.mark.slow
def test_decode_equals_detokenize(model):
    tokenizer, count = model
    rows = random_ids(tokenizer, max(count, 300), seed=2)
    texts = tokenizer.decode(rows)
    expected = tokenizer.detokenize(tf.ragged.constant(rows, dtype=tf.int64)).numpy()
    items = zip(rows, [text.decode("utf-8") for text in expected], texts, strict=True)
    assert [item for item in items if item[1] != item[2]] == []


def as_bytes(string):
    return string if isinstance(string, bytes) else string.encode("utf-8", "surrogatepass")


def random_ids(tokenizer, count, seed):
    """Rows of any ids, of those of bytes and blanks, and of some that are none."""
    rng = np.random.default_rng(seed)
    size = tokenizer.vocabulary_size
    pieces, types, _ = read_pieces(tokenizer.proto)
    special = [id for id in range(size) if types[id] == BYTE or pieces[id][0] == "▁"]
    outside = [-1, -(2**31), -(2**40), size, size + 1, 2**31 - 1, 2**32 + 5, 2**62]
    pools = [np.arange(size), special, special[:3], outside + special, [0, 1, 2, 3, *special]]
    rows = [[], [3], [3, 5], [0, 0], [0, 5, 0, 6], [5, 3, 6, 3], [2, 5, 1, 6, 3, 0, 0], outside]
    for _ in range(count):
        row = rng.choice(pools[rng.integers(len(pools))], rng.integers(0, 13)).tolist()
        if rng.random() < 0.3:
            row.insert(int(rng.integers(len(row) + 1)), 3)
        rows.append(row)
    return rows


@pytest.mark.slow
def test_unigram_pieces_are_the_most_probable():
    rng = np.random.default_rng(3)
    words = ["".join(word) for size in (1, 2, 3) for word in itertools.product("ab", repeat=size)]
    for _ in range(30):
        pieces = ["<unk>", *sorted(rng.choice(words, 6, replace=False))]
        scores = [0.0, *np.float32(-rng.exponential(2.0, 6)).tolist()]
        segmenter = UnigramSegmenter(pieces, [2, *[1] * 6], scores)
        known = dict(zip(pieces[1:], scores[1:]))
        # A character that is no piece scores 10 less than the worst piece.
        score_of = {"a": min(scores) - 10, "b": min(scores) - 10} | known
        for text in map("".join, itertools.product("ab", repeat=7)):
            best = max(
                sum(score_of.get(part, -np.inf) for part in parts) for parts in segmentations(text)
            )
            path, score, _ = segmenter._search(text, list)
            spelled = [text[start:end] for start, end, _ in path]
            assert "".join(spelled) == text
            assert score == pytest.approx(best, abs=1e-5)
            assert sum(score_of[part] for part in spelled) == pytest.approx(best, abs=1e-5)


def segmentations(text):
    """All ways to cut a text into parts of at most three characters."""
    if not text:
        yield []
    for end in range(1, min(len(text), 3) + 1):
        for rest in segmentations(text[end:]):
            yield [text[:end], *rest]


def test_operations_without_tensorflow_text_give_the_same():
    tokenizer = trained({"byte_fallback": True})
    ops = SentencePieceHostOps(SentencePieceLibrary(tokenizer.proto))
    reference = SentencePieceResource(tokenizer.proto)
    strings = tf.constant(
        [as_bytes(string).decode("utf-8", "replace") for string in NASTY + make_sentences(20)]
    )
    for batch in (strings, strings[:1], strings[:0]):
        ids, expected = ops.tokenize(batch), reference.tokenize(batch)
        assert ids.values.dtype == ids.dtype == expected.dtype == tf.int32
        assert ids.row_splits.dtype == expected.row_splits.dtype
        assert ids.to_list() == expected.to_list()
        lengths = ids.row_lengths()
        texts = ops.detokenize(ids.values, lengths)
        assert texts.dtype == tf.string
        assert texts.numpy().tolist() == reference.detokenize(ids.values, lengths).numpy().tolist()
    every = tf.range(tokenizer.vocabulary_size)
    assert (ops.id_to_token(every) == reference.id_to_token(every)).numpy().all()


def test_shapes_without_tensorflow_text(tokenizer):
    ops = SentencePieceHostOps(SentencePieceLibrary(tokenizer.proto))
    reference = SentencePieceResource(tokenizer.proto)

    @tf.function
    def shapes(strings):
        for engine in (ops, reference):
            ids = engine.tokenize(strings)
            texts = engine.detokenize(ids.values, ids.row_lengths())
            shapes_of.append((ids.shape.as_list(), ids.values.shape.as_list(), texts.shape.rank))
        return ids

    shapes_of = []
    shapes.get_concrete_function(tf.TensorSpec([None], tf.string))
    assert shapes_of == [([None, None], [None], 1)] * 2


def test_large_ids_are_outside_the_vocabulary(tokenizer):
    rows = np.array([[5, 2**32 + 6, 7, 2**32 + 3, 8, -(2**32) + 9]])
    text = tokenizer.decode([[5, 7, 8]])
    assert tokenizer.decode(rows).tolist() == text
    assert tokenizer.detokenize(rows).numpy().tolist() == [text[0].encode()]


def test_decode_keeps_the_structure(tokenizer):
    one, two = tokenizer.encode(["ein Hund", "zwei"])
    texts = ["ein Hund", "zwei"]
    assert tokenizer.decode(one) == "ein Hund" == tokenizer.decode(one.tolist())
    assert tokenizer.decode(tuple(one)) == "ein Hund"
    for rows in ([one, two], (one, two), [one.tolist(), two.tolist()], tf.ragged.stack([one, two])):
        assert tokenizer.decode(rows) == texts
    assert tokenizer.decode([[one, two], [two]]) == [texts, ["zwei"]]
    beams = np.zeros((2, 3, len(one) + 2), "int64")
    beams[..., : len(one)] = one
    for array in (beams, tf.constant(beams)):
        out = tokenizer.decode(array)
        assert out.dtype == object and out.tolist() == [["ein Hund"] * 3] * 2
    assert tokenizer.decode([beams, beams[0]])[1].tolist() == ["ein Hund"] * 3


def test_decode_of_nothing(tokenizer):
    assert tokenizer.decode([]) == [] == tokenizer.decode(tokenizer.encode([]))
    assert tokenizer.decode([[], []]) == ["", ""]
    assert tokenizer.decode(np.zeros((0,), int)) == ""
    for shape in [(0, 5), (2, 0), (0, 0), (2, 0, 4)]:
        out = tokenizer.decode(np.zeros(shape, int))
        assert out.shape == shape[:-1] and set(out.ravel()) <= {""}


@pytest.mark.parametrize("ids", [[5.0, 6.0], [[5], [6.5]], np.ones((2, 3)), ["a"], [[None]]])
def test_decode_of_what_is_no_integer(tokenizer, ids):
    with pytest.raises(TypeError, match="`ids` must be integers"):
        tokenizer.decode(ids)


def test_decode_of_one_id(tokenizer):
    with pytest.raises(ValueError, match="must be .*tokens"):
        tokenizer.decode(5)


def test_decode_in_a_graph(tokenizer):
    with pytest.raises(TypeError, match="no value yet"):
        tf.function(tokenizer.decode)(tf.constant([[5, 6]]))


@pytest.mark.parametrize("seed", [0, [3, 1]])
def test_seeded_draws_are_those_of_a_new_processor(sampling_tokenizer, seed):
    """What runs of training drew before must be drawn again."""
    import sentencepiece

    texts = make_sentences(40, seed=5)
    expected = []

    def draw():
        processor = sentencepiece.SentencePieceProcessor(model_proto=sampling_tokenizer.proto)
        state = np.random.SeedSequence(seed).generate_state(1)[0]
        sentencepiece.set_random_generator_seed(int(state) >> 1)
        options = {"enable_sampling": True, "nbest_size": -1, "alpha": 0.2, "num_threads": 1}
        expected.extend(processor.encode(texts, **options))

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    for _ in range(2):
        drawn = sampling_tokenizer.encode(texts, sample=True, seed=seed)
        assert [row.tolist() for row in drawn] == expected


def test_the_model_is_parsed_once(tokenizer, monkeypatch):
    import sentencepiece

    parse = sentencepiece.SentencePieceProcessor
    parsed = []
    monkeypatch.setattr(
        sentencepiece,
        "SentencePieceProcessor",
        lambda **options: parsed.append(1) or parse(**options),
    )
    tokenizer = copy.deepcopy(tokenizer)
    expected = [row.tolist() for row in tokenizer.encode(["ein Hund", "zwei"])]
    outputs = []
    threads = [
        threading.Thread(
            target=lambda: outputs.extend(tokenizer.encode(["ein Hund", "zwei"]) for _ in range(20))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[row.tolist() for row in output] for output in outputs] == [expected] * 160
    assert tokenizer.decode(expected) == ["ein Hund", "zwei"]
    assert parsed == [1]
    # Neither copies nor pickles take along what was parsed.
    for other in (copy.copy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert [row.tolist() for row in other.encode(["ein Hund", "zwei"])] == expected
    assert parsed == [1, 1, 1]
