from keras_s2s.models.seq2seq import Seq2Seq


class TextToText(Seq2Seq):
    """Base of the models whose inputs are token ids: built at once, with any encoder."""

    def __init__(self, encoder, decoder, preprocessor=None, **kwargs):
        super().__init__(encoder, decoder, preprocessor, **kwargs)
        if not self.built:
            # No axis of token ids has a fixed size.
            shapes = {name: (None, None) for name in encoder.input_names}
            self.build({**shapes, "decoder_token_ids": (None, None)})
