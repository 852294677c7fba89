"""Reads a SentencePiece model file without any package, so that it can be checked everywhere."""

import struct

# Piece types of sentencepiece_model.proto.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

_UNIGRAM = 1  # A model type of sentencepiece_model.proto.

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # Protocol buffer wire types.


def read_pieces(proto):
    """Returns the pieces of a serialised SentencePiece model, their types and scores.

    Args:
        proto: `bytes`, the content of a `.model` file.

    Returns:
        `(pieces, types, scores)`: list of `str` in the order of their ids, list of `int`, list of
        `float`.

    Raises:
        ValueError: If the bytes are not one complete SentencePiece model.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer
    from keras_s2s.preprocessing.sentence_piece_model import read_pieces

    tokenizer = SentencePieceTokenizer.train(["ab ba"] * 10, vocabulary_size=8)
    pieces, types, scores = read_pieces(tokenizer.proto)
    assert pieces[:4] == ["<pad>", "<unk>", "<s>", "</s>"]
    ```
    """
    pieces, types, scores, sections = [], [], [], set()
    try:
        for field, value in _fields(proto):
            sections.add(field)
            if field == 1:
                entry = dict(_fields(value))
                pieces.append(entry[1].decode("utf-8"))
                types.append(entry.get(3, NORMAL))
                scores.append(*struct.unpack("<f", entry.get(2, bytes(4))))
    except (IndexError, KeyError, ValueError, AttributeError, TypeError, struct.error) as error:
        raise ValueError("not a SentencePiece model, or a truncated one") from error
    # 2: trainer settings, 3: normaliser. Both follow the pieces, so a cut file lacks one.
    if not pieces or not {2, 3} <= sections:
        raise ValueError("not a complete SentencePiece model")
    return pieces, types, scores


def is_unigram(proto):
    """Whether a serialised SentencePiece model is a unigram model."""
    return _trainer(proto).get(3, _UNIGRAM) == _UNIGRAM


def strips_first_blank(proto):
    """Whether a serialised SentencePiece model leaves out the blank before the first word."""
    settings = _normalizer(proto)
    adds_blank, removes_blanks = settings.get(3, True), settings.get(4, True)
    return bool(adds_blank or removes_blanks)


def read_normalization(proto):
    """Returns the name of the normalisation rule of a serialised SentencePiece model, a `str`."""
    return _normalizer(proto).get(1, b"").decode("utf-8")


def _trainer(proto):
    return dict(_fields(dict(_fields(proto))[2]))


def _normalizer(proto):
    return dict(_fields(dict(_fields(proto))[3]))


def _fields(data):
    """Yields `(field number, value)` of one protocol buffer message."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
        else:
            if wire == _BYTES:
                size, position = _varint(data, position)
            elif wire in (_FIXED32, _FIXED64):
                size = 4 if wire == _FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire}")
            value = data[position : position + size]
            position += size
            if position > end:
                raise ValueError("cut short")
        yield field, value


def _varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
