def unconverted(code):
    """Has TensorFlow's AutoGraph leave a function, or the objects of a class, as they are.

    In a `tf.function` or `Dataset.map`, AutoGraph rewrites all code that is called. For a beam
    search that takes ten seconds in each process, and changes nothing: loops and conditions on
    tensors are operations already. This is what `tf.autograph.experimental.do_not_convert` does,
    for code that must also run where TensorFlow is not installed.
    """
    code.autograph_info__ = {}
    return code
