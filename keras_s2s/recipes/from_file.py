from keras_s2s.recipes.file_kinds import recognize
from keras_s2s.recipes.from_captions import from_captions
from keras_s2s.recipes.from_clips import from_clips
from keras_s2s.recipes.from_pairs import from_pairs
from keras_s2s.recipes.from_summaries import from_summaries
from keras_s2s.recipes.typed_config import RecipeError


def from_file(path, folder, columns=None, images=None, clips=None, seed=1, show=lambda line: None):
    r"""Makes a recipe from data, for the task that they are about.

    | file | task |
    |---|---|
    | a table with names of image files in a column, COCO's JSON, `Flickr8k.token.txt` | captioning, see `from_captions` |
    | a table with names of files of sound in a column | speech, see `from_clips` |
    | texts and their summaries, in a table or JSON lines; a folder of `.story` files | summarization, see `from_summaries` |
    | other pairs of text, in a table or JSON lines | translation, see `from_pairs` |

    Outputs are summaries if their median length is at most half of the inputs', in characters and
    in bytes, and the median input has 200 characters or more. The first 200 rows decide. Tables are tab-separated or CSV, and every file may be gzipped: the contents tell, not the name.

    Args:
        path: The file or folder.
        folder: Folder for `recipe.toml` and the splits of the data.
        columns: Columns of input and output in a table: indices from 0, or names in the first
            line; keys in JSON lines. By default the first two, of images and clips those that hold
            them and their texts, and "text" and "summary".
        images: Folder of the images, as in `from_captions`.
        clips: Folder of the clips, as in `from_clips`.
        seed: Integer: what is held out.
        show: Function that is called with lines for people: what the file was taken for.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If no recipe can be made of it. The message says why.
        ValueError: If the file is not what it should be.

    Example:
    ```python
    import keras_s2s

    with open("pairs.csv", "w") as file:
        for i in range(100):
            print(f'"Satz {i}, ja","sentence {i}, yes"', file=file)
    recipe = keras_s2s.recipes.read(keras_s2s.recipes.from_file("pairs.csv", "run"))
    assert recipe.task == "translation"
    ```
    """  # noqa: E501
    task, chosen = recognize(path, columns)
    for option, value, needed in (("images", images, "captioning"), ("clips", clips, "speech")):
        if value is not None and task != needed:
            raise RecipeError(
                f"{path} names no {option}, for which --{option} is: it was taken for {task}. "
                "Choose the columns of files and texts with --columns."
            )
    if task == "captioning":
        return from_captions(path, folder, chosen, images, seed, show)
    if task == "speech":
        return from_clips(path, folder, chosen, clips, seed, show)
    make = from_summaries if task == "summarization" else from_pairs
    return make(path, folder, chosen, seed, show)
