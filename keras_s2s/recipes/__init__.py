"""Recipes: what a model is made of, in a TOML file; how it is trained and evaluated.

The command line, `keras-s2s train FILE`, is a thin layer over this package.
"""

from keras_s2s.recipes.evaluate import check as check
from keras_s2s.recipes.evaluate import evaluate as evaluate
from keras_s2s.recipes.from_captions import from_captions as from_captions
from keras_s2s.recipes.from_clips import from_clips as from_clips
from keras_s2s.recipes.from_file import from_file as from_file
from keras_s2s.recipes.from_pairs import from_pairs as from_pairs
from keras_s2s.recipes.from_summaries import from_summaries as from_summaries
from keras_s2s.recipes.read import read as read
from keras_s2s.recipes.recipe import Recipe as Recipe
from keras_s2s.recipes.tasks import TASKS as TASKS
from keras_s2s.recipes.train import train as train
from keras_s2s.recipes.typed_config import RecipeError as RecipeError
from keras_s2s.recipes.write_card import write_card as write_card
