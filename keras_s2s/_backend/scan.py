"""A differentiable loop over time, for every backend.

`keras.ops.scan` needs outputs that look like the carry on TensorFlow and fails
under XLA; `keras.ops.while_loop` with `slice_update` has no gradient.
"""

import keras
from keras import ops


def scan(step, state, inputs, like, reverse=False):
    """Runs `state, output = step(state, input)` over the leading axis of `inputs`.

    Draw no random numbers inside `step`: they would be the same at each step on
    some backends. Draw them before the loop and pass them as `inputs`.

    Args:
        step: Function of `(state, input)`, both nested tensors, returning the new
            state (same structure, shapes and dtypes) and the nested output.
        state: Nested tensors, the state before the first step.
        inputs: Nested tensors of shape `(time, ...)`, `time` at least 1.
        like: Nested tensors which have the structure, shape and dtype of one
            step's output. Their values are not read.
        reverse: Whether to run from the last step to the first. Outputs stay in
            the order of the inputs.

    Returns:
        Tuple of the last state and the outputs of shape `(time, ...)`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _scan_tensorflow(step, state, inputs, like, reverse)
    if backend == "jax":
        import jax

        return jax.lax.scan(step, state, inputs, reverse=reverse)
    return _scan_unrolled(step, state, inputs, reverse)


def _scan_tensorflow(step, state, inputs, like, reverse):
    import tensorflow as tf

    flat_inputs = tf.nest.flatten(inputs)
    length = flat_inputs[0].shape[0]
    if length is None:
        length = tf.shape(flat_inputs[0])[0]
    sources = [
        tf.TensorArray(x.dtype, size=length, element_shape=x.shape[1:]).unstack(x)
        for x in flat_inputs
    ]
    targets = [
        tf.TensorArray(y.dtype, size=length, element_shape=y.shape) for y in tf.nest.flatten(like)
    ]
    shapes = [tf.convert_to_tensor(s).shape for s in tf.nest.flatten(state)]

    def body(count, state, targets):
        time = length - 1 - count if reverse else count
        now = tf.nest.pack_sequence_as(inputs, [source.read(time) for source in sources])
        state_after, output = step(state, now)
        # The loop refuses a state which became less static on the way.
        flat = [tf.ensure_shape(s, shape) for s, shape in zip(tf.nest.flatten(state_after), shapes)]
        targets = [t.write(time, y) for t, y in zip(targets, tf.nest.flatten(output))]
        return count + 1, tf.nest.pack_sequence_as(state, flat), targets

    _, state, targets = tf.while_loop(
        lambda count, state, targets: count < length,
        body,
        (tf.constant(0), state, targets),
        maximum_iterations=length,
    )
    stacked = [target.stack() for target in targets]
    for y in stacked:
        y.set_shape([flat_inputs[0].shape[0], *y.shape[1:]])
    return state, tf.nest.pack_sequence_as(like, stacked)


def _scan_unrolled(step, state, inputs, reverse):
    times = range(len(keras.tree.flatten(inputs)[0]))
    outputs = []
    for time in reversed(times) if reverse else times:
        now = keras.tree.map_structure(lambda x, time=time: x[time], inputs)
        state, output = step(state, now)
        outputs.append(output)
    if reverse:
        outputs.reverse()
    return state, keras.tree.map_structure(lambda *steps: ops.stack(steps), *outputs)
