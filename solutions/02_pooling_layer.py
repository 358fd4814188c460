# %% [markdown]
# # Lab 02 · The pooling layer
#
# **Aim.** Understand what pooling does to sizes, gradients and cost, and measure what it is for: small shifts of the image
# should not change what the network sees.
#
# You write short functions, and a check follows each one. All cells together run in 7 seconds (measured on two CPU cores, no GPU).
#
# [Max pooling](#Max-pooling) · [Average pooling](#Average-pooling) · [Shapes](#Shapes) ·
# [Where the gradient goes](#Where-the-gradient-goes) · [Cost](#Cost) ·
# [Translation and deformation](#Translation-and-deformation) ·
# [Predict, then explain](#Predict,-then-explain)

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_utils import check, figures, load_dataset

check.begin(lab=2)

# %% [markdown]
# ## Max pooling
#
# Cut the activation map into windows of size×size and keep only the largest number of each. Nothing is learned, and each
# channel is pooled on its own. Move the window, change its size, switch to the average, and open *Moved image* to shift the
# image by a pixel:

# %%
activation = torch.tensor(
    [
        [3, 3, 0, 1, 1, 1],
        [7, 2, 1, 1, 5, 2],
        [7, 9, 1, 0, 5, 6],
        [5, 6, 1, 0, 3, 2],
        [9, 7, 0, 0, 0, 0],
        [4, 7, 0, 0, 0, 1],
    ],
    dtype=torch.float32,
).unsqueeze(0)
figures.pool_walk(activation)


# %% [markdown]
# ### Exercise 2.1 · `max_pool` (2 points)
#
# The windows are `stride` pixels apart; if no stride is given, it equals the size, so that they do not overlap. A window
# that would leave the map is dropped (sizes are rounded down, as for a convolution).

# %% nbgrader={"grade": false, "grade_id": "max_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_pool(x, size=2, stride=None):
    """The largest number of each size×size window. x: C×H×W, returns C×H'×W'."""
    ### BEGIN SOLUTION
    stride = size if stride is None else stride
    channels, height, width = x.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    out = torch.zeros(channels, rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = window.amax(dim=(1, 2))
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_max_pool", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.max_pool(max_pool)

# %%
pooled = max_pool(activation)
print("as nn.MaxPool2d(2, 2):", torch.equal(pooled, nn.MaxPool2d(2, 2)(activation)))
figures.number_grids(activation=activation[0], pooled=pooled[0], signs="→")


# %% [markdown]
# **Notice.** A quarter of the numbers is left. They tell *that* something was found in each window, but not *where exactly*.

# %% [markdown]
# ## Average pooling
#
# The same windows, but now take the mean of each.
#
# ### Exercise 2.2 · `avg_pool` (1 point)

# %% nbgrader={"grade": false, "grade_id": "avg_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def avg_pool(x, size=2, stride=None):
    """The mean of each size×size window. x: C×H×W, returns C×H'×W'."""
    ### BEGIN SOLUTION
    stride = size if stride is None else stride
    channels, height, width = x.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    out = torch.zeros(channels, rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = window.mean(dim=(1, 2))
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_avg_pool", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.avg_pool(avg_pool)

# %%
figures.number_grids(
    activation=activation[0], maximum=max_pool(activation)[0], average=avg_pool(activation)[0]
)

# %%
digits = load_dataset("digits")
digit = digits.train.images[3].float() / 255
views = [digit, max_pool(digit, 2), avg_pool(digit, 2), max_pool(digit, 4), avg_pool(digit, 4)]
print([tuple(view.shape) for view in views])
print("brightest pixel", [round(view.max().item(), 2) for view in views])
figures.image_grid(
    [F.interpolate(view.unsqueeze(0), size=28)[0] for view in views],
    titles=["28×28", "max 2", "average 2", "max 4", "average 4"],
    columns=5,
    alt="A handwritten 3: after max pooling bright and coarse, after average pooling dim and coarse",
)


# %% [markdown]
# **Notice.** The maximum keeps a thin stroke bright; the average fades it. Average pooling is itself a convolution, with a constant
# filter on each channel; max pooling is not linear at all.

# %% [markdown]
# ## Shapes
#
# ### Exercise 2.3 · `pooled_shape` (1 point)
#
# Pooling changes height and width. What does it do to the number of channels?

# %% nbgrader={"grade": false, "grade_id": "pooled_shape", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pooled_shape(shape, size=2, stride=None):
    """The shape (C, H', W') of a (C, H, W) tensor after pooling."""
    ### BEGIN SOLUTION
    stride = size if stride is None else stride
    channels, height, width = shape
    return (channels, (height - size) // stride + 1, (width - size) // stride + 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_pooled_shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.pooled_shape(pooled_shape)

# %%
shape = (50, 28, 28)
for step in range(4):
    print(step, "poolings:", shape)
    shape = pooled_shape(shape)


# %% [markdown]
# **Notice.** 7×7 becomes 3×3: one row and one column are dropped. `nn.MaxPool2d(2, ceil_mode=True)` would keep them.

# %% [markdown]
# ## Where the gradient goes
#
# During training, gradients travel backwards through the layer. Only the largest number of a window reached the output,
# so only that number gets a gradient. All others get zero. (Open *Gradient* in the figure under [Max pooling](#Max-pooling): there
# each output receives 1.)
#
# ### Exercise 2.4 · `max_pool_gradient` (3 points)
#
# The stride equals the size here. If the largest number occurs twice in a window, the **first** one in reading order gets
# the gradient, as in PyTorch.

# %% nbgrader={"grade": false, "grade_id": "max_pool_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def max_pool_gradient(x, grad_output, size=2):
    """The gradient of the loss with respect to x.

    x: C×H×W, grad_output: C×H'×W', the gradient with respect to max_pool(x, size). Returns C×H×W.
    """
    ### BEGIN SOLUTION
    gradient = torch.zeros(x.shape)
    channels, rows, columns = grad_output.shape
    for c in range(channels):
        for i in range(rows):
            for j in range(columns):
                window = x[c, i * size : (i + 1) * size, j * size : (j + 1) * size]
                place = window.flatten().argmax()
                gradient[c, i * size + place // size, j * size + place % size] = grad_output[c, i, j]
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_max_pool_gradient", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.max_pool_gradient(max_pool_gradient)

# %%
grad_output = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
figures.number_grids(
    activation=activation[0],
    grad_output=grad_output[0],
    gradient=max_pool_gradient(activation, grad_output)[0],
)

# %%
x = activation.clone().requires_grad_()
F.max_pool2d(x, 2).backward(grad_output)
print("autograd agrees:", torch.equal(x.grad, max_pool_gradient(activation, grad_output)))


# %% [markdown]
# **Notice.** The incoming gradients appear unchanged, each in one place. Average pooling would have given each of the four
# pixels a quarter.

# %% [markdown]
# ## Cost
#
# The work of a convolution is counted in **multiply-adds**: one multiplication and one addition for every filter weight,
# at every output pixel.
#
# ### Exercise 2.5 · `conv_multiply_adds` (1 point)

# %% nbgrader={"grade": false, "grade_id": "conv_multiply_adds", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_multiply_adds(in_channels, out_channels, height, width, f):
    """Multiply-adds of a convolution whose output is out_channels×height×width (the bias is not counted)."""
    ### BEGIN SOLUTION
    return in_channels * out_channels * f * f * height * width
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv_multiply_adds", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.conv_multiply_adds(conv_multiply_adds)

# %%
rows = []
for channels, side in [(64, 32), (128, 16), (256, 8), (512, 4)]:
    cost = conv_multiply_adds(channels, channels, side, side, 3)
    without_pooling = conv_multiply_adds(channels, channels, 32, 32, 3)
    rows.append((f"{channels}×{side}×{side}", f"{cost / 1e6:,.1f} M", f"{without_pooling / 1e6:,.1f} M"))
figures.table(
    rows,
    columns=["feature maps", "with pooling", "all at 32×32"],
    caption="Multiply-adds of one 3×3 convolution, as many channels out as in",
)


# %% [markdown]
# **Notice.** Halve the height and the width, double the channels: the cost of a layer stays the same. This is the trade
# that VGG makes after each block: resolution for features.

# %% [markdown]
# ## Translation and deformation
#
# A three that moves by a pixel is still a three. Does the layer's output agree?
#
# ### Exercise 2.6 · `shift_agreement` (2 points)
#
# Move the images by `shift` pixels to the right (what leaves on the right comes back on the left: `torch.roll`), and
# measure the share of outputs that stay equal.

# %% nbgrader={"grade": false, "grade_id": "shift_agreement", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shift_agreement(layer, x, shift):
    """Share of the numbers in layer(x) that stay equal when x (N×C×H×W) moves `shift` pixels to the right."""
    ### BEGIN SOLUTION
    moved = torch.roll(x, shift, dims=-1)
    return (layer(moved) == layer(x)).float().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_shift_agreement", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.shift_agreement(shift_agreement)

# %% [markdown]
# First the hardest images for this purpose: noise, in which every pixel differs from its neighbours.

# %%
noise = torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(0))
layers = {
    "no pooling": nn.Identity(),
    "average 2×2": nn.AvgPool2d(2),
    "max 2×2": nn.MaxPool2d(2),
    "max 4×4": nn.MaxPool2d(4),
    "max 7×7": nn.MaxPool2d(7),
    "max 28×28 (global)": nn.MaxPool2d(28),
}
shifts = [0, 1, 2, 4]
rows = []
for name, layer in layers.items():
    rows.append((name, *(f"{shift_agreement(layer, noise, shift):.0%}" for shift in shifts)))
figures.table(
    rows,
    columns=["layer", *(f"{shift} px" for shift in shifts)],
    caption="Share of outputs that stay equal when 200 images of noise move to the right",
)

# %% [markdown]
# **Notice.** A window of size p that moves by s pixels shares p − s of its columns with the old one; the maximum of both
# lies in the shared part with probability (p − s) / (p + s). For 4×4 windows and one pixel that is 3/5. The maximum over the
# whole image does not depend on the position at all, but it says nothing about it either. Networks pool a little at a time,
# between convolutions.

# %% [markdown]
# The output of a convolution does not stay when the image moves: it **moves along**. Here a digit moves by 6 pixels. Max
# pooling shows another picture afterwards, because 6 pixels are one and a half of its windows.

# %%
edges = torch.tensor([[[[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]]])
pictures = []
for picture in (digit, torch.roll(digit, 6, dims=-1)):
    convolved = F.conv2d(picture, edges, padding=1).clamp(0, 1)
    pooled = F.interpolate(max_pool(picture, 4).unsqueeze(0), size=28)[0]
    pictures += [picture, convolved, pooled]
titles = ["digit", "convolution", "max 4×4", "digit, moved", "convolution", "max 4×4"]
figures.image_grid(
    pictures,
    titles=titles,
    columns=3,
    alt="A handwritten 3, and the same 3 further right: the convolution's map has moved along, the pooled picture is another",
)


# %% [markdown]
# ### Exercise 2.7 · `shift_equivariance` (2 points)
#
# If the output moves along, it does not matter which comes first, the shift or the layer. Compare `layer(moved image)` with
# the moved `layer(image)`, and return the share of outputs that are equal. All outputs count, also those at the border.
#
# Image and output move to the right with `torch.roll`: the image by `shift` pixels, the output by `shift // stride`, because
# after stride 2 one output pixel is two image pixels wide. The widths tell the stride: width of the image `//` width of the
# output.

# %% nbgrader={"grade": false, "grade_id": "shift_equivariance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shift_equivariance(layer, x, shift):
    """Share of the numbers in layer(x) that move along when x (N×C×H×W) moves `shift` pixels to the right."""
    ### BEGIN SOLUTION
    still, moved = layer(x), layer(torch.roll(x, shift, dims=-1))
    stride = x.shape[-1] // still.shape[-1]
    return (moved == torch.roll(still, shift // stride, dims=-1)).float().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_shift_equivariance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.shift_equivariance(shift_equivariance)

# %% [markdown]
# The output *stays*: the layer is **invariant** to the shift (2.6). The output *moves along*: the layer is **equivariant**
# (2.7). Here are both, side by side. The noise now has whole numbers, because sums of fractions are rounded, and two equal
# sums may end in different digits.

# %%
whole = (256 * noise).floor()
layers = {
    "convolution 3×3": lambda x: F.conv2d(x, edges, padding=1),
    "convolution 3×3, stride 2": lambda x: F.conv2d(x, edges, padding=1, stride=2),
    "max 3×3, stride 1": nn.MaxPool2d(3, stride=1, padding=1),
    "max 2×2": nn.MaxPool2d(2),
    "max 28×28 (global)": nn.MaxPool2d(28),
}
shifts = [1, 2, 3]
rows = []
for name, layer in layers.items():
    along = (f"{shift_equivariance(layer, whole, shift):.0%}" for shift in shifts)
    stays = (f"{shift_agreement(layer, whole, shift):.0%}" for shift in shifts)
    rows.append((name, *along, *stays))
figures.table(
    rows,
    columns=[
        "layer",
        *(f"along, {shift} px" for shift in shifts),
        *(f"stays, {shift} px" for shift in shifts),
    ],
    caption="Share of outputs that move along with 200 images of noise, and share of those that stay",
)

# %% [markdown]
# **Notice.** The convolution moves along everywhere but near the border, where the zeros of the padding do not move: 3 or 4 of
# 28 columns. So does the maximum, as long as it takes steps of one pixel. It is the **stride** that breaks it: a shift
# of 2 pixels is one output pixel, but one of 1 or 3 pixels falls between two of them, and the layer sees other windows. The
# maximum then saves a third of its outputs, the strided convolution none. The global maximum has a single output, which has
# nowhere to move: it is invariant.

# %% [markdown]
# **Deformation.** Two people write the same digit differently: a stroke is a pixel further left here, further right there.
# Does pooling bring the two images closer together? Compare pairs of images of the same digit, and of different digits, by their cosine
# similarity (1: same picture up to brightness, 0: nothing in common).

# %%
images = digits.test.images.float() / 255
labels = digits.test.labels
same = (labels[:, None] == labels[None, :]) & ~torch.eye(len(labels), dtype=torch.bool)
different = labels[:, None] != labels[None, :]
rows = []
for size in (1, 2, 4, 7):
    vectors = F.normalize(F.max_pool2d(images, size).flatten(1))
    similarity = vectors @ vectors.T
    rows.append(
        (
            f"{28 // size}×{28 // size}",
            f"{similarity[same].mean():.2f}",
            f"{similarity[different].mean():.2f}",
        )
    )
figures.table(
    rows,
    columns=["max-pooled to", "same digit", "different digits"],
    caption="Mean cosine similarity of pairs",
)

# %% [markdown]
# **Notice.** Pooling makes two versions of a digit more alike, but different digits too: at 4×4 little is left to tell them
# apart. Pooling helps where the features before it are good, and those are what the convolutions learn.

# %% [markdown]
# ## Predict, then explain
#
# ### Question · `explain_pooling` (2 points)
#
# Your instructor reads this answer; no check does. Double-click on YOUR ANSWER HERE to write. Write down what you predict before
# you run anything; then run it if you like, and explain.
#
# A 4×4 map of whole numbers was pooled twice with 2×2 windows, once with the maximum and once with the average:
#
# ```
# A:   2.25   4        B:   6   4
#      0.5    3             2   5
# ```
#
# 1. Which table is which, and how do you know? (1 point)
# 2. The upper right window gives 4 in both. What are its four numbers, and why can they be no others? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "explain_pooling", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# 1. A is the average, B the maximum. No average is greater than the maximum of the same window, and A is nowhere greater than B.
#    A alone tells it, too: the maximum of whole numbers is whole, and 2.25 is not.
# 2. All four are 4. None can be greater than the maximum, 4; if one were smaller, the average would be smaller than 4.

# %% [markdown]
# ## Before you go

# %% nbval_reason="it shows the other labs too" tags=["nbval-ignore-output"]
check.progress()

# %% [markdown]
# **A challenge.** Strided convolutions also shrink maps. Replace `nn.MaxPool2d(2)` by `nn.Conv2d(1, 1, 2, stride=2)` in the
# table of Exercise 2.6, with random weights. Is it as stable under shifts? Why, or why not?
#
# **Read on.** R. Zhang, *Making convolutional networks shift-invariant again* (2019) · J. T. Springenberg et al., *Striving for
# simplicity: the all convolutional net* (2015) · the lecture of this lab, whose examples and numbers it uses: X. Bresson,
# *Convolutional neural networks implementation* (2021/22), lecture 8 of CS5242, National University of Singapore, Pooling.
