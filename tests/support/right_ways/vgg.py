"""Right answers to lab 04: blocks as modules and functions, networks by loops, other ways to count."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

# ------------------------------------------------------------------------------------------------ block


def block_by_appending(in_channels, out_channels, convs):
    block = nn.Sequential()
    for _ in range(convs):
        block.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding="same"))
        block.append(nn.ReLU(inplace=True))
        in_channels = out_channels
    block.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return block


class BlockModule(nn.Module):
    """Pools before the last ReLU, which gives the same."""

    def __init__(self, in_channels, out_channels, convs):
        super().__init__()
        widths = [in_channels] + [out_channels] * convs
        self.pool = nn.MaxPool2d(2)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in pairwise(widths))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).clamp(min=0)
        return F.relu(self.pool(self.layers[-1](x)))


class BlockOfParameters(nn.Module):
    def __init__(self, in_channels, out_channels, convs):
        super().__init__()
        self.biases = nn.ParameterList(torch.zeros(out_channels) for _ in range(convs))
        self.weights = nn.ParameterList(
            torch.randn(out_channels, out_channels if k else in_channels, 3, 3) for k in range(convs)
        )

    def forward(self, x):
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), weight, bias))
        return x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))


def block_of_pairs(in_channels, out_channels, convs):
    widths = [in_channels] + convs * [out_channels]
    layers = [nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU()) for a, b in pairwise(widths)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


# -------------------------------------------------------------------------------------------------- VGG


class WrittenOut(nn.Module):
    """Every layer by its name, one by one, as many as are asked for."""

    def __init__(self, arch=((2, 64), (2, 128), (2, 256), (1, 512)), hidden=4096):
        super().__init__()
        self.arch = arch
        self.fc3, self.fc2 = nn.Linear(hidden, 10), nn.Linear(hidden, hidden)
        channels, size = 3, 32
        for block, (convs, filters) in enumerate(arch):
            for conv in range(convs):
                setattr(self, f"conv{block}{conv}", nn.Conv2d(channels, filters, 3, padding=1))
                channels = filters
            size = size // 2
        self.fc1 = nn.Linear(size * size * channels, hidden)

    def forward(self, x):
        for block, (convs, _) in enumerate(self.arch):
            for conv in range(convs):
                x = F.relu(getattr(self, f"conv{block}{conv}")(x))
            x = F.max_pool2d(x, 2)
        x = x.view(x.shape[0], -1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class OfBlocks(nn.Sequential):
    def __init__(self, arch=((2, 64), (2, 128), (2, 256), (1, 512)), hidden=4096):
        blocks, channels = [], 3
        for convs, width in arch:
            blocks.append(BlockModule(channels, width, convs))
            channels = width
        head = (
            nn.Flatten(),
            nn.Linear(channels * (32 >> len(arch)) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )
        super().__init__(*blocks, *head)


class FromAPlan(nn.Module):
    """One list of widths and poolings, as in torchvision."""

    def __init__(self, cfg=((2, 64), (2, 128), (2, 256), (1, 512)), width=4096, num_classes=10):
        super().__init__()
        plan = [step for convs, filters in cfg for step in [*[filters] * convs, "M"]]
        layers, channels = [], 3
        for step in plan:
            if step == "M":
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                layers += [nn.Conv2d(channels, step, kernel_size=3, padding=1), nn.ReLU(True)]
                channels = step
        side = 32 >> plan.count("M")
        self.features = nn.Sequential(*layers)
        self.classifier = nn.ModuleList(
            [nn.Linear(channels * side**2, width), nn.Linear(width, width), nn.Linear(width, num_classes)]
        )

    def forward(self, x):
        x = torch.flatten(self.features(x), 1)
        *hidden, last = self.classifier
        for layer in hidden:
            x = torch.relu(layer(x))
        return last(x)


# ------------------------------------------------------------------------------------------- parameters


def counted_on_paper():
    return (38_720, 221_440, 885_248, 1_180_160, 25_214_986)


def counted_by_pytorch():
    with torch.device("meta"):
        model = WrittenOut()
    counts = {}
    for name, parameter in model.named_parameters():
        part = "head" if name.startswith("fc") else name[:5]
        counts[part] = counts.get(part, 0) + parameter.numel()
    return [counts[part] for part in sorted(counts)]


# ---------------------------------------------------------------------------------------- learning rate


def rate_by_cases(epoch):
    if epoch < 10:
        return 0.25
    if epoch < 14:
        return 0.125
    if epoch < 18:
        return 0.0625
    return 0.03125


def rate_by_loop(epoch):
    rate = 0.25
    for e in range(1, epoch + 1):
        rate = rate / 2 if e in {10, 14, 18} else rate
    return torch.tensor(rate)


def rate_of_a_scheduler(epoch):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.25)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[9, 13, 17], gamma=0.5)
    for _ in range(epoch - 1):
        optimizer.step()
        scheduler.step()
    return scheduler.get_last_lr()[0]


# --------------------------------------------------------------------------------------------- baselines


class Perceptron(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.last = nn.Linear(sizes[-2], sizes[-1])
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes[:-1]))

    def forward(self, x):
        x = x.view(x.size(0), -1)
        for layer in self.hidden:
            x = layer(x).relu()
        return self.last(x)


def perceptron_by_recursion(sizes):
    first, second, *more = sizes
    if not more:
        return nn.Sequential(nn.Flatten(), nn.Linear(first, second))
    return nn.Sequential(
        nn.Flatten(), nn.Linear(first, second), nn.ReLU(), perceptron_by_recursion(sizes[1:])
    )


def perceptron_by_names(sizes):
    model = nn.Sequential(nn.Flatten(start_dim=1))
    for number, width in enumerate(sizes[1:], 1):
        model.add_module(f"linear{number}", nn.Linear(sizes[number - 1], width))
        if number < len(sizes) - 1:
            model.add_module(f"relu{number}", nn.ReLU())
    return model


class PerceptronOfMatrices(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.matrices = nn.ParameterList(torch.randn(a, b) for a, b in pairwise(sizes))
        self.offsets = nn.ParameterList(torch.randn(b) for b in sizes[1:])

    def forward(self, x):
        x = x.flatten(1)
        for number, (matrix, offset) in enumerate(zip(self.matrices, self.offsets, strict=True)):
            x = (F.relu(x) if number else x) @ matrix + offset
        return x


# --------------------------------------------------------------------------------------- receptive field


def field_from_the_end(layers):
    size = 1
    for kernel, stride in reversed(list(layers)):
        size = (size - 1) * stride + kernel
    return size


def field_in_closed_form(layers):
    return 1 + sum((k - 1) * math.prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers))


def field_by_looking(layers):
    """Mark what one output sees, layer by layer back to the input."""
    seen = {0}
    for kernel, stride in layers[::-1]:
        seen = {place * stride + offset for place in seen for offset in range(kernel)}
    return torch.tensor(max(seen) - min(seen) + 1)


# --------------------------------------------------------------------------------- batch normalisation


def normalise_with_torch(x, weight, bias, eps=1e-5):
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def normalise_with_a_layer(x, weight, bias, eps=1e-5):
    layer = nn.BatchNorm2d(x.shape[1], eps=eps)
    return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))


def normalise_channel_by_channel(x, weight, bias, eps=1e-5):
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        values = x[:, c].reshape(-1).tolist()
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        out[:, c] = weight[c] * (x[:, c] - mean) / math.sqrt(variance + eps) + bias[c]
    return out


def normalise_rows(features, gamma, beta, epsilon=1e-5):
    rows = features.double().transpose(0, 1).flatten(1)
    variance, mean = torch.var_mean(rows, dim=1, correction=0, keepdim=True)
    rows = (rows - mean) * torch.rsqrt(variance + epsilon) * gamma[:, None] + beta[:, None]
    return rows.reshape(features.transpose(0, 1).shape).transpose(0, 1)


# ------------------------------------------------------------------------------------ pointwise head


def scores_from_averages(x, weight, bias):
    return F.linear(x.mean(dim=(2, 3)), weight.flatten(1), bias)


def scores_with_layers(x, weight, bias):
    classes, channels = weight.shape[:2]
    conv = nn.Conv2d(channels, classes, kernel_size=1)
    conv.weight.data, conv.bias.data = weight, bias
    return nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())(x)


def scores_with_einsum(x, weight, bias):
    maps = torch.einsum("nchw,kcuv->nkhw", x.double(), weight.double()) + bias.reshape(1, -1, 1, 1)
    return F.adaptive_avg_pool2d(maps, 1)[:, :, 0, 0]


def scores_pixel_by_pixel(x, weight, bias):
    (images, _, height, width), classes = x.shape, weight.shape[0]
    scores = []
    for n in range(images):
        scores.append([])
        for k in range(classes):
            total = 0.0
            for i in range(height):
                for j in range(width):
                    total += (x[n, :, i, j] * weight[k, :, 0, 0]).sum() + bias[k]
            scores[n].append(float(total) / (height * width))
    return torch.tensor(scores)


# ---------------------------------------------------------------------------------------- residual block


class ResidualInSequence(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.branch(x) + x)


class ResidualNormalised(nn.Module):
    """As in the paper: batch normalisation after each convolution, which then needs no bias."""

    def __init__(self, channels):
        super().__init__()
        self.bn2, self.bn1 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        identity = x
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return F.relu(out)


class ResidualNormalisedWithBias(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.clamp(torch.add(x, self.second(self.first(x))), min=0)


class ResidualWithoutBias(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.kernels = nn.ParameterList(torch.randn(channels, channels, 3, 3) for _ in "12")

    def forward(self, x):
        y = F.conv2d(x, self.kernels[0], padding=1)
        y = F.conv2d(torch.relu(y), self.kernels[1], padding=1)
        return torch.maximum(x + y, torch.zeros_like(x))


RIGHT_WAYS = {
    "vgg_block": [block_by_appending, BlockModule, BlockOfParameters, block_of_pairs],
    "vgg": [WrittenOut, OfBlocks, FromAPlan],
    "vgg_parameters": [counted_on_paper, counted_by_pytorch],
    "vgg_learning_rate": [rate_by_cases, rate_by_loop, rate_of_a_scheduler],
    "make_mlp": [Perceptron, perceptron_by_recursion, perceptron_by_names, PerceptronOfMatrices],
    "receptive_field": [field_from_the_end, field_in_closed_form, field_by_looking],
    "batch_norm": [
        normalise_with_torch,
        normalise_with_a_layer,
        normalise_channel_by_channel,
        normalise_rows,
    ],
    "pointwise_head": [
        scores_from_averages,
        scores_with_layers,
        scores_with_einsum,
        scores_pixel_by_pixel,
    ],
    "residual_block": [
        ResidualInSequence,
        ResidualNormalised,
        ResidualNormalisedWithBias,
        ResidualWithoutBias,
    ],
}
