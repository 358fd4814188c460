"""Published archives become tensors; hostile and broken ones become one error, and nothing is unpacked."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tiny_data
import torch

from course_utils import load_dataset
from course_utils.data import decode as module
from course_utils.data import load
from course_utils.data.decode import DecodeError, decode, read_idx
from course_utils.errors import DataError


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CIFAR_BATCH", tiny_data.CIFAR_BATCH)


def decoded(tmp_path: Path, content: bytes) -> dict[str, torch.Tensor]:
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(content)
    return decode(tiny_data.cifar10(content), [path]).tensors


class TestCifar:
    def test_images_and_labels_are_in_the_batches_order(self, tmp_path: Path) -> None:
        tensors = decoded(tmp_path, tiny_data.tar(tiny_data.cifar_members()))
        records = np.frombuffer(b"".join(tiny_data.cifar_records()), dtype=np.uint8).reshape(-1, 3073)
        images = np.concatenate([tensors["train.images"].numpy(), tensors["test.images"].numpy()])
        labels = np.concatenate([tensors["train.labels"].numpy(), tensors["test.labels"].numpy()])
        assert len(tensors["test.labels"]) == tiny_data.CIFAR_BATCH
        assert np.array_equal(images, records[:, 1:].reshape(-1, 3, 32, 32))
        assert np.array_equal(labels, records[:, 0])

    def test_torchvision_reads_the_same_images_from_its_own_format(self, tmp_path: Path) -> None:
        """A record is red, green, blue planes of 32 rows: torchvision's `reshape(-1, 3, 32, 32)`."""
        tensors = decoded(tmp_path, tiny_data.tar(tiny_data.cifar_members()))
        record = np.frombuffer(tiny_data.cifar_records()[0][:3073], dtype=np.uint8)
        assert tensors["train.images"][0, 1, 0, 0] == record[1 + 1024]
        assert tensors["train.images"][0, 0, 1, 0] == record[1 + 32]

    def test_it_is_a_dataset_like_any_other(
        self, tmp_path: Path, course_environment: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = tiny_data.tar(tiny_data.cifar_members())
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
        monkeypatch.setitem(load.PUBLISHED, "cifar10", tiny_data.cifar10(content))
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        for _ in range(2):
            dataset = load_dataset("cifar10")
            assert dataset.train.images.shape == (100, 3, 32, 32)
        assert dataset.classes[:3] == ("airplane", "automobile", "bird")


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a pickle was executed",))


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


class TestHostileArchives:
    def test_members_outside_the_folder_are_never_written(self, tmp_path: Path) -> None:
        strangers = [
            (tarfile.TarInfo("../escaped"), b"x"),
            (tarfile.TarInfo(str(tmp_path / "absolute")), b"x"),
            link("cifar-10-batches-bin/link", "/etc"),
        ]
        inside = tmp_path / "inside"
        inside.mkdir()
        decoded(inside, tiny_data.tar(strangers + tiny_data.cifar_members()))
        assert [path.name for path in tmp_path.rglob("*")] == ["inside", "cifar-10-binary.tar.gz"]

    def test_a_link_in_place_of_a_batch(self, tmp_path: Path) -> None:
        members = tiny_data.cifar_members()
        members[1] = link(members[1][0].name, "/etc/passwd")
        with pytest.raises(DecodeError, match=r"data_batch_2\.bin is not a regular file"):
            decoded(tmp_path, tiny_data.tar(members))

    def test_a_pickle_is_only_bytes(self, tmp_path: Path) -> None:
        members = [(info, pickle.dumps(Evil())) for info, _ in tiny_data.cifar_members()]
        with pytest.raises(DecodeError, match="not a regular file of"):
            decoded(tmp_path, tiny_data.tar(members))

    def test_a_bomb_is_noticed_by_its_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CIFAR_CAP", 1 << 20)
        bomb = (tarfile.TarInfo("cifar-10-batches-bin/zeros"), bytes(1 << 21))
        with pytest.raises(DecodeError, match="unpacks to more than 1,048,576 bytes"):
            decoded(tmp_path, tiny_data.tar([bomb, *tiny_data.cifar_members()]))

    def test_a_missing_batch_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DecodeError, match=r"has no cifar-10-batches-bin/data_batch_4\.bin"):
            decoded(tmp_path, tiny_data.tar(tiny_data.cifar_members()[:-1]))

    def test_a_label_that_does_not_exist(self, tmp_path: Path) -> None:
        members = tiny_data.cifar_members()
        members[1] = (members[1][0], b"\x0a" + members[1][1][1:])
        with pytest.raises(DecodeError, match="there is a 10"):
            decoded(tmp_path, tiny_data.tar(members))

    @pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
    def test_a_cut_archive(self, tmp_path: Path, kept: float) -> None:
        content = tiny_data.tar(tiny_data.cifar_members())
        with pytest.raises(DecodeError):
            decoded(tmp_path, content[: int(kept if kept > 1 else kept * len(content))])

    def test_no_archive_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(DecodeError):
            decoded(tmp_path, b"<html>404</html>" * 100)


class TestIdx:
    @staticmethod
    def read(tmp_path: Path, content: bytes, name: str = "x") -> torch.Tensor:
        (tmp_path / name).write_bytes(content)
        return read_idx(tmp_path / name)

    def test_values_and_shape(self, tmp_path: Path) -> None:
        values = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
        for name, content in (("x", tiny_data.idx(values)), ("x.gz", gzip.compress(tiny_data.idx(values)))):
            assert np.array_equal(self.read(tmp_path, content, name).numpy(), values)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is not an IDX file"),
            (b"\x00\x00\x0d\x01" + bytes(8), "is not an IDX file"),
            (b"\x80\x04\x95abcdefgh", "is not an IDX file"),
            (tiny_data.idx(np.zeros((5, 4, 4), np.uint8))[:-1], "does not hold the 80 bytes"),
            (tiny_data.idx(np.zeros((5, 4, 4), np.uint8)) + b"x", "does not hold the 80 bytes"),
            (b"\x00\x00\x08\x03" + b"\xff" * 12, "claims 79,228,162,458,924,105,385,300,197,375 bytes"),
        ],
    )
    def test_what_is_wrong_is_reported(self, tmp_path: Path, content: bytes, message: str) -> None:
        with pytest.raises(DecodeError, match=message):
            self.read(tmp_path, content)

    def test_a_bomb_stops_at_the_size_in_its_header(self, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
            file.write(tiny_data.idx(np.zeros((5, 4, 4), np.uint8)))
            for _ in range(64):
                file.write(bytes(1 << 20))
        with pytest.raises(DecodeError, match="does not hold"):
            self.read(tmp_path, packed.getvalue(), "x.gz")

    def test_images_and_labels_must_be_as_many(self, tmp_path: Path) -> None:
        dataset, files = tiny_data.mnist()
        files["train-labels-idx1-ubyte"] = tiny_data.idx(np.zeros(7, np.uint8))
        paths = []
        for _, raw in dataset.parts:
            (tmp_path / raw.name).write_bytes(files[raw.name])
            paths.append(tmp_path / raw.name)
        with pytest.raises(DecodeError, match="300 train images but 7 labels"):
            decode(dataset, paths)


def test_a_file_that_cannot_be_decoded_is_one_data_error(
    tmp_path: Path, course_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tiny_data.tar(tiny_data.cifar_members()[:-1])
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    monkeypatch.setitem(load.PUBLISHED, "cifar10", tiny_data.cifar10(content))
    monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
    with pytest.raises(DataError, match=r"CIFAR-10 cannot be decoded[\s\S]*data_batch_4"):
        load_dataset("cifar10")
    assert not list(course_environment.rglob("*.safetensors"))
