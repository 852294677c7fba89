"""Training objectives: what a stage minimises, and the loop over its epochs.

Each is a function of the recipe, the stage, the model, its `Examples`, a list of callbacks, of
which `Resume` sets the first epoch, and Keras's `verbose`.
"""

from keras_s2s.recipes.objectives import cross_entropy, self_critical

#: From the `objective` of a stage to the function that trains it.
OBJECTIVES = {"cross_entropy": cross_entropy.train, "self_critical": self_critical.train}
