"""Readers of the layouts in which captioned images come. They read the text, not the images.

Captions are UTF-8. The names of files need not be: they become what `os.fsdecode` makes of them.
"""

import json
import os
import re

from keras_s2s.data.readers import collapse
from keras_s2s.data.tar_images import TarImages
from keras_s2s.data.text_lines import lines

_NAMES = "surrogateescape"


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
        with open(annotations, encoding="utf-8", errors=_NAMES) as file:
            found = json.load(file)
        files = {image["id"]: image["file_name"] for image in found["images"]}
        captions = {}
        for row in found["annotations"]:
            captions.setdefault(row["image_id"], []).append(tidy(row["caption"]))
        paths = [os.path.join(os.fspath(image_folder), files[key]) for key in captions]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{os.fspath(annotations)!r} has not the layout of COCO's captions: "
            f"{type(error).__name__} {error}."
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
        `(paths, captions)` as of `read_coco_captions`, in the order of the split.

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
