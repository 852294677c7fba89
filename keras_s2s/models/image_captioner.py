import keras

from keras_s2s.models.seq2seq import Seq2Seq


@keras.saving.register_keras_serializable("keras_s2s")
class ImageCaptioner(Seq2Seq):
    """Images to text.

    Has the arguments and methods of `keras_s2s.models.Seq2Seq`, with a
    `keras_s2s.layers.ImageEncoder` and a `keras_s2s.preprocessing.ImageTextPreprocessor`. Images
    are paths, contents of JPEG, PNG, GIF or WebP files, arrays `(height, width, channels)` in
    0..255 or PIL images, of any size. In training an image may have several captions.

    `export` writes these signatures, for `b` images on a grid of `r` rows and `c` columns:

    | signature | inputs | outputs |
    |---|---|---|
    | `serving_default` | `image_bytes` string `(b,)`, contents of files | `text` string `(b,)`, `score` and `confidence` float32 `(b,)` |
    | `images` | `images` float32 `(b, height, width, 3)` in 0..255, of any size | `text`, `score`, `confidence` |
    | `images_uint8` | `images` uint8 `(b, height, width, 3)` | `text`, `score`, `confidence` |
    | `nbest` | `image_bytes` | `text` string `(b, n)`, `score` and `confidence` float32 `(b, n)`, best first |
    | `align` | `image_bytes` | `text`, `score`, `confidence`, `target_tokens` string `(b, t)`, `attention` float32 `(b, t, r, c)` |
    | `tokens` | `images` float32, of the encoder's `image_size` | `token_ids` int32 `(b, t)`, `length` int32 `(b,)`, `score`, `confidence` |

    A file that cannot be read fails the request with its number in the batch. An export decodes
    WebP with an operation that TensorFlow has since 2.20; for older servers remove `"DecodeWebP"`
    from `keras_s2s.serving.ALLOWED_OPS` before.

    Call arguments:
        inputs: Dict of `"images"` `(batch, height, width, 3)` of the encoder's `image_size`, or
            what `encoder.features(images)` returned, and `"decoder_token_ids"` `(batch,
            [captions,] target)`.

    Example:
    ```python
    import keras
    import numpy as np
    import keras_s2s

    captions = [["a dog runs", "a running dog"], ["a cat"]]
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
        sum(captions, []), vocabulary_size=17
    )
    backbone = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(8, 16, strides=16)])
    model = keras_s2s.models.ImageCaptioner(
        keras_s2s.layers.ImageEncoder(16, backbone, image_size=(64, 64)),  # or "MobileNetV2"
        keras_s2s.layers.RNNDecoder(17, 16),
        keras_s2s.preprocessing.ImageTextPreprocessor(tokenizer, (64, 64), target_length=20),
    )
    images = np.random.randint(0, 256, (2, 100, 80, 3), "uint8")
    model.fit(images, captions, verbose=0)
    text = model.caption(images[0])
    assert isinstance(text, str)
    ```

    Reference:
        Xu et al., 2015, Show, Attend and Tell, https://arxiv.org/abs/1502.03044
    """  # noqa: E501

    def caption(self, images, **kwargs):
        """The same as `generate`."""
        return self.generate(images, **kwargs)
