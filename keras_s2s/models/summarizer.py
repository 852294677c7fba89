import keras

from keras_s2s.models.text_to_text import TextToText


@keras.saving.register_keras_serializable("keras_s2s")
class Summarizer(TextToText):
    """Long text in, short text out.

    Has the arguments and methods of `keras_s2s.models.Seq2Seq`, with a
    `keras_s2s.preprocessing.TextPairPreprocessor`. A decoder with
    `keras_s2s.layers.CopyHead` writes names as the source does.

    Example:
    ```python
    import keras_s2s

    texts, titles = ["we show how a dog learns", "a cat is asleep"], ["a dog learns", "a cat"]
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(texts + titles, 22)
    model = keras_s2s.models.Summarizer(
        keras_s2s.layers.RNNEncoder(16, vocabulary_size=22),
        keras_s2s.layers.RNNDecoder(22, 16, cell="rnn", head=keras_s2s.layers.CopyHead()),
        keras_s2s.preprocessing.TextPairPreprocessor(tokenizer, source_length=400),
    )
    model.fit(texts, titles, verbose=0)
    assert isinstance(model.summarize(texts[0]), str)
    ```
    """

    is_sentence_by_sentence = False

    def summarize(self, inputs, **kwargs):
        """The same as `generate`."""
        return self.generate(inputs, **kwargs)
