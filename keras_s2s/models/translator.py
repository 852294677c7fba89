import keras

from keras_s2s.models.text_to_text import TextToText


@keras.saving.register_keras_serializable("keras_s2s")
class Translator(TextToText):
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

    def translate(self, inputs, **kwargs):
        """The same as `generate`."""
        return self.generate(inputs, **kwargs)
