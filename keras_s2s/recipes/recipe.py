"""The keys of a recipe, the same for every task."""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Literal

import keras

from keras_s2s import decoding, evaluation, layers
from keras_s2s.data import number_languages
from keras_s2s.layers import attention_names
from keras_s2s.models.seq2seq import Seq2Seq
from keras_s2s.preprocessing.sentence_piece_tokenizer import NORMALIZATIONS
from keras_s2s.recipes.data_sets import data_sets, join
from keras_s2s.recipes.sound import LanguageModel, Sound
from keras_s2s.recipes.typed_config import RecipeError


@dataclass(kw_only=True)
class Data:
    """The data to train and test on. Files are relative to the data folder."""

    train: list | dict = field(default_factory=list)
    """Files: a table of pairs, or two files that belong together, see the task's `read`. Or several
    sets of them, see `keras_s2s.recipes.data_sets.data_sets`."""
    valid: list | dict = field(default_factory=list)
    """The same, for scores while it trains."""
    tests: dict
    """From the names of test sets to their files."""
    texts: list = field(default_factory=list)
    """Files of captions without images, for stages with `texts_only`, or of texts for a language
    model: one on each line, after the last tab if there are tabs."""
    columns: list = field(default_factory=lambda: [0, 1])
    """Columns of input and output in a table: indices from 0, or names in its first line."""
    images: str = ""
    """The folder of the images that a table names."""
    clips: str = ""
    """The folder of the clips that a table names; by default that of the table."""
    backbone_weights: str = ""
    """Initial weights of an image encoder's backbone: an .npz of `<layer>/<weight>`, or the name or
    folder of a preset with the same backbone."""
    languages: list = field(default_factory=list)
    """The codes of the input's and the output's language, for `number_copies`."""
    number_copies: int = 0
    """How many pairs with other numbers to add for each training pair that has a number, see
    `keras_s2s.data.substitute_numbers`."""
    name_copies: int = 0
    """The same for names, see `keras_s2s.data.substitute_names`."""

    def __post_init__(self):
        for name, split in self.splits():
            sets = data_sets(split, repr(name))
            if name != "train" and any(one.times > 1 for one in sets):
                raise RecipeError(f"{name!r}: 'times' is for training data. Leave it out.")
        if self.number_copies and self.train:
            for one in data_sets(self.train, "'train'"):
                self._check_languages(one)

    def _check_languages(self, one):
        languages = one.languages
        if not (languages or one.columns or one.prefix):
            languages = self.languages
        known = number_languages.LANGUAGES
        if len(languages) != 2 or not set(languages) <= set(known):
            raise RecipeError(
                f"'number_copies' needs 'languages', two of {', '.join(known)}, "
                f"of each set with 'columns' or a 'prefix' too. Received: {languages}"
            )

    def files(self):
        """Every file below the data folder."""
        weights = [self.backbone_weights] if self.backbone_weights.endswith(".npz") else []
        sets = [one for name, split in self.splits() for one in data_sets(split, repr(name))]
        return [*weights, *(file for one in sets for file in one.files), *self.texts]

    def splits(self):
        """The name and the sets of each split that the recipe has, the test sets among them."""
        training = {"train": self.train, "valid": self.valid}
        return [*((name, split) for name, split in training.items() if split), *self.tests.items()]


@dataclass(kw_only=True)
class Tokenizer:
    """The tokenizer, trained on the training data."""

    vocabulary_size: int
    """Number of tokens, the four special ones included."""
    kind: Literal["pieces", "words"] = "pieces"
    """Pieces of words, of a `SentencePieceTokenizer`, or whole words, of a `WordTokenizer`."""
    normalization: Literal[NORMALIZATIONS] = "nmt_nfkc"
    """How the tokenizer normalises text, see `SentencePieceTokenizer.train`."""
    split_digits: bool = False
    """Whether each digit is a piece."""
    symbols: list = field(default_factory=list)
    """Texts that are pieces of their own, such as the prefixes of data sets."""
    length: int = 256
    """Largest number of tokens of a text, the end included; longer texts are cut."""
    target_length: int | None = None
    """The same of an output; by default as of an input."""
    shared: bool = True
    """One vocabulary for inputs and outputs, and one embedding."""
    sample_alpha: float | None = None
    """Subword regularisation, see `SentencePieceTokenizer`."""


@dataclass(kw_only=True)
class Model:
    """Sizes and kinds of encoder and decoder."""

    encoder_units: int
    """Units of each layer of the encoder; of text and sound in each direction."""
    decoder_units: int
    """Units of each layer of the decoder."""
    embedding_dim: int
    """Size of the embedding of a token."""
    cell: Literal["rnn", "gru", "lstm"] = "gru"
    """Of the recurrent layers of encoder and decoder."""
    encoder_layers: int = 1
    """Number of recurrent layers of the encoder; a captioner's has none."""
    decoder_layers: int = 1
    """Number of recurrent layers of the decoder."""
    attention: Literal[tuple(attention_names.BY_NAME)] = "bahdanau"
    """By name, see `keras_s2s.layers`."""
    attention_units: int | None = None
    """Units of the attention; by default the decoder's."""
    input_feeding: bool = False
    """Whether each step reads the attentional vector of the step before, with `"luong"`."""
    tie_embeddings: bool = True
    """Whether the decoder's output embedding is its input embedding."""
    dropout: float = 0.0
    """Rate on embeddings, between layers and before the output."""
    recurrent_dropout: float = 0.0
    """Rate on the recurrent state."""
    variational_dropout: bool = False
    """Whether all steps of a text drop the same units."""
    doubly_stochastic: float = 0.0
    """Weight of the loss that asks for the same total attention at every input position."""
    copy: bool = False
    """Whether the decoder can copy from its input, see `keras_s2s.layers.CopyHead`."""
    copy_slots: int = 0
    """How many different out-of-vocabulary words of an input can be copied."""
    backbone: str = "MobileNetV2"
    """The image encoder's backbone, see `keras_s2s.layers.ImageEncoder`."""
    image_size: int = 224
    """Height and width of images, in pixels."""
    flip: bool = True
    """Whether images are mirrored at random."""

    def decoder(self, vocabulary_size):
        """The `RNNDecoder`."""
        attention = self.attention
        if self.attention_units is not None:
            attention = attention_names.get(attention, self.attention_units, name="attention")
        return layers.RNNDecoder(
            vocabulary_size,
            self.decoder_units,
            embedding_dim=self.embedding_dim,
            cell=self.cell,
            num_layers=self.decoder_layers,
            attention=attention,
            input_feeding=self.input_feeding,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
            variational_dropout=self.variational_dropout,
            tie_embeddings=self.tie_embeddings,
            doubly_stochastic=self.doubly_stochastic,
            head=layers.CopyHead(self.copy_slots, name="head") if self.copy else None,
        )


_OF_SELF_CRITICAL = (
    "reward",
    "samples",
    "temperature",
    "cross_entropy_weight",
    "examples_per_epoch",
)


@dataclass(kw_only=True)
class Stage:
    """One stage of training, with Adam."""

    epochs: int
    learning_rate: float
    """The highest, after the warm-up."""
    objective: Literal["cross_entropy", "self_critical"] = "cross_entropy"
    """What is minimised: the cross-entropy of the true tokens, or minus the score of texts that
    the model samples, see `keras_s2s.recipes.objectives`."""
    freeze: Literal["nothing", "backbone", "encoder"] = "nothing"
    """What stays as it is. Features of a frozen backbone are computed once."""
    part: Literal["model", "language_model"] = "model"
    """What is trained: the model, or the language model of `[language_model]`, on the outputs of
    the training data and on `data.texts`."""
    texts_only: bool = False
    """Whether to train on `data.texts`, with blank inputs: so the decoder learns the language."""
    shortest_first: int = 0
    """In so many epochs, batches come in the order of their lengths, the shortest first."""
    batch_size: int | None = None
    """Examples of a batch."""
    tokens_per_batch: int | None = None
    """Instead of `batch_size`, for text: tokens of a batch, source, target and padding together."""
    warmup_steps: int = 0
    """Number of batches."""
    schedule: Literal["cosine", "inverse_sqrt", "plateau", "constant"] = "cosine"
    """How the learning rate changes. `"cosine"`: after the warm-up down to 0 along a cosine;
    `"inverse_sqrt"`: after the warm-up as 1 / sqrt(batch); `"plateau"`: without warm-up, halved
    after each epoch that does not lower the validation perplexity; `"constant"`: never."""
    clip_norm: float = 1.0
    """The largest norm of all gradients together."""
    label_smoothing: float = 0.0
    r_drop: float = 0.0
    """Weight of the divergence between two passes of the same example, see `losses.RDrop`; each
    step then takes twice as long."""
    coverage_loss: float = 0.0
    """Weight of the loss that asks not to look at an input position twice, see `CoverageLoss`."""
    scheduled_sampling: float = 0.0
    """The rate at the end of the stage, rising from 0, see `ScheduledSampling`."""
    reward: str | dict = "cider"
    """The score of sampled texts, with `self_critical`: a name in `keras_s2s.evaluation.REWARDS`,
    or a dict of names and weights, whose weighted sum it is."""
    samples: int = 5
    """Texts that are sampled of each input, with `self_critical`."""
    temperature: float = 1.0
    """What the logits are divided by when these texts are sampled. Below 1, they are nearer to what
    a search finds."""
    cross_entropy_weight: float = 0.0
    """Weight of the references' cross-entropy beside the score, with `self_critical`: summed over
    the tokens of a text, as minus its log-probability is, without label smoothing."""
    examples_per_epoch: int = 0
    """How many of the inputs an epoch draws, with `self_critical`; 0 for all."""
    gradient_accumulation_steps: int = 1
    """Batches whose gradients are averaged for one update."""
    average_last: int = 1
    """Number of last epochs whose weights are averaged."""
    ema_momentum: float = 0.0
    """Momentum of a moving average of the weights, updated after every step; 0 for none."""
    max_buckets: int | None = None
    """The most batch shapes, each compiled once by JAX. By default as `TokensPerBatch` has it."""

    def __post_init__(self):
        self._check_reward()
        for name, low, high in (
            ("epochs", 1, float("inf")),
            ("examples_per_epoch", 0, float("inf")),
            ("gradient_accumulation_steps", 1, float("inf")),
            ("scheduled_sampling", 0, 1),
            ("ema_momentum", 0, 1),
            ("cross_entropy_weight", 0, float("inf")),
            ("r_drop", 0, float("inf")),
            ("shortest_first", 0, float("inf")),
        ):
            if not low <= getattr(self, name) <= high:
                raise RecipeError(
                    f"{name!r} must be from {low} to {high}. Received: {getattr(self, name)}"
                )
        if (self.batch_size is None) == (self.tokens_per_batch is None):
            raise RecipeError("give exactly one of 'batch_size' and 'tokens_per_batch'.")
        if self.schedule in ("plateau", "constant") and self.warmup_steps:
            raise RecipeError(f"{self.schedule!r} has no warm-up. Set warmup_steps = 0.")
        if self.ema_momentum and self.average_last > 1:
            raise RecipeError(
                "'ema_momentum' and 'average_last' are two averages. Set average_last = 1, or "
                "ema_momentum = 0."
            )
        if self.objective == "self_critical":
            self._check_self_critical()
            return
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in _OF_SELF_CRITICAL:
            if getattr(self, name) != defaults[name]:
                raise RecipeError(f"{name!r} is for the objective 'self_critical'.")

    def _check_reward(self):
        weights = {self.reward: 1} if isinstance(self.reward, str) else self.reward
        numbers = all(isinstance(w, (int, float)) and w is not True for w in weights.values())
        if not (weights and set(weights) <= set(evaluation.REWARDS) and numbers):
            raise RecipeError(
                f"'reward' must be one of {', '.join(map(repr, evaluation.REWARDS))}, or a table "
                f"of their weights. Received: {self.reward!r}"
            )

    def _check_self_critical(self):
        if self.texts_only:
            raise RecipeError("'self_critical' needs inputs. Set texts_only = false.")
        if self.schedule == "plateau":
            raise RecipeError(
                "schedule = 'plateau' follows the validation perplexity, which 'self_critical' "
                "does not measure. Choose another schedule."
            )
        if self.r_drop:
            raise RecipeError("'r_drop' is for the objective 'cross_entropy'.")
        if self.scheduled_sampling:
            raise RecipeError("'self_critical' samples all tokens. Set scheduled_sampling = 0.")
        if self.batch_size is None:
            raise RecipeError("'self_critical' counts examples: give 'batch_size' in its stage.")
        if self.samples < 2:
            raise RecipeError(
                "'samples' must be at least 2, since the samples of an input are compared with "
                f"each other. Received: {self.samples}"
            )
        if not 0 < self.temperature < float("inf"):
            raise RecipeError(f"'temperature' must be above 0. Received: {self.temperature}")


@dataclass(kw_only=True)
class Decoding:
    """How the trained model decodes."""

    num_beams: int = 5
    """Width of the beam search; 1 is greedy."""
    length_penalty: float = 1.0
    """As of `keras_s2s.decoding.Beam`: larger values favour longer outputs."""
    coverage_penalty: float = 0.0
    """As of `keras_s2s.decoding.Beam`: favours outputs that leave out no part of the input."""
    no_repeat_ngram_size: int = 0
    """No output has any n-gram of this many pieces twice; 0 for no limit."""
    ctc_weight: float = 0.0
    """Weight of the scores of `keras_s2s.layers.CTCPrefixScorer` beside those of the decoder."""
    language_model_weight: float = 0.0
    """Weight of the scores of the language model."""

    def __post_init__(self):
        for key in ("ctc_weight", "language_model_weight"):
            if getattr(self, key) < 0:
                raise RecipeError(f"{key!r} must be at least 0. Received: {getattr(self, key)}")

    def sampler(self):
        """The beam search."""
        options = dataclasses.asdict(self)
        del options["ctc_weight"], options["language_model_weight"]
        return decoding.Beam(**options)


@dataclass(kw_only=True)
class Evaluation:
    """How generated texts are scored, while it trains and on the test sets."""

    tokenize: Literal["auto", *evaluation.TOKENIZERS] = "auto"
    """As in `keras_s2s.evaluation.score`."""


@dataclass(kw_only=True)
class Card:
    """The parts of a card that no program can measure, see `keras_s2s.zoo.write_card`."""

    title: str
    """One line, such as "German to English (Tatoeba)"."""
    description: str
    """One sentence: what the model does, and what it was trained on."""
    licence: str
    """Of the weights, by its SPDX name, or "other"."""
    languages: list
    """Codes, such as "de"."""
    data: list
    """A table for each data set: its `name`, `licence` and `description`."""
    examples: list
    """Inputs; the outputs are filled in."""
    limitations: str = ""
    """What the model cannot do."""
    samples: list = field(default_factory=list)
    """`{ input = image below the data folder, remark = what to say of the output }`; of text
    `{ input = text, remark = ... }` or `{ row = place in the first test set, from 1 on, ... }`."""


#: The keys of sets that only some tasks have.
SET_KEYS = {
    "texts": ("prefix", "inputs_by", "outputs_by", "languages"),
    "speech": ("where", "joined"),
}


@dataclass(kw_only=True)
class Recipe:
    """The keys of recipes of all tasks. A subclass is a task: how it reads, builds and batches."""

    name: str
    """The model's name, on its card."""
    task: str
    seed: int = 1
    dtype: str = "float32"
    """Dtype policy while it trains; the preset computes in float32."""
    start: str = ""
    """Name or folder of the preset whose tokenizer, model and weights training starts from. Without
    training data, the new preset is another name of it, with its own prefix, decoding, tests and
    card."""
    prefix: str | None = None
    """With `start`: text whose pieces come before those of each input, in place of the preset's
    prefix; "" for none."""
    tensorboard: bool = False
    """Whether to write what TensorBoard shows."""
    data: Data
    tokenizer: Tokenizer | None = None
    model: Model | None = None
    sound: Sound | None = None
    """Of speech recognition."""
    language_model: LanguageModel | None = None
    """Of speech recognition, where it has one."""
    training: Stage | None = None
    """The only stage."""
    stages: dict[str, Stage] = field(default_factory=dict)
    """Or several, one after the other."""
    decoding: Decoding = field(default_factory=Decoding)
    evaluation: Evaluation = field(default_factory=Evaluation)
    card: Card | None = None

    #: The class of the model: `keras_s2s.models.Seq2Seq` or a subclass.
    kind = Seq2Seq
    #: The metrics that `keras_s2s.evaluation.score` computes on test sets, and after each epoch.
    metrics = watched = ()
    #: Resamplings for the spread of a metric.
    bootstrap = 1000
    #: What messages call the inputs, and the training examples.
    unit = examples = "examples"
    #: The keys that can say which input a sample of the card has.
    sample_keys = ("input",)
    #: The sections that not all tasks have.
    sections = ()
    #: What sets of data may have, of `SET_KEYS`.
    sets_of = "texts"
    #: By section, the keys whose values the task restricts, such as keys that it does not use.
    only = {}

    def __post_init__(self):
        self.is_staged = bool(self.stages)
        if self.training is not None and not self.is_staged:
            self.stages = {"training": self.training}
        self._check_training()
        if self.prefix is not None and not self.start:
            raise RecipeError(
                "'prefix' replaces that of the preset in 'start', and there is no 'start'. Give "
                "the sets of training data a 'prefix' instead."
            )
        for section in ("tokenizer", "model"):
            if bool(self.start) == (getattr(self, section) is not None):
                raise RecipeError(
                    f"{section!r} comes from the preset: leave out [{section}], or 'start'."
                    if self.start
                    else f"missing {section!r}."
                )
        for name, stage in self.stages.items():
            if not re.fullmatch(r"[\w-]+", name):
                raise RecipeError(
                    "a stage's name is also its folder's: use letters, digits, '_' and '-'. "
                    f"Received: {name!r}"
                )
            if stage.part == "language_model" and stage.objective != "cross_entropy":
                raise RecipeError(
                    f"[stages.{name}]: a language model learns with the objective 'cross_entropy'."
                )
            if stage.texts_only and not (self.data.texts and stage.freeze == "encoder"):
                raise RecipeError(
                    f"[stages.{name}]: 'texts_only' needs data.texts = [...], and trains the "
                    'decoder alone: set freeze = "encoder".'
                )
        self._check_samples()
        self._check_stages_of_sets()
        for _, split in self.data.splits():
            for one in data_sets(split, "the data"):
                for kind, keys in SET_KEYS.items():
                    for key in keys if kind != self.sets_of else ():
                        if getattr(one, key):
                            raise RecipeError(f"{key!r} of a set is for {kind}. Leave it out.")
        for section, default in (("sound", Sound()), ("language_model", LanguageModel())):
            if section not in self.sections and getattr(self, section) not in (None, default):
                raise RecipeError(f"[{section}] is not for task = {self.task!r}. Leave it out.")
        for where, table in self._tables():
            only = self.only.get(where.split(".")[0], {}) if table else {}
            for key, values in only.items():
                if getattr(table, key) not in values:
                    raise RecipeError(
                        f"[{where}]: {key!r} can only be {' or '.join(map(repr, values))} with "
                        f"task = {self.task!r}. Received: {getattr(table, key)!r}"
                    )

    def _check_training(self):
        missing = [key for key in ("train", "valid") if not getattr(self.data, key)]
        if self.start and not self.stages and len(missing) == 2:
            return  # Another name of a preset.
        if missing:
            raise RecipeError(f"[data]: missing {', '.join(map(repr, missing))}.")
        if not self.stages:
            raise RecipeError("there is no stage: give [training], or [stages.NAME].")

    def _check_stages_of_sets(self):
        if not self.data.train:
            return
        names = {name for one in self._sets(self.data.train) for name in one.stages}
        unknown = sorted(names - set(self.stages))
        if unknown:
            raise RecipeError(
                f"'stages' of a set names {unknown[0]!r}, which is none of the stages: "
                f"{', '.join(self.stages)}."
            )
        for name in self.stages:
            if not self._sets(self.data.train, name):
                raise RecipeError(f"[stages.{name}] has no data: no set names it in 'stages'.")

    def _check_samples(self):
        for sample in self.card.samples if self.card else []:
            keys = set(sample) - {"remark"} if isinstance(sample, dict) else ()
            text = isinstance(sample["input"], str) if "input" in keys else True
            if len(keys) != 1 or not keys <= set(self.sample_keys) or not text:
                known = " or ".join(f'{{ {k} = ..., remark = "..." }}' for k in self.sample_keys)
                raise RecipeError(
                    f"[card]: with task = {self.task!r}, 'samples' must be like {known}. "
                    f"Received: {sample!r}"
                )

    def _tables(self):
        yield from (("data", self.data), ("tokenizer", self.tokenizer), ("model", self.model))
        yield from (("sound", self.sound), ("language_model", self.language_model))
        yield "decoding", self.decoding
        yield from ((f"stages.{name}", stage) for name, stage in self.stages.items())

    def check_files(self, folder):
        """Raises a `RecipeError` that names the first file that is not there."""
        for file in self.data.files():
            if not self.is_there(folder / file):
                raise RecipeError(
                    f"There is no file {str(folder / file)!r}. Files of a recipe are relative to "
                    "--data, by default the folder of the recipe."
                )

    def is_there(self, path):
        """Whether a file of the recipe is there."""
        return path.is_file()

    def read(self, split, folder, cache=None, verbose=0, training=False, stage=None):
        """`(inputs, references)` of `data.train`, `data.valid` or a value of `data.tests`.

        Args:
            split: What the recipe says.
            folder: `pathlib.Path` of the data.
            cache: Folder for texts that other models write, which training data may have.
            verbose: Whether to print how far they are.
            training: Whether to add what the recipe adds to its training data.
            stage: The name of a stage: the sets that it trains on. By default all.
        """
        sets = self._sets(split, stage)
        pairs = []
        for one in sets:
            if one.inputs_by or one.outputs_by:
                pair = self.write_set(one, folder, cache, verbose)
            else:
                pair = self.read_set(one, one.columns or self.data.columns, folder)
            pairs.append(self.training_set(one, *pair, verbose) if training else pair)
        inputs, references = zip(*pairs)
        times = [one.times for one in sets]
        return self.join_inputs(inputs, times), join(references, times)

    @staticmethod
    def _sets(split, stage=None):
        sets = data_sets(split, "the data")
        return [one for one in sets if stage is None or not one.stages or stage in one.stages]

    #: Makes one sequence of the inputs of several sets.
    join_inputs = staticmethod(join)

    def read_set(self, data_set, columns, folder):
        """`(inputs, references)` of one `keras_s2s.recipes.data_sets.DataSet`."""
        raise NotImplementedError

    def training_set(self, data_set, inputs, outputs, verbose):
        """The examples of a set to train on, which may be more than were read."""
        return inputs, outputs

    def write_set(self, data_set, folder, cache, verbose):
        """The same, where a model writes one side."""
        raise RecipeError(f"'inputs_by' and 'outputs_by' are not for task = {self.task!r}.")

    def sample(self, sample, folder):
        """What the model reads for a sample of the card, and what the card shows of it, a dict."""
        return folder / sample["input"], {"input": sample["input"]}

    def splits(self, folder, verbose, cache=None):
        """The data to train on: a dict of `"train"` and `"valid"`, `(inputs, outputs)` each.

        Stages that do not train on all sets have `"train.NAME"`, too. The arguments are those of
        `read`.
        """
        splits = {
            "train": self.read(self.data.train, folder, cache, verbose, training=True),
            "valid": self.read(self.data.valid, folder),
        }
        for name in self.stages:
            if self._sets(self.data.train, name) != self._sets(self.data.train):
                splits[f"train.{name}"] = self.read(
                    self.data.train, folder, cache, 0, training=True, stage=name
                )
        return splits

    def preprocessor(self, inputs, outputs, verbose):
        """The preprocessor, with a tokenizer of these texts."""
        raise NotImplementedError

    def build(self, preprocessor):
        """The untrained model."""
        raise NotImplementedError

    def options(self):
        """Arguments of every model: how it decodes, and what it reads while it trains."""
        return {"sampler": self.sampler(), "scheduled_sampling": self.scheduled_sampling()}

    def sampler(self):
        """The beam search."""
        return self.decoding.sampler()

    def scheduled_sampling(self):
        """The layer if a stage needs it, else None; each stage sets its rate."""
        if any(stage.scheduled_sampling for stage in self.stages.values()):
            return layers.ScheduledSampling(keras.optimizers.schedules.PolynomialDecay(0.0, 1, 0.0))
        return None

    def initialize(self, model, inputs, folder):
        """Gives an untrained model its initial weights, if they are not random."""

    def set_prefix(self, model):
        """Puts the recipe's prefix before each input of a model."""
        if self.prefix is not None:
            raise RecipeError(f"'prefix' is not for task = {self.task!r}.")

    def configure(self, model):
        """Has a model that was loaded decode as the recipe says."""
        model.compile(sampler=self.sampler())

    def freeze(self, model, part):
        """Freezes the part of the model that `Stage.freeze` names, and nothing else."""
        if model.encoder.trainable == (part == "encoder"):
            model.encoder.trainable = part != "encoder"

    def trained_part(self, model, part):
        """The part of a model that `Stage.part` names, as a model."""
        return model

    def batches(self, stage, model, pairs, is_train, cache, verbose):
        """A `keras.utils.PyDataset` of a split; `cache` is a folder for features."""
        raise NotImplementedError

    def generated_from(self, stage, pairs, batches):
        """The inputs of the validation data for `model.generate`; None to generate nothing."""
        return pairs[0]
