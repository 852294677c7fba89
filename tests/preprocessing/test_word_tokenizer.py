"""Words and signs: texts come back, and Python, RE2 and pickled copies do the same."""

import copy
import pickle
import random

import numpy as np
import pytest

from keras_s2s.preprocessing import TextColumn, WordTokenizer, own_words, word_splitting

tf = pytest.importorskip("tensorflow")

# Blanks of every kind, signs, letters of several scripts, and what is none of these.
ALPHABET = [
    *"ab cé中😀₂\x00-.,()'\"$¿…～",
    " ",
    "  ",
    ". (",
    "\t",
    "\n",
    "\xa0",
    "\u2028",
    "\u3000",
]


def texts(count, seed=0):
    draw = random.Random(seed)
    return ["".join(draw.choices(ALPHABET, k=draw.randint(0, 14))) for _ in range(count)]


@pytest.mark.parametrize(
    "text, tokens",
    {
        "Self-attention, twice (or 3.5 %).": "Self ￭-￭ attention ￭, twice (￭ or 3 ￭.￭ 5 % ￭) ￭.",
        "don't": "don ￭'￭ t",
        "C++ / C#": "C ￭+ ￭+ / C ￭#",
        "a — b": "a — b",
        "“Größe”": "“￭ Größe ￭”",
        "...": ". ￭. ￭.",
        " \n ": "",
        "naïve café\u3000x": "naïve café x",
    }.items(),
)
def test_words_and_signs(text, tokens):
    assert " ".join(word_splitting.split(text)) == tokens


def test_texts_come_back():
    """But for white space, which becomes single blanks."""
    for text in [*texts(2000), "Wörter: 1,5-mal (ja!) – a/b; x_y @z"]:
        words = word_splitting.split(text)
        assert word_splitting.join(words) == " ".join(text.split())
        assert all(word and " " not in word for word in words)


@pytest.mark.slow
def test_graphs_split_and_join_alike():
    many = texts(600, seed=1)
    words = [word_splitting.split(text) for text in many]
    found = word_splitting.split_in_graph(tf.constant(many))
    assert [[word.decode() for word in row] for row in found.to_list()] == words
    joined = word_splitting.join_in_graph(found.to_tensor("")).numpy()
    assert [text.decode() for text in joined] == [word_splitting.join(row) for row in words]


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer.train(["the dog, the cat", "the dog (a dog) naïve"], 30)


def test_vocabulary_is_by_frequency(tokenizer):
    assert tokenizer.get_vocabulary()[:6] == ["<pad>", "<unk>", "<s>", "</s>", "dog", "the"]
    assert WordTokenizer.train(["b a b c"], 6).get_vocabulary()[4:] == ["b", "a"]


def test_ids_in_every_form(tokenizer):
    sentences = ["the dog, the naïve cat (a cow)", "", b"the \xff dog"]
    rows = [row.tolist() for row in tokenizer.encode(sentences)]
    assert tokenizer.tokenize(sentences).to_list() == rows
    known = ["the dog, the naïve cat (a)", "", "the dog"]
    assert tokenizer.decode(rows) == known
    ids = np.zeros((3, 14), "int32")
    for row, values in zip(ids, rows):
        row[: len(values) + 1] = [*values, tokenizer.end_token_id]
    ids[0, -1] = 5
    assert tokenizer.decode(ids).tolist() == known
    assert [text.decode() for text in tokenizer.detokenize(ids).numpy()] == known


def test_copies_and_files(tokenizer, tmp_path):
    tokenizer.tokenize(["the dog"])
    tokenizer.save(tmp_path / "words.txt")
    others = [
        copy.deepcopy(tokenizer),
        pickle.loads(pickle.dumps(tokenizer)),
        WordTokenizer.from_config(tokenizer.get_config()),
        WordTokenizer.from_file(tmp_path / "words.txt", tokenizer.config_beside_file()),
    ]
    for other in others:
        assert other.get_vocabulary() == tokenizer.get_vocabulary()
        assert other.tokenize(["a dog"]).to_list() == tokenizer.tokenize(["a dog"]).to_list()


@pytest.mark.parametrize(
    "words, error, message",
    [
        (["a", 3], TypeError, "must hold strings. Received 3"),
        (["a", ""], ValueError, "must hold single words. Received ''"),
        (["a b"], ValueError, "must hold single words. Received 'a b'"),
        (["a", "b", "a"], ValueError, "'a' is there twice"),
        (["<unk>"], ValueError, "'<unk>' is there twice"),
    ],
)
def test_bad_vocabularies(words, error, message):
    with pytest.raises(error, match=message):
        WordTokenizer(words)


def test_bad_training_texts():
    with pytest.raises(TypeError, match="not one string"):
        WordTokenizer.train("a text", 9)
    with pytest.raises(ValueError, match="no text"):
        WordTokenizer.train(["", " "], 9)
    with pytest.raises(ValueError, match="`vocabulary_size`"):
        WordTokenizer.train(["a"], 4)
    tokenizer = WordTokenizer.train(["a b"], 6)
    for use in (tokenizer.tokenize, tokenizer.encode):
        with pytest.raises(ValueError, match="`sample=True` needs a tokenizer with `sample_alpha`"):
            use(["a"], sample=True)


def test_own_words_of_a_text(tokenizer):
    """Each once, in the order of the text, as many as there are slots, none that would be cut."""
    given = np.array([b"the Zorb, Q9 and Zorb", b"dog", "Né the K-9 é".encode()], object)
    for length, expected in (
        (None, [["Zorb", "Q9"], ["", ""], ["Né", "K"]]),
        (3, [["Zorb", ""], ["", ""], ["Né", ""]]),
    ):
        words = own_words.find(given, tokenizer, length, 2)
        assert [[word.decode() for word in row] for row in words] == expected
        found = own_words.find(tf.constant(given.tolist()), tokenizer, length, 2)
        np.testing.assert_array_equal(found.numpy(), words)


@pytest.mark.slow
def test_ids_of_own_words_in_every_form(tokenizer):
    size = tokenizer.vocabulary_size
    sources = np.array([b"the Zorb, Q9 and Zorb", b"dog"], object)
    words = own_words.find(sources, tokenizer, None, 2)
    texts = [b"Zorb dog Q9 and", b"Zorb"]
    rows = [row.tolist() for row in own_words.encode(texts, tokenizer, words)]
    assert rows == [[size, 4, size + 1, 1], [1]]
    in_graph = tf.function(lambda t, w: own_words.tokenize(t, tokenizer, w))
    words_in_graph = tf.constant(words.tolist())
    assert in_graph(tf.constant(texts), words_in_graph).to_list() == rows
    ids = np.array([[[size, 4, size + 1, 3, 4], [5, 1, size + 7, 4, 3]], [[size, 4, 3, 0, 0]] * 2])
    expected = [["Zorb dog Q9", "the dog"], ["dog", "dog"]]
    assert own_words.decode(ids, tokenizer, words).tolist() == expected
    decode = tf.function(lambda i, w: own_words.decode(i, tokenizer, w))
    texts = decode(tf.constant(ids), words_in_graph).numpy()
    assert [[text.decode() for text in row] for row in texts] == expected


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 3])
def test_batches_of_any_size(tokenizer, count):
    column = TextColumn(tokenizer, length=5, copy_slots=2)
    given = np.array([b"the Zorb and the dog, Q9"] * count, object)
    ids, words = column.encode(given), column.own_words(given)
    assert words.shape == (count, 2)
    tensors = tf.constant(given.tolist(), tf.string, shape=(count,))
    np.testing.assert_array_equal(column.encode(tensors).numpy(), ids)
    np.testing.assert_array_equal(column.own_words(tensors).numpy(), words)
    one = column.encode(column.as_batch("the Zorb"))
    assert one.tolist() == [5, tokenizer.vocabulary_size, 3]
