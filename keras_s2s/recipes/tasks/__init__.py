"""The tasks of recipes. A task says how to read its data, build its model and make batches."""

from keras_s2s.recipes.tasks.captioning import Captioning
from keras_s2s.recipes.tasks.speech import Speech
from keras_s2s.recipes.tasks.summarization import Summarization
from keras_s2s.recipes.tasks.translation import Translation

#: From the `task` of a recipe to its class. Add your own tasks here.
TASKS = {
    "translation": Translation,
    "captioning": Captioning,
    "summarization": Summarization,
    "speech": Speech,
}
