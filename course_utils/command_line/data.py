"""Where the datasets are, told without loading or downloading them."""

from __future__ import annotations

from pathlib import Path


def whereabouts() -> dict[str, str | None]:
    """Return, for each published dataset, the place that has it, or None.

    Only names and sizes are looked at; loading checks the content.
    """
    from course_utils import settings
    from course_utils.data import store
    from course_utils.data.acquire import ARCHIVES
    from course_utils.data.catalog import PUBLISHED, File

    options = settings.read()
    places = [("shared folder", options.data_shared), ("user cache", options.data_dir)]
    found: dict[str, str | None] = {}
    for name, dataset in PUBLISHED.items():

        def there(variants: tuple[File, ...], root: Path, folders: tuple[str, ...] = dataset.folders) -> bool:
            return any(_has(root / folder / file.name, file.size) for folder in folders for file in variants)

        found[name] = next(
            (
                f"{label} {root}"
                for label, root in places
                if root
                and (
                    store.path_of_published(root, dataset).exists()
                    or all(there(part, root) or there(part, root / ARCHIVES) for part in dataset.parts)
                )
            ),
            None,
        )
    return found


def _has(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
