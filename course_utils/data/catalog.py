"""The published datasets: file names, sizes, checksums and the servers that offer them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """One published file. Only its SHA-256 decides whether a copy is the right one.

    Attributes
    ----------
    name : str
        The file's name, the same on every server and in every folder.
    size : int
        Its length in bytes.
    sha256 : str
        Its checksum in hexadecimal.
    """

    name: str
    size: int
    sha256: str

    def matches(self, path: Path) -> bool:
        """Compare every byte at `path` with the checksum; raises OSError if it cannot be read."""
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == self.sha256


@dataclass(frozen=True)
class Published:
    """A dataset that others publish.

    Attributes
    ----------
    name : str
        The name that `load_dataset` takes.
    title : str
        The name that people use.
    parts : tuple of tuple of File
        The files that make up the dataset. Each part lists its variants: the published archive first, then
        what the archive unpacks to.
    mirrors : tuple of str
        Base addresses, in the order they are tried.
    folders : tuple of str
        Where the files are inside a shared folder or below a mirror's address.
    classes : tuple of str
        Names of the classes, in the order of their labels; alphabetical where there is a `copy`.
    copy : str
        Name of a folder of JPEG images, ``train/<class>/*`` and ``test/<class>/*``, that stands in for the
        archive where a shared folder has only that. JPEG is lossy, so `Dataset.source` says so.
    """

    name: str
    title: str
    parts: tuple[tuple[File, ...], ...]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    classes: tuple[str, ...]
    copy: str = ""

    @property
    def variants(self) -> tuple[File, ...]:
        """Every variant of every part."""
        return tuple(file for variants in self.parts for file in variants)

    def file(self, name: str) -> File:
        """The variant of that name."""
        return next(file for file in self.variants if file.name == name)

    @property
    def content(self) -> str:
        """What identifies the images: the published archives' checksums."""
        return " ".join(archive.sha256 for archive, *_ in self.parts)


MNIST = Published(
    name="mnist",
    title="MNIST",
    parts=(
        (
            File(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            File(
                "train-images-idx3-ubyte",
                47_040_016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
        ),
        (
            File(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            File(
                "train-labels-idx1-ubyte",
                60_008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        (
            File(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            File(
                "t10k-images-idx3-ubyte",
                7_840_016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
        ),
        (
            File(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            File(
                "t10k-labels-idx1-ubyte",
                10_008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    folders=("", "MNIST/raw"),
    classes=tuple("0123456789"),
)

CIFAR10 = Published(
    name="cifar10",
    title="CIFAR-10",
    parts=(
        (
            File(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    # The authors' server comes second: it has been throttled to about 55 kB/s for long periods.
    mirrors=(
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
        "https://www.cs.toronto.edu/~kriz",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
    ),
    folders=("",),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    copy="cifar10-jpeg",
)

PUBLISHED = {dataset.name: dataset for dataset in (MNIST, CIFAR10)}
