"""Right answers to lab 02: loops, vectorised, through PyTorch's own layers and its autograd."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def max_with_torch(x, size=2, stride=None):
    return functional.max_pool2d(x, size, stride)


def max_with_a_layer(x, size=2, stride=None):
    return nn.MaxPool2d(size, stride)(x.unsqueeze(0)).squeeze(0)


def max_with_unfold(x, size=2, stride=None):
    stride = stride or size
    return x.unfold(1, size, stride).unfold(2, size, stride).amax((3, 4))


def max_by_loops(x, size=2, stride=None):
    if stride is None:
        stride = size
    result = []
    for channel in x.tolist():
        rows = []
        for i in range(0, len(channel) - size + 1, stride):
            row = []
            for j in range(0, len(channel[0]) - size + 1, stride):
                best = -float("inf")
                for u in range(size):
                    for v in range(size):
                        best = max(best, channel[i + u][j + v])
                row.append(best)
            rows.append(row)
        result.append(rows)
    return torch.tensor(result)


def mean_with_torch(x, size=2, stride=None):
    return functional.avg_pool2d(x, size, stride)


def mean_with_unfold(x, size=2, stride=None):
    stride = stride or size
    return x.double().unfold(1, size, stride).unfold(2, size, stride).mean(dim=(-1, -2))


def mean_as_convolution(x, size=2, stride=None):
    kernel = torch.full((1, 1, size, size), 1 / size**2)
    return functional.conv2d(x[:, None], kernel, stride=stride or size)[:, 0]


def mean_by_numpy(x, size=2, stride=None):
    step = size if stride is None else stride
    windows = np.lib.stride_tricks.sliding_window_view(x.numpy(), (size, size), axis=(1, 2))
    return torch.from_numpy(windows[:, ::step, ::step].mean(axis=(3, 4)))


def shape_of_a_layer(shape, size=2, stride=None):
    return nn.MaxPool2d(size, stride)(torch.zeros(shape)).shape


def shape_by_counting(shape, size=2, stride=None):
    stride = stride or size
    return [shape[0], *(len(range(0, n - size + 1, stride)) for n in shape[1:])]


def shape_by_rounding_down(shape, size=2, stride=None):
    channels, *lengths = shape
    return (channels, *(int((n - size) / (stride or size)) + 1 for n in lengths))


def gradient_with_autograd(x, grad_output, size=2):
    x = x.clone().requires_grad_()
    functional.max_pool2d(x, size).backward(grad_output)
    return x.grad


def gradient_with_unpool(x, grad_output, size=2):
    _, indices = functional.max_pool2d(x, size, return_indices=True)
    return functional.max_unpool2d(grad_output, indices, size, output_size=x.shape[1:])


def gradient_by_searching(x, grad_output, size=2):
    grad = torch.zeros_like(x)
    for c, i, j in np.ndindex(*grad_output.shape):
        best = None
        for u in range(i * size, i * size + size):
            for v in range(j * size, j * size + size):
                if best is None or x[c, u, v] > x[c, best[0], best[1]]:
                    best = (u, v)
        grad[c, best[0], best[1]] += grad_output[c, i, j]
    return grad


def multiply_adds_by_position(in_channels, out_channels, height, width, f):
    per_output = torch.ones(in_channels, f, f).numel()
    return per_output * torch.Size((out_channels, height, width)).numel()


def agreement_by_slices(layer, x, shift):
    moved = torch.cat([x[..., -shift:], x[..., :-shift]], dim=-1) if shift else x
    before, after = layer(x), layer(moved)
    return torch.isclose(before, after).double().mean()


def agreement_by_counting(layer, x, shift):
    with torch.no_grad():
        same = layer(x.roll(shift, -1)).eq(layer(x))
    return same.sum().item() / same.numel()


def equivariance_moved_back(layer, x, shift):
    out = layer(x)
    steps = shift // (x.size(3) // out.size(3))
    back = layer(x.roll(shift, 3)).roll(-steps, 3)
    return torch.isclose(back, out).double().mean()


def equivariance_by_slices(layer, x, shift):
    def right(images, by):
        width = images.shape[-1]
        return images[..., [j - by for j in range(width)]]

    with torch.no_grad():
        out, moved = layer(x), layer(right(x, shift))
    stride = int(x.shape[-1] / out.shape[-1])
    return np.mean(moved.numpy() == right(out, int(shift / stride)).numpy())


def equivariance_by_counting(layer, x, shift):
    out, moved = layer(x), layer(torch.roll(x, shift, -1))
    n, c, h, w = out.shape
    step = shift // (x.shape[-1] // w)
    same = 0
    for j in range(w):
        same += (moved[:, :, :, (j + step) % w] == out[:, :, :, j]).sum().item()
    return same / (n * c * h * w)


RIGHT_WAYS = {
    "max_pool": [max_with_torch, max_with_a_layer, max_with_unfold, max_by_loops],
    "avg_pool": [mean_with_torch, mean_with_unfold, mean_as_convolution, mean_by_numpy],
    "pooled_shape": [shape_of_a_layer, shape_by_counting, shape_by_rounding_down],
    "max_pool_gradient": [gradient_with_autograd, gradient_with_unpool, gradient_by_searching],
    "conv_multiply_adds": [
        multiply_adds_by_position,
        lambda in_channels, out_channels, height, width, f: int(
            in_channels * f**2.0 * out_channels * height * width
        ),
        lambda c, k, h, w, f: np.prod([c, k, h, w, f, f]),
    ],
    "shift_agreement": [agreement_by_slices, agreement_by_counting],
    "shift_equivariance": [equivariance_moved_back, equivariance_by_slices, equivariance_by_counting],
}
