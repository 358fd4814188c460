"""Loading datasets: embedded, published, from a folder; what they contain, where they say they come from."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils import load_dataset
from course_utils.data import Dataset, embedded, load
from course_utils.data.catalog import CIFAR10
from course_utils.errors import DataError, DeviceError


@pytest.fixture(autouse=True)
def own_cache(course_environment: Path) -> Path:
    return course_environment


@pytest.fixture
def fast_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "fast")


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return load_dataset("shapes")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class TestDigits:
    def test_they_look_like_mnist(self, digits: Dataset) -> None:
        assert digits.train.images.shape[1:] == digits.test.images.shape[1:] == (1, 28, 28)
        assert digits.train.images.dtype == torch.uint8 and digits.train.labels.dtype == torch.int64
        border = digits.train.images.clone()
        border[:, :, 4:24, 4:24] = 0
        assert not border.any(), "a digit lies within the middle 20×20 pixels"
        assert digits.train.images.max() == 255
        assert digits.classes == tuple("0123456789")

    def test_the_split_is_fixed_stratified_and_complete(self, digits: Dataset) -> None:
        assert len(digits.train) + len(digits.test) == 1797
        assert 290 <= len(digits.test) <= 300
        counts = torch.bincount(digits.test.labels, minlength=10)
        assert counts.min() >= 28 and counts.max() <= 31
        assert digits.digest == "2769ef631eb4"

    def test_no_image_is_in_both_halves(self, digits: Dataset) -> None:
        train = {image.numpy().tobytes() for image in digits.train.images}
        test = [image.numpy().tobytes() for image in digits.test.images]
        assert sum(image in train for image in test) == 0

    @pytest.mark.slow
    def test_they_match_scikit_learn(self, digits: Dataset) -> None:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        expected = torch.bincount(torch.from_numpy(bunch.target), minlength=10)
        found = torch.bincount(torch.cat([digits.train.labels, digits.test.labels]), minlength=10)
        assert found.tolist() == expected.tolist()


class TestPhotograph:
    def test_it_is_small_and_its_sky_is_brighter_than_its_trees(self) -> None:
        photograph = embedded.photograph()
        assert photograph.shape == (3, 106, 160) and 0 <= photograph.min() < photograph.max() <= 1
        assert photograph[:, :10].mean() > photograph[:, -10:].mean() + 0.3


@pytest.mark.slow
def test_a_scikit_learn_that_keeps_its_files_elsewhere_gives_the_same(monkeypatch, tmp_path) -> None:
    found = embedded.digits(), embedded.photograph()
    moved = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(embedded, "find_spec", lambda name: moved)
    again = embedded.digits(), embedded.photograph()
    assert found[0].sha256 == again[0].sha256 and torch.equal(found[1], again[1])


class TestShapes:
    @pytest.mark.slow
    def test_ten_balanced_classes(self, shapes: Dataset) -> None:
        assert shapes.train.images.shape == (4000, 3, 32, 32) and shapes.test.images.shape == (
            1000,
            3,
            32,
            32,
        )
        assert torch.bincount(shapes.train.labels).tolist() == [400] * 10
        assert torch.bincount(shapes.test.labels).tolist() == [100] * 10
        assert len(set(shapes.classes)) == 10

    @pytest.mark.slow
    def test_they_are_the_same_every_time(self, shapes: Dataset) -> None:
        assert load_dataset("shapes").digest == shapes.digest == "e6bceb4c1b50"
        assert embedded.draw_shapes(seed=1, train_each=2, test_each=1).sha256[:12] != shapes.digest

    @pytest.mark.slow
    def test_they_come_in_no_order(self, shapes: Dataset) -> None:
        assert len(set(shapes.train.labels[:50].tolist())) == 10

    def test_position_and_colour_vary_within_a_class(self, shapes: Dataset) -> None:
        discs = shapes.train.images[shapes.train.labels == 0].float()
        assert discs.std(dim=0).min() > 50, "no pixel is the same in all discs"
        assert discs.mean(dim=(2, 3)).std(dim=0).min() > 40, "nor is the colour"

    @pytest.mark.slow
    def test_drawing_takes_at_most_two_seconds_of_processor_time(self) -> None:
        began = time.process_time()
        embedded.draw_shapes()
        assert time.process_time() - began < 2

    @pytest.mark.slow
    def test_a_small_convnet_is_much_better_than_a_fully_connected_network(self, shapes: Dataset) -> None:
        def error(*layers: nn.Module, epochs: int, rate: float) -> float:
            model = nn.Sequential(*layers)
            torch.manual_seed(0)
            for layer in model:
                if hasattr(layer, "reset_parameters"):
                    layer.reset_parameters()
            optimizer = torch.optim.Adam(model.parameters(), lr=rate)
            generator = torch.Generator().manual_seed(0)
            for _ in range(epochs):
                for images, labels in shapes.train.batches(50, shuffle=True, generator=generator):
                    optimizer.zero_grad()
                    nn.functional.cross_entropy(model(images), labels).backward()
                    optimizer.step()
            images, labels = next(iter(shapes.test.batches(len(shapes.test))))
            with torch.no_grad():
                return float((model(images).argmax(1) != labels).float().mean())

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            connected = error(
                nn.Flatten(), nn.Linear(3072, 128), nn.ReLU(),
                nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10),
                epochs=8, rate=1e-3,
            )  # fmt: skip
            convolutional = error(
                nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU(),
                nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(512, 10),
                epochs=5, rate=1.5e-3,
            )  # fmt: skip
        finally:
            torch.set_num_threads(threads)
        assert convolutional < 0.25 < 0.7 < connected, (convolutional, connected)


class TestBatches:
    @pytest.mark.slow
    def test_they_are_normalised_by_the_scalars_of_the_training_images(self, digits: Dataset) -> None:
        images, labels = next(iter(digits.train.batches(len(digits.train))))
        assert images.dtype == torch.float32 and labels.dtype == torch.int64
        assert abs(float(images.mean())) < 1e-4 and abs(float(images.std()) - 1) < 1e-3
        expected = (digits.train.images.double() / 255 - digits.mean) / digits.std
        torch.testing.assert_close(images.double(), expected, atol=1e-5, rtol=1e-5)

    def test_mean_and_std_are_those_of_the_pixels(self, shapes: Dataset) -> None:
        pixels = shapes.train.images.double() / 255
        assert shapes.mean == pytest.approx(float(pixels.mean()), abs=1e-12)
        assert shapes.std == pytest.approx(float(pixels.std(correction=0)), abs=1e-12)

    def test_every_image_comes_once_and_the_last_batch_may_be_smaller(self, digits: Dataset) -> None:
        batches = digits.test.batches(100)
        assert len(batches) == 3 == len(list(batches))
        assert [len(labels) for _, labels in batches] == [100, 100, len(digits.test) - 200]
        assert torch.equal(torch.cat([labels for _, labels in batches]), digits.test.labels)

    def test_shuffling_keeps_images_and_labels_together(self, digits: Dataset) -> None:
        images, labels = next(iter(digits.test.batches(len(digits.test), shuffle=True)))
        assert not torch.equal(labels, digits.test.labels)
        original = {
            image.numpy().tobytes(): int(label)
            for image, label in zip(
                digits.test.normalised(digits.test.images), digits.test.labels, strict=True
            )
        }
        assert all(
            original[image.numpy().tobytes()] == label for image, label in zip(images, labels, strict=True)
        )

    def test_a_generator_repeats_the_order_and_each_pass_has_its_own(self, digits: Dataset) -> None:
        def passes(seed: int) -> list[list[int]]:
            batches = digits.test.batches(297, shuffle=True, generator=torch.Generator().manual_seed(seed))
            return [next(iter(batches))[1].tolist() for _ in range(2)]

        assert passes(1) == passes(1) != passes(2)
        assert passes(1)[0] != passes(1)[1]

    def test_a_transform_sees_each_normalised_batch(self, digits: Dataset) -> None:
        seen = []

        def flip(images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return images.flip(-1)

        flipped, _ = next(iter(digits.test.batches(8, transform=flip)))
        plain, _ = next(iter(digits.test.batches(8)))
        assert torch.equal(flipped, plain.flip(-1)) and seen[0].dtype == torch.float32

    def test_the_images_are_not_changed_by_what_is_done_to_a_batch(self, digits: Dataset) -> None:
        before = digits.test.images.clone()
        for images, _ in digits.test.batches(300):
            images.zero_()
        assert torch.equal(digits.test.images, before)

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_batch_of_nothing_is_refused(self, digits: Dataset, size: int) -> None:
        with pytest.raises(ValueError, match="at least one image"):
            digits.test.batches(size)


class TestNames:
    def test_an_unknown_name_lists_the_known_ones(self) -> None:
        with pytest.raises(DataError, match=r"no dataset 'mnits'[\s\S]*mnist, cifar10, digits, shapes"):
            load_dataset("mnits")

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("MNIST", "mnist"),
            ("minst", "mnist"),
            ("cifar-10", "cifar10"),
            ("CIFAR", "cifar10"),
            ("shape", "shapes"),
        ],
    )
    def test_a_name_that_is_nearly_right_is_recognised(self, name: str, meant: str) -> None:
        with pytest.raises(DataError, match=f"no dataset '{name}'") as caught:
            load_dataset(name)
        assert caught.value.next_step == f"Did you mean {meant}?"

    @pytest.mark.parametrize(
        "name", ["", " ", "x" * 300, "mnist\0", "\udcff", "https://example.org/x", None, 5, ["mnist"], object]
    )
    def test_a_name_that_is_none_is_refused(self, name: object) -> None:
        with pytest.raises(DataError, match=r"There is no (dataset|folder)"):
            load_dataset(name)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("~nobody-of-this-name/pets", "There is no home folder ~nobody-of-this-name."),
            ("./" + "x" * 300, "A name in it is longer than the system allows."),
            ("./" + "x/" * 3000, "A name in it is longer than the system allows."),
            ("{here}/loop/pets", "Its links lead in a circle."),
            ("{here}/pets.zip", "It is a file; unpack it if it is an archive."),
            ("{here}/pets.zip/train", "Not a directory."),
            ("{here}/nowhere", "No such file or directory."),
            ("{here}/no\0where", "It cannot be a path: embedded null byte."),
        ],
    )
    def test_a_folder_that_is_none_is_refused_for_its_own_reason(
        self, tmp_path: Path, name: str, why: str
    ) -> None:
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "pets.zip").write_bytes(b"PK")
        with pytest.raises(DataError, match="There is no folder") as caught:
            load_dataset(name.format(here=tmp_path))
        assert caught.value.why == why

    @pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder in which a process is")
    def test_a_current_folder_that_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert len(load_dataset("digits").test) == 297
        with pytest.raises(DataError, match="no longer exists"):
            load_dataset("./pets")

    def test_an_unknown_folder_is_reported_as_one(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="There is no folder"):
            load_dataset(tmp_path / "nowhere")

    def test_an_unknown_substitute_lists_the_embedded_ones(self) -> None:
        with pytest.raises(DataError, match=r"'mnist'[\s\S]*digits and shapes"):
            load_dataset("cifar10", offline="mnist")

    def test_one_line_describes_a_dataset(self, digits: Dataset) -> None:
        assert repr(digits) == (
            f"<Dataset digits: {len(digits.train):,} train + {len(digits.test)} test images, 1×28×28, "
            "10 classes; digits (scikit-learn, 1,797 real digits)>"
        )
        assert repr(digits.test) == f"{len(digits.test)} images of 1×28×28 on cpu"


class TestStandingIn:
    def test_the_quick_profile_takes_the_substitute_at_once(self) -> None:
        dataset = load_dataset("mnist", offline="digits")
        assert dataset.name == "digits" and dataset.substitute_for == "mnist"
        assert dataset.source == (
            "digits (scikit-learn, 1,797 real digits) instead of mnist: the profile is quick"
        )

    @pytest.mark.parametrize("name", ["minst", "./nowhere"])
    def test_nothing_stands_in_for_a_wrong_name(self, name: str) -> None:
        with pytest.raises(DataError, match="There is no"):
            load_dataset(name, offline="digits")

    @pytest.mark.slow
    def test_offline_the_substitute_says_what_it_stands_for(self, fast_profile: None) -> None:
        dataset = load_dataset("cifar10", offline="shapes")
        assert (dataset.name, dataset.substitute_for) == ("shapes", "cifar10")
        assert dataset.source.endswith("instead of cifar10: offline")

    def test_without_a_substitute_one_error_names_each_place_and_the_next_command(
        self, fast_profile: None, own_cache: Path
    ) -> None:
        began = time.monotonic()
        with pytest.raises(DataError) as caught:
            load_dataset("cifar10")
        assert time.monotonic() - began < 1
        message = str(caught.value)
        assert message.splitlines()[0] == "CIFAR-10 is out of reach."
        for part in (
            "shared folder: COURSE_DATA_SHARED is not set",
            f"user cache {own_cache}",
            "https://www.cs.toronto.edu/~kriz: not tried, COURSE_OFFLINE is set",
            "kept: Nothing was changed.",
            "course data fetch cifar10",
        ):
            assert part in message
        assert not own_cache.exists(), "nothing was changed, not even a folder made"

    def test_embedded_data_stand_in_for_nothing(self, digits: Dataset) -> None:
        assert digits.substitute_for is None


@pytest.mark.real_data
class TestRealMnist:
    @pytest.fixture(autouse=True)
    def shared(
        self, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast_profile: None
    ) -> Path:
        # A folder of the test's own, in case the real one holds a decoded copy too.
        folder = tmp_path / "shared"
        folder.mkdir()
        (folder / "MNIST").symlink_to(real_data / "MNIST")
        monkeypatch.setenv("COURSE_DATA_SHARED", str(folder))
        return folder

    def test_it_is_found_in_the_shared_folder(self, shared: Path) -> None:
        mnist = load_dataset("mnist", offline="digits")
        assert mnist.source == "MNIST, shared folder" and mnist.substitute_for is None
        assert mnist.train.images.shape == (60_000, 1, 28, 28)
        assert mnist.test.images.shape == (10_000, 1, 28, 28)
        assert f"{mnist.mean:.4f} {mnist.std:.4f}" == "0.1307 0.3081"
        assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert torch.bincount(mnist.test.labels).tolist() == [
            980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
        ]  # fmt: skip

    @pytest.mark.slow
    def test_it_equals_what_torchvision_reads(self, shared: Path) -> None:
        from torchvision.datasets import MNIST

        mnist, theirs = load_dataset("mnist"), MNIST(str(shared), train=False)
        assert torch.equal(mnist.test.images[:, 0], theirs.data)
        assert torch.equal(mnist.test.labels, theirs.targets)

    @pytest.mark.slow
    def test_the_second_load_comes_from_the_cache_and_takes_less_than_half_of_the_time(
        self, own_cache: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def timed() -> tuple[Dataset, float]:
            # Of this thread alone, so that a busy machine does not count.
            began = time.thread_time()
            return load_dataset("mnist"), time.thread_time() - began

        first, cold = timed()
        monkeypatch.setattr(load, "decode", None)
        second, warm = min((timed() for _ in range(20)), key=itemgetter(1))
        assert warm < cold / 2
        assert second.source == "MNIST, user cache (read from shared folder)"
        assert second.digest == first.digest and torch.equal(second.test.images, first.test.images)

    @pytest.mark.slow
    def test_changing_loaded_images_changes_no_file(self) -> None:
        load_dataset("mnist").train.images.zero_()
        assert load_dataset("mnist").train.images.any()

    @pytest.mark.slow
    def test_gzipped_files_are_found_too(
        self, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Packed here, the archives have other checksums than the published ones, so their own are expected.
        import hashlib
        from dataclasses import replace

        from course_utils.data import load
        from course_utils.data.catalog import MNIST, File

        parts = []
        for _, raw in MNIST.parts:
            packed = gzip.compress((shared / "MNIST" / "raw" / raw.name).read_bytes(), 1, mtime=0)
            (tmp_path / f"{raw.name}.gz").write_bytes(packed)
            parts.append((File(f"{raw.name}.gz", len(packed), hashlib.sha256(packed).hexdigest()),))
        monkeypatch.setitem(load.PUBLISHED, "mnist", replace(MNIST, parts=tuple(parts)))
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        packed_mnist = load_dataset("mnist", root=tmp_path / "cache")
        assert packed_mnist.digest == "06b0d1f124c4"

    def test_a_damaged_shared_file_is_named(
        self, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = tmp_path / "MNIST" / "raw"
        shutil.copytree(shared / "MNIST" / "raw", raw, copy_function=shutil.copyfile)
        os.chmod(raw, 0o755)
        with (raw / "t10k-images-idx3-ubyte").open("r+b") as file:
            file.seek(5000)
            file.write(b"x")
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        with pytest.raises(DataError, match="t10k-images-idx3-ubyte differs from the published file"):
            load_dataset("mnist")


def write_images(folder: Path, sizes: dict[str, tuple[int, int]], mode: str = "RGB") -> Path:
    random = np.random.RandomState(0)
    for name, (height, width) in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        Image.fromarray(random.randint(0, 256, shape, dtype=np.uint8)).save(path)
    return folder


GOOD = {
    "train/cat/1.png": (6, 5),
    "train/cat/2.PNG": (6, 5),
    "train/dog/1.jpg": (6, 5),
    "test/cat/1.png": (6, 5),
    "test/dog/1.png": (6, 5),
}


CIFAR_COPY = {f"{half}/{name}/1.jpg": (32, 32) for half in ("train", "test") for name in CIFAR10.classes}


@pytest.mark.usefixtures("fast_profile")
class TestJpegCopy:
    """A shared folder that has CIFAR-10 as JPEG images only."""

    def test_it_is_used_and_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_images(tmp_path / "cifar10-jpeg", CIFAR_COPY)
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        dataset = load_dataset("cifar10", offline="shapes")
        assert (dataset.name, dataset.substitute_for) == ("cifar10", None)
        assert dataset.source == "CIFAR-10 (JPEG copy), shared folder"
        assert dataset.classes == CIFAR10.classes
        assert dataset.train.labels.tolist() == list(range(10))

    @pytest.mark.slow
    def test_without_it_the_embedded_images_stand_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        assert load_dataset("cifar10", offline="shapes").substitute_for == "cifar10"


class TestFolder:
    def test_images_classes_and_labels(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "pets", GOOD)
        (folder / "train" / "cat" / "notes.txt").write_text("no image")
        (folder / "train" / ".hidden").mkdir()
        dataset = load_dataset(folder)
        assert (dataset.name, dataset.classes) == ("pets", ("cat", "dog"))
        assert dataset.source == f"folder {folder.name}"
        assert dataset.train.images.shape == (3, 3, 6, 5)
        assert dataset.train.labels.tolist() == [0, 0, 1] and dataset.test.labels.tolist() == [0, 1]
        with Image.open(folder / "train" / "cat" / "2.PNG") as image:
            assert torch.equal(dataset.train.images[1], torch.from_numpy(np.array(image)).permute(2, 0, 1))

    def test_grey_images_have_one_channel(self, tmp_path: Path) -> None:
        assert load_dataset(write_images(tmp_path, GOOD, mode="L")).train.images.shape == (3, 1, 6, 5)

    def test_one_colour_image_makes_all_of_them_rgb(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path, GOOD, mode="L")
        write_images(folder, {"test/dog/1.png": (6, 5)})
        dataset = load_dataset(folder)
        assert dataset.train.images.shape == (3, 3, 6, 5)
        assert torch.equal(dataset.train.images[0, 0], dataset.train.images[0, 2])

    def test_it_is_decoded_once(
        self, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = write_images(tmp_path / "pets", GOOD)
        first = load_dataset(folder)
        monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
        assert load_dataset(folder).digest == first.digest

    def test_an_image_that_is_edited_in_place_is_noticed(self, tmp_path: Path) -> None:
        folder = write_images(tmp_path / "pets", {**GOOD, "train/cat/3.bmp": (6, 5)})
        first = load_dataset(folder)
        edited = folder / "train" / "cat" / "3.bmp"
        before = edited.stat()
        Image.fromarray(np.zeros((6, 5, 3), dtype=np.uint8)).save(edited)
        assert edited.stat().st_size == before.st_size
        os.utime(edited, ns=(before.st_atime_ns, before.st_mtime_ns + 10**6))
        assert load_dataset(folder).digest != first.digest

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("train/cat/3.png", (7, 5), r"cat/3\.png is 5×7, but .*cat/1\.png is 5×6"),
            ("test/dog/9.jpg", b"<html>", r"dog/9\.jpg cannot be read as an image"),
            ("test/dog/9.png", b"", r"dog/9\.png cannot be read as an image"),
            ("train/fox", None, r"class .*fox has no images"),
            ("train/fox/1.png", (6, 5), r"Only one of train and test has the class 'fox'"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, own_cache: Path, name: str, content: object, message: str
    ) -> None:
        folder = write_images(tmp_path / "pets", GOOD)
        if content is None:
            (folder / name).mkdir()
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_images(folder, {name: content})
        with pytest.raises(DataError, match=message):
            load_dataset(folder)
        assert not list(own_cache.rglob("*.safetensors")), "nothing half-decoded is kept"

    @pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
    @pytest.mark.parametrize("kind", ["png", "jpg"])
    def test_a_cut_image_is_named(self, tmp_path: Path, kind: str, kept: float) -> None:
        folder = write_images(tmp_path / "pets", {**GOOD, f"train/cat/9.{kind}": (60, 50)})
        write_images(folder, {name: (60, 50) for name in GOOD})
        path = folder / "train" / "cat" / f"9.{kind}"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        with pytest.raises(DataError, match=rf"cat/9\.{kind} cannot be read"):
            load_dataset(folder)

    @pytest.mark.parametrize("half", ["train", "test"])
    def test_a_missing_half_shows_the_layout(self, tmp_path: Path, half: str) -> None:
        folder = write_images(tmp_path / "pets", GOOD)
        shutil.rmtree(folder / half)
        with pytest.raises(DataError, match=rf"no folder '{half}'[\s\S]*train/<class>/\*"):
            load_dataset(folder)

    def test_an_empty_folder_shows_the_layout(self, tmp_path: Path) -> None:
        for half in ("train", "test"):
            (tmp_path / half).mkdir()
        with pytest.raises(DataError, match="has no classes"):
            load_dataset(tmp_path)


@pytest.mark.parametrize("device", ["gpu", "GPU", "cuda:99", "tpu", "", "cpu:-1", "cpu, please", 3.5])
def test_a_device_that_is_none_is_refused_with_those_that_exist(device: object) -> None:
    with pytest.raises(DeviceError, match="cpu"):
        load_dataset("digits", device=device)  # type: ignore[arg-type]


def test_a_gpu_has_another_name_in_pytorch() -> None:
    with pytest.raises(DeviceError, match=r"cuda \(NVIDIA, AMD\), mps \(Apple\)") as caught:
        load_dataset("digits", device="gpu")
    assert "COURSE_DEVICE" not in caught.value.next_step


def test_images_go_to_the_device_that_is_asked_for() -> None:
    dataset = load_dataset("digits", device=torch.device("meta"))
    assert dataset.train.images.device.type == dataset.test.labels.device.type == "meta"
