"""The `sentencepiece` library: text to ids and back on the host."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_s2s._optional import import_sentencepiece
from keras_s2s.preprocessing.sentence_piece_model import (
    CONTROL,
    is_unigram,
    read_pieces,
    strips_first_blank,
)
from keras_s2s.preprocessing.sentence_piece_unigram import UnigramSegmenter

_seeding = threading.Lock()


class SentencePieceLibrary:
    """Turns text into ids and back as `SentencePieceResource` does, without TensorFlow.

    Threads may share it.

    Args:
        proto: `bytes` of the model.

    Attributes:
        pieces: List of `str`, in the order of their ids.
    """

    def __init__(self, proto):
        self._sentencepiece = import_sentencepiece()
        self._processor = self._sentencepiece.SentencePieceProcessor(model_proto=proto)
        self.pieces, types, scores = read_pieces(proto)
        self._segmenter = None
        if is_unigram(proto):
            self._segmenter = UnigramSegmenter(self.pieces, types, scores)
        self._ignored_first = set()
        if strips_first_blank(proto):
            self._ignored_first = {
                id
                for id, (piece, type) in enumerate(zip(self.pieces, types))
                if piece == "▁" or type == CONTROL
            }

    def encode(self, texts):
        """List of `str` without surrogates to a list of lists of ids."""
        if self._segmenter is None:
            return _map(self._processor.encode, texts)
        return [self._segmenter.encode(text) for text in self._processor.normalize(texts)]

    def sample(self, texts, alpha, seed=None):
        """Like `encode`, but draws segmentations. The same seed gives the same draws."""
        if seed is None:
            seed = random.getrandbits(64)
        seed = int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 1

        def draw():
            with _seeding:
                self._sentencepiece.set_random_generator_seed(seed)
                options = {"enable_sampling": True, "nbest_size": -1, "num_threads": 1}
                return self._processor.encode(texts, alpha=float(alpha), **options)

        # A new thread, since the library seeds a thread's generator when the thread first draws.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(draw).result()

    def decode(self, rows):
        """List of lists of ids, all within the vocabulary, to a list of `str`."""
        return _map(self._processor.decode, [self._without_first_blanks(row) for row in rows])

    def _without_first_blanks(self, row):
        # TensorFlow Text strips a blank from each piece until there is text. Newer releases of the
        # library strip it only from the first piece if the model keeps repeated blanks.
        start = 0
        while start < len(row) and row[start] in self._ignored_first:
            start += 1
        return row[start:]


def _map(function, values):
    """Applies a function of the library that takes one value or a list of them."""
    # For a list the library starts threads, which takes longer than a few values.
    return function(values) if len(values) > 100 else [function(value) for value in values]
