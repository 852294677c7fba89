"""Trains the language model among the scorers of a model, which reads no input."""

from keras import ops

from keras_s2s import data, layers
from keras_s2s.models.seq2seq import Seq2Seq
from keras_s2s.recipes.typed_config import RecipeError


def alone(model):
    """The language model of a model as a model of its own."""
    of_language = [scorer for scorer in model.scorers if isinstance(scorer, layers.RNNDecoder)]
    if len(of_language) != 1:
        raise RecipeError("part = 'language_model' needs a model with [language_model].")
    trained = Seq2Seq(_NoInput(), *of_language)
    trained.build({"decoder_token_ids": (None, None)})
    return trained


def batches(stage, model, texts, is_train, seed):
    """`keras_s2s.data.Batches` of texts alone."""
    encode = model.preprocessor.target_tokenizer.encode
    return data.Batches(
        {"decoder_token_ids": encode(texts)},
        data.SimilarLengths(stage.batch_size),
        lengths={"decoder_token_ids": model.preprocessor.target_length},
        shuffle=is_train,
        seed=seed,
    )


class _NoInput(layers.Encoder):
    """An encoder of nothing. It reads the number of examples alone."""

    input_names = ("decoder_token_ids",)

    def call(self, token_ids, training=False):
        nothing = 0 * ops.cast(token_ids[:, :1], self.compute_dtype)
        return {"values": ops.expand_dims(nothing, -1), "mask": nothing != 0}

    def compute_output_shape(self, token_ids_shape):
        return {"values": (token_ids_shape[0], 1, 1), "mask": (token_ids_shape[0], 1)}
