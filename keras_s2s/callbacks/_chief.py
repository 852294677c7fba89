"""Chooses the process that writes files and prints, of several that train one model together."""

import keras


def is_chief(model):
    """Whether this process writes files and prints: the only process, or the first."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.process_index() == 0
    if backend == "torch":
        from torch import distributed

        together = distributed.is_available() and distributed.is_initialized()
        return not together or distributed.get_rank() == 0
    # Only strategies of several processes have a resolver.
    resolver = model.distribute_strategy.cluster_resolver
    if resolver is None or resolver.task_type != "worker":
        return resolver is None or resolver.task_type not in ("ps", "evaluator")
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
