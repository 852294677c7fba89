from keras_s2s.recipes.typed_config import RecipeError


def write(folder, recipe, files):
    """Writes a recipe and its data, unless the folder holds another recipe.

    Args:
        folder: `pathlib.Path`, made if needed.
        recipe: Text of `recipe.toml`.
        files: Dict from names of files to their texts.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If the folder holds another recipe.
    """
    path = folder / "recipe.toml"
    if path.exists() and path.read_text(encoding="utf-8") != recipe:
        raise RecipeError(
            f"{str(folder)!r} holds the recipe of another training. Choose another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        # Image names need not be valid UTF-8.
        (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    path.write_text(recipe, encoding="utf-8")
    return path
