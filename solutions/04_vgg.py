# %% [markdown]
# # Lab 04 · VGG
#
# **Aim.** Build a deep network from blocks, see what convolutions gain over plain linear layers, and compare the networks
# that made history.
#
# Between short exercises, three networks are trained, each in about a minute with the profile `fast` (measured on two CPU cores, no
# GPU). With the lecture's own network and recipe, the first two take an hour or more each.
#
# [The data](#The-data) · [Blocks](#Blocks) · [The network](#The-network) · [Parameters](#Parameters) ·
# [Learning rate](#Learning-rate) · [Baselines](#Baselines) · [Receptive field](#Receptive-field) ·
# [Training](#Training) · [Batch normalisation](#Batch-normalisation) ·
# [Several processes](#Several-processes) · [Case studies](#Case-studies) ·
# [Predict, then explain](#Predict,-then-explain)

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_utils import check, describe_device, figures, fit, load_dataset, pick_device, settings
from course_utils.data import photograph
from course_utils.training import (
    MODERN_ARCHS,
    PATCHES,
    VGG_SIZES,
    SmallVGG,
    plot_ablation,
    plot_plateau,
    predict,
    recipe,
    report,
    whiten,
)

check.begin(lab=4)

# %% [markdown]
# ## The data
#
# CIFAR-10: 50,000 training and 10,000 test images, 32×32 pixels in colour, ten classes. Easy for us, hard for a network.
# If the archive cannot be reached, drawn shapes stand in, and the lines below say so.

# %% nbval_reason="the device and the dataset depend on the machine" tags=["nbval-ignore-output"]
device = pick_device()
print(describe_device(device))
dataset = load_dataset("cifar10", device=device, offline="shapes")
print(dataset)

# %% nbval_reason="the images depend on the dataset" tags=["nbval-ignore-output"]
spread = torch.arange(20) * (len(dataset.train) // 20)  # some copies of the data are sorted by class
images, labels = dataset.train.images[spread], dataset.train.labels[spread]
figures.image_grid(images, titles=[dataset.classes[k] for k in labels], columns=10)


# %% [markdown]
# ## Blocks
#
# VGG uses only one kind of convolution: 3×3 with padding 1, followed by ReLU. A **block** is a few of these, followed by
# max pooling, which halves height and width.
#
# ### Exercise 4.1 · `vgg_block` (2 points)

# %% nbgrader={"grade": false, "grade_id": "vgg_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def vgg_block(in_channels, out_channels, convs):
    """`convs` times (3×3 convolution with padding 1, ReLU), then 2×2 max pooling. Returns a module."""
    ### BEGIN SOLUTION
    layers = []
    for _ in range(convs):
        layers += [nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1), nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*layers, nn.MaxPool2d(2))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_vgg_block", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.vgg_block(vgg_block)

# %%
block = vgg_block(3, 64, 2)
print((3, 32, 32), "→", tuple(block(torch.zeros(1, 3, 32, 32)).shape[1:]))


# %% [markdown]
# ## The network
#
# An architecture is data: four blocks, written as (number of convolutions, number of filters), and three linear layers.
#
# | part | output |
# | --- | --- |
# | image | 3×32×32 |
# | block (2, 64) | 64×16×16 |
# | block (2, 128) | 128×8×8 |
# | block (2, 256) | 256×4×4 |
# | block (1, 512) | 512×2×2 |
# | flatten | 2,048 |
# | linear, ReLU | 4,096 |
# | linear, ReLU | 4,096 |
# | linear | 10 scores |
#
# ### Exercise 4.2 · `VGG` (3 points)

# %% nbgrader={"grade": false, "grade_id": "vgg", "locked": false, "schema_version": 3, "solution": true, "task": false}
class VGG(nn.Module):
    """N×3×32×32 images → N×10 scores."""

    def __init__(self, arch=((2, 64), (2, 128), (2, 256), (1, 512)), hidden=4096):
        super().__init__()
        ### BEGIN SOLUTION
        blocks, channels = [], 3
        for convs, filters in arch:
            blocks.append(vgg_block(channels, filters, convs))
            channels = filters
        side = 32 // 2 ** len(arch)
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return self.head(self.features(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_vgg", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.vgg(VGG)

# %%
with torch.device("meta"):  # shapes only: no memory, no arithmetic
    net = VGG()
    scores = net(torch.zeros(2, 3, 32, 32))
print("two images in, scores out:", tuple(scores.shape))
figures.shape_chain(VGG, (3, 32, 32))


# %% [markdown]
# ## Parameters
#
# ### Exercise 4.3 · `vgg_parameters` (1 point)
#
# Compute them from the sizes: one number for each block and one for the three linear layers together.

# %% nbgrader={"grade": false, "grade_id": "vgg_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def vgg_parameters():
    """The number of parameters of the four blocks and of the head, in order: five ints."""

    ### BEGIN SOLUTION
    def conv(inputs, outputs):
        return inputs * outputs * 3 * 3 + outputs

    def linear(inputs, outputs):
        return inputs * outputs + outputs

    return [
        conv(3, 64) + conv(64, 64),
        conv(64, 128) + conv(128, 128),
        conv(128, 256) + conv(256, 256),
        conv(256, 512),
        linear(512 * 2 * 2, 4096) + linear(4096, 4096) + linear(4096, 10),
    ]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_vgg_parameters", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.vgg_parameters(vgg_parameters)

# %%
counts = vgg_parameters()
rows = [
    (name, f"{count:,}", f"{count / sum(counts):.1%}")
    for name, count in zip(["block 1", "block 2", "block 3", "block 4", "linear layers"], counts, strict=True)
]
rows.append(("total", f"{sum(counts):,}", "100.0%"))
figures.table(
    rows,
    columns=["part", "parameters", "share"],
    caption="VGG of this lab: 7 convolutions and 3 linear layers",
)

# %% [markdown]
# > **Erratum.** The slide prints 30 million, "512 × 216" (for 256), and 3.3 million for block 4. Those numbers belong to a
# > variant with a second convolution in block 4: 29,900,362 parameters, 11 layers. The network of the lab, 10 layers, has
# > 27,540,554.

# %%
with torch.device("meta"):
    variant = VGG(arch=((2, 64), (2, 128), (2, 256), (2, 512)))
print("as in the lab:", f"{sum(p.numel() for p in net.parameters()):,}")
print("the variant:  ", f"{sum(p.numel() for p in variant.parameters()):,}")


# %% [markdown]
# ## Learning rate
#
# The lecture's recipe: 20 epochs of plain gradient descent, 128 images a step, learning rate 0.25, halved at epochs 10, 14
# and 18.
#
# ### Exercise 4.4 · `vgg_learning_rate` (1 point)

# %% nbgrader={"grade": false, "grade_id": "vgg_learning_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def vgg_learning_rate(epoch):
    """The learning rate of an epoch, counted from 1. It is already halved *in* epochs 10, 14 and 18."""
    ### BEGIN SOLUTION
    return 0.25 / 2 ** sum(epoch >= milestone for milestone in (10, 14, 18))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_vgg_learning_rate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.vgg_learning_rate(vgg_learning_rate)

# %%
print({epoch: vgg_learning_rate(epoch) for epoch in (1, 9, 10, 13, 14, 17, 18, 20)})


# %% [markdown]
# ## Baselines
#
# How well does a network *without* convolutions do? Flatten the image, then apply linear layers with a ReLU between them
# (not after the last).
#
# ### Exercise 4.5 · `make_mlp` (1 point)

# %% nbgrader={"grade": false, "grade_id": "make_mlp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_mlp(sizes):
    """A multilayer perceptron for images, e.g. make_mlp((3072, 512, 512, 10)). Returns a module."""
    ### BEGIN SOLUTION
    layers = [nn.Flatten()]
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_make_mlp", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.make_mlp(make_mlp)

# %%
one_layer, three_layers = make_mlp((3072, 10)), make_mlp((3072, 512, 512, 10))
for name, mlp in {"1 layer": one_layer, "3 layers": three_layers}.items():
    print(f"{name:8} {sum(p.numel() for p in mlp.parameters()):>9,} parameters")

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
runs = {}  # the histories of this lab's networks, for the table at the end
for name, sizes in {"1-layer MLP": (3072, 10), "3-layer MLP": (3072, 512, 512, 10)}.items():
    torch.manual_seed(0)
    mlp = make_mlp(sizes)
    runs[name] = fit(mlp, dataset, recipe("mlp", dataset=dataset), device=device)


# %% [markdown]
# **Notice.** In the lecture, the MLP with one layer reaches 65 % test error, with 59 % on the training images; the one with three
# layers 46 %, with 0 %. The larger network is better on new images as well, yet it knows every training image by heart and gets
# nearly half of the new ones wrong: a linear layer must learn each object at each place anew.

# %% [markdown]
# ## Receptive field
#
# Two 3×3 convolutions, one after the other, see 5×5 pixels; three see 7×7. With pooling in between, the field grows faster:
# behind a stride of 2, one step is two pixels wide.
#
# ### Exercise 4.6 · `receptive_field` (2 points)

# %% nbgrader={"grade": false, "grade_id": "receptive_field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(layers):
    """How many pixels (along one side) one output sees. layers: (kernel, stride) pairs, first layer first."""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_receptive_field", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.receptive_field(receptive_field)

# %%
conv, pool = (3, 1), (2, 2)
vgg_layers = [conv, conv, pool, conv, conv, pool, conv, conv, pool, conv, pool]
print(
    "seen by one output after each layer:",
    [receptive_field(vgg_layers[:n]) for n in range(1, len(vgg_layers) + 1)],
)
print(
    "two 3×3:",
    receptive_field([conv] * 2),
    "· three 3×3:",
    receptive_field([conv] * 3),
    "· one 7×7:",
    receptive_field([(7, 1)]),
)

# %% [markdown]
# The same, drawn on the photograph of Lab 01 (danielbuechele, [CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)) with
# your blocks: choose a layer and a unit.

# %% nbval_reason="the weights are random" tags=["nbval-ignore-output"]
features = nn.Sequential(vgg_block(3, 8, 2), vgg_block(8, 16, 2))
figures.receptive_field(features, F.adaptive_avg_pool2d(photograph()[:, :, :106], 32))

# %%
print(f"three 3×3 layers with C channels: {3 * 9} C² weights, one 7×7 layer: {7 * 7} C²")

# %% [markdown]
# **Notice.** Stacked small filters see as far as one large filter, with fewer weights and more ReLUs. After block 3 one
# output already sees more than the whole image.

# %% [markdown]
# ## Training
#
# The lecture's network and recipe take 14 minutes an epoch on a CPU of 2021, and the profile `lecture` runs exactly that, in an
# hour or more on two cores of a newer one (and later once more, with batch normalisation). `fast` trains **your class** in a smaller size, with momentum and with the lecture's learning rates
# squeezed into three epochs, as in Lab 03: about a minute. Afterwards you make it better.

# %% nbval_reason="the recipe depends on the profile" tags=["nbval-ignore-output"]
size = VGG_SIZES[settings.read().profile]
print(f"VGG(arch={size['arch']}, hidden={size['hidden']})")
plan = recipe("vgg", dataset=dataset)
plan


# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
def squeezed_rate(epoch):
    """Your learning rate: its 20 epochs squeezed into the recipe's, scaled to the recipe's rate."""
    return vgg_learning_rate(1 + int(20 * epoch / plan.epochs)) * plan.learning_rate / 0.25


torch.manual_seed(plan.seed)
model = VGG(**size)
runs["your VGG"] = fit(model, dataset, plan, learning_rate=squeezed_rate, device=device)


# %% [markdown]
# ## Batch normalisation
#
# In a deep network the signal fades or grows from layer to layer, and so do the gradients on their way back. **Batch normalisation**
# puts each channel back to mean 0 and variance 1, usually between a convolution and its ReLU. Then the channel is multiplied by a
# weight and a bias is added; both are learned, so the network can still choose another scale.
#
# ### Exercise 4.7 · `batch_norm` (2 points)
#
# Each channel has one mean μ and one variance σ², over all images of the batch and all places of the map; σ² is the mean of the
# squared differences from μ. Return weight · (x − μ) / √(σ² + ε) + bias. The small ε keeps a constant channel from dividing by 0.

# %% nbgrader={"grade": false, "grade_id": "batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm(x, weight, bias, eps=1e-5):
    """Normalise each channel over the batch. x: N×C×H×W; weight, bias: C. Returns N×C×H×W."""
    ### BEGIN SOLUTION
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    normalised = (x - mean) / torch.sqrt(variance + eps)
    return normalised * weight.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_batch_norm", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.batch_norm(batch_norm)

# %%
torch.manual_seed(0)
layer = nn.BatchNorm2d(3)
x = 5 + 2 * torch.randn(16, 3, 8, 8)
mine = batch_norm(x, layer.weight, layer.bias)
print("the same as nn.BatchNorm2d in training mode:", torch.allclose(mine, layer(x), atol=1e-5))

# %% [markdown]
# **In the test** an image's scores must not depend on the other images of its batch. So the layer keeps **running statistics**: in
# training mode, each batch moves them a tenth of the way towards its own mean and variance. In evaluation mode
# (`model.eval()`) the layer uses them instead of the batch's.

# %%
layer = nn.BatchNorm2d(1)
for batch in range(1, 31):
    layer(5 + 2 * torch.randn(16, 1, 8, 8))
    if batch in (1, 10, 30):
        mean, variance = layer.running_mean.item(), layer.running_var.item()
        print(f"after {batch:2} batches: running mean {mean:.2f}, running variance {variance:.2f}")
grey = torch.full((1, 1, 8, 8), 7.0)
print(f"an image of sevens, in evaluation mode: {layer.eval()(grey).mean().item():.2f}")
print(f"an image of sevens, in training mode:   {layer.train()(grey).mean().item():.2f}")


# %% [markdown]
# **Notice.** Mean 5 and variance 4 are reached slowly. In training mode an image of one colour is black after normalisation,
# whatever its colour: its own mean is subtracted.

# %% [markdown]
# ### The same network, with batch normalisation
#
# This puts a normalisation behind each convolution of a network, wherever it stands:

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
def with_batch_norm(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, nn.Sequential(child, nn.BatchNorm2d(child.out_channels)))
        else:
            with_batch_norm(child)
    return module


torch.manual_seed(plan.seed)
model = with_batch_norm(VGG(**size))
runs["your VGG, batch norm"] = fit(model, dataset, plan, learning_rate=squeezed_rate, device=device)

# %% [markdown]
# ### Deep networks wait
#
# The lecture's network has ten layers. Its loss first stays at ln 10 = 2.303 for one to five epochs, depending on the first weights, as if
# nothing were learned: without normalisation, the signal first has to reach a scale that lets gradients through. With batch
# normalisation the loss falls at once. Both were recorded once, with the lecture's recipe:

# %%
plot_plateau()

# %% [markdown]
# `overfit_batch` of Lab 03 shows the same within seconds: after 400 steps on the same 16 images, this VGG's loss was still 2.1, from
# another start 1.9. With batch normalisation after each convolution, it was below 0.01 after 31 steps, from the other start after 28.

# %% [markdown]
# ### What modern practice adds
#
# From **your blocks** with batch normalisation, `SmallVGG` builds a network with a first layer of small patches and a single linear layer at
# the end. It is trained with what was found out after VGG:
#
# - **Initialisation.** *Whitening*: the first layer is not learned. Its filters are the principal directions of the training images' patches.
# - **Schedule.** The learning rate rises, then falls to 0: large steps first, fine ones at the end.
# - **Augmentation.** The network rarely sees an image twice in the same way: it is shifted by up to a pixel and often mirrored.
#   In the test, the network looks at the image and at its mirror image.
# - **Optimiser.** *Muon* takes a step equally large in all directions of a weight matrix; SGD mostly follows the steepest few.
# - **Label smoothing.** The target is not 1 for the right class and 0 for the others: a small share is spread over all classes.

# %% nbval_reason="the recipe depends on the profile" tags=["nbval-ignore-output"]
modern = recipe("modern", dataset=dataset)
modern

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
torch.manual_seed(modern.seed)
arch = MODERN_ARCHS[settings.read().profile]
widths = [PATCHES, *(width for _, width in arch)]
yours = [vgg_block(widths[n], widths[n + 1], convs) for n, (convs, _) in enumerate(arch)]
model = SmallVGG(with_batch_norm(nn.Sequential(*yours)), widths[-1], mirror=modern.augmentation.flip)
whiten(model.patches, dataset.train)
runs["all of it"] = history = fit(model, dataset, modern, device=device)

# %% [markdown]
# **What does each of them contribute?** The same training, each time without one ingredient, measured once:

# %%
plot_ablation()

# %% [markdown]
# **Notice.** In two passes, normalisation, a falling learning rate and the optimiser are worth the most. Shifted and mirrored
# training images and label smoothing hardly matter yet (single runs differ by about 0.3): they pay when training is long enough
# to learn the images by heart.

# %% [markdown]
# ### All of them in one table

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
rows = [
    (
        name,
        run.parameters,
        f"{100 * run.train_error:.1f} %",
        f"{100 * run.test_error:.1f} %",
        f"{run.seconds:.1f} s",
    )
    for name, run in runs.items()
]
figures.table(
    rows,
    columns=["network", "parameters", "training error", "test error", "time"],
    caption=f"{dataset.name}, profile {settings.read().profile}",
)

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
report(4, runs["your VGG"] if settings.read().profile == "lecture" else history)

# %% [markdown]
# **Which classes are confused?** Rows are the true classes, columns the answers. Choose a cell to see its images.

# %% nbval_reason="the answers depend on the trained network" tags=["nbval-ignore-output"]
scores = predict(model, dataset.test)
figures.training_panel(history, scores, dataset.test.labels, dataset.test.images, dataset.classes)

# %% nbval_reason="the answers depend on the trained network" tags=["nbval-ignore-output"]
figures.worst_mistakes(dataset.test.images, scores, dataset.test.labels, dataset.classes)

# %% [markdown]
# **Notice.** On CIFAR-10 the confusions are human: cats and dogs, cars and trucks.
#
# **Filters and feature maps** of the first layer, for one image. With `fast` and `quick` these are the computed filters: the
# eight strongest patterns of 3×3 pixels, and from the ninth on (see the maps) the same ones negated.

# %% nbval_reason="the filters depend on the trained network" tags=["nbval-ignore-output"]
first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
figures.filters(first.weight)

# %% nbval_reason="the maps depend on the trained network" tags=["nbval-ignore-output"]
one = dataset.test.normalised(dataset.test.images[:1])
with torch.no_grad():
    maps = first(one)[0].relu()
figures.feature_maps(maps[:16], image=dataset.test.images[0])


# %% [markdown]
# ## Several processes
#
# Two processes, or two machines, can share the work: each computes the gradient of its half of every batch, then they
# average their gradients and take the same step (PyTorch's `DistributedDataParallel`). The result is the same up to rounding. In a terminal:
#
# ```bash
# torchrun --nproc-per-node=2 -m course_utils.training vgg
# ```
#
# Measured on 2 CPU cores, an epoch of LeNet5 with the lecture's recipe: one process with one thread 32 s, two such processes
# 21 s. They exchange gradients at every step, so twice the machines are never quite twice as fast.

# %% [markdown]
# ## Case studies
#
# These networks made history. They are built here on PyTorch's `meta` device, without weights and without memory, so that
# their parameters and multiply-adds can be *computed*. First, two ideas that came after VGG.
#
# VGG flattens its last maps, and three linear layers with most of its parameters follow. GoogLeNet and ResNet need one small
# layer: they average each map, **global average pooling**.
#
# ### Exercise 4.8 · `pointwise_head` (1 point)
#
# A **1×1 convolution** sees a single pixel: it mixes that pixel's channels. Let K filters make one map for each of K classes, then
# take the mean of each map as the score. The weight is K×C×1×1, as in Lab 01 with f = 1.

# %% nbgrader={"grade": false, "grade_id": "pointwise_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pointwise_head(x, weight, bias):
    """1×1 convolution, then the mean of each map. x: N×C×H×W, weight: K×C×1×1, bias: K. Returns scores, N×K."""
    ### BEGIN SOLUTION
    maps = F.conv2d(x, weight, bias)
    return maps.mean(dim=(2, 3))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_pointwise_head", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.pointwise_head(pointwise_head)

# %% [markdown]
# The convolution mixes channels, the mean runs over places, and both are linear: their order does not matter. GoogLeNet and ResNet
# average first and apply a linear layer to what is left, which is less work.

# %%
torch.manual_seed(0)
maps = torch.randn(4, 512, 2, 2)
linear = nn.Linear(512, 10)
convolved_first = pointwise_head(maps, linear.weight[:, :, None, None], linear.bias)
averaged_first = linear(maps.mean(dim=(2, 3)))
print("the same in either order:", torch.allclose(convolved_first, averaged_first, atol=1e-5))

heads = {
    "VGG of this lab": vgg_parameters()[-1],
    "VGG-16": (25_088 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000),
}
rows = [
    (name, f"{heads[name]:,}", f"{512 * classes + classes:,}")
    for name, classes in {"VGG of this lab": 10, "VGG-16": 1000}.items()
]
figures.table(
    rows,
    columns=["network", "its three linear layers", "global average pooling instead"],
    caption="Parameters of two heads for 512 maps",
)


# %% [markdown]
# The second idea makes ResNet 152 layers deep: the **residual block** adds its input to what its convolutions make of it.
# The convolutions only have to learn the difference, and gradients have a short path back.
#
# ### Exercise 4.9 · `ResidualBlock` (2 points)
#
# 3×3 convolution (padding 1), ReLU, 3×3 convolution (padding 1), add the input, ReLU. The number of channels stays the same.
#
# > In ResNet-152 a block has three convolutions, each followed by batch normalisation: 1×1 to a quarter of the channels, 3×3 on these, 1×1 back.
# > Two 3×3 convolutions, as here, are the block of ResNet-18 and ResNet-34; there, too, with batch normalisation.

# %% nbgrader={"grade": false, "grade_id": "residual_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ResidualBlock(nn.Module):
    """N×C×H×W → N×C×H×W: relu(x + conv(relu(conv(x))))."""

    def __init__(self, channels):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_residual_block", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.residual_block(ResidualBlock)

# %%
import torchvision.models as zoo
from torch.utils.flop_counter import FlopCounterMode


def lenet_1998():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
    )


def cost(build, input_shape):
    """Parameters, and multiply-adds for one image."""
    with torch.device("meta"):
        network = build()
        with FlopCounterMode(display=False) as counter:
            network.eval()(torch.zeros(1, *input_shape))
    parameters = sum(p.numel() for p in network.parameters())
    return parameters, counter.get_total_flops() // 2  # it counts a multiply-add as two operations


studies = {
    "LeNet-5 (1998)": (lenet_1998, (1, 32, 32), 5, "0.6 M", "0.4 % (MNIST)"),
    "AlexNet (2012)": (zoo.alexnet, (3, 224, 224), 8, "62 M", "15.4 %"),
    "VGG-16 (2014)": (zoo.vgg16, (3, 224, 224), 16, "138 M", "7.3 %"),
    "GoogLeNet (2014)": (
        lambda: zoo.googlenet(aux_logits=False, init_weights=False),
        (3, 224, 224),
        22,
        "5 M",
        "6.7 %",
    ),
    "ResNet-152 (2015)": (zoo.resnet152, (3, 224, 224), 152, "60 M", "3.6 %"),
}
costs = {name: cost(build, shape) for name, (build, shape, *_) in studies.items()}
rows = [
    (
        name,
        studies[name][2],
        f"{parameters:,}",
        studies[name][3],
        f"{multiply_adds / 1e6:,.1f} M",
        studies[name][4],
    )
    for name, (parameters, multiply_adds) in costs.items()
]
figures.table(
    rows,
    columns=["network", "layers", "parameters", "the slide", "multiply-adds per image", "error (the slide)"],
    caption="Computed here, beside the slide's figures; errors are top-5 on ImageNet",
)

# %% [markdown]
# *Top-5* counts an answer as right if the true class is among the five highest scores. *Layers* are those with weights on one path
# from the image to the scores: the network's **depth**. Here are the lecture's errors against depth, without LeNet-5's, which is
# that of another task (MNIST):

# %%
depths = {name: (layers, float(error.split()[0])) for name, (_, _, layers, _, error) in studies.items()}
del depths["LeNet-5 (1998)"]
figures.depth_chart(depths)


# %% [markdown]
# **Notice.** The deeper the network, the smaller the error, from 8 layers to 152, while the parameters do not grow with it: ResNet-152 has
# fewer than half of VGG-16's.
#
# Where are the parameters, and where is the work? Choose a network to see its layers; the two networks of the labs stand beside them.
# **Weight layers** are here all layers with weights, 58 in GoogLeNet and 156 in ResNet-152, not only the 22 and 152 on one
# path: GoogLeNet's nine modules compute six convolutions each, never more than two in a row; four of ResNet-152's shortcuts
# have a 1×1 convolution, where the number of channels changes.

# %%
def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 50, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(50, 100, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4900, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


networks = {"LeNet5 (Lab 03)": (lenet5, (1, 28, 28)), "VGG (Lab 04)": (VGG, (3, 32, 32))}
networks |= {name: (build, shape) for name, (build, shape, *_) in studies.items()}
figures.cost_bars(networks)

# %% [markdown]
# > **Errata.** The LeNet-5 of 1998 takes 32×32 images and has about 60 thousand parameters; "0.6M" is closer to the network of Lab 03.
# > AlexNet has 5 convolutions, 3 poolings and 3 linear layers (the slide: 7, 3 and 2); its ImageNet top-5 error of 15.3 % (the slide: 15.4 %) is
# > that of an ensemble. GoogLeNet has 6.6 million parameters without its two auxiliary heads, 13.0 with them (the slide: 5).
# > ResNet-152's 3.57 % is an ensemble's, too.
#
# **Notice.** Parameters and work are different things. Nearly nine tenths of VGG-16's parameters are in its linear layers;
# nearly all of its work is in the convolutions. GoogLeNet and ResNet have one small linear layer at the end.

# %% [markdown]
# ## Predict, then explain
#
# ### Question · `explain_depth` (2 points)
#
# Your instructor reads this answer; no check does. Double-click on YOUR ANSWER HERE to write. Write down what you predict before
# you run anything; then run it if you like, and explain.
#
# You may add one more 3×3 convolution to the lecture's VGG, with as many channels out as in: either to the first block, before its
# pooling (64 channels, 32×32), or to the last one, before its pooling (512 channels, 4×4).
#
# 1. By how many pixels does each of them widen the receptive field of the last feature maps, and why so differently? (1 point)
# 2. Which of them costs more multiply-adds, and which has more parameters? What speaks for each place? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "explain_depth", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# 1. By 2 pixels in the first block, by 16 in the last one: a 3×3 filter reaches one step further on both sides, and behind three
#    poolings a step is 8 pixels wide.
# 2. The work is the same, 64²·9·32² = 512²·9·4² = 37.7 million: half the height and width, twice the channels. The late one has 64
#    times as many parameters, 9·512² = 2.4 million instead of 37 thousand. Late, it sees far and combines features; this is
#    where the deep networks put most of their layers. Early, it is nearly free in parameters, which helps where images are few.

# %% [markdown]
# ## Before you go

# %% nbval_reason="it shows the other labs too" tags=["nbval-ignore-output"]
check.progress()

# %% [markdown]
# **A challenge: time to accuracy.** How soon can your machine reach the lecture's 20 % test error? Change the recipe
# (`dataclasses.replace(modern, epochs=…, learning_rate=…)`), the widths, the augmentation. Tune on images that you hold out of the
# training set, then look at the test error once, with three seeds. Share the line:

# %% nbval_reason="the time depends on the machine" tags=["nbval-ignore-output"]
print(history.share(target=0.20))

# %% [markdown]
# **Read on.** K. Simonyan and A. Zisserman, *Very deep convolutional networks for large-scale image recognition* (2014) · K. He et al.,
# *Deep residual learning for image recognition* (2015) · C. Szegedy et al., *Going deeper with convolutions* (2014) · S. Ioffe and C. Szegedy, *Batch
# normalization* (2015) · the lecture of this lab, whose examples and numbers it uses: X. Bresson, *Convolutional neural networks
# implementation* (2021/22), lecture 8 of CS5242, National University of Singapore, VGG architecture and Case studies.
