"""What it costs to learn from a JPEG copy: the same training on images as they are and encoded once more.

``python tests/benchmarks/jpeg_cost.py`` prints a table. The public JPEG copy of CIFAR-10 has quality 75, and
colours at half the resolution; so do the images that are encoded here. Where only that copy is at hand, it is
encoded a second time, with the 8×8 blocks laid elsewhere, which costs less than the first time. The networks
are those of ``time_to_error.py``.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from statistics import mean

import torch
from PIL import Image
from time_to_error import GOALS, train
from torch import Tensor
from torch.nn import functional

from course_utils import load_dataset
from course_utils.data import Dataset
from course_utils.data.dataset import pixel_statistics
from course_utils.device import describe_device, pick_device
from course_utils.training.speed import default_speed

QUALITY = 75
OFFSET = 4
"""Pixels by which the blocks are moved: half a block."""

TRAININGS = {
    "mnist": GOALS["mnist"],
    "shapes": replace(GOALS["cifar20"], dataset="shapes", epochs=4),
    "cifar10": replace(GOALS["cifar20"], epochs=2),
}


def encoded(images: Tensor) -> Tensor:
    """Encode uint8 images N×C×H×W as JPEG, one by one, and decode them again."""
    height, width = images.shape[2:]
    framed = functional.pad(images.float(), [OFFSET] * 4, mode="reflect").to(torch.uint8)
    found = []
    for pixels in framed.permute(0, 2, 3, 1).squeeze(3).numpy():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "jpeg", quality=QUALITY, subsampling="4:2:0")
        decoded = torch.frombuffer(bytearray(Image.open(file).tobytes()), dtype=torch.uint8)
        found.append(decoded.view(framed.shape[2], framed.shape[3], -1).permute(2, 0, 1))
    return torch.stack(found)[:, :, OFFSET : OFFSET + height, OFFSET : OFFSET + width].contiguous()


def copy_of(dataset: Dataset) -> Dataset:
    """Encode both halves of a dataset."""
    images = encoded(dataset.train.images)
    mean, std = pixel_statistics(images)
    halves = {
        "train": replace(dataset.train, images=images, mean=mean, std=std),
        "test": replace(dataset.test, images=encoded(dataset.test.images), mean=mean, std=std),
    }
    return replace(dataset, **halves, mean=mean, std=std, digest=f"{dataset.digest}-jpeg")


def main() -> None:
    """Train on both, seed by seed, and print the errors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="*", default=list(TRAININGS), help=f"of {', '.join(TRAININGS)}")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(describe_device())
    for name in options.datasets:
        dataset = load_dataset(name)
        copy = copy_of(dataset)
        change = (copy.test.images.float() - dataset.test.images.float()).pow(2).mean().sqrt().item()
        print(f"\n{dataset.source}; a pixel changes by {change:.1f} of 255 (root mean square)")
        errors: dict[str, list[float]] = {"as they are": [], "encoded": []}
        for seed in range(options.seeds):
            for kind, images in zip(errors, (dataset, copy), strict=True):
                found = train(TRAININGS[name], images, seed, default_speed(pick_device()))["error"]
                errors[kind].append(found)
                print(f"seed {seed}, {kind}: {100 * found:.2f} %", flush=True)
        before, after = map(mean, errors.values())
        print(f"mean: {100 * before:.2f} % and {100 * after:.2f} %, {100 * (after - before):+.2f} points")


if __name__ == "__main__":
    main()
