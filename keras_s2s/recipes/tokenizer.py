from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.word_tokenizer import WordTokenizer
from keras_s2s.recipes.show import around_the_change


def train(settings, texts, name="training", verbose=0):
    """The tokenizer of a recipe, trained on the texts that the model is to read and write.

    Args:
        settings: The recipe's `tokenizer`.
        texts: List of strings.
        name: What a printed line calls the texts.
        verbose: Whether to print how many texts the normalisation changes, and the first.

    Returns:
        A `SentencePieceTokenizer` or a `WordTokenizer`.
    """
    if settings.kind == "words":
        return WordTokenizer.train(texts, settings.vocabulary_size)
    tokenizer = SentencePieceTokenizer.train(
        texts,
        settings.vocabulary_size,
        normalization=settings.normalization,
        split_digits=settings.split_digits,
        **({"user_defined_symbols": settings.symbols} if settings.symbols else {}),
        sample_alpha=settings.sample_alpha,
    )
    changes = [pair for pair in zip(texts, tokenizer.normalize(texts)) if pair[0] != pair[1]]
    if verbose and changes:
        before, after = around_the_change(*changes[0])
        print(
            f"normalization = {settings.normalization!r} changes {len(changes):,} of "
            f"{len(texts):,} {name} texts, the first from {before!r} to {after!r}",
            flush=True,
        )
    return tokenizer
