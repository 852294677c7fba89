"""Words as tokens: text to the ids of whole words and back."""

import collections

import keras

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import word_splitting
from keras_s2s.preprocessing.text import as_list
from keras_s2s.preprocessing.tokenizer import Tokenizer, repaired

_SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


@keras.saving.register_keras_serializable("keras_s2s")
class WordTokenizer(Tokenizer):
    """Text to the ids of whole words and back, with a closed vocabulary.

    Words are separated by white space and punctuation. A punctuation mark is a token of its own,
    which also marks the sides on which it touched a word: `"(state-of-the-art)"` is `"(￭ state ￭-￭
    of ￭-￭ the ￭-￭ art ￭)"`. So texts come back as they were, but for white space, which becomes
    single spaces. Case and accents stay. Languages that write no spaces between words, such as
    Japanese, need a `SentencePieceTokenizer`.

    An out-of-vocabulary word has the unknown id, and decoding leaves it out, unless a model copies
    it from its source, see `copy_slots` of `keras_s2s.preprocessing.TextPairPreprocessor`.

    Args:
        words: List of `str`, the vocabulary without the four special tokens, in the order of their
            ids, which begin at 4.

    Raises:
        TypeError: If a word is not a string.
        ValueError: If words are repeated, or one is empty or has white space in it.

    Example:
    ```python
    from keras_s2s.preprocessing import WordTokenizer

    tokenizer = WordTokenizer.train(["ein Hund (klein)", "ein Hund, zwei"], vocabulary_size=11)
    [ids] = tokenizer.encode(["ein Hund, zwei"])
    assert [tokenizer.id_to_token(int(i)) for i in ids][:2] == ["ein", "Hund"]
    assert tokenizer.decode(ids) == "ein Hund, zwei"
    ```
    """

    file_name = "words.txt"

    def __init__(self, words):
        words = list(words)
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"`words` must hold strings. Received {word!r}.")
            if not word or word.split() != [word]:
                raise ValueError(f"`words` must hold single words. Received {word!r}.")
        if len({*_SPECIAL, *words}) < len(_SPECIAL) + len(words):
            twice = collections.Counter([*_SPECIAL, *words]).most_common(1)[0][0]
            raise ValueError(f"Each word must be in `words` once. {twice!r} is there twice.")
        super().__init__([*_SPECIAL, *words])

    @classmethod
    def train(cls, sentences, vocabulary_size):
        """Makes the vocabulary of the most frequent words of a text.

        Args:
            sentences: Iterable of `str` or `bytes`.
            vocabulary_size: Number of tokens, the four special ones included; fewer if the text has
                fewer words.

        Returns:
            A `WordTokenizer`.
        """
        check_int("vocabulary_size", vocabulary_size, len(_SPECIAL) + 1)
        strings, is_scalar = as_list(sentences, "sentences")
        if is_scalar:
            raise TypeError("`sentences` must be a list of sentences, not one string.")
        counts = collections.Counter()
        for string in strings:
            counts.update(word_splitting.split(repaired(string)))
        if not counts:
            raise ValueError("`sentences` holds no text to train a tokenizer on.")
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ranked[: vocabulary_size - len(_SPECIAL)])

    def normalize(self, sentences):
        """Returns the text of which the tokenizer makes words: white space is single blanks.

        Args:
            sentences: Iterable of strings.

        Returns:
            List of `str`.
        """
        return [word_splitting.join(words) for words in self.split(sentences)]

    def split(self, sentences):
        """Returns the words and signs of texts, also those that the vocabulary lacks.

        Args:
            sentences: Iterable of strings.

        Returns:
            List of lists of `str`.
        """
        strings, _ = as_list(sentences, "sentences")
        return [word_splitting.split(repaired(string)) for string in strings]

    def split_in_graph(self, strings):
        """`split` of a `tf.string` tensor `(batch,)`: a ragged tensor `(batch, None)`."""
        tf = import_tensorflow()
        strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
        return word_splitting.split_in_graph(strings)

    def words_to_ids(self, words):
        """Ids of a `tf.string` tensor of words, dense or ragged, as a tensor of the same shape."""
        return self._ops().ids(words)

    def get_spellings(self):
        # Every token spells a blank, too: where a sign stands is a part of its token. So two rows
        # whose signs stand otherwise count as two texts, even if they are joined alike.
        return [b""] * len(_SPECIAL) + [f"{word} ".encode() for word in self._pieces[4:]]

    @property
    def resources(self):
        return self._ops().tables

    def save(self, path):
        """Writes the words to `path`, one in each line, UTF-8."""
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word}\n" for word in self._pieces[len(_SPECIAL) :])

    @classmethod
    def from_file(cls, path, config):
        with open(path, encoding="utf-8", newline="\n") as file:
            return cls(file.read().split("\n")[:-1], **config)

    def config_beside_file(self):
        return {}

    def get_config(self):
        return {"words": self._pieces[len(_SPECIAL) :]}

    def __reduce__(self):
        # Copies and pickles do not hold TensorFlow's tables, but make their own.
        return type(self), (self._pieces[len(_SPECIAL) :],)

    def _rows(self, texts):
        find, unknown = self._ids.get, self.unknown_token_id
        return [[find(word, unknown) for word in word_splitting.split(text)] for text in texts]

    def _joined(self, rows):
        return [word_splitting.join([self._pieces[id] for id in row]) for row in rows]

    def _make_ops(self):
        return _WordOps(self._pieces)


class _WordOps:
    """The tokenizer's TensorFlow ops, with the methods of `SentencePieceResource`."""

    def __init__(self, pieces):
        tf = import_tensorflow()
        self._pieces = pieces
        # Outside of any graph being traced, so that all graphs can use them.
        with tf.init_scope():
            ids, words = tf.range(len(pieces), dtype=tf.int64), tf.constant(pieces)
            initializer = tf.lookup.KeyValueTensorInitializer(words, ids)
            self._id_of = tf.lookup.StaticHashTable(initializer, Tokenizer.unknown_token_id)
            initializer = tf.lookup.KeyValueTensorInitializer(ids, words)
            self._word_of = tf.lookup.StaticHashTable(initializer, "")
        self.tables = [self._id_of, self._word_of]

    def tokenize(self, strings, alpha=None):
        return self.ids(word_splitting.split_in_graph(strings))

    def ids(self, words):
        tf = import_tensorflow()
        return tf.cast(self._id_of.lookup(words), tf.int32)

    def detokenize(self, ids, lengths):
        tf = import_tensorflow()
        rows = tf.RaggedTensor.from_row_lengths(self.id_to_token(ids), lengths)
        return word_splitting.join_in_graph(rows.to_tensor(""))

    def id_to_token(self, ids):
        tf = import_tensorflow()
        return self._word_of.lookup(tf.cast(ids, tf.int64))
