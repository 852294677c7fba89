"""The most probable pieces of a text by a unigram model, rounded as TensorFlow Text rounds."""

import functools
from array import array

from keras_s2s.preprocessing.sentence_piece_model import (
    BYTE,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
)

_UNKNOWN_PENALTY = 10.0  # An unknown character scores this much less than the worst piece.
_USER_DEFINED_SCORE = -0.1
_BLANK = "▁"
# A cache takes about 50 MB at most: it has this many words of at most this many characters.
_MOST_KNOWN, _LONGEST_KNOWN = 2**17, 48
_EPSILON = 2.0**-23  # The relative rounding error of single precision.

_single_precision = functools.partial(array, "f")  # An array that rounds the floats put into it.


class UnigramSegmenter:
    """Cuts normalised text into the pieces of a unigram model, exactly as TensorFlow Text does.

    A text such as "000" has two segmentations of the same score, 00|0 and 0|00. Which of them
    sentencepiece takes is up to rounding. TensorFlow Text, and with it every export, holds
    sentencepiece 0.1.96; release 0.2.2 rounds otherwise, and has other scores for user-defined
    pieces. This class computes what 0.1.96 computes, so that the ids of training data are the ids
    that an export sees, whichever release is installed.

    Most texts have one best segmentation by a clear margin. It is put together from segments of
    the text that no piece crosses; what is best for a segment is remembered. Only where the margin
    is within the rounding error is the whole text searched in single precision.

    Args:
        pieces: List of `str` in the order of their ids.
        types: List of their types.
        scores: List of their log-probabilities.

    Example:
    ```python
    from keras_s2s.preprocessing.sentence_piece_unigram import UnigramSegmenter

    segmenter = UnigramSegmenter(["<unk>", "a", "b", "ab"], [2, 1, 1, 1], [0.0, -1.0, -1.5, -2.0])
    assert segmenter.encode("abba??") == [3, 2, 1, 0]
    ```
    """

    def __init__(self, pieces, types, scores):
        normal = [score for score, type in zip(scores, types) if type == NORMAL]
        self._unknown_id = types.index(UNKNOWN)
        self._unknown_score = _single_precision([min(normal, default=0.0) - _UNKNOWN_PENALTY])[0]
        # The ids of all 256 bytes, in their order, or an empty list.
        self._byte_ids = [id for id, type in enumerate(types) if type == BYTE]
        self._byte_ids.sort(key=pieces.__getitem__)
        # From each piece to its id and score, and from each beginning of a piece to None.
        self._pieces = {}
        # The pairs of characters within pieces.
        self._pairs = set()
        for id, (piece, type, score) in enumerate(zip(pieces, types, scores)):
            if type in (NORMAL, USER_DEFINED, UNUSED):
                for end in range(1, len(piece)):
                    self._pieces.setdefault(piece[:end])
                    self._pairs.add(piece[end - 1 : end + 1])
                score = _USER_DEFINED_SCORE if type == USER_DEFINED else score
                self._pieces[piece] = None if type == UNUSED else (id, score)
        # If no piece crosses the blank before a word, the results of words are cached, too.
        self._has_words = not any(pair[1] == _BLANK for pair in self._pairs)
        self._known_words, self._known_segments = {}, {}

    def encode(self, text):
        """Returns the ids of a normalised text (`str`), a list."""
        first, *rest = text.split(_BLANK) if self._has_words else [text]
        words = [first, *[_BLANK + word for word in rest]]
        ids, reach, longest, slack = _together(words, self._known_words, self._best_of_word)
        # With this, no score on the way through the text is further from 0 than `reach`.
        reach += longest * abs(self._unknown_score)
        if slack <= reach * _EPSILON:
            ids = self._ids(text, self._search(text, _single_precision)[0])
        if self._unknown_id in ids:
            # A run of unknown characters is one unknown piece.
            pairs = zip([None, *ids], ids)
            ids = [id for last, id in pairs if not last == id == self._unknown_id]
        return ids

    def _best_of_word(self, word):
        segments = self._segments(word)
        return _together(segments, self._known_segments, self._best_of_segment)

    def _segments(self, text):
        """Yields the parts of a text between the places that no piece crosses."""
        start = 0
        for end in range(1, len(text)):
            if text[end - 1 : end + 1] not in self._pairs:
                yield text[start:end]
                start = end
        if text:
            yield text[start:]

    def _best_of_segment(self, segment):
        """Returns `(ids, reach, length, slack)`.

        The best ids; the absolute value of their score; the number of characters; and the margin to
        the next best path, divided by the number of sums whose rounding could outweigh it.
        """
        path, score, margin = self._search(segment, list)
        length = len(segment)
        return self._ids(segment, path), abs(score), length, margin / (length + 1)

    def _search(self, text, numbers):
        """Finds the best path through a text, adding up scores in a list made by `numbers`.

        Returns:
            `(path, score, margin)`: list of `(start, end, id)`; its score; the smallest difference
            between the best and the second best score at the end of one of its pieces.
        """
        size = len(text)
        scores = numbers([0.0]) * (size + 1)  # The best up to each position,
        seconds = [float("-inf")] * (size + 1)  # the second best,
        last = [None] * (size + 1)  # and the last piece of the best: where it starts, its id.
        rounded = numbers([0.0])
        for start in range(size):
            candidates, is_known = [], False
            for end in range(start + 1, size + 1):
                piece = text[start:end]
                if piece not in self._pieces:
                    break
                if self._pieces[piece] is not None:
                    id, score = self._pieces[piece]
                    candidates.append((end, id, scores[start] + score))
                    is_known = is_known or end == start + 1
            if not is_known:
                # The only sum that is rounded before it is compared.
                rounded[0] = scores[start] + self._unknown_score
                candidates.append((start + 1, self._unknown_id, rounded[0]))
            for end, id, score in candidates:
                if last[end] is None or score > scores[end]:
                    if last[end] is not None:
                        seconds[end] = scores[end]
                    scores[end], last[end] = score, (start, id)
                elif score > seconds[end]:
                    seconds[end] = score
        path, margin, end = [], float("inf"), size
        while end:
            start, id = last[end]
            path.append((start, end, id))
            margin = min(margin, scores[end] - seconds[end])
            end = start
        return path[::-1], scores[size], margin

    def _ids(self, text, path):
        ids = []
        for start, end, id in path:
            if id == self._unknown_id and self._byte_ids:
                ids += [self._byte_ids[byte] for byte in text[start:end].encode("utf-8")]
            else:
                ids.append(id)
        return ids


def _together(parts, known, best_of):
    """Joins the results of all parts of a text, as `_best_of_segment` returns them.

    Calls `best_of` for parts that are not in the cache `known`.
    """
    ids, reach, longest, slack = [], 0.0, 0, float("inf")
    for part in parts:
        best = known.get(part)
        if best is None:
            best = best_of(part)
            if len(part) <= _LONGEST_KNOWN:
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                known[part] = best
        part_ids, part_reach, part_longest, part_slack = best
        ids += part_ids
        reach += part_reach
        if part_longest > longest:
            longest = part_longest
        if part_slack < slack:
            slack = part_slack
    return ids, reach, longest, slack
