"""Decodes WAV files to waveforms, in TensorFlow ops, for tf.data, models and exports."""

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.byte_search import as_bytes

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Programs that write into a pipe do not know the size of the data, and give one of the largest.
_UNKNOWN_SIZE = 0x7FFFF000
# The header of a format, with the extension that has the true kind of the samples.
_FORMAT_SIZE = 40

#: The kinds of samples: tuples of format tag and bits.
KINDS = ((_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64))


def is_wav(contents):
    """Whether a string begins as WAV files do.

    Args:
        contents: `bytes`, or a scalar `tf.string`.

    Returns:
        `bool`, or a scalar bool tensor.
    """
    if isinstance(contents, bytes):
        return contents[:4] == b"RIFF" and contents[8:12] == b"WAVE"
    tf = import_tensorflow()
    # Padded, since `substr` refuses strings that are too short.
    head = tf.strings.join([tf.strings.substr(contents, 0, 12), "\0" * 12])
    riff, wave = tf.strings.substr(head, 0, 4), tf.strings.substr(head, 8, 4)
    return (riff == b"RIFF") & (wave == b"WAVE")


def decode(contents, name):
    r"""The sound of one file.

    Samples are integers of 8, 16, 24 or 32 bits or floats of 32 or 64; several channels are
    averaged.

    Args:
        contents: Scalar `tf.string`, the bytes of the file.
        name: Scalar `tf.string`, what an error message calls the file.

    Returns:
        Tuple of the waveform, float32 `(samples,)`, from -1 to 1, and its sample rate, a scalar
        int32.

    Raises:
        tf.errors.InvalidArgumentError: If the file is something else, cut short or damaged.

    Example:
    ```python
    import io
    import wave

    from keras_s2s.preprocessing import wav_files

    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(b"\x00\x40" * 5)
    waveform, rate = wav_files.decode(file.getvalue(), "a.wav")
    assert waveform.numpy().tolist() == [0.5] * 5 and int(rate) == 8000
    ```
    """
    tf = import_tensorflow()
    contents = tf.convert_to_tensor(contents)
    with tf.control_dependencies([_check(is_wav(contents), "This is no WAV file", name)]):
        length = tf.cast(tf.strings.length(contents), tf.int64)
    form, data_at, size = _find_chunks(contents, length)
    # Some of these are only read after the checks that they are sensible.
    tag, channels, rate = form[0] + 256 * form[1], form[2] + 256 * form[3], _u32(form[4:8])
    tag = tf.where(tag == _EXTENSIBLE, form[24] + 256 * form[25], tag)
    bits = form[14] + 256 * form[15]
    is_kind = tf.reduce_all(tf.stack([tag, bits]) == tf.constant(KINDS), axis=1)
    available = length - data_at
    size = tf.where(size >= _UNKNOWN_SIZE, available, size)
    unknown = "The samples of this WAV file are neither integers of 8 to 32 bits nor floats"
    checks = [
        _check((data_at > 0) & (size <= available), "This WAV file is cut short", name),
        _check((channels > 0) & (rate > 0), "This WAV file has a damaged header", name),
        _check(tf.reduce_any(is_kind), unknown, name),
    ]
    with tf.control_dependencies(checks):
        frame = tf.cast(channels * bits // 8, tf.int64)
        data = tf.strings.substr(contents, data_at, size // frame * frame)
    kind = tf.argmax(is_kind, output_type=tf.int32)
    samples = tf.switch_case(kind, [lambda read=read: read(data) for read in _READERS])
    waveform = tf.reduce_mean(tf.reshape(samples, [-1, channels]), axis=1)
    finite = tf.reduce_all(tf.math.is_finite(waveform))
    with tf.control_dependencies([_check(finite, "This WAV file holds NaN or infinity", name)]):
        return tf.identity(waveform), tf.cast(rate, tf.int32)


def _find_chunks(contents, length):
    """The header of the format, int32 `(40,)`, and where the data begin and how long they are.

    Without data, they begin at 0.
    """
    tf = import_tensorflow()

    def goes_on(position, form_at, data_at, size):
        return (data_at == 0) & (position + 8 <= length)

    def read_chunk(position, form_at, data_at, size):
        head = tf.strings.substr(contents, position, 8)
        kind, size = tf.strings.substr(head, 0, 4), _u32(as_bytes(head)[4:])
        form_at = tf.where(kind == b"fmt ", position + 8, form_at)
        data_at = tf.where(kind == b"data", position + 8, data_at)
        # Chunks begin at even positions.
        return position + 8 + size + size % 2, form_at, data_at, size

    zero = tf.constant(0, tf.int64)
    first = tf.constant(12, tf.int64), zero, zero, zero
    _, form_at, data_at, size = tf.while_loop(goes_on, read_chunk, first)
    form = as_bytes(tf.strings.substr(contents, form_at, _FORMAT_SIZE))
    form = tf.concat([form, tf.zeros([_FORMAT_SIZE], tf.int32)], axis=0)[:_FORMAT_SIZE]
    # A file without a format has no kind of samples either.
    return tf.where(form_at > 0, form, 0), data_at, size


def _check(holds, message, name):
    tf = import_tensorflow()
    return tf.debugging.Assert(holds, [f"{message}:", name])


def _u32(values):
    """The integer that four bytes are, the lowest first."""
    tf = import_tensorflow()
    return tf.reduce_sum(tf.cast(values, tf.int64) * [1, 1 << 8, 1 << 16, 1 << 24])


def _read_raw(kind, scale, shift=0.0):
    def read(data):
        tf = import_tensorflow()
        samples = tf.io.decode_raw(data, getattr(tf, kind), little_endian=True)
        return tf.cast(tf.cast(samples, tf.float64) * scale + shift, tf.float32)

    return read


def _read_24_bits(data):
    tf = import_tensorflow()
    low, middle, high = tf.unstack(tf.reshape(as_bytes(data), [-1, 3]), axis=1)
    high = tf.where(high >= 128, high - 256, high)
    return tf.cast(low + 256 * middle + 65536 * high, tf.float32) / 2**23


# In the order of `KINDS`.
_READERS = (
    _read_raw("uint8", 1 / 128, -1.0),
    _read_raw("int16", 1 / 2**15),
    _read_24_bits,
    _read_raw("int32", 1 / 2**31),
    _read_raw("float32", 1.0),
    _read_raw("float64", 1.0),
)
