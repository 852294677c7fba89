import keras

from keras_s2s.models.seq2seq import Seq2Seq


@keras.saving.register_keras_serializable("keras_s2s")
class Translator(Seq2Seq):
    """Text in one language to text in another.

    Has the arguments and methods of `keras_s2s.models.Seq2Seq`, with a
    `keras_s2s.preprocessing.TextPairPreprocessor`.

    Example:
    ```python
    import keras_s2s

    sources, targets = ["ein Hund", "eine Katze"], ["a dog", "a cat"]
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
        sources + targets, vocabulary_size=20
    )
    model = keras_s2s.models.Translator(
        keras_s2s.layers.RNNEncoder(16, vocabulary_size=20),
        keras_s2s.layers.RNNDecoder(20, 16, attention="luong"),
        keras_s2s.preprocessing.TextPairPreprocessor(tokenizer),
    )
    model.fit(sources, targets, verbose=0)
    text = model.translate("ein Hund")
    assert isinstance(text, str)
    ```
    """

    def __init__(self, encoder, decoder, preprocessor=None, **kwargs):
        super().__init__(encoder, decoder, preprocessor, **kwargs)
        # With any encoder, since no axis of token ids has a fixed size.
        if not self.built:
            shapes = {name: (None, None) for name in encoder.input_names}
            self.build({**shapes, "decoder_token_ids": (None, None)})

    def translate(self, inputs, **kwargs):
        """The same as `generate`."""
        return self.generate(inputs, **kwargs)
