"""The sections of a recipe that only speech recognition has."""

from dataclasses import dataclass, field
from typing import Literal

from keras_s2s import layers, preprocessing
from keras_s2s.layers.speech_encoder import NORMALIZATIONS
from keras_s2s.recipes.typed_config import RecipeError


@dataclass(kw_only=True)
class Sound:
    """How sound becomes a spectrogram, and what of the model is about sound."""

    sample_rate: int = 16000
    """Samples per second; clips of another rate are converted."""
    num_mels: int = 80
    """Bands of the spectrogram."""
    fft_length: int = 512
    """Samples of a frame."""
    window_length: int = 400
    """Samples of its window."""
    hop_length: int = 160
    """Samples from frame to frame."""
    speeds: list = field(default_factory=lambda: [1.0])
    """Training clips are played at one of these speeds, drawn in each epoch."""
    normalization: Literal[NORMALIZATIONS] = "utterance"
    """See `keras_s2s.layers.SpeechEncoder`; `"stored"` is computed from the training clips."""
    filters: list = field(default_factory=lambda: [32, 32])
    """Filters of the convolutions, each of which halves the number of positions."""
    pyramid_layers: int = 0
    """How many recurrent layers halve it again."""
    frequency_masks: int = 0
    """Ranges of bands that are hidden in training, see `keras_s2s.layers.SpecAugment`."""
    frequency_width: int = 15
    time_masks: int = 0
    """Stretches of time that are hidden in training."""
    time_share: float = 0.1
    """The longest, as a share of the clip."""
    ctc_weight: float = 0.0
    """Weight of the loss of `keras_s2s.layers.CTC` beside that of the tokens; 0 for no CTC."""

    def __post_init__(self):
        if self.ctc_weight < 0:
            raise RecipeError(f"'ctc_weight' must be at least 0. Received: {self.ctc_weight}")

    def column(self):
        """The `AudioColumn`."""
        spectrogram = preprocessing.LogMelSpectrogram(
            self.sample_rate, self.num_mels, self.fft_length, self.window_length, self.hop_length
        )
        return preprocessing.AudioColumn(spectrogram, self.speeds)

    def encoder(self, model):
        """The `SpeechEncoder`, with the sizes of the recipe's `[model]`."""
        augmentation = None
        if self.frequency_masks or self.time_masks:
            augmentation = layers.SpecAugment(
                self.frequency_masks, self.frequency_width, self.time_masks, self.time_share
            )
        return layers.SpeechEncoder(
            model.encoder_units,
            self.num_mels,
            self.filters,
            model.cell,
            model.encoder_layers,
            self.pyramid_layers,
            model.dropout,
            self.normalization,
            augmentation,
        )


@dataclass(kw_only=True)
class LanguageModel:
    """A recurrent language model, whose log-probabilities are added in decoding."""

    units: int = 256
    embedding_dim: int = 64
    num_layers: int = 1
    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    dropout: float = 0.0

    def decoder(self, vocabulary_size):
        """The `RNNDecoder`, which reads nothing of the memory."""
        return layers.RNNDecoder(
            vocabulary_size,
            self.units,
            embedding_dim=self.embedding_dim,
            cell=self.cell,
            num_layers=self.num_layers,
            attention=None,
            bridge="zero",
            dropout=self.dropout,
            name="language_model",
        )
