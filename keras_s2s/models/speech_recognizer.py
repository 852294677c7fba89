import keras

from keras_s2s.models.seq2seq import Seq2Seq


@keras.saving.register_keras_serializable("keras_s2s")
class SpeechRecognizer(Seq2Seq):
    """Speech to text.

    Has the arguments and methods of `keras_s2s.models.Seq2Seq`, with a
    `keras_s2s.layers.SpeechEncoder` and a `keras_s2s.preprocessing.Preprocessor` of a
    `keras_s2s.preprocessing.AudioColumn`. Clips are paths, contents of files, samples, or samples
    with their rate, of any rate and any number of channels. WAV files are read everywhere, others
    where the package `soundfile` is installed, but not by a server.

    With little speech to learn from, a `keras_s2s.layers.CTC` as `auxiliary_loss` teaches the
    encoder what is said where, and a `keras_s2s.layers.CTCPrefixScorer` among the `scorers` keeps
    the decoder from leaving out or repeating words.

    `export` writes these signatures, for `b` clips:

    | signature | inputs | outputs |
    |---|---|---|
    | `serving_default` | `wav_bytes` string `(b,)`, contents of WAV files | `text` string `(b,)`, `score` and `confidence` float32 `(b,)` |
    | `audio` | `audio` float32 `(b, samples)` at the column's sample rate, `length` int32 `(b,)` in samples | `text`, `score`, `confidence` |
    | `nbest` | `wav_bytes` | `text` string `(b, n)`, `score` and `confidence` float32 `(b, n)`, best first |
    | `align` | `wav_bytes` | `text`, `score`, `confidence`, `target_tokens` string `(b, t)`, `attention` float32 `(b, t, positions)`, `times` float32 `(b, t, 2)`, when each piece begins and ends, in seconds |
    | `tokens` | `log_mels` float32 `(b, frames, num_mels)`, 0 at padding | `token_ids` int32 `(b, t)`, `length` int32 `(b,)`, `score`, `confidence` |

    Call arguments:
        inputs: Dict of `"log_mels"` `(batch, frames, num_mels)`, 0 at padding, and
            `"decoder_token_ids"` `(batch, target)`.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    texts = ["yes", "no"]
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(texts, vocabulary_size=10)
    model = keras_s2s.models.SpeechRecognizer(
        keras_s2s.layers.SpeechEncoder(8, filters=(4, 4), num_layers=1),
        keras_s2s.layers.RNNDecoder(10, 16, attention="location_aware"),
        keras_s2s.preprocessing.Preprocessor([keras_s2s.preprocessing.AudioColumn()], tokenizer),
        auxiliary_loss=keras_s2s.layers.CTC(10),
        scorers=[keras_s2s.layers.CTCPrefixScorer(10)],
        scorer_weights=[0.4],
    )
    clips = [np.random.uniform(-0.1, 0.1, 16000).astype("float32") for _ in texts]
    model.fit(clips, texts, verbose=0)
    text, alignment = model.transcribe(clips[0], return_attention=True)
    for word, begin, end in alignment.words:
        print(f"{begin:.2f} to {end:.2f} s: {word}")
    ```

    References:
        Chan et al., 2016, https://arxiv.org/abs/1508.01211 (listen, attend and spell);
        Watanabe et al., 2017, https://doi.org/10.1109/JSTSP.2017.2763455 (with CTC)
    """  # noqa: E501

    def transcribe(self, clips, **kwargs):
        """The same as `generate`."""
        return self.generate(clips, **kwargs)
