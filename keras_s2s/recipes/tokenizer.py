"""The tokenizer of a recipe, trained on the texts that the model is to read and write."""

from dataclasses import dataclass
from typing import Literal

from keras_s2s.preprocessing.sentence_piece_tokenizer import NORMALIZATIONS, SentencePieceTokenizer


@dataclass(kw_only=True)
class TokenizerTable:
    """The SentencePiece model, trained on the training data."""

    vocabulary_size: int
    normalization: Literal[NORMALIZATIONS] = "nmt_nfkc"
    """How the tokenizer normalises text, see `SentencePieceTokenizer.train`."""
    split_digits: bool = False
    """Whether each digit is a piece."""
    length: int = 256
    """The most pieces of a text, including the end."""

    def train(self, texts, name="training", verbose=0, **options):
        """Trains a `SentencePieceTokenizer`.

        Args:
            texts: List of strings.
            name: What a printed line calls the texts.
            verbose: Whether to print how many texts the normalisation changes, and the first.
            **options: Further arguments of `SentencePieceTokenizer.train`.
        """
        tokenizer = SentencePieceTokenizer.train(
            texts,
            self.vocabulary_size,
            normalization=self.normalization,
            split_digits=self.split_digits,
            **options,
        )
        changes = [pair for pair in zip(texts, tokenizer.normalize(texts)) if pair[0] != pair[1]]
        if verbose and changes:
            before, after = changes[0]
            print(
                f"normalization = {self.normalization!r} changes {len(changes):,} of "
                f"{len(texts):,} {name} texts, the first from {before!r} to {after!r}",
                flush=True,
            )
        return tokenizer
