"""Which TensorFlow operations an exported graph holds, and which it may hold."""

import itertools
from pathlib import Path

#: The operations that an export may hold: kernels for CPUs, in every TensorFlow since 2.12 (WebP
#: since 2.20), and SentencePiece, in every TensorFlow Text since 2.12. If your server has more
#: operations, add them to the set.
ALLOWED_OPS = set(
    # What every SavedModel needs to be loaded, called and saved again.
    """
    AssignVariableOp Const DisableCopyOnRead Identity IdentityN MergeV2Checkpoints NoOp
    PartitionedCall Placeholder ReadVariableOp RestoreV2 SaveV2 ShardedFilename
    StatefulPartitionedCall StaticRegexFullMatch StringJoin VarHandleOp
    """
    # Control flow and the lists that loops read and write.
    """
    AsString Assert Case If StatelessCase StatelessIf StatelessWhile While
    TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack
    """
    # Shapes and indices.
    """
    BroadcastArgs BroadcastTo ConcatV2 EnsureShape ExpandDims Fill GatherNd GatherV2 MirrorPad
    OneHot OnesLike Pack Pad PadV2 RaggedGather RaggedRange RaggedTensorFromVariant
    RaggedTensorToTensor RaggedTensorToVariant Range Rank Reshape ReverseV2 ScatterNd Shape ShapeN
    Size Slice Split SplitV Squeeze StopGradient StridedSlice TensorScatterUpdate Tile Transpose
    Unpack Where ZerosLike
    """
    # Image files. Take DecodeWebP out of the set for TensorFlow before 2.20: exports then do
    # without it, and refuse WebP.
    """
    DecodeImage DecodeJpeg DecodePng DecodeRaw DecodeWebP ExtractJpegShape ScaleAndTranslate
    StringLength Substr
    """
    # Arithmetic, comparisons, reductions.
    """
    Abs AddN AddV2 All Any ArgMax ArgMin BatchMatMulV2 Cast Ceil Cos Cumsum CumulativeLogsumexp
    Einsum Equal Erf Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual IsFinite IsInf IsNan
    Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum
    Mul Neg NotEqual Pow Prod RealDiv Reciprocal Round Rsqrt Select SelectV2 Sign Sin Sqrt Square
    SquaredDifference Sub Sum TopKV2 UnsortedSegmentSum
    """
    # Products of int8, in quantized models.
    " BatchMatMulV3"
    # Layers.
    """
    AvgPool BiasAdd Conv2D DepthwiseConv2dNative Elu FusedBatchNormV3 LeakyRelu LogSoftmax MaxPool
    Relu Relu6 Selu Sigmoid Softmax Softplus Softsign Tanh
    """
    # Random numbers without state.
    """
    BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift StatelessRandomGetKeyCounter
    StatelessRandomUniformV2
    """
    # Text.
    """
    DenseBincount HashTableV2 LookupTableFindV2 LookupTableImportV2 ReduceJoin
    SentencepieceDetokenizeOp SentencepieceIdToStringOp SentencepieceOp SentencepieceTokenizeOp
    StaticRegexReplace StringSplitV2 UnicodeTranscode
    """.split()
)

# Why common operations are refused, by a part of their names.
_REASONS = {
    "Cudnn": "runs on NVIDIA GPUs only: build the recurrent layer with use_cudnn=False",
    "PyFunc": "is Python code of this process: write it with keras.ops",
    "Xla": "needs a server with XLA: use another operation of keras.ops",
}


def ops(path):
    """Lists the TensorFlow operations that a SavedModel holds, in all of its functions.

    A server must know all of them, or it cannot load the model.

    Args:
        path: The folder of the SavedModel.

    Returns:
        Sorted list of `str`.

    Raises:
        FileNotFoundError: If there is no SavedModel.

    Example:
    ```python
    import tensorflow as tf
    import keras_s2s

    module = tf.Module()
    module.double = tf.function(lambda x: x + x, input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, "double/1")
    assert "AddV2" in keras_s2s.serving.ops("double/1")
    ```
    """
    return sorted(_nodes(path))


def check(path):
    """Raises a `ValueError` if a SavedModel holds operations outside `ALLOWED_OPS`."""
    lacking = {op: node for op, node in _nodes(path).items() if op not in ALLOWED_OPS}
    if not lacking:
        return
    lines = []
    for op, node in sorted(lacking.items()):
        reasons = [reason for part, reason in _REASONS.items() if part in op]
        reason = reasons[0] if reasons else "is not known to be there"
        lines.append(f"`{op}` {reason} (first at the node {node!r}).")
    raise ValueError(
        "A stock TensorFlow Serving could not run this model, so nothing was exported:\n- "
        + "\n- ".join(lines)
        + "\nIf your server has what is missing, add the name to `keras_s2s.serving.ALLOWED_OPS`."
    )


def _nodes(path):
    """Dict from each operation of the graph and its functions to the first node that runs it."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(Path(path, "saved_model.pb").read_bytes())
    nodes = {}
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        functions = graph.library.function
        # The operation of a node may be the name of a function in the same file.
        own = {function.signature.name for function in functions}
        for node in itertools.chain(graph.node, *(function.node_def for function in functions)):
            if node.op not in own:
                nodes.setdefault(node.op, node.name)
    return nodes
