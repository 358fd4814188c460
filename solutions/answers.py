# %% [markdown]
# # Answers
#
# **For instructors.** Each lab leaves some questions to its readers: *Try it*, challenges, and what to look for in a figure. Here
# each one is quoted and answered, with code that shows it. Everything runs on embedded data, in under a minute on one core.
#
# [Lab 01](#Lab-01) · [Lab 02](#Lab-02) · [Lab 03](#Lab-03) · [Lab 04](#Lab-04)

# %%
from collections import Counter
from dataclasses import replace

import torch
import torch.nn as nn
import torch.nn.functional as F

from course_utils import Stopwatch, exercises, figures, fit, load_dataset
from course_utils.training import (
    MODERN_ARCHS,
    Augmentation,
    Recipe,
    SmallVGG,
    Triangle,
    evaluate,
    predict,
    recipe,
    vgg_blocks,
    whiten,
)

# %% [markdown]
# ## Lab 01
#
# ### Pixels that are never read
#
# > **Try it.** Move the output cell with the arrow keys. Which pixels are never read? Then change the stride and the padding: when are
# > all of them read?
#
# Pixels are missed in two ways. **At the end:** if one more step would leave the image, the last rows and columns are in no window.
# **In between:** if the stride is larger than the filter, there are gaps between the windows. The figure hatches these pixels.
#
# A gradient counts the windows for us. With a filter of ones, the gradient of the sum of all outputs is, at each pixel, the number
# of windows that read it.

# %%
image = torch.tensor(
    [
        [3, 2, 3, 3, 3, 1, 2],
        [0, 1, 3, 3, 1, 2, 1],
        [2, 2, 0, 0, 2, 0, 0],
        [3, 0, 1, 3, 3, 0, 3],
        [2, 3, 2, 0, 0, 1, 1],
        [2, 2, 2, 3, 1, 0, 1],
        [0, 2, 1, 1, 3, 3, 1],
    ],
    dtype=torch.float32,
)
kernel = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 1, 2]], dtype=torch.float32)


def gradient_of_sum(filter_, padding=0, stride=1):
    """The gradient of the sum of all outputs with respect to each pixel of the image."""
    x = image[None, None].clone().requires_grad_()
    F.conv2d(x, filter_[None, None], padding=padding, stride=stride).sum().backward()
    return x.grad[0, 0]


ones = torch.ones(3, 3)
figures.number_grids(**{f"stride_{stride}": gradient_of_sum(ones, stride=stride) for stride in (2, 3, 4)})

# %%
rows = []
for padding in range(4):
    unread = [int((gradient_of_sum(ones, padding, stride) == 0).sum()) for stride in range(1, 5)]
    rows.append((padding, *unread))
figures.table(
    rows,
    columns=["padding", *(f"stride {stride}" for stride in range(1, 5))],
    caption="How many of the 49 pixels are in no window",
)

# %% [markdown]
# With stride 3 the windows begin at columns 0 and 3; a third one would leave the image, so the last row and column are never read.
# With stride 1 or 2 every pixel is read. With stride 4 the windows begin at 0 and 4, and row 3 and column 3 lie between them. Padding
# moves the windows: here it helps stride 3 and harms stride 4.
#
# **One question more for the class: is every pixel that is read also used?** No: this filter has zeros. With stride 2, the rows 1, 3
# and 5 only ever meet its middle row, which is all zeros. They may change as they like: no output changes.

# %%
used = gradient_of_sum(kernel, stride=2)
figures.number_grids(kernel=kernel, times_read=gradient_of_sum(ones, stride=2), sum_of_weights=used)

# %%
changed = image.clone()
changed[1::2] = 100
before, after = (F.conv2d(x[None, None], kernel[None, None], stride=2) for x in (image, changed))
print("rows 1, 3 and 5 are 100 now; the output is the same:", torch.equal(before, after))


# %% [markdown]
# ### im2col without a loop
#
# > **A challenge.** `conv2d_as_matmul` still loops in Python to build the columns. Write `im2col` without any loop
# > (`Tensor.unfold` or `torch.as_strided` can view every window without copying) and time it in the plot above.
#
# `unfold` adds an axis for what lies inside the window; done for rows and for columns, it gives C×H'×W'×f×f. The rest is to bring
# the axes into the order of the exercise, C, f, f before H', W', and to join them.

# %%
def im2col(x, f, padding=0, stride=1):
    padded = F.pad(x, (padding, padding, padding, padding))
    windows = padded.unfold(1, f, stride).unfold(2, f, stride)
    return windows.permute(0, 3, 4, 1, 2).flatten(3).flatten(0, 2)


print("the check of Exercise 1.7 says:", exercises.evaluate("im2col", im2col).status)


# %% [markdown]
# `as_strided` does the same by hand. It says how far apart in memory two neighbours along each axis are: a step of one window is
# `stride` pixels, a step inside the window is one.

# %%
def im2col_strided(x, f, padding=0, stride=1):
    padded = F.pad(x, (padding, padding, padding, padding))
    channels, height, width = padded.shape
    size = (channels, f, f, (height - f) // stride + 1, (width - f) // stride + 1)
    plane, row, pixel = padded.stride()
    windows = padded.as_strided(size, (plane, row, pixel, stride * row, stride * pixel))
    return windows.flatten(3).flatten(0, 2)


print("the check of Exercise 1.7 says:", exercises.evaluate("im2col", im2col_strided).status)

# %% [markdown]
# The view copies nothing: it shows each pixel of the image up to nine times. The copy is made when the axes are joined, because no
# constant step through the image leads from each number of a column to the next.

# %%
digit = load_dataset("digits").train.images[3].float() / 255


def in_memory(tensor):
    return tensor.untyped_storage().nbytes() // tensor.element_size()


for name, each in {"view": digit.unfold(1, 3, 1).unfold(2, 3, 1), "columns": im2col(digit, 3)}.items():
    print(f"{name:8} {each.numel():,} numbers in the memory of {in_memory(each):,}")

# %% nbval_reason="timings differ from run to run" tags=["nbval-ignore-output"]
weight = torch.randn(8, 1, 3, 3)
looped = exercises.get("im2col").reference


def seconds(function, repeats):
    """The time of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        with Stopwatch() as watch:
            function()
        times.append(watch.seconds)
    return min(times)


def product(build):
    return weight.flatten(1) @ build(digit, 3, padding=1)


times = {
    "im2col in a loop + one product": seconds(lambda: product(looped), 5),
    "im2col without a loop + one product": seconds(lambda: product(im2col), 200),
    "F.conv2d": seconds(lambda: F.conv2d(digit, weight, padding=1), 200),
}
figures.timing_bars(times)

# %% [markdown]
# The product was never slow: Python's loop was. Without it, most of the distance to PyTorch's own convolution is gone.
#
# ## Lab 02
#
# ### Strided convolution instead of pooling
#
# > **A challenge.** Strided convolutions also shrink maps. Replace `nn.MaxPool2d(2)` by `nn.Conv2d(1, 1, 2, stride=2)` in the
# > table of Exercise 2.6, with random weights. Is it as stable under shifts? Why, or why not?
#
# No. Not one output stays equal.

# %%
shift_agreement = exercises.get("shift_agreement").reference
noise = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0))
torch.manual_seed(0)
layers = {
    "max 2×2": nn.MaxPool2d(2),
    "average 2×2": nn.AvgPool2d(2),
    "convolution 2×2, stride 2": nn.Conv2d(1, 1, 2, stride=2),
}
rows = [
    (name, *(f"{shift_agreement(layer, noise, shift):.0%}" for shift in (0, 1, 2, 4)))
    for name, layer in layers.items()
]
figures.table(
    rows,
    columns=["layer", "0 px", "1 px", "2 px", "4 px"],
    caption="Share of outputs that stay equal when 200 images of noise move to the right",
)


# %% [markdown]
# A weighted sum changes whenever one of its pixels does. A maximum changes only if the *largest* pixel leaves the window, or a larger one comes
# in. Average pooling has the same trouble as the convolution: it is one, with equal weights.
#
# But "equal" is a hard test. A fairer one asks how *similar* the outputs are: their correlation before and after a shift by one pixel
# (1: the same picture, 0: nothing in common, −1: the negative). Here are a hundred random filters, on noise and on digits.

# %%
def correlation(layer, x, shift=1):
    """One number for each filter: the correlation of its outputs before and after the shift."""
    with torch.no_grad():
        outputs = [layer(image).transpose(0, 1).flatten(1) for image in (x, torch.roll(x, shift, dims=-1))]
    before, after = (each - each.mean(dim=1, keepdim=True) for each in outputs)
    return F.cosine_similarity(before, after)


digits = load_dataset("digits")
torch.manual_seed(0)
layers = {
    "max 2×2": nn.MaxPool2d(2),
    "average 2×2": nn.AvgPool2d(2),
    "100 convolutions, stride 2": nn.Conv2d(1, 100, 2, stride=2),
}
rows = []
for data, x in {"noise": noise, "digits": digits.test.images.float() / 255}.items():
    for name, layer in layers.items():
        found = correlation(layer, x)
        rows.append((data, name, *(f"{value:.2f}" for value in (found.min(), found.median(), found.max()))))
figures.table(
    rows,
    columns=["images", "layer", "lowest", "median", "highest"],
    caption="Correlation of the outputs before and after a shift by one pixel",
)

# %% [markdown]
# On noise, a convolution's correlation is (w₀₀·w₀₁ + w₁₀·w₁₁) / (w₀₀² + w₀₁² + w₁₀² + w₁₁²): each pixel meets the weight beside the
# one that it had.

# %%
w = layers["100 convolutions, stride 2"].weight.detach()[:, 0]
predicted = (w[:, 0, 0] * w[:, 0, 1] + w[:, 1, 0] * w[:, 1, 1]) / w.square().sum(dim=(1, 2))
measured = correlation(layers["100 convolutions, stride 2"], noise)
print(f"largest difference between formula and measurement: {(predicted - measured).abs().max():.2f}")


# %% [markdown]
# With equal weights the formula gives a half, the most possible, and that is average pooling. Where left and right weights have
# opposite signs, it gives less than 0: a pixel that was added before is now subtracted. On digits, where neighbours are alike,
# most filters are nearly as stable as pooling, and some are not.
#
# **In one sentence:** pooling is built to be a little stable; a strided convolution has to learn it. Networks without pooling work
# well, too (Springenberg et al.), and averaging before a stride makes it more stable (Zhang).
#
# ## Lab 03
#
# ### The layer that no longer fits
#
# > **Try it.** Change the padding of a convolution to 0, or its kernel to 5. Which layer no longer fits, and what does PyTorch say?
#
# The first **linear** layer. A convolution takes a map of any size; a linear layer has one weight for each of its inputs, so their
# number is fixed: 4,900.

# %%
def lenet5(filters=(50, 100), kernels=(3, 3), paddings=(1, 1)):
    return nn.Sequential(
        nn.Conv2d(1, filters[0], kernels[0], padding=paddings[0]),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(filters[0], filters[1], kernels[1], padding=paddings[1]),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(filters[1] * 7 * 7, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def follow(net):
    """The shapes after each pooling, and what PyTorch says about the first layer that does not fit."""
    x, shapes = torch.zeros(1, 1, 28, 28), []
    for layer in net:
        try:
            x = layer(x)
        except RuntimeError as error:
            return *shapes, f"{type(layer).__name__}: {str(error).removeprefix('addmm: ')}"
        if isinstance(layer, nn.MaxPool2d):
            shapes.append("×".join(map(str, x.shape[1:])))
    return *shapes, "fits"


changes = {
    "none": {},
    "padding 0 in the first convolution": {"paddings": (0, 1)},
    "padding 0 in the second": {"paddings": (1, 0)},
    "kernel 5 in the first": {"kernels": (5, 3)},
    "kernel 5 in the second": {"kernels": (3, 5)},
    "kernel 5 and padding 2 in both": {"kernels": (5, 5), "paddings": (2, 2)},
}
figures.table(
    [(name, *follow(lenet5(**change))) for name, change in changes.items()],
    columns=["change", "after pooling", "after pooling again", "PyTorch says"],
)

# %% [markdown]
# All four end in 100×6×6 = 3,600 numbers. Where the first map has already lost two pixels, the second pooling rounds 13 / 2 down to 6.
#
# How to read the message: the first matrix is the batch, images × numbers for each; the second is the layer, inputs × outputs. The two
# numbers in the middle must be equal. So either the linear layer takes 3,600, or the convolution keeps the size of its map, with
# padding (f − 1) / 2. The figure in the lab gives the same message.
#
# ### The network's mistakes, and yours
#
# > **Which digits are confused?** Rows are the true digits, columns the answers. Choose a cell to see its images.
#
# > **The worst mistakes**: the wrong answers that the network was most certain of. Which would you have got right?
#
# Let the class vote before you show the labels. On MNIST the network confuses what people confuse: 4 and 9, 3 and 5, a 0 and a 6
# with an open loop. Some of the worst mistakes are clear to everybody, others to nobody.
#
# Here the lab's network, with a third of its filters, learns the small digits. Each mistake (above) stands over the training image
# that resembles it most: among those of the digit that the network chose (middle), and among those of the true digit (below).

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
plan = Recipe(
    "small digits",
    epochs=4,
    batch_size=64,
    learning_rate=0.05,
    schedule=Triangle(),
    momentum=0.9,
    nesterov=True,
)


def trained(plan):
    torch.manual_seed(0)
    model = lenet5(filters=(16, 32))
    fit(model, digits, plan, device="cpu", checkpoint=False, show=False)
    return model


model = trained(plan)
scores, labels = predict(model, digits.test), digits.test.labels
certain, said = scores.softmax(dim=1).max(dim=1)
wrong = (said != labels).nonzero().flatten()
wrong = wrong[certain[wrong].argsort(descending=True)]
said, true = said[wrong].tolist(), labels[wrong].tolist()
print(f"{len(wrong)} of {len(labels)} answers are wrong")
for (digit, answer), count in Counter(zip(true, said, strict=True)).most_common(5):
    print(f"{digit} taken for {answer}: {count}")

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
mistakes, known = (images.float() / 255 for images in (digits.test.images[wrong], digits.train.images))
distance = torch.cdist(mistakes.flatten(1), known.flatten(1))


def nearest(classes):
    """The distance of each mistake to the nearest training image of a class, and that image."""
    other = digits.train.labels != torch.tensor(classes)[:, None]
    least = distance.masked_fill(other, float("inf")).min(dim=1)
    return least.values, known[least.indices]


(to_said, like_said), (to_true, like_true) = nearest(said), nearest(true)
print(f"nearer to the true digit: {(to_true < to_said).sum()} of {len(wrong)}")
shown = min(8, len(wrong))
figures.image_grid(
    [*mistakes[:shown], *like_said[:shown], *like_true[:shown]],
    titles=[f"says {a}, is {d}" for a, d in zip(said, true, strict=True)][:shown]
    + [f"a {answer}" for answer in said[:shown]]
    + [f"a {digit}" for digit in true[:shown]],
    columns=shown,
)

# %% [markdown]
# Most of these you would have got right, and most are nearer to a training image of the true digit. So the training images say
# enough, but four passes over 1,500 of them are too few to learn it.
#
# Being certain is no proof of being right. Softmax only says how far the highest score is above the others.
#
# ### Shifted test images
#
# > **A challenge.** Move the test images by two pixels with `torch.roll` and evaluate again. How much worse does the network
# > get? Which change to the training would help?
#
# Several times worse. Pooling does not make up for two pixels, and the linear layer has its own weights for each place of the 7×7
# maps: a digit in another place meets other weights. What helps is to shift the training images, too, each time at random. Longer
# training hardly helps: all the images stay in the middle.

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
shifts = Augmentation(shift=2)
models = {
    "4 epochs": model,
    "8 epochs": trained(replace(plan, epochs=8)),
    "4 epochs, images shifted at random by up to 2 pixels": trained(replace(plan, augmentation=shifts)),
    "8 epochs, images shifted as well": trained(replace(plan, epochs=8, augmentation=shifts)),
}


def shifted_error(model, pixels):
    """The mean test error over shifts to the right, to the left, down and up."""
    errors = []
    for shift, axis in ((pixels, -1), (-pixels, -1), (pixels, -2), (-pixels, -2)):
        moved = replace(digits.test, images=torch.roll(digits.test.images, shift, dims=axis))
        errors.append(evaluate(model, moved.batches(250)))
    return sum(errors) / 4


pixels = (0, 1, 2, 3, 4)
figures.table(
    [(name, *(f"{shifted_error(model, each):.1%}" for each in pixels)) for name, model in models.items()],
    columns=["training", *(f"{each} px" for each in pixels)],
    caption="Test error when all test images are shifted",
)

# %% [markdown]
# The network has learned the shifts that it was shown, and little beyond: at 3 and 4 pixels the error rises again. It also needs
# more passes, because it hardly ever sees an image twice in the same way; then it is better on unshifted images, too. `torch.roll` is
# harmless here: all digits have a black border of four pixels, so nothing comes back on the other side.
#
# On MNIST the effect is smaller. Measured once with the lab's network and a recipe of 0.8 epochs: 0.6 % error without a shift; at two
# pixels 1.7 to 5.1 %, depending on the direction, if training shifts nothing, 1.0 to 1.5 % with shifts of one pixel, as in `fast`, and
# 0.8 to 1.0 % with shifts of two.
#
# ## Lab 04
#
# ### Time to accuracy
#
# > **A challenge: time to accuracy.** How soon can your machine reach the lecture's 20 % test error? Change the recipe
# > (`dataclasses.replace(modern, epochs=…, learning_rate=…)`), the widths, the augmentation. Tune on images that you hold out of the
# > training set, then look at the test error once, with three seeds. Share the line:
#
# The time depends on the machine; the method does not. Here it is on the drawn shapes, where a run takes a second or two. They are
# easier than photographs, so the target is 5 %.
#
# **First, hold out a quarter of the training images.** `fit` measures the error on `test` after each epoch. For tuning, those
# are the held-out images.

# %%
shapes = load_dataset("shapes")
order = torch.randperm(len(shapes.train), generator=torch.Generator().manual_seed(0))


def some(split, chosen):
    return replace(split, images=split.images[chosen], labels=split.labels[chosen])


tuning = replace(shapes, train=some(shapes.train, order[1000:]), test=some(shapes.train, order[:1000]))
print(f"{len(tuning.train):,} images to train on, {len(tuning.test):,} held out of them;", end=" ")
print(f"the {len(shapes.test):,} test images are not touched")


# %% [markdown]
# **Second, tune.** A measured error is itself uncertain. With an error of 5 % on 1,000 images, its standard deviation is
# √(0.05 · 0.95 / 1000) = 0.7 %. So look for the fewest epochs with which the held-out error is below the target by twice that: under 3.6 %.
# Without `least_steps=0` the recipe would lengthen all runs on so few images.

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
def run(plan, dataset):
    torch.manual_seed(plan.seed)
    arch = MODERN_ARCHS["quick"]
    model = SmallVGG(vgg_blocks(arch), arch[-1][1])
    whiten(model.patches, dataset.train)
    return fit(model, dataset, plan, device="cpu", checkpoint=False, show=False)


target = 0.05
margin = 2 * (target * (1 - target) / len(tuning.test)) ** 0.5
tried = []
for epochs in (0.5, 1, 1.5):
    for rate in (0.03, 0.07):
        name = f"epochs {epochs}, rate {rate}"
        plan = replace(recipe("modern", "quick"), name=name, epochs=epochs, learning_rate=rate, least_steps=0)
        tried.append((run(plan, tuning), plan))
figures.table(
    [(p.epochs, p.learning_rate, f"{h.test_error:.1%}", f"{h.seconds:.1f} s") for h, p in tried],
    columns=["epochs", "learning rate", "held-out error", "time"],
    caption=f"Six recipes; what counts is a held-out error below {target - margin:.1%}",
)

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
good = [(history, plan) for history, plan in tried if history.test_error < target - margin]
history, chosen = min(good, key=lambda pair: (pair[1].epochs, pair[0].test_error))
print(f"chosen: {chosen.name}, held-out error {history.test_error:.1%}")

# %% [markdown]
# **Third, look at the test error: once.** Now the network may learn from the held-out images as well. Three seeds, and all three are
# reported.

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
final = [run(replace(chosen, seed=seed), shapes) for seed in range(3)]
for history in final:
    print(history.share(target))

# %% [markdown]
# **What to look for in an answer from the class**
#
# - Was the test set used to choose? The lowest of six errors is low by skill *and* by luck, and only new images tell them apart.
# - Is a run that missed the target reported? Three seeds are for that.
# - Are the times comparable: the same machine, the same number of threads, nothing else running?
#
# For CIFAR-10, change three things: `load_dataset("cifar10")` with 5,000 images held out, `recipe("modern", "fast")` with `MODERN_ARCHS["fast"]`,
# and the target 0.20. That recipe ends just below 20 % (README, *Measured*): there is little to spare, so whatever
# saves time has to be paid for with a gain elsewhere.
