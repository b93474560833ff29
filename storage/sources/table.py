"""A catalog CSV as a source: artists and image names, with any other columns."""

from pathlib import Path

from storage.catalogs.catalog import Catalog, build_catalog
from storage.catalogs.csv_table import read_csv_table


def read_table(path: Path) -> Catalog:
    """Read the columns `artist_name` and `image_name`, a path relative to the CSV's folder.

    The column `split` is obeyed. `file`, which written catalogs have, is the image's path if it
    differs from its name. All other columns are kept. Raises InputError naming a wrong row.
    """
    images = read_csv_table(path, required=("artist_name", "image_name"))
    for column in ("split", "file"):
        images[column] = images[column].str.strip() if column in images else ""
    images["file"] = images["file"].mask(images["file"] == "", images["image_name"])
    return build_catalog(path.parent, images, path)
