import copy
import gc
import json
import pickle
import re
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.preprocessing import SentencePieceTokenizer
from tests.preprocessing.sentences import make_sentences

UNUSUAL = [
    "",
    "   ",
    "ﬁne ﬂow ① Ａｎｇｓｔ",  # NFKC: ligatures, circled digit, full width
    "u\u0308ber",  # Decomposed umlaut
    "tab\tand\nline\u2028end\u00a0blank",
    "日本語 ☃ unseen",
    "<s> </s> <pad> <unk>",
]


def test_tokenize_equals_reference(tokenizer, reference, sentences):
    texts = make_sentences(200, seed=1) + UNUSUAL
    assert tokenizer.tokenize(texts).to_list() == reference.encode(texts)


def test_detokenize_equals_reference(tokenizer, reference):
    texts = make_sentences(200, seed=1)
    ids = reference.encode(texts)
    out = tokenizer.detokenize(tf.ragged.constant(ids, dtype=tf.int32))
    assert [text.decode() for text in out.numpy()] == reference.decode(ids)


def test_round_trip_is_exact_on_clean_text(tokenizer):
    texts = make_sentences(200, seed=2)
    out = tokenizer.detokenize(tokenizer.tokenize(texts))
    assert [text.decode() for text in out.numpy()] == texts


def test_special_ids_and_vocabulary(tokenizer, reference):
    assert tokenizer.get_vocabulary()[:4] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert tokenizer.vocabulary_size == reference.vocab_size() == 120
    pieces = [reference.id_to_piece(index) for index in range(120)]
    assert tokenizer.get_vocabulary() == pieces
    assert [tokenizer.id_to_token(index) for index in range(120)] == pieces
    assert [tokenizer.token_to_id(piece) for piece in pieces] == list(range(120))
    assert tokenizer.token_to_id("never a piece") == tokenizer.unknown_token_id
    ids = tf.constant([[4, 9], [0, 119]])
    tokens = tokenizer.ids_to_tokens(ids).numpy()
    assert [[t.decode() for t in row] for row in tokens] == [
        [pieces[4], pieces[9]],
        [pieces[0], pieces[119]],
    ]


@pytest.mark.parametrize("id", [-1, 120])
def test_id_outside_vocabulary(tokenizer, id):
    with pytest.raises(ValueError, match="from 0 to 119"):
        tokenizer.id_to_token(id)


@pytest.mark.slow
def test_same_ids_eager_function_and_dataset(tokenizer):
    texts = make_sentences(50, seed=3) + UNUSUAL
    eager = tokenizer.tokenize(texts).to_list()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def in_graph(strings):
        return tokenizer.tokenize(strings)

    assert in_graph(tf.constant(texts)).to_list() == eager
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(7).map(tokenizer.tokenize)
    assert [row for batch in dataset for row in batch.to_list()] == eager
    dataset = tf.data.Dataset.from_tensor_slices(texts).map(tokenizer.tokenize)
    assert [row.numpy().tolist() for row in dataset] == eager


@pytest.mark.slow
@pytest.mark.parametrize("first", ["eager", "function", "dataset"])
def test_first_use_anywhere_serves_everywhere(tokenizer, first):
    tokenizer = copy.deepcopy(tokenizer)
    uses = {
        "eager": lambda: tokenizer.tokenize(["ein Hund"]),
        "function": lambda: tf.function(tokenizer.tokenize)(tf.constant(["ein Hund"])),
        "dataset": lambda: next(
            iter(tf.data.Dataset.from_tensors(["ein Hund"]).map(tokenizer.tokenize))
        ),
    }
    expected = uses.pop(first)().to_list()
    for use in uses.values():
        assert use().to_list() == expected


@pytest.mark.slow
def test_survives_set_random_seed(tokenizer):
    """Which clears TensorFlow's cache of kernels, and with it resources that have no name."""
    in_graph = tf.function(tokenizer.tokenize)
    dataset = tf.data.Dataset.from_tensors(["ein Hund"]).map(tokenizer.tokenize)
    expected = tokenizer.tokenize(["ein Hund"]).to_list()
    for _ in range(2):
        assert in_graph(tf.constant(["ein Hund"])).to_list() == expected
        assert next(iter(dataset)).to_list() == expected
        assert tokenizer.tokenize(["ein Hund"]).to_list() == expected
        keras.utils.set_random_seed(3)
        gc.collect()


def test_scalar_input(tokenizer):
    ids = tokenizer.tokenize("ein Hund")
    assert ids.shape.rank == 1 and ids.dtype == tf.int32
    assert tokenizer.detokenize(ids).numpy() == b"ein Hund"


def test_detokenize_drops_special_ids_and_stops_at_end(tokenizer):
    hund, text = tokenizer.tokenize(["Hund", "ein"]).to_list()
    rows = [[2, *hund, 0, 1, 3, *text, 3], [3, *hund], [*hund, 500, -7], [], [0, 0, *text]]
    width = max(map(len, rows))
    dense = np.array([row + [0] * (width - len(row)) for row in rows])
    expected = [b"Hund", b"", b"Hund", b"", b"ein"]
    assert tokenizer.detokenize(dense).numpy().tolist() == expected
    ragged = tf.ragged.constant(rows, dtype=tf.int32)
    assert tokenizer.detokenize(ragged).numpy().tolist() == expected


@pytest.mark.parametrize(
    "options",
    [{}, {"byte_fallback": True, "user_defined_symbols": ["<x>"], "control_symbols": ["<y>"]}],
)
def test_spellings_are_what_pieces_add_to_a_text(tokenizer, sentences, options):
    if options:
        tokenizer = SentencePieceTokenizer.train(sentences, vocabulary_size=400, **options)
    spellings = tokenizer.get_spellings()
    anchor = tokenizer.token_to_id("n")
    ids = np.random.default_rng(1).integers(0, tokenizer.vocabulary_size, (200, 9))
    ids = np.where(ids == tokenizer.end_token_id, tokenizer.unknown_token_id, ids)
    ids[:, 0] = anchor
    texts = tokenizer.detokenize(ids).numpy()
    for row, text in zip(ids, texts, strict=True):
        spelled = b"".join(spellings[i] for i in row).decode("utf-8", "surrogateescape")
        # One sign for each byte that is no part of a character.
        assert re.sub("[\udc80-\udcff]", "\ufffd", spelled) == text.decode()


def test_detokenize_keeps_outer_axes(tokenizer):
    ids = tokenizer.tokenize(["Hund"]).to_tensor()
    out = tokenizer.detokenize(tf.tile(ids[None], [3, 2, 1]))
    assert out.numpy().tolist() == [[b"Hund"] * 2] * 3
    for shape in [(0, 5), (2, 0), (0, 0), (2, 0, 4)]:
        out = tokenizer.detokenize(np.zeros(shape, "int32"))
        assert out.shape == shape[:-1] and set(out.numpy().ravel()) <= {b""}


def test_zero_batch_and_empty_string(tokenizer):
    assert tokenizer.tokenize([]).shape[0] == 0
    assert tokenizer.tokenize([""]).to_list() == [[]]
    assert tokenizer.tokenize("").shape == (0,)
    assert tokenizer.encode([]) == []


@pytest.mark.parametrize(
    "broken", [b"Hund \xff Hund", b"Hund \xe4\xbd", b"\xed\xa0\x80Hund", b"\xc3("]
)
def test_invalid_utf8_is_repaired(tokenizer, reference, broken):
    expected = reference.encode(broken.decode("utf-8", "replace"))
    assert tokenizer.tokenize([broken]).to_list() == [expected]
    assert tokenizer.encode([broken])[0].tolist() == expected


def test_unpaired_surrogate_is_repaired(tokenizer):
    assert (
        tokenizer.tokenize(["Hund \ud800"]).to_list()
        == tokenizer.tokenize(["Hund \ufffd"]).to_list()
    )


def test_encode_on_host_equals_graph(tokenizer):
    texts = make_sentences(50, seed=4) + UNUSUAL
    assert [row.tolist() for row in tokenizer.encode(texts)] == tokenizer.tokenize(texts).to_list()


@pytest.mark.parametrize(
    "text, normal",
    [("ﬁne ① Ａ", "fine 1 A"), ("u\u0308ber", "über"), ("a\u00a0b\u3000 c", "a b c")],
)
def test_unicode_is_normalised(text, normal):
    """NFKC: compatibility characters, composed letters, one kind of space."""
    train = SentencePieceTokenizer.train
    tokenizer = train(["fine 1 A über a b c"] * 3, vocabulary_size=17)
    ids = tokenizer.tokenize([text, normal]).to_list()
    assert ids[0] == ids[1] and tokenizer.unknown_token_id not in ids[0]


@pytest.mark.parametrize(
    "rule, normal",
    [
        ("nmt_nfkc", "Fi 1 m2 می خواهم"),
        ("nfkc", "Fi 1 m2 می\u200cخواهم"),
        ("nmt_nfkc_cf", "fi 1 m2 می خواهم"),
        ("nfkc_cf", "fi 1 m2 می\u200cخواهم"),
        ("identity", "Fi ① m² می\u200cخواهم"),
    ],
)
def test_normalization_is_a_choice(rule, normal):
    text = "Fi  ① m² می\u200cخواهم"
    tokenizer = SentencePieceTokenizer.train(
        [text, "Fi fi"], 60, normalization=rule, hard_vocab_limit=False
    )
    assert tokenizer.normalization == rule and tokenizer.normalize([text]) == [normal]
    assert tokenizer.detokenize(tokenizer.tokenize([text])).numpy()[0].decode() == normal


def test_unknown_normalization():
    with pytest.raises(ValueError, match="`normalization` must be one of 'nmt_nfkc', .*'nfc'"):
        SentencePieceTokenizer.train(["a"], 10, normalization="nfc")


def test_split_digits():
    texts = ["Zimmer 2021", "am 2021 um 2021", "2021 2021"] * 5
    whole, split = (
        SentencePieceTokenizer.train(texts, 24, split_digits=flag, hard_vocab_limit=False)
        for flag in (False, True)
    )
    assert any(len(piece.strip("▁")) > 1 for piece in whole.get_vocabulary() if "2" in piece)
    assert [piece for piece in split.get_vocabulary() if "2" in piece] == ["2"]
    # A number that is nowhere in the text.
    ids = split.tokenize("1202").numpy()
    assert [split.id_to_token(i) for i in ids][-4:] == ["1", "2", "0", "2"]


def test_sampling_varies_but_spells_the_same(sampling_tokenizer):
    texts = make_sentences(40, seed=5)
    best = sampling_tokenizer.tokenize(texts).to_list()
    drawn = sampling_tokenizer.tokenize(texts, sample=True)
    assert drawn.to_list() != best
    assert drawn.to_list() != sampling_tokenizer.tokenize(texts, sample=True).to_list()
    assert [t.decode() for t in sampling_tokenizer.detokenize(drawn).numpy()] == texts
    assert sampling_tokenizer.tokenize(texts).to_list() == best


def test_seeded_sampling_is_repeatable(sampling_tokenizer):
    texts = make_sentences(40, seed=5)

    def draw(seed):
        return [row.tolist() for row in sampling_tokenizer.encode(texts, sample=True, seed=seed)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw(None) != draw(None)


def test_sampling_without_alpha_is_an_error(tokenizer):
    for call in (tokenizer.tokenize, tokenizer.encode):
        with pytest.raises(ValueError, match="sample_alpha"):
            call(["Hund"], sample=True)


def test_training_is_deterministic(sentences, tokenizer):
    again = SentencePieceTokenizer.train(iter(sentences), vocabulary_size=120)
    assert again.proto == tokenizer.proto


@pytest.mark.parametrize("size, advice", [(100_000, r"vocabulary_size` <= \d+"), (5, r">= \d+")])
def test_unreachable_vocabulary_size_names_the_fix(sentences, size, advice):
    with pytest.raises(ValueError, match=advice) as error:
        SentencePieceTokenizer.train(sentences, vocabulary_size=size)
    bound = int("".join(filter(str.isdigit, str(error.value).split("vocabulary_size`")[1][:8])))
    reached = SentencePieceTokenizer.train(sentences, vocabulary_size=bound)
    assert reached.vocabulary_size == bound


@pytest.mark.parametrize("nothing", [[], ["", "  "]])
def test_training_on_nothing(nothing):
    with pytest.raises(ValueError, match="no text"):
        SentencePieceTokenizer.train(nothing, vocabulary_size=20)


def test_training_on_wrong_types():
    with pytest.raises(TypeError, match="Element 1 is None"):
        SentencePieceTokenizer.train(["a", None], vocabulary_size=20)
    with pytest.raises(TypeError, match="not one string"):
        SentencePieceTokenizer.train("a text", vocabulary_size=20)


def test_training_with_bpe_and_options(sentences):
    tokenizer = SentencePieceTokenizer.train(
        sentences, 80, model_type="bpe", user_defined_symbols=["<2de>"]
    )
    assert tokenizer.token_to_id("<2de>") == 4
    assert tokenizer.detokenize(tokenizer.tokenize(sentences)).numpy()[0].decode() == sentences[0]


@pytest.mark.parametrize("keep", [0, 1, 10, 0.3, 0.9, -1])
def test_truncated_model(tokenizer, tmp_path, keep):
    proto = tokenizer.proto
    cut = proto[: int(keep * len(proto))] if isinstance(keep, float) else proto[:keep]
    with pytest.raises(ValueError, match="SentencePiece model"):
        SentencePieceTokenizer(cut)
    path = tmp_path / "spm.model"
    path.write_bytes(cut)
    with pytest.raises(ValueError, match="spm.model"):
        SentencePieceTokenizer(path)


@pytest.mark.parametrize("wrong", [b"just some text\n" * 50, b"PK\x03\x04" + bytes(200), bytes(99)])
def test_wrong_file(wrong):
    with pytest.raises(ValueError, match="SentencePiece model"):
        SentencePieceTokenizer(wrong)


def test_wrong_arguments(tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.model"):
        SentencePieceTokenizer(tmp_path / "missing.model")
    with pytest.raises(TypeError, match="Received int"):
        SentencePieceTokenizer(3)
    with pytest.raises(ValueError, match="sample_alpha"):
        SentencePieceTokenizer(tokenizer.proto, sample_alpha=-1)


def test_other_special_ids_are_refused(sentences):
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=100, minloglevel=2
    )
    with pytest.raises(ValueError, match="--pad_id=0"):
        SentencePieceTokenizer(model.getvalue())


def test_saving(sampling_tokenizer, tmp_path):
    tokenizer = sampling_tokenizer
    tokenizer.tokenize(["now it has TensorFlow resources"])
    tokenizer.save(tmp_path / "spm.model")
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    for other in (
        SentencePieceTokenizer(tmp_path / "spm.model", sample_alpha=0.2),
        keras.saving.deserialize_keras_object(serialized),
        SentencePieceTokenizer.from_config(tokenizer.get_config()),
        copy.deepcopy(tokenizer),
        pickle.loads(pickle.dumps(tokenizer)),
    ):
        assert other.proto == tokenizer.proto
        assert other.sample_alpha == 0.2
        assert other.tokenize(["ein Hund"]).to_list() == tokenizer.tokenize(["ein Hund"]).to_list()


def test_threads_share_one_resource(tokenizer):
    tokenizer = copy.deepcopy(tokenizer)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(tokenizer.resources[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(map(id, found))) == 1


@pytest.mark.thorough
@pytest.mark.slow
def test_saved_model_in_a_process_without_keras_s2s(tokenizer, tmp_path):
    texts = ["ein Hund läuft", "", "<2de>"]

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def encode(self, text):
            return tokenizer.tokenize(text).to_tensor()

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
        def decode(self, ids):
            return tokenizer.detokenize(ids)

    module = Module()
    module.resources = tokenizer.resources
    tf.saved_model.save(module, str(tmp_path / "model"))
    code = (
        "import sys, json, tensorflow as tf, tensorflow_text\n"
        "module = tf.saved_model.load(sys.argv[1])\n"
        "tf.random.set_seed(1)\n"  # Clears the cache of kernels.
        "ids = module.encode(tf.constant(json.loads(sys.argv[2])))\n"
        "text = [t.decode() for t in module.decode(ids).numpy()]\n"
        "assert 'keras_s2s' not in sys.modules\n"
        "print('RESULT' + json.dumps([ids.numpy().tolist(), text]))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), json.dumps(texts)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "RESULT" in out.stdout, out.stderr[-2000:]
    ids, text = json.loads(out.stdout.split("RESULT")[1])
    expected = tokenizer.tokenize(texts)
    assert ids == expected.to_tensor().numpy().tolist()
    assert text == [t.decode() for t in tokenizer.detokenize(expected).numpy()]


@pytest.fixture(scope="module")
def tagged(tokenizer):
    return SentencePieceTokenizer(tokenizer.proto, prefix="der Baum")


def test_prefix_comes_before_the_pieces_of_each_text(tagged, tokenizer, reference):
    texts = ["ein Hund", "", "zwei Männer am Fluß", "  "]
    rows = [reference.encode(f"der Baum {text}") if text.strip() else [] for text in texts]
    assert tagged.prefix_ids == tuple(reference.encode("der Baum"))
    assert [row.tolist() for row in tagged.encode(texts)] == rows
    assert tagged.tokenize(texts).to_list() == rows
    assert tagged.tokenize("ein Hund").numpy().tolist() == rows[0]
    assert tagged.encode([]) == [] and tagged.tokenize(tf.constant([], tf.string)).to_list() == []
    assert tagged.tokenize("").shape == (0,) and tagged.tokenize(["", ""]).to_list() == [[], []]
    in_data = tf.data.Dataset.from_tensors(texts).map(tagged.tokenize)
    assert next(iter(in_data)).to_list() == rows
    assert tagged.decode(rows[0]) == "der Baum ein Hund"
    # The tokenizer of outputs has none.
    assert tagged.plain.encode(texts)[0].tolist() == tokenizer.encode(texts)[0].tolist()
    assert tokenizer.plain is tokenizer


def test_prefix_before_drawn_pieces(tokenizer, reference):
    tagged = SentencePieceTokenizer(tokenizer.proto, sample_alpha=0.1, prefix="der Baum")
    start = reference.encode("der Baum")
    texts = ["zwei Männer am Fluß und Kinder am Baum " * 5] * 50
    drawn = tagged.encode(texts, sample=True, seed=1)
    for rows in (tagged.tokenize(texts, sample=True).to_list(), drawn):
        rows = [list(row) for row in rows]
        assert all(row[: len(start)] == start for row in rows)
        assert len({tuple(row) for row in rows}) > 5


def test_prefix_is_kept(tagged, tmp_path):
    texts = ["ein Hund"]
    expected = tagged.encode(texts)[0].tolist()
    tagged.save(tmp_path / tagged.file_name)
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(tagged)))
    for again in (
        copy.deepcopy(tagged),
        pickle.loads(pickle.dumps(tagged)),
        keras.saving.deserialize_keras_object(serialized),
        SentencePieceTokenizer.from_file(tmp_path / tagged.file_name, tagged.config_beside_file()),
    ):
        assert again.prefix == "der Baum"
        assert again.encode(texts)[0].tolist() == expected


def test_a_subclass_without_prefix_is_copied(tokenizer):
    class Lower(SentencePieceTokenizer):
        def __init__(self, proto, sample_alpha=None):
            super().__init__(proto, sample_alpha)

    assert copy.deepcopy(Lower(tokenizer.proto, 0.5)).sample_alpha == 0.5


def test_prefix_that_cannot_be(tokenizer):
    with pytest.raises(ValueError, match="cannot spell `prefix`: '語' has the ids"):
        SentencePieceTokenizer(tokenizer.proto, prefix="語")
    with pytest.raises(ValueError, match="cannot spell `prefix`: '' has the ids"):
        SentencePieceTokenizer(tokenizer.proto, prefix="")
    with pytest.raises(TypeError, match="`prefix` must be a string or None. Received: 3"):
        SentencePieceTokenizer(tokenizer.proto, prefix=3)
