"""The words of a source that the vocabulary lacks: their ids, and texts of such ids.

The first different word that the vocabulary lacks has the id `vocabulary_size`, the next one the id
after it, up to a number of slots. Further words stay unknown.
"""

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import word_splitting
from keras_s2s.preprocessing.as_column import is_tensor


def find(strings, tokenizer, length, slots):
    """The words of texts that the vocabulary lacks, each once, in the order of the text.

    Args:
        strings: NumPy array of `bytes` or `tf.string` tensor, `(batch,)`.
        tokenizer: `WordTokenizer`.
        length: Integer or None; only the words among that many ids, the end id included, count.
        slots: Integer, the most words of a text.

    Returns:
        `(batch, slots)`, "" where there are fewer: an array of `bytes`, or a tensor.
    """
    if is_tensor(strings):
        return _find_in_graph(strings, tokenizer, length, slots)
    words = np.full((len(strings), slots), b"", object)
    unknown = tokenizer.unknown_token_id
    for row, tokens in zip(words, tokenizer.split(strings.tolist())):
        tokens = tokens if length is None else tokens[: length - 1]
        own = dict.fromkeys(t for t in tokens if tokenizer.token_to_id(t) == unknown)
        own = [word.encode("utf-8") for word in own][:slots]
        row[: len(own)] = own
    return words


def encode(texts, tokenizer, words):
    """Ids of texts, where the own words of sources have ids, too.

    Args:
        texts: List of `bytes`.
        tokenizer: `WordTokenizer`.
        words: For each text the own words of its source, a list of `bytes`; "" is none.

    Returns:
        List of int32 arrays.
    """
    rows = []
    for tokens, own in zip(tokenizer.split(texts), words, strict=True):
        ids = {w.decode("utf-8"): tokenizer.vocabulary_size + i for i, w in enumerate(own) if w}
        unknown = tokenizer.unknown_token_id
        token_ids = [tokenizer.token_to_id(t) for t in tokens]
        token_ids = [
            ids.get(t, unknown) if id == unknown else id for t, id in zip(tokens, token_ids)
        ]
        rows.append(np.array(token_ids, "int32"))
    return rows


def tokenize(strings, tokenizer, words):
    """`encode` in a graph: `(batch,)` and `(batch, slots)` to ragged int32 `(batch, None)`."""
    tf = import_tensorflow()
    tokens = tokenizer.split_in_graph(strings)
    ids = tokenizer.words_to_ids(tokens)
    own = tf.gather(words, tokens.value_rowids())
    # Tokens are never "", so that empty slots equal none.
    same = tf.cast(tokens.values[:, None] == own, tf.int32)
    slot = tf.argmax(same, axis=1, output_type=tf.int32)
    is_own = (ids.values == tokenizer.unknown_token_id) & (tf.reduce_max(same, axis=1) > 0)
    return ids.with_values(tf.where(is_own, tokenizer.vocabulary_size + slot, ids.values))


def decode(ids, tokenizer, words):
    """Texts of ids, where some are own words of the sources.

    Args:
        ids: Integer ids `(batch, [sequences,] target)`, array or tensor.
        tokenizer: `WordTokenizer`.
        words: What `find` returned for the sources.

    Returns:
        Texts `(batch, [sequences])`: an array of `str` or a `tf.string` tensor.
    """
    if is_tensor(ids):
        return _decode_in_graph(ids, tokenizer, words)
    ids = np.asarray(ids)
    outer = ids.shape[:-1]
    tokens = _text_tokens(ids, tokenizer, words)
    flat = tokens.reshape(-1, ids.shape[-1]).tolist()
    texts = [word_splitting.join(token for token in row if token) for row in flat]
    return np.array(texts, object).reshape(outer)


def _text_tokens(ids, tokenizer, words):
    """The words that ids mean, "" at special ids and from the end on: an array of `str`."""
    ids = np.asarray(ids)
    vocabulary = tokenizer.get_vocabulary()
    tokens = np.full(ids.shape, "", object)
    ended = np.cumsum(ids == tokenizer.end_token_id, axis=-1) > 0
    for index in zip(*np.nonzero((ids > tokenizer.end_token_id) & ~ended)):
        slot = ids[index] - len(vocabulary)
        own = words[index[0]][slot].decode("utf-8") if 0 <= slot < words.shape[1] else ""
        tokens[index] = vocabulary[ids[index]] if slot < 0 else own
    return tokens


def _find_in_graph(strings, tokenizer, length, slots):
    tf = import_tensorflow()
    tokens = tokenizer.split_in_graph(strings)
    tokens = tokens if length is None else tokens[:, : length - 1]
    is_unknown = tokenizer.words_to_ids(tokens) == tokenizer.unknown_token_id
    unknown = tf.ragged.boolean_mask(tokens, is_unknown).to_tensor("")
    place = tf.range(tf.shape(unknown)[1])
    is_earlier = place[:, None] > place
    is_repeated = tf.reduce_any((unknown[:, :, None] == unknown[:, None]) & is_earlier, axis=2)
    is_first = ~is_repeated & (unknown != "")
    own = tf.ragged.boolean_mask(unknown, is_first)[:, :slots]
    return own.to_tensor("", shape=[strings.shape[0], slots])


def _decode_in_graph(ids, tokenizer, words):
    tf = import_tensorflow()
    tokens = _text_tokens_in_graph(ids, tokenizer, words)
    shape = tf.shape(tokens)
    texts = word_splitting.join_in_graph(tf.reshape(tokens, [-1, shape[-1]]))
    return tf.ensure_shape(tf.reshape(texts, shape[:-1]), ids.shape[:-1])


def _text_tokens_in_graph(ids, tokenizer, words):
    """`_text_tokens` of a tensor: a `tf.string` tensor of the same shape."""
    tf = import_tensorflow()
    # Not int32, which would change large ids.
    ids = tf.cast(ids, tf.int64)
    size, slots = tokenizer.vocabulary_size, tf.shape(words, tf.int64)[1]
    ended = tf.cumsum(tf.cast(ids == tokenizer.end_token_id, tf.int32), axis=-1) > 0
    is_text = (ids > tokenizer.end_token_id) & ~ended
    known = tokenizer.ids_to_tokens(tf.where(is_text & (ids < size), ids, 0))
    # One more column of "" for ids beyond the slots.
    own = tf.pad(words, [[0, 0], [0, 1]], constant_values="")
    slot = tf.where(ids < size + slots, ids - size, slots)
    rows = tf.reshape(tf.maximum(slot, 0), [tf.shape(ids)[0], -1])
    own = tf.reshape(tf.gather(own, rows, batch_dims=1), tf.shape(ids))
    return tf.where(is_text, tf.where(ids < size, known, own), "")
