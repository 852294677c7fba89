"""`scan` on TensorFlow, with a custom gradient.

The gradient of `tf.while_loop` keeps every tensor of every step, and adds to each matrix's gradient
in each step. This one keeps the states, and the factors and products of matrices; it computes the
rest of a step again, and the gradient of a matrix by one product after the loop. That takes less
memory, and large products in place of many small ones.
"""

import tensorflow as tf

from keras_s2s._backend.scan import Matrix


def scan(step, state, inputs, like, constants, reverse, with_gradient):
    """See `keras_s2s._backend.scan.scan`."""
    like = tf.nest.map_structure(tf.convert_to_tensor, like)
    loop = _Loop(step, like, constants, reverse)
    given = tf.nest.map_structure(
        lambda x: tf.convert_to_tensor(x.tensor if isinstance(x, Matrix) else x),
        (state, inputs, constants),
    )

    if not with_gradient:
        last, outputs, _ = loop.forward(*given, keep=False)
        return last, outputs

    @tf.custom_gradient
    def run(*flat):
        parts = tf.nest.pack_sequence_as(given, flat)
        last, outputs, kept = loop.forward(*parts, keep=True)

        def gradient(*upstream):
            return _once(loop.backward(*parts, kept, upstream))

        return tf.nest.flatten((last, outputs)), gradient

    return tf.nest.pack_sequence_as((state, like), run(*tf.nest.flatten(given)))


def _once(gradients):
    """The gradients, which raise an error in place of a wrong second derivative."""
    wanted = [i for i, g in enumerate(gradients) if g is not None]

    @tf.custom_gradient
    def run(*tensors):
        def gradient(*_):
            raise NotImplementedError(
                "The recurrent loops of keras_s2s have no second derivative on TensorFlow. Use the "
                "JAX or PyTorch backend for it."
            )

        return [tf.identity(x) for x in tensors], gradient

    checked = list(gradients)
    for i, value in zip(wanted, run(*(gradients[i] for i in wanted))):
        checked[i] = value
    return checked


class _Loop:
    """The two passes over a loop."""

    def __init__(self, step, like, constants, reverse):
        self.step = step
        self.like = like
        self.reverse = reverse
        # From each factor that is also a state or an output to that one, so as to keep it once.
        self.kept_as = {}
        self.is_matrix = [isinstance(x, Matrix) for x in tf.nest.flatten(constants)]

    def forward(self, state, inputs, constants, keep):
        """The last state, the outputs, and a dict of the tensors of all steps for `backward`."""
        flat_inputs = tf.nest.flatten(inputs)
        length = _length(flat_inputs[0])
        flat_state = tf.nest.flatten(state)
        matrices = self._matrices(constants)
        rows = flat_state[0].shape[:1]
        arrays = {"outputs": [_array(y.dtype, length, y.shape) for y in tf.nest.flatten(self.like)]}
        if keep:
            arrays["states"] = [_array(s.dtype, length, s.shape) for s in flat_state]
            arrays["factors"] = [_array(m.dtype, length, _shape(rows, m, -2)) for m in matrices]
            arrays["products"] = [_array(m.dtype, length, _shape(rows, m, -1)) for m in matrices]

        def body(count, flat_state, arrays):
            time = length - 1 - count if self.reverse else count
            products = [_Product(matrix) for matrix in matrices]
            after, output = self.step(
                tf.nest.pack_sequence_as(state, flat_state),
                tf.nest.pack_sequence_as(inputs, [tf.gather(x, time) for x in flat_inputs]),
                self._bind(constants, products),
            )
            values = {
                "outputs": tf.nest.flatten(output),
                "states": flat_state,
                "factors": [product.factor for product in products],
                "products": [product.value for product in products],
            }
            self.kept_as = _same(values) if keep else {}
            arrays = {
                name: [
                    array if (name, i) in self.kept_as else array.write(time, x)
                    for i, (array, x) in enumerate(zip(some, values[name]))
                ]
                for name, some in arrays.items()
            }
            return count + 1, _as_static(tf.nest.flatten(after), flat_state), arrays

        _, last, arrays = tf.while_loop(
            lambda count, *_: count < length,
            body,
            (tf.constant(0), flat_state, arrays),
            maximum_iterations=length,
        )
        # Stacked, since a SavedModel with gradients cannot hold a `TensorArray`.
        stacked = {
            name: [
                None if (name, i) in self.kept_as else _stack(array, flat_inputs[0].shape[0])
                for i, array in enumerate(some)
            ]
            for name, some in arrays.items()
        }
        for (name, i), (other, j) in self.kept_as.items():
            stacked[name][i] = stacked[other][j]
        outputs = tf.nest.pack_sequence_as(self.like, stacked.pop("outputs"))
        return tf.nest.pack_sequence_as(state, last), outputs, stacked

    def backward(self, state, inputs, constants, kept, upstream):
        """A flat list of the gradients of all tensors, None for those that have none."""
        flat = [tf.nest.flatten(part) for part in (state, inputs, constants)]
        length = _length(flat[1][0])
        matrices = self._matrices(constants)
        transposed = [m if m.shape.rank == 3 else tf.transpose(m) for m in matrices]
        rows = flat[0][0].shape[:1]
        upstream_last, upstream_outputs = upstream[: len(flat[0])], upstream[len(flat[0]) :]
        upstream_outputs = [
            y for y, x in zip(upstream_outputs, tf.nest.flatten(self.like)) if _has_gradient(x)
        ]
        read = {"states": kept["states"], "inputs": flat[1], "products": kept["products"]}
        learned = [_has_gradient(x) for x in flat[1]]
        plain = [
            x for x, is_matrix in zip(flat[2], self.is_matrix) if _has_gradient(x) and not is_matrix
        ]
        sums = [tf.zeros_like(x) for x in plain]
        arrays = {
            "inputs": [
                _array(x.dtype, length, x.shape[1:]) for x, is_in in zip(flat[1], learned) if is_in
            ],
            "products": [_array(m.dtype, length, _shape(rows, m, -1)) for m in matrices],
        }
        moving = [_has_gradient(x) for x in flat[0]]

        def body(count, slopes, sums, arrays):
            time = count if self.reverse else length - 1 - count
            before, now, values = (
                [tf.gather(x, time) for x in read[name]]
                for name in ("states", "inputs", "products")
            )
            products = [
                _Product(matrix, value, other)
                for matrix, value, other in zip(matrices, values, transposed)
            ]
            sources = [x for x, m in zip(before, moving) if m]
            sources += [x for x, is_in in zip(now, learned) if is_in]
            sources += plain
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(sources)
                after, output = self.step(
                    tf.nest.pack_sequence_as(state, before),
                    tf.nest.pack_sequence_as(inputs, now),
                    self._bind(constants, products),
                )
                targets = [x for x, m in zip(tf.nest.flatten(after), moving) if m]
                targets += [x for x in tf.nest.flatten(output) if _has_gradient(x)]
            above = [x for x, m in zip(slopes, moving) if m]
            above += [tf.gather(y, time) for y in upstream_outputs]
            gradients = tape.gradient(
                targets, sources, above, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            moved, gradients = gradients[: sum(moving)], gradients[sum(moving) :]
            moved = iter(moved)
            slopes = [next(moved) if m else x for x, m in zip(slopes, moving)]
            to_inputs, to_plain = gradients[: sum(learned)], gradients[sum(learned) :]
            arrays = {
                "inputs": [a.write(time, x) for a, x in zip(arrays["inputs"], to_inputs)],
                "products": [
                    a.write(time, p.gradient) for a, p in zip(arrays["products"], products)
                ],
            }
            sums = [total + x for total, x in zip(sums, to_plain)]
            return count + 1, _as_static(slopes, flat[0]), _as_static(sums, plain), arrays

        slopes = [
            slope if m else tf.zeros_like(x) for slope, x, m in zip(upstream_last, flat[0], moving)
        ]
        _, slopes, sums, arrays = tf.while_loop(
            lambda count, *_: count < length,
            body,
            (tf.constant(0), slopes, sums, arrays),
            maximum_iterations=length,
        )
        sums = iter(sums)
        of_inputs = iter([_stack(array, flat[1][0].shape[0]) for array in arrays["inputs"]])
        of_matrices = iter(
            [
                _of_matrix(factors, slopes.stack(), matrix)
                for factors, slopes, matrix in zip(kept["factors"], arrays["products"], matrices)
            ]
        )
        return [
            *(x if m else None for x, m in zip(slopes, moving)),
            *(next(of_inputs) if is_in else None for is_in in learned),
            *(
                next(of_matrices) if m else next(sums) if _has_gradient(x) else None
                for x, m in zip(flat[2], self.is_matrix)
            ),
        ]

    def _matrices(self, constants):
        return [x for x, m in zip(tf.nest.flatten(constants), self.is_matrix) if m]

    def _bind(self, constants, products):
        """The constants as a step takes them, with `products` in the place of matrices."""
        products = iter(products)
        flat = tf.nest.flatten(constants)
        flat = [next(products) if m else x for x, m in zip(flat, self.is_matrix)]
        return tf.nest.pack_sequence_as(constants, flat)


class _Product(Matrix):
    """`x @ matrix`, which keeps factor and value; in the backward pass, it keeps the gradient.

    Attributes:
        factor: The x it was called with.
        value: The product, which the backward pass does not compute again.
        gradient: The gradient of the value, once it is known.
    """

    def __init__(self, matrix, value=None, transposed=None):
        super().__init__(matrix)
        self.value, self.transposed = value, transposed
        self.factor = self.gradient = None

    def multiply(self, x):
        if self.factor is not None:
            raise RuntimeError("A step may multiply by a `Matrix` only once.")
        self.factor = x
        if self.value is None:
            self.value = super().multiply(x)
            return self.value
        self.gradient = tf.zeros_like(self.value)

        @tf.custom_gradient
        def known(x):
            def gradient(upstream):
                self.gradient = upstream
                return tf.matmul(upstream, self.transposed, transpose_b=self.tensor.shape.rank == 3)

            return tf.identity(self.value), gradient

        return known(x)


def _of_matrix(factors, slopes, matrix):
    """The gradient of a matrix, or of a batch of matrices, each for the rows of one example."""
    if matrix.shape.rank == 2:
        factors, slopes = (tf.reshape(x, (-1, x.shape[-1])) for x in (factors, slopes))
    else:
        # (time, batch, rows, dim) to (batch, time * rows, dim)
        time, batch, each, _ = tf.unstack(tf.shape(factors))
        factors, slopes = (
            tf.reshape(tf.transpose(x, (1, 0, 2, 3)), (batch, time * each, tf.shape(x)[3]))
            for x in (factors, slopes)
        )
        return tf.ensure_shape(tf.matmul(factors, slopes, transpose_a=True), matrix.shape)
    return tf.matmul(factors, slopes, transpose_a=True)


def _has_gradient(x):
    return x.dtype.is_floating


def _length(x):
    return tf.shape(x)[0] if x.shape[0] is None else x.shape[0]


def _array(dtype, length, shape):
    return tf.TensorArray(dtype, size=length, element_shape=shape, clear_after_read=False)


def _shape(rows, matrix, axis):
    if matrix.shape.rank == 2:
        return tf.TensorShape([*rows, matrix.shape[axis]])
    # An example of the batch may have several rows.
    return tf.TensorShape([matrix.shape[0], None, matrix.shape[axis]])


def _stack(array, length):
    stacked = array.stack()
    stacked.set_shape([length, *stacked.shape[1:]])
    return stacked


def _same(values):
    """Dict from the places of factors to the states or outputs that are the same tensors."""
    places = {
        id(x): (name, i) for name in ("outputs", "states") for i, x in enumerate(values[name])
    }
    return {
        ("factors", i): places[id(x)] for i, x in enumerate(values["factors"]) if id(x) in places
    }


def _as_static(new, old):
    """`new` with the static shapes of `old`: the loop refuses shapes that became less static."""
    return [tf.ensure_shape(x, y.shape) for x, y in zip(new, old)]
