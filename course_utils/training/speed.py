"""Switches that make training faster without changing its result beyond noise."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.device import cpu_model

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names in ``malloc.h``."""


@dataclass(frozen=True)
class Speed:
    """How the same arithmetic is carried out.

    Attributes
    ----------
    channels_last : bool
        Keep the channels of a pixel side by side in memory, as convolution kernels prefer; on a CPU, the
        gradients of pooled feature maps too.
        A model that calls ``x.view(-1, n)`` after a convolution cannot take it; ``x.flatten(1)`` can.
    bf16 : bool
        Multiply in bfloat16 (8 bits of precision, float32's range) and keep weights and sums in float32.
        Faster only where the processor has instructions for it.
    keep_heap : bool
        Keep freed memory in the process for the next step. Otherwise, large activations are returned to the
        system and fetched again, page by page, at every step. Works only with glibc, and for the rest of the
        process, which does not shrink again.
    note : str
        Why a switch is off, where that is a surprise.

    Notes
    -----
    Training epochs on two cores of an x86 processor with avx512_bf16, medians of turns, compared with the
    lecture's loop (float32, contiguous, gradients of the images, each batch normalised again, loss and error
    read at every step). ``course bench --switches`` measures it on your machine.

    ================================ ======== ===== ======== =====
    loop                             LeNet5   ratio VGG      ratio
    ================================ ======== ===== ======== =====
    the lecture's                    48 s     1.00  391 s    1.00
    the same, no image gradients     43 s     0.85  394 s    1.04
    fit, all switches off            39 s     0.80  394 s    1.02
    channels-last                    34 s     0.67  347 s    0.90
    bf16                             30 s     0.59  214 s    0.54
    channels-last and bf16           17 s     0.34  193 s    0.49
    the same, and the heap kept      17 s     0.35  155 s    0.40
    channels-last, the heap kept     28 s     0.57  307 s    0.79
    ================================ ======== ===== ======== =====

    Ratios are medians of each turn's. The last line is what a processor without instructions for bfloat16
    gets. Runs differ: in another one the kept heap took LeNet5 from 22 to 17 s.

    On two threads of an Intel Xeon that has avx512_bf16 and no tiles (AMX), bfloat16 costs time:
    channels-last with the heap kept was at 0.55 (LeNet5) and 0.87 (VGG) of the lecture's loop, and at 0.76
    and 1.21 with bfloat16. There, the operations of a LeNet5 step need at least 0.72 of the time they take:
    ``python tests/benchmarks/roofline.py``.

    The result stays: with the lecture's whole recipe and three seeds, LeNet5 ends at a test error of 0.91,
    0.81 and 0.76 % with all switches off, and of 0.89, 0.81 and 0.76 % with the default ones; a small
    network with Muon, two epochs of CIFAR-10, at 19.14, 19.31 and 19.22 %, and at 19.36 % three times.
    """

    channels_last: bool = False
    bf16: bool = False
    keep_heap: bool = False
    note: str = ""

    def autocast(self, device: torch.device) -> torch.autocast:
        """Make the context in which matrices are multiplied."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)

    def pooling(self, device: torch.device) -> AbstractContextManager[object]:
        """Make the context in which a model is called, for less work in max-pooling."""
        return _Pooling() if self.channels_last and device.type == "cpu" else nullcontext()

    def describe(self, device: torch.device) -> str:
        """Name the switches in one line, for example ``CPU, 2 threads, channels-last: on, bf16: on``."""
        threads = torch.get_num_threads()
        where = f"CPU, {threads} thread{'s' * (threads != 1)}" if device.type == "cpu" else str(device)
        switches = [f"channels-last: {_on(self.channels_last)}", f"bf16: {_on(self.bf16)}"]
        switches += ["heap: kept"] * self.keep_heap
        return ", ".join([where, *switches]) + (f" ({self.note})" if self.note else "")


class _Pooling(TorchFunctionMode):
    """Trains max-pooling with less work on a CPU; the results are the same, bit for bit.

    ReLU keeps the order of numbers, so the maximum may be taken first: the gradient then passes ReLU on the
    pooled map, a quarter of the size. And max-pooling gets the gradient of its output in channels-last form:
    a model that flattens its last map gets a contiguous one back, for which max-pooling would copy its stored
    indices, and the whole gradient of its input there and back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rectified: tuple[Tensor, Tensor, tuple[int, int]] | None = None

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name, options = getattr(function, "__name__", ""), kwargs or {}
        if name == "relu" and args:
            result = function(*args, **options)
            self.rectified = args[0], result, (args[0]._version, result._version)
            return result
        if name != "max_pool2d" or not args:
            return function(*args, **options)
        rectified, self.rectified = self.rectified, None
        if rectified is not None and args[0] is rectified[1] and _unchanged(*rectified):
            result = function(rectified[0], *args[1:], **options).relu()
        else:
            result = function(*args, **options)
        if result.requires_grad and result.ndim == 4:
            result.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
        return result


def _unchanged(given: Tensor, rectified: Tensor, versions: tuple[int, int]) -> bool:
    """Return whether nobody has changed either tensor since, or waits for a gradient of the second."""
    watched = rectified.retains_grad or rectified._backward_hooks
    return (given._version, rectified._version) == versions and not watched


PLAIN = Speed()
"""Float32 and contiguous images: the loop of the lecture."""


def default_speed(device: torch.device) -> Speed:
    """Choose the switches that pay off on `device`."""
    if device.type == "cpu":
        return Speed(channels_last=True, bf16=_cpu_has_fast_bf16(), keep_heap=_has_mallopt())
    if device.type == "cuda":
        # Older cards emulate bfloat16, slowly.
        fast = torch.cuda.get_device_capability(device) >= (8, 0) or torch.version.hip is not None
        return Speed(channels_last=True, bf16=fast)
    return PLAIN


def supported(speed: Speed, model: nn.Module, images: Tensor) -> Speed:
    """Turn channels-last off if `model` cannot take it, as one small batch shows.

    Parameters
    ----------
    speed : Speed
        The requested switches.
    model : nn.Module
        Left as it was.
    images : Tensor
        A few normalised images, N×C×H×W, on the model's device.
    """
    if not speed.channels_last:
        return speed
    training = model.training
    try:
        model.to(memory_format=torch.channels_last)
        with torch.no_grad():
            model.eval()(images)
    except Exception as error:  # in contiguous form, it has just taken such a batch
        view = "the model's view() needs contiguous images; flatten(1) takes both"
        note = view if "view" in str(error) else "the model needs contiguous images"
        return replace(speed, channels_last=False, note=note)
    finally:
        model.to(memory_format=torch.contiguous_format)
        model.train(training)
    return speed


def machine(device: torch.device, processes: int = 1) -> str:
    """Name the hardware: ``2 threads of AMD EPYC``, ``NVIDIA H200``."""
    if device.type == "cpu":
        threads = processes * torch.get_num_threads()
        return f"{threads} thread{'s' * (threads != 1)} of {cpu_model()}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return f"{processes} × {name}" if processes > 1 else name


def keep_heap(speed: Speed) -> None:
    """Let the C library keep freed memory, if the switch is on."""
    if speed.keep_heap:
        library = ctypes.CDLL(None)
        # Older glibc refuses a threshold above 32 MiB. The other option alone would be worse than nothing:
        # glibc would stop raising the threshold by itself, and map every large tensor again.
        if library.mallopt(M_MMAP_THRESHOLD, 2**30) or library.mallopt(M_MMAP_THRESHOLD, 2**25):
            library.mallopt(M_TRIM_THRESHOLD, 2**30)


def _has_mallopt() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")


def _cpu_has_fast_bf16() -> bool:
    # Private functions: where a version of PyTorch lacks them, the safe answer is no.
    vectors, tiles = (
        getattr(torch.cpu, probe, bool)() for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    # Intel's processors carry out avx512_bf16 at half of float32's speed; only their tiles (AMX) are faster.
    return tiles or (vectors and "Intel" not in cpu_model())


def _on(switch: bool) -> str:
    return "on" if switch else "off"
