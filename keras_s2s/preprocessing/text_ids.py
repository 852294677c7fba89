"""Texts to rows of token ids: cut, ended, padded. In plain Python, and in TensorFlow's graphs."""

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import own_words
from keras_s2s.preprocessing.as_column import is_tensor
from keras_s2s.preprocessing.text import as_list


def to_ids(strings, tokenizer, length, sample=False, words=None):
    """Ids of strings, padded on the right with 0 to the longest; none is empty.

    Args:
        strings: NumPy array of `bytes`, or `tf.string` tensor; of any rank.
        tokenizer: Such as `SentencePieceTokenizer`.
        length: Largest number of ids, the end id included. Longer texts are cut.
        sample: Whether to draw the segmentation where the tokenizer can. A draw that the length
            would cut is replaced by the plain segmentation.
        words: Words that have ids although the vocabulary lacks them, `(strings, slots)`, see
            `own_words.find`, or None.

    Returns:
        int32 `(*strings.shape, tokens)`: for an array an array, for a tensor a tensor.
    """
    sample = sample and tokenizer.sample_alpha is not None
    if is_tensor(strings):
        return _in_graph(strings, tokenizer, length, sample, words)
    flat = strings.reshape(-1).tolist()
    if words is None:
        rows = tokenizer.encode(flat, sample=sample)
    else:
        rows = own_words.encode(flat, tokenizer, words)
    if sample:
        long = [i for i, row in enumerate(rows) if len(row) >= length]
        for i, row in zip(long, tokenizer.encode([flat[i] for i in long])):
            rows[i] = row
    rows = [row[: length - 1] for row in rows]
    ids = np.full((len(rows), max(map(len, rows), default=0) + 1), tokenizer.pad_token_id, "int32")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        ids[i, len(row)] = tokenizer.end_token_id
    return ids.reshape(*strings.shape, ids.shape[1])


def count_ids(strings, tokenizer):
    """Number of ids of each string, the end id included, before any is cut.

    Args:
        strings: Strings in any form, or an array or tensor of some, of any rank.
        tokenizer: Such as `SentencePieceTokenizer`.

    Returns:
        Integer array of their shape.
    """
    if is_tensor(strings):
        strings = strings.numpy()
    strings = np.asarray(strings, object) if isinstance(strings, bytes) else strings
    if not isinstance(strings, np.ndarray):
        strings, is_scalar = as_list(strings)
        strings = np.array(strings, object).reshape(() if is_scalar else -1)
    counts = [len(row) + 1 for row in tokenizer.encode(strings.reshape(-1).tolist())]
    return np.array(counts, int).reshape(strings.shape)


def to_tokens(ids, tokenizer, words=None):
    """The tokens of one row of ids, a list of `str`, to label an alignment with.

    Args:
        ids: Integer array `(tokens,)`.
        tokenizer: Such as `SentencePieceTokenizer`.
        words: The words that the ids beyond the vocabulary mean, `(slots,)` of `bytes`, or None.
    """
    size = tokenizer.vocabulary_size
    return [
        tokenizer.id_to_token(id) if id < size else words[id - size].decode("utf-8")
        for id in ids.tolist()
    ]


def tokens_in_graph(ids, tokenizer, words=None):
    """`to_tokens` of a tensor `(batch, tokens)`, with words `(batch, slots)`; "" at padding."""
    tf = import_tensorflow()
    size = tokenizer.vocabulary_size
    known = tokenizer.ids_to_tokens(tf.where(ids < size, ids, tokenizer.pad_token_id))
    tokens = tf.where(ids == tokenizer.pad_token_id, "", known)
    if words is None:
        return tokens
    own = tf.gather(words, tf.maximum(ids - size, 0), batch_dims=1)
    return tf.where(ids < size, tokens, own)


def _in_graph(strings, tokenizer, length, sample, words):
    tf = import_tensorflow()
    batch = tf.reshape(strings, [-1])
    if words is None:
        rows = tokenizer.tokenize(batch, sample=sample)
    else:
        rows = own_words.tokenize(batch, tokenizer, words)
    if sample:
        rows = _where_they_fit(rows, length, lambda: tokenizer.tokenize(batch))
    # Made dense first: a ragged tensor takes many operations, and a single text waits for each.
    lengths = tf.minimum(rows.row_lengths(), length - 1)[:, None]
    # An empty batch has no longest sequence.
    width = tf.maximum(tf.reduce_max(lengths), 0) + 1
    position = tf.range(width)[None]
    ids = rows.to_tensor(tokenizer.pad_token_id, shape=tf.stack([-1, width]))
    ids = tf.where(position == lengths, tokenizer.end_token_id, ids)
    if strings.shape.rank == 0:
        return ids[0]
    if strings.shape.rank > 1:
        ids = tf.reshape(ids, tf.concat([tf.shape(strings, tf.int64), [width]], axis=0))
    return tf.ensure_shape(ids, [*strings.shape, None])


def _where_they_fit(drawn, length, make_plain):
    """Drawn segmentations, replaced by plain ones where `length` would cut them."""
    tf = import_tensorflow()
    fits = drawn.row_lengths() < length

    def merge():
        count = tf.size(fits)
        both = tf.concat([drawn, make_plain()], axis=0)
        return tf.gather(both, tf.range(count) + tf.where(fits, 0, count))

    return tf.cond(tf.reduce_all(fits), lambda: drawn, merge)
