from keras_s2s.layers import EnsembleCTC, EnsembleDecoder, EnsembleEncoder
from keras_s2s.models.seq2seq import Seq2Seq


def ensemble(models):
    """Makes one model of several, which choose each token together.

    The ensemble gives each token the mean of the probabilities that the models give it. It is a
    model like any other: it generates, scores, is saved and exported. It takes as long as all of
    its models, whose layers it shares.

    Args:
        models: List of `keras_s2s.models.Seq2Seq` of one kind, with the same tokenizers, such as
            trainings of one recipe from several seeds.

    Returns:
        A model of the class of the first, with its preprocessor, sampler and scorers. If all models
        have a `keras_s2s.layers.CTC`, so has it.

    Raises:
        TypeError: If they are no such models.
        ValueError: If they read or write different ids.

    Example:
    ```python
    import keras_s2s

    model = keras_s2s.zoo.load("translation")
    both = keras_s2s.models.ensemble([model, keras_s2s.zoo.load("translation")])
    assert both.generate("Wo ist der Bahnhof?") == model.generate("Wo ist der Bahnhof?")
    ```
    """
    models = list(models)
    if not models or not all(isinstance(model, Seq2Seq) for model in models):
        raise TypeError(
            "`models` must be a list of keras_s2s.models.Seq2Seq, such as "
            f"keras_s2s.zoo.load returns. Received: {models!r}"
        )
    first = models[0]
    for i, model in enumerate(models):
        if type(model) is not type(first) or model.share_embedding != first.share_embedding:
            raise ValueError(
                "All `models` must be of one class, and share embeddings alike. "
                f"Received: `models[{i}]` is a "
                f"{type(model).__name__} with share_embedding={model.share_embedding}, "
                f"`models[0]` a {type(first).__name__} with {first.share_embedding}."
            )
        if _vocabularies(model.preprocessor) != _vocabularies(first.preprocessor):
            raise ValueError(
                "All `models` must have the same tokenizers, since they choose among the same ids. "
                f"Those of `models[{i}]` differ from those of `models[0]`: train it with "
                "`start` = the preset of the other, or on the same texts."
            )
    auxiliary = [model.auxiliary_loss for model in models]
    return type(first)(
        EnsembleEncoder([model.encoder for model in models]),
        EnsembleDecoder([model.decoder for model in models]),
        first.preprocessor,
        share_embedding=first.share_embedding,
        sampler=first.sampler,
        auxiliary_loss=EnsembleCTC(auxiliary) if None not in auxiliary else None,
        scorers=first.scorers,
        scorer_weights=first.scorer_weights,
    )


def _vocabularies(preprocessor):
    """What ids mean to a preprocessor."""
    if preprocessor is None:
        return None
    tokenizers = [getattr(column, "tokenizer", None) for column in preprocessor.columns]
    return [
        tokenizer and (tokenizer.get_vocabulary(), tokenizer.prefix_ids)
        for tokenizer in (*tokenizers, preprocessor.target_tokenizer)
    ]
