def unconverted(code):
    """Has TensorFlow's AutoGraph leave a function, or the objects of a class, as they are.

    In a `tf.function` or `Dataset.map` AutoGraph rewrites all code that it comes across, which for
    a beam search takes ten seconds in each process. Here there is nothing to rewrite: loops and
    conditions on tensors are operations already. `tf.autograph.experimental.do_not_convert` does
    the same, but TensorFlow need not be installed for what bears this mark.
    """
    code.autograph_info__ = {}
    return code
