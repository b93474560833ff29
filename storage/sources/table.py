"""A catalog CSV as a source: artists and image names, with any other columns."""

from pathlib import Path

from storage.catalogs.catalog import Catalog, build_catalog
from storage.catalogs.csv_table import read_csv_table


def read_table(path: Path) -> Catalog:
    """Read the columns `artist_name` and `image_name`; the latter is relative to the CSV's folder.

    A column `split` is obeyed. A column `file`, which written catalogs have, says where the image
    lies if that is not where its name says. All other columns are kept.
    Raises InputError naming the row of whatever cannot be used.
    """
    images = read_csv_table(path, required=("artist_name", "image_name"))
    for column in ("split", "file"):
        images[column] = images[column].str.strip() if column in images else ""
    images["file"] = images["file"].mask(images["file"] == "", images["image_name"])
    return build_catalog(path.parent, images, path)
