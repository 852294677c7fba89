"""What recipes can be about: a task is how its data are read, its model built and batches made."""

from keras_s2s.recipes.tasks.captioning import Captioning
from keras_s2s.recipes.tasks.translation import Translation

#: By what a recipe's `task` says. A task of one's own goes here, too.
TASKS = {"translation": Translation, "captioning": Captioning}
