"""Right answers to lab 01: loops, vectorised, through numpy, through Fourier, in double precision."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional
from torch.nn.functional import conv2d as torch_conv2d


def correlate_with_torch(image, kernel):
    return torch_conv2d(image[None, None], kernel[None, None])[0, 0]


def correlate_pixel_by_pixel(image, kernel):
    kh, kw = kernel.shape
    rows = image.shape[0] - kh + 1
    columns = image.shape[1] - kw + 1
    result = []
    for i in range(rows):
        result.append([])
        for j in range(columns):
            total = 0.0
            for u in range(kh):
                for v in range(kw):
                    total += image[i + u, j + v] * kernel[u, v]
            result[i].append(total)
    return torch.tensor(result)


def correlate_by_shifting(image, kernel):
    kh, kw = kernel.shape
    h, w = image.shape[0] - kh + 1, image.shape[1] - kw + 1
    return sum(kernel[u, v] * image[u : u + h, v : v + w] for u in range(kh) for v in range(kw))


def correlate_with_numpy(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image.numpy(), tuple(kernel.shape))
    return torch.from_numpy(np.einsum("ijuv,uv->ij", windows, kernel.numpy()))


def correlate_with_fourier(image, kernel):
    size = image.shape
    product = torch.fft.rfft2(image.double()) * torch.fft.rfft2(kernel.double(), s=size).conj()
    whole = torch.fft.irfft2(product, s=size)
    return whole[: size[0] - kernel.shape[0] + 1, : size[1] - kernel.shape[1] + 1]


def pad_with_torch(image, padding):
    return functional.pad(image, (padding, padding, padding, padding))


def pad_with_numpy(image, padding):
    return torch.from_numpy(np.pad(image.numpy(), padding))


def pad_with_cat(image, padding):
    sides = torch.zeros(image.shape[0], padding)
    wide = torch.cat([sides, image, sides], dim=1)
    ends = torch.zeros(padding, wide.shape[1])
    return torch.cat([ends, wide, ends], dim=0)


def pad_with_lists(image, padding):
    h, w = image.shape
    rows = [
        [float(image[i, j]) if 0 <= i < h and 0 <= j < w else 0 for j in range(-padding, w + padding)]
        for i in range(-padding, h + padding)
    ]
    return torch.tensor(rows)


def output_size_by_counting(n, f, p=0, s=1):
    return len(range(0, n + 2 * p - f + 1, s))


def output_size_rounded_down(n, f, p=0, s=1):
    return int(np.floor((n + 2 * p - f) / s + 1))


def output_size_of_a_layer(n, f, p=0, s=1):
    out = torch_conv2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, f, f), padding=p, stride=s)
    return torch.tensor(out.shape[-1])


def output_size_with_other_names(size, kernel, padding=0, stride=1):
    return math.floor((size + 2 * padding - kernel) / stride) + 1


def single_with_torch(image, kernel, padding=0, stride=1):
    return torch_conv2d(image[None, None], kernel[None, None], padding=padding, stride=stride).squeeze(0, 1)


def single_by_loops(image, kernel, padding=0, stride=1):
    padded = pad_with_cat(image, padding)
    (h, w), (kh, kw) = padded.shape, kernel.shape
    rows = [
        torch.stack([(padded[i : i + kh, j : j + kw] * kernel).sum() for j in range(0, w - kw + 1, stride)])
        for i in range(0, h - kh + 1, stride)
    ]
    return torch.stack(rows)


def single_with_unfold(image, kernel, padding=0, stride=1):
    columns = functional.unfold(image[None, None], tuple(kernel.shape), padding=padding, stride=stride)[0]
    rows = output_size_by_counting(image.shape[0], kernel.shape[0], padding, stride)
    return (kernel.flatten() @ columns).view(rows, -1)


def conv_with_torch(x, weight, bias=None, padding=0, stride=1):
    return torch_conv2d(x.unsqueeze(0), weight, bias, stride, padding).squeeze(0)


def conv_with_a_layer(x, weight, bias=None, padding=0, stride=1):
    k, c, kh, kw = weight.shape
    layer = torch.nn.Conv2d(c, k, (kh, kw), stride, padding, bias=bias is not None)
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return layer(x)


def conv_by_loops(x, weight, bias=None, padding=0, stride=1):
    out = torch.stack(
        [
            sum(single_by_loops(x[c], weight[k, c], padding, stride) for c in range(x.shape[0]))
            for k in range(weight.shape[0])
        ]
    )
    if bias is None:
        bias = torch.zeros(weight.shape[0])
    for k in range(weight.shape[0]):
        out[k] += bias[k]
    return out


def conv_with_einsum(x, weight, bias=None, padding=0, stride=1):
    padded = functional.pad(x, (padding,) * 4).double()
    f = weight.shape[-1]
    windows = padded.unfold(1, f, stride).unfold(2, f, stride)
    out = torch.einsum("cijuv,kcuv->kij", windows, weight.double())
    return out if bias is None else out + bias.view(-1, 1, 1)


def columns_with_torch(x, f, padding=0, stride=1):
    return functional.unfold(x[None], f, padding=padding, stride=stride).squeeze(0)


def columns_with_tensor_unfold(x, f, padding=0, stride=1):
    views = functional.pad(x, (padding,) * 4).unfold(1, f, stride).unfold(2, f, stride)
    return views.permute(0, 3, 4, 1, 2).reshape(x.shape[0] * f * f, -1)


def columns_by_loops(x, f, padding=0, stride=1):
    padded = functional.pad(x, (padding,) * 4)
    channels, height, width = padded.shape
    starts = list(itertools.product(range(0, height - f + 1, stride), range(0, width - f + 1, stride)))
    out = torch.empty(channels * f * f, len(starts))
    for column, (i, j) in enumerate(starts):
        out[:, column] = padded[:, i : i + f, j : j + f].reshape(-1)
    return out


def matmul_with_unfold(x, weight, bias=None, padding=0, stride=1):
    filters, _, f, _ = weight.shape
    out = weight.view(filters, -1) @ functional.unfold(x[None], f, padding=padding, stride=stride)[0]
    if bias is not None:
        out += bias.unsqueeze(1)
    height = (x.shape[1] + 2 * padding - f) // stride + 1
    return out.view(filters, height, -1)


def matmul_of_rows(x, weight, bias=None, padding=0, stride=1):
    filters, _, f, _ = weight.shape
    rows = columns_by_loops(x, f, padding, stride).T
    out = rows @ weight.reshape(filters, -1).T
    out = out if bias is None else out + bias
    height = (x.shape[1] + 2 * padding - f) // stride + 1
    width = (x.shape[2] + 2 * padding - f) // stride + 1
    return out.T.reshape(filters, height, width)


def gradient_with_autograd(x, weight, grad_output):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    torch_conv2d(x[None], weight)[0].backward(grad_output)
    return x.grad, weight.grad


def gradient_as_convolutions(x, weight, grad_output):
    f = weight.shape[-1]
    turned = weight.flip(2, 3).transpose(0, 1)
    grad_x = torch_conv2d(functional.pad(grad_output, (f - 1,) * 4)[None], turned)[0]
    grad_weight = torch_conv2d(x[:, None], grad_output[:, None]).transpose(0, 1)
    return [grad_x, grad_weight]


def gradient_by_loops(x, weight, grad_output):
    grad_x, grad_weight = np.zeros(x.shape), np.zeros(weight.shape)
    f = weight.shape[-1]
    for k, i, j in np.ndindex(*grad_output.shape):
        g = grad_output[k, i, j].item()
        grad_x[:, i : i + f, j : j + f] += g * weight[k].numpy()
        grad_weight[k] += g * x[:, i : i + f, j : j + f].numpy()
    return torch.from_numpy(grad_x), torch.from_numpy(grad_weight)


def gradient_with_fold(x, weight, grad_output):
    filters, channels, f, _ = weight.shape
    grad = grad_output.reshape(filters, -1).double()
    columns = weight.double().reshape(filters, -1).T @ grad
    grad_x = functional.fold(columns, x.shape[1:], f)
    grad_weight = grad @ functional.unfold(x.double(), f).T
    return grad_x, grad_weight.view(filters, channels, f, f)


def fuse_with_full_convolution(first, second):
    c, d = second.shape
    padded = functional.pad(first, (d - 1, d - 1, c - 1, c - 1))
    return torch_conv2d(padded[None, None], second.flip(0, 1)[None, None])[0, 0]


def fuse_with_transposed_convolution(first, second):
    return functional.conv_transpose2d(first[None, None], second[None, None])[0, 0]


def fuse_with_numpy(first, second):
    a, b = first.numpy(), second.numpy()
    out = np.zeros((a.shape[0] + b.shape[0] - 1, a.shape[1] + b.shape[1] - 1))
    for (i, j), w in np.ndenumerate(a):
        for (k, m), v in np.ndenumerate(b):
            out[i + k, j + m] += w * v
    return torch.from_numpy(out)


def fuse_with_fourier(first, second):
    size = tuple(a + b - 1 for a, b in zip(first.shape, second.shape, strict=True))
    return torch.fft.irfft2(torch.fft.rfft2(first, s=size) * torch.fft.rfft2(second, s=size), s=size)


def fuse_by_response(first, second):
    """Send an impulse through both filters: the response, turned, is the fused filter."""
    rows, columns = (a + b - 1 for a, b in zip(first.shape, second.shape, strict=True))
    impulse = torch.zeros(2 * rows - 1, 2 * columns - 1)
    impulse[rows - 1, columns - 1] = 1
    return correlate_with_torch(correlate_with_torch(impulse, first), second).flip(0, 1)


def parameters_of_a_layer(in_channels, out_channels, f, bias=True):
    layer = torch.nn.Conv2d(in_channels, out_channels, f, bias=bias)
    return sum(p.numel() for p in layer.parameters())


RIGHT_WAYS = {
    "cross_correlate": [
        correlate_with_torch,
        correlate_pixel_by_pixel,
        correlate_by_shifting,
        correlate_with_numpy,
        correlate_with_fourier,
    ],
    "zero_pad": [pad_with_torch, pad_with_numpy, pad_with_cat, pad_with_lists],
    "same_padding": [
        lambda f: f // 2,
        lambda f: int((f - 1) / 2),
        lambda kernel: torch.tensor((kernel - 1) // 2),
    ],
    "output_size": [
        output_size_by_counting,
        output_size_rounded_down,
        output_size_of_a_layer,
        output_size_with_other_names,
        lambda n, f, p=0, s=1: math.ceil((n + 2 * p - f + 1) / s),
    ],
    "conv2d_single": [single_with_torch, single_by_loops, single_with_unfold],
    "conv2d": [conv_with_torch, conv_with_a_layer, conv_by_loops, conv_with_einsum],
    "im2col": [columns_with_torch, columns_with_tensor_unfold, columns_by_loops],
    "conv2d_as_matmul": [matmul_with_unfold, matmul_of_rows, conv_with_torch],
    "conv2d_gradient": [
        gradient_with_autograd,
        gradient_as_convolutions,
        gradient_by_loops,
        gradient_with_fold,
    ],
    "fuse_filters": [
        fuse_with_full_convolution,
        fuse_with_transposed_convolution,
        fuse_with_numpy,
        fuse_with_fourier,
        fuse_by_response,
    ],
    "count_conv_parameters": [
        parameters_of_a_layer,
        lambda in_channels, out_channels, f, bias=True: out_channels * (in_channels * f**2 + int(bias)),
        lambda c, k, f, b=True: np.int64(c * k * f * f + (k if b else 0)),
    ],
}
