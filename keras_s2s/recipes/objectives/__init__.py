"""What a stage of training makes small, and the epochs in which it does.

Each is a function of the recipe, the stage, the model, its `Examples`, a list of callbacks, of
which `Resume` says with which epoch to begin, and Keras's `verbose`.
"""

from keras_s2s.recipes.objectives import cross_entropy, self_critical

#: By what a stage's `objective` says.
OBJECTIVES = {"cross_entropy": cross_entropy.train, "self_critical": self_critical.train}
