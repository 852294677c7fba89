"""Images in a tar archive, read one by one."""

import collections.abc
import os
import tarfile


class TarImages(collections.abc.Sequence):
    """The files of a tar archive as a sequence of `bytes`, each read when it is asked for.

    `fit`, `generate` and `cached_features` take it in place of a list of images.

    Args:
        path: The archive, not compressed.
        names: Names of its members, in the order wanted, with or without their folder and
            extension. A name may occur several times. By default all files, in the archive's
            order. Names that are not UTF-8 are `bytes`, or what `os.fsdecode` makes of them.

    Attributes:
        names: List of the members' names.

    Raises:
        ValueError: If the file is no tar archive or compressed, or a member is missing.

    Example:
    ```python
    import io, tarfile
    from keras_s2s.data import TarImages

    with tarfile.open("images.tar", "w") as archive:
        member = tarfile.TarInfo("a.jpg")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    images = TarImages("images.tar", ["a"])
    assert len(images) == 1 and images[0] == b"abc"
    ```
    """

    def __init__(self, path, names=None):
        self.path = os.fspath(path)
        try:
            with tarfile.open(
                self.path, "r:", encoding="utf-8", errors="surrogateescape"
            ) as archive:
                places = {m.name: (m.offset_data, m.size) for m in archive if m.isfile()}
        except tarfile.TarError as error:
            raise ValueError(
                f"{self.path!r} is no tar archive that can be read in place ({error}). Unpack "
                "compressed ones first, e.g. with gunzip."
            ) from error
        chosen = list(places.items())
        if names is not None:
            chosen = self._select(places, [os.fsdecode(name) for name in names])
        self.names = [name for name, _ in chosen]
        self._places = [place for _, place in chosen]

    def _select(self, found, names):
        places = {}
        for name, place in found.items():
            base = os.path.basename(name)
            for known in (name, base, os.path.splitext(base)[0]):
                places.setdefault(known, (name, place))
        missing = [name for name in names if name not in places]
        if missing:
            raise ValueError(
                f"{self.path!r} lacks {len(missing)} of {len(names)} images, first "
                f"{missing[0]!r}. It holds {len(found)} files."
            )
        return [places[name] for name in names]

    def __len__(self):
        return len(self._places)

    def __getitem__(self, index):
        if isinstance(index, slice):
            part = object.__new__(TarImages)
            part.path, part.names = self.path, self.names[index]
            part._places = self._places[index]
            return part
        offset, size = self._places[index]
        # Opened each time, since several threads may read.
        with open(self.path, "rb") as file:
            file.seek(offset)
            contents = file.read(size)
        if len(contents) < size:
            raise ValueError(f"{self.path!r} is cut short within {self.names[index]!r}.")
        return contents
