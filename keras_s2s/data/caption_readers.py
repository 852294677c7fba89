"""Readers of captions of images, in the usual layouts. They read the text, not the images.

Captions are UTF-8. The names of files need not be: they are decoded as by `os.fsdecode`.
"""

import json
import os
import re
import warnings

from keras_s2s.data import tables
from keras_s2s.data.lines_told import Lines
from keras_s2s.data.readers import collapse, find_column
from keras_s2s.data.tar_images import TarImages
from keras_s2s.data.text_lines import lines, open_bytes

_NAMES = "surrogateescape"
_IMAGE = re.compile(r".+\.(jpe?g|png|gif|webp|bmp)", re.IGNORECASE)
_TOKEN = re.compile(r".+\.\w+#\d+\t.*")
_JSON = re.compile(rb'\s*[\[{]\s*(["\[{}\]]|$)')


def is_image_name(text):
    """Whether a text is the name of an image file."""
    return bool(_IMAGE.fullmatch(text.strip()))


def is_token(line):
    """Whether a line is one of `Flickr8k.token.txt`, see `read_flickr8k`."""
    return bool(_TOKEN.fullmatch(line.rstrip()))


def read_captions(path, image_folder, image_column=0, caption_column=1):
    r"""Reads captions of images in a folder, from a file of any of these layouts.

    | layout | as in |
    |---|---|
    | a table, CSV or tab-separated, with a caption and the name of its image on each line | `captions.txt` of Kaggle's Flickr8k |
    | COCO's JSON, see `read_coco_captions` | `captions_val2017.json` |
    | lines of `<image>#<number>`, a tab and a caption, see `read_flickr8k` | `Flickr8k.token.txt` |

    The contents decide, not the name of the file. The first line of a table may name its columns.
    Warnings tell what is not read as it stands: rows without image or caption, and captions with
    commas outside of quotation marks.

    Args:
        path: The file, UTF-8, may be gzipped.
        image_folder: Folder of the images.
        image_column: Of a table, the column of the images' names: an index from 0, or its name in
            the first line.
        caption_column: Of a table, the column of captions, likewise.

    Returns:
        `(paths, captions)` as in `read_coco_captions`.

    Raises:
        ValueError: If the file has none of these layouts.

    Example:
    ```python
    from keras_s2s.data import read_captions

    with open("captions.txt", "w") as file:
        file.write('image,caption\n1.jpg,A dog .\n1.jpg,"A dog , running ."\n')
    assert read_captions("captions.txt", "Images") == (
        ["Images/1.jpg"],
        [["A dog.", "A dog, running."]],
    )
    ```
    """  # noqa: E501
    if is_json(path):
        return read_coco_captions(path, image_folder)
    _, first = next(lines(path, _NAMES), (1, ""))
    if is_token(first):
        return read_flickr8k(path, None, image_folder)
    captions = _of_table(path, image_column, caption_column)
    folder = os.fspath(image_folder)
    return [os.path.join(folder, name) for name in captions], list(captions.values())


def is_json(path):
    """Whether a file begins as JSON does."""
    with open_bytes(path) as file:
        return bool(_JSON.match(file.read(100).removeprefix(b"\xef\xbb\xbf")))


def _of_table(path, image_column, caption_column):
    """Dict from the names of images to their captions."""
    mark, name = tables.delimiter(path), repr(os.fspath(path))
    rows, columns = tables.rows(path, mark, _NAMES), [image_column, caption_column]
    is_named = any(isinstance(column, str) for column in columns)
    if is_named:
        _, header = next(rows, (1, []))
        columns = [find_column(path, list(map(collapse, header)), column) for column in columns]
    image, caption = columns
    captions, width, empty, commas = {}, None, Lines(), Lines()
    for number, row in rows:
        if len(row) <= max(columns):
            raise ValueError(
                f"{name}, line {number}: no {'caption' if len(row) > image else 'image'}. Columns "
                f"{image + 1} and {caption + 1} are needed, this line has {len(row)}."
            )
        width = width or len(row)
        file, text = row[image].strip(), row[caption]
        if not captions and not is_named and not is_image_name(file):
            is_named = True  # This line is a header: its file is no image.
            continue
        if len(row) > width and caption == width - 1:
            commas.add(number)
            text = f"{mark} ".join(row[caption:])
        try:
            text = tidy(text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name}, line {number}: the caption is not UTF-8. Convert the file first, e.g. "
                "with iconv."
            ) from error
        if text and file:
            captions.setdefault(file, []).append(text)
        else:
            empty.add(number)
    if empty.count:
        _tell(name, f"{empty.rows()} without image or caption left out: {empty}.")
    if commas.count:
        _tell(
            name,
            f"{commas.rows()} with {mark!r} outside of quotation marks, which is read as part of "
            f"the caption: {commas}.",
        )
    return captions


def _tell(name, message):
    warnings.warn(f"{name}: {message}", stacklevel=4)


def read_coco_captions(annotations, image_folder):
    """Reads captions of the COCO layout: one JSON file, and a folder of images.

    Args:
        annotations: Path of the JSON file, with `"images"` and `"annotations"`, such as
            `captions_val2017.json`.
        image_folder: Folder of the images.

    Returns:
        `(paths, captions)`: a list of paths, and for each a list of captions, as
        `model.fit(paths, captions)` takes them. Images without captions are left out.

    Raises:
        ValueError: If the file is no such JSON, or names an image that it does not list.

    Example:
    ```python
    import json
    from keras_s2s.data import read_coco_captions

    with open("captions.json", "w") as file:
        json.dump(
            {
                "images": [{"id": 7, "file_name": "7.jpg"}],
                "annotations": [{"image_id": 7, "caption": "A dog ."}],
            },
            file,
        )
    assert read_coco_captions("captions.json", "val") == (["val/7.jpg"], [["A dog."]])
    ```
    """
    try:
        with open_bytes(annotations) as file:
            values = json.loads(file.read().decode("utf-8-sig", _NAMES))
        files = {image["id"]: image["file_name"] for image in values["images"]}
        captions = {}
        for row in values["annotations"]:
            captions.setdefault(row["image_id"], []).append(tidy(row["caption"]))
        paths = [os.path.join(os.fspath(image_folder), files[key]) for key in captions]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{os.fspath(annotations)!r} has not the layout of COCO's captions, which is "
            '{"images": [{"id": 1, "file_name": "1.jpg"}, ...], "annotations": [{"image_id": 1, '
            f'"caption": "..."}}, ...]}}: {type(error).__name__} {error}.'
        ) from error
    return paths, list(captions.values())


def read_flickr8k(token_file, split_file, image_folder):
    r"""Reads captions of the layout of Flickr8k: a file of captions, and a list of image names.

    Args:
        token_file: Path of `Flickr8k.token.txt`: lines of `<image>#<number>\t<caption>`.
        split_file: Path of a list of image names, such as `Flickr_8k.trainImages.txt`; None for
            all images.
        image_folder: Folder of the images.

    Returns:
        `(paths, captions)` as in `read_coco_captions`, in the order of the split.

    Raises:
        ValueError: If a line has another form, or an image of the split no captions.

    Example:
    ```python
    from keras_s2s.data import read_flickr8k

    with open("token.txt", "w") as file:
        file.write("1.jpg#0\tA dog .\n1.jpg#1\tA brown dog .\n")
    assert read_flickr8k("token.txt", None, "images") == (
        ["images/1.jpg"],
        [["A dog.", "A brown dog."]],
    )
    ```
    """
    captions = {}
    for number, line in lines(token_file, _NAMES):
        match = re.fullmatch(r"(.+)#\d+\t(.*)", line.rstrip("\r"))
        if not match:
            if not line.strip():
                continue
            raise ValueError(
                f"{os.fspath(token_file)!r}, line {number}: not of the form "
                f"'image.jpg#0<tab>caption': {line[:60]!r}."
            )
        try:
            captions.setdefault(match[1], []).append(tidy(match[2]))
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{os.fspath(token_file)!r}, line {number}: the caption is not UTF-8. Convert the "
                "file first, e.g. with iconv."
            ) from error
    names = list(captions)
    if split_file is not None:
        names = [name for name in (line.strip() for _, line in lines(split_file, _NAMES)) if name]
    missing = [name for name in names if name not in captions]
    if missing:
        raise ValueError(
            f"{os.fspath(token_file)!r} has no captions of {len(missing)} of {len(names)} images, "
            f"first {missing[0]!r}."
        )
    folder = os.fspath(image_folder)
    return [os.path.join(folder, name) for name in names], [captions[name] for name in names]


def read_caption_tar(image_tar, caption_file):
    r"""Reads captions of one JSON object a line, and images in a tar archive.

    Args:
        image_tar: Path of the archive.
        caption_file: Path of lines of `{"image": name, "captions": [...]}`, UTF-8, may be gzipped.

    Returns:
        `(images, captions)`: a `TarImages`, and for each image a list of captions.

    Raises:
        ValueError: If a line has another form, or the archive lacks an image.
    """
    names, captions = [], []
    for number, line in lines(caption_file, _NAMES):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            names.append(row["image"])
            captions.append([tidy(caption) for caption in row["captions"]])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{os.fspath(caption_file)!r}, line {number}: not of the form "
                f'{{"image": name, "captions": [...]}} ({type(error).__name__} {error}).'
            ) from error
    return TarImages(image_tar, names), captions


def tidy(caption):
    """Collapses white space and removes it before punctuation, where these data sets have it.

    Raises:
        UnicodeEncodeError: If the caption was not UTF-8.
    """
    caption.encode("utf-8")
    return re.sub(r" ([.,;:!?]|'s\b)", r"\1", collapse(caption))
