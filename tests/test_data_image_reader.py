"""Odd images in a folder: what a viewer shows is what one gets, or the file is named and the reason true."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import odd_images
import pytest
import torch
from odd_images import DAMAGED, ODD, SIDE, THINGS, folder_of
from PIL import Image

from course_utils import load_dataset
from course_utils.data import Dataset, image_reader
from course_utils.errors import DataError

REFUSED = {
    "grey of 16 bits, none above 255": "no value above 255 of 65,535",
    "grey of 16 bits, pgm": "cannot identify",
    "grey of 12 bits, pgm": "cannot identify",
    "32 bits": "32 bits",
    "float": "32 bits",
    "float with nan": "32 bits",
    "one pixel": "1×1",
    "one row": "3000×1",
}
"""Images that have no one meaning in 8 bits, or another size."""


@pytest.fixture(autouse=True)
def own_cache(course_environment: Path) -> Path:
    return course_environment


def first_of(path: Path, *images: bytes, other: str = "grey") -> tuple[np.ndarray, Dataset]:
    dataset = load_dataset(folder_of(path / "odd", *images, other=other))
    return dataset.train.images[0].numpy(), dataset


class TestDepth:
    @pytest.mark.parametrize("kind", ["grey of 16 bits", "grey of 16 bits, tiff"])
    def test_16_bits_become_8(self, tmp_path: Path, kind: str) -> None:
        image, dataset = first_of(tmp_path, ODD[kind]())
        assert image.shape == (1, SIDE, SIDE), "a grey one among grey ones leaves them grey"
        assert np.array_equal(image[0], odd_images.ramp())
        assert dataset.source == "folder odd (16 bits reduced to 8)"

    def test_from_the_cache_the_source_says_it_too(self, tmp_path: Path) -> None:
        _, first = first_of(tmp_path, ODD["grey of 16 bits"]())
        again = load_dataset(tmp_path / "odd")
        assert (again.source, again.digest) == (first.source, first.digest)

    def test_among_coloured_ones_they_become_rgb(self, tmp_path: Path) -> None:
        image, _ = first_of(tmp_path, ODD["grey of 16 bits"](), other="rgb")
        assert np.array_equal(image, np.stack([odd_images.ramp()] * 3))

    def test_12_bits_in_16_are_not_made_black(self, tmp_path: Path) -> None:
        """Microscopes and X-ray machines write them; of 256 shades 16 would be left."""
        data = odd_images._saved(Image.fromarray(odd_images.ramp16() // 16))
        with pytest.raises(DataError, match=r"no value above 4,095 of 65,535: 8 bits would leave 16 shades"):
            first_of(tmp_path, data)

    def test_colour_of_16_bits_becomes_8(self, tmp_path: Path) -> None:
        image, dataset = first_of(tmp_path, ODD["rgb of 16 bits"](), other="rgb")
        assert dataset.source == "folder odd (16 bits reduced to 8)"
        difference = image.astype(int) - odd_images.ramp()
        assert image.shape == (3, SIDE, SIDE) and abs(difference).max() <= 1

    @pytest.mark.parametrize(("kind", "levels"), [("1 bit", {0, 255}), ("2 bits", {0, 85, 170, 255})])
    def test_less_than_8_bits_fill_the_range(self, tmp_path: Path, kind: str, levels: set[int]) -> None:
        image, dataset = first_of(tmp_path, ODD[kind]())
        assert set(np.unique(image)) == levels and image.shape[0] == 1
        assert dataset.source == "folder odd"


class TestTurned:
    @pytest.mark.parametrize("kind", [name for name in ODD if name.startswith("turned")])
    def test_a_camera_held_in_any_way(self, tmp_path: Path, kind: str) -> None:
        image, dataset = first_of(tmp_path, ODD[kind](), other="rgb")
        upright = odd_images.corner().transpose(2, 0, 1)
        assert abs(image.astype(int) - upright).max() <= (80 if "jpeg" in kind else 0)
        assert ("(turned as EXIF says)" in dataset.source) == (kind != "turned 1")

    def test_photos_upright_and_across_have_one_size(self, tmp_path: Path) -> None:
        folder = tmp_path / "photos"
        wide = Image.fromarray(np.zeros((6, 9, 3), np.uint8) + np.arange(9, dtype=np.uint8)[:, None])
        exif = Image.Exif()
        exif[0x0112] = 6
        for half in ("train", "test"):
            odd_images.write(folder / half / "a", x=odd_images._saved(wide))
            stored = wide.transpose(Image.Transpose.ROTATE_90)
            odd_images.write(folder / half / "b", x=odd_images._saved(stored, exif=exif))
        images = load_dataset(folder).train.images
        assert torch.equal(images[0], images[1]) and images.shape[2:] == (6, 9)

    def test_without_the_tag_another_shape_is_named(self, tmp_path: Path) -> None:
        wide, high = (odd_images._saved(Image.fromarray(np.zeros(s, np.uint8))) for s in ((6, 9), (9, 6)))
        folder = folder_of(tmp_path / "odd", wide, high)
        with pytest.raises(DataError, match=r"1\.png is 6×9, but .*0\.png is 9×6"):
            load_dataset(folder)

    @pytest.mark.parametrize("kind", [name for name in ODD if name.startswith("orientation")])
    def test_a_tag_that_means_nothing_turns_nothing(self, tmp_path: Path, kind: str) -> None:
        image, dataset = first_of(tmp_path, ODD[kind](), other="rgb")
        assert np.array_equal(image, np.asarray(odd_images.RGB).transpose(2, 0, 1))
        assert dataset.source == "folder odd"


class TestTransparent:
    @pytest.mark.parametrize(("kind", "other"), [("transparent", "rgb"), ("transparent grey", "grey")])
    def test_what_is_transparent_is_white(self, tmp_path: Path, kind: str, other: str) -> None:
        image, dataset = first_of(tmp_path, ODD[kind](), other=other)
        assert (image[:, :, : SIDE // 2] == 200).all() and (image[:, :, SIDE // 2 :] == 255).all()
        assert len(image) == (3 if other == "rgb" else 1)
        assert dataset.source == "folder odd (on white where transparent)"

    def test_a_palette_and_single_colours_may_be_transparent(self, tmp_path: Path) -> None:
        kinds = ("palette with transparency", "a transparent colour", "a transparent grey")
        images = load_dataset(folder_of(tmp_path, *(ODD[kind]() for kind in kinds), other="rgb")).train.images
        palette, colour, grey = images[:3].numpy()
        index = odd_images.ramp() // 64
        assert (palette[:, index == 3] == 255).all() and (palette[0, index == 0] == 255).all()
        assert (palette[1, index == 0] == 0).all()
        assert np.array_equal(colour, np.asarray(odd_images.RGB).transpose(2, 0, 1))
        assert (grey[:, 0, 0] == 255).all() and np.array_equal(grey[0, 1:], odd_images.ramp()[1:])

    def test_a_layer_that_hides_nothing_changes_nothing(self, tmp_path: Path) -> None:
        image, dataset = first_of(tmp_path, ODD["alpha that hides nothing"](), other="rgb")
        assert np.array_equal(image, np.asarray(odd_images.RGB).transpose(2, 0, 1))
        assert dataset.source == "folder odd"


@pytest.mark.parametrize("kind", ["animated gif", "animated png", "animated webp", "tiff of three pages"])
def test_of_several_pictures_in_a_file_the_first_counts(tmp_path: Path, kind: str) -> None:
    image, dataset = first_of(tmp_path, ODD[kind](), other="rgb")
    assert (image == 0).all()
    assert dataset.source == "folder odd (the first picture of files with several)"


@pytest.mark.parametrize("kind", ["palette of greys", "grey jpeg", "1 bit", "transparent grey"])
def test_grey_in_any_mode_stays_grey(tmp_path: Path, kind: str) -> None:
    image, _ = first_of(tmp_path, ODD[kind]())
    assert len(image) == 1


@pytest.mark.parametrize("kind", ["cmyk", "mpo", "ycbcr", "palette", "bmp", "webp", "jpeg"])
def test_colour_in_any_mode_is_rgb(tmp_path: Path, kind: str) -> None:
    image, _ = first_of(tmp_path, ODD[kind](), other="rgb")
    expected = np.asarray(odd_images.RGB).transpose(2, 0, 1).astype(int)
    assert abs(image - expected).mean() < 20, "about the same colours"


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_one_meaning_is_refused_by_name(tmp_path: Path, own_cache: Path, kind: str) -> None:
    with pytest.raises(DataError, match=REFUSED[kind]):
        # Second, so that the size is that of the others.
        load_dataset(folder_of(tmp_path / "odd", ODD["grey"](), ODD[kind]()))
    assert not list(own_cache.rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_damaged_is_refused_by_name(tmp_path: Path, own_cache: Path, kind: str) -> None:
    began = time.process_time()
    with pytest.raises(DataError, match=r"0\.png cannot be read as an image"):
        load_dataset(folder_of(tmp_path / "odd", DAMAGED[kind]()))
    assert time.process_time() - began < 5
    assert not list(own_cache.rglob("*.safetensors"))


def test_an_image_starts_no_other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    monkeypatch.setattr(subprocess, "check_call", lambda *_, **__: pytest.fail("a program was started"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(DataError, match=r"0\.png cannot be read"):
        load_dataset(folder_of(tmp_path, DAMAGED["postscript"]()))


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("place", ["train/a/0.png", "train/c", "train/0.png"])
def test_what_is_no_file_is_refused_by_name(tmp_path: Path, kind: str, place: str) -> None:
    folder = folder_of(tmp_path / "odd")
    THINGS[kind](folder / place)
    if place == "train/c" and kind not in ("a folder", "a link to itself", "a link to its folder"):
        assert load_dataset(folder).classes == ("a", "b"), "it looks like neither an image nor a class"
        return
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    assert place.rpartition("/")[2] in caught.value.why


def test_images_outside_the_classes_are_not_left_out_in_silence(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "odd")
    (folder / "test" / "a" / "more").mkdir()
    with pytest.raises(DataError, match="test/a/more is no image file"):
        load_dataset(folder)
    (folder / "test" / "a" / "more").rename(folder / "test" / "a" / ".more")
    load_dataset(folder)
    odd_images.write(folder / "test", x=ODD["grey"]())
    with pytest.raises(DataError, match=r"test/x\.png lies in no class"):
        load_dataset(folder)


class TestMemory:
    @pytest.mark.parametrize(("count", "colour", "gigabytes"), [(1000, 2, "36.1"), (1000, 0, "12.0")])
    def test_large_photos_are_added_up_before_one_is_decoded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, colour: int, gigabytes: str
    ) -> None:
        monkeypatch.setattr(image_reader, "main_memory", lambda: 24 * 10**9)
        header_only = odd_images.png_of(4000, 3000, colour=colour)
        folder = folder_of(tmp_path / "photos")
        for path in folder.rglob("*.png"):
            path.write_bytes(header_only)
        for index in range(count):
            os.link(folder / "train" / "b" / "x.png", folder / "train" / "a" / f"{index}.png")
        began = time.process_time()
        with pytest.raises(DataError) as caught:
            load_dataset(folder)
        assert time.process_time() - began < 2
        assert f"1,004 images of 4000×3000 take {gigabytes} GB of memory" in caught.value.why
        assert "this computer has 24.0 GB" in caught.value.why and "smaller" in caught.value.next_step

    def test_a_large_image_among_small_ones_is_not_decoded(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"1\.png is 9000×9000, but .*0\.png is 8×8"):
            load_dataset(folder_of(tmp_path, ODD["grey"](), odd_images.png_of(9000, 9000)))

    def test_a_computer_that_does_not_tell_its_memory_is_not_asked_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(image_reader, "main_memory", lambda: None)
        load_dataset(folder_of(tmp_path))


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_images_of_one_colour_are_refused(tmp_path: Path, shade: int) -> None:
    folder = folder_of(tmp_path / "odd")
    for path in folder.rglob("*.png"):
        Image.fromarray(np.full((8, 8), shade, np.uint8)).save(path)
    with pytest.raises(DataError, match=f"Every pixel of its training images is {shade}"):
        load_dataset(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows stores names as characters")
class TestNames:
    @pytest.mark.parametrize(
        "name", [b"Caf\xe9", b"\xff\xfe", "ß名".encode(), b"a\nb", b"[x]*?", b"**", b"[b]"]
    )
    def test_classes_and_folders_of_any_name(self, tmp_path: Path, name: bytes) -> None:
        folder = tmp_path / os.fsdecode(name)
        folder_of(folder)
        for half in ("train", "test"):
            (folder / half / "a").rename(folder / half / os.fsdecode(name))
        first, again = load_dataset(folder), load_dataset(folder)
        assert first.digest == again.digest
        for text in (*first.classes, first.source, first.name, repr(first)):
            text.encode()  # it can be printed
        assert len(first.classes) == 2
        (folder / "train" / os.fsdecode(name) / "y.png").write_bytes(b"")
        with pytest.raises(DataError, match=r"y\.png cannot be read") as caught:
            load_dataset(folder)
        str(caught.value).encode()

    @pytest.mark.parametrize(("name", "format"), [("x.gif", "GIF"), ("x.tif", "TIFF"), ("X.TIFF", "TIFF")])
    def test_every_format_that_can_be_read_is_read_by_its_own_name(
        self, tmp_path: Path, name: str, format: str
    ) -> None:
        folder = folder_of(tmp_path / "odd")
        before = len(load_dataset(folder).train.images)
        picture = odd_images._saved(Image.fromarray(odd_images.ramp()), format)
        (folder / "train" / "a" / name).write_bytes(picture)
        assert len(load_dataset(folder).train.images) == before + 1

    @pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.avif"])
    def test_images_that_cannot_be_read_are_not_left_out_in_silence(self, tmp_path: Path, name: str) -> None:
        folder = folder_of(tmp_path / "odd")
        (folder / "train" / "a" / name).write_bytes(b"\0\0\0 ftypheic")
        with pytest.raises(DataError, match=f"{name} is an image of a kind") as caught:
            load_dataset(folder)
        assert "Save it as PNG or JPEG" in str(caught.value)

    def test_a_long_name_of_characters_that_take_several_bytes(self, tmp_path: Path, own_cache: Path) -> None:
        folder = folder_of(tmp_path / ("🙂" * 60))
        load_dataset(folder)
        (stored,) = (own_cache / "decoded").iterdir()
        assert stored.name.startswith("🙂" * 16 + "-v1-")
