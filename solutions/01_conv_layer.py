# %% [markdown]
# # Lab 01 · The convolutional layer
#
# **Aim.** Build the convolutional layer yourself, from a sliding window to a matrix multiplication, and then recognise
# it in `nn.Conv2d`.
#
# You write the functions. After each one, a check tells you at once whether it is right; if it is not, the check shows
# you the smallest case that fails and the idea that is probably behind it. Loops are welcome: get it right first, make it
# fast later. All cells together run in 10 seconds (measured on two CPU cores, no GPU); the rest of the time is thinking.
#
# [Convolution](#Convolution) · [Padding](#Padding) · [Stride](#Stride) · [Output size](#Output-size) ·
# [Channels](#Channels) · [Convolution as matrix multiplication](#Convolution-as-matrix-multiplication) ·
# [Fast convolution](#Fast-convolution) · [Depth](#Depth) · [nn.Conv2d](#nn.Conv2d) · [Learning a kernel](#Learning-a-kernel) ·
# [Predict, then explain](#Predict,-then-explain)

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_utils import Stopwatch, check, figures, load_dataset
from course_utils.data import photograph

check.begin(lab=1)

# %% [markdown]
# ## Convolution
#
# A small matrix, the **filter** (or kernel), slides over the image. At every position, multiply each number of the filter
# by the pixel beneath it and add the products. The sum is one cell of the **activation map**.
#
# These are the lecture's image and filter. The marked window gives
# 0·3 + 1·2 + 0·3 + 0·0 + 0·1 + 0·3 + 1·2 + 1·2 + 2·0 = 6.

# %%
image = torch.tensor(
    [
        [3, 2, 3, 3, 3, 1],
        [0, 1, 3, 3, 1, 2],
        [2, 2, 0, 0, 2, 0],
        [3, 0, 1, 3, 3, 0],
        [2, 3, 2, 0, 0, 1],
        [2, 2, 2, 3, 1, 0],
    ],
    dtype=torch.float32,
)
kernel = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 1, 2]], dtype=torch.float32)

figures.number_grids(image=image, kernel=kernel, signs="*", windows={"image": (slice(0, 3), slice(0, 3))})


# %% [markdown]
# ### Exercise 1.1 · `cross_correlate` (2 points)
#
# Slide the kernel over every position where it fits inside the image. Image and kernel need not be square.
#
# > Deep learning says *convolution* and means *cross-correlation*: the kernel is not flipped. To a network it makes no
# > difference: the kernel is learned, and with a flip the network would simply learn the flipped one.

# %% nbgrader={"grade": false, "grade_id": "cross_correlate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_correlate(image, kernel):
    """Slide `kernel` over `image`, without padding.

    image: H×W tensor, kernel: kh×kw tensor. Returns a (H-kh+1)×(W-kw+1) tensor.
    """
    ### BEGIN SOLUTION
    height = image.shape[0] - kernel.shape[0] + 1
    width = image.shape[1] - kernel.shape[1] + 1
    out = torch.zeros(height, width)
    for i in range(height):
        for j in range(width):
            window = image[i : i + kernel.shape[0], j : j + kernel.shape[1]]
            out[i, j] = (window * kernel).sum()
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_cross_correlate", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.cross_correlate(cross_correlate)

# %%
figures.number_grids(image=image, kernel=kernel, output=cross_correlate(image, kernel), signs="*=")

# %%
print("as in PyTorch:        ", cross_correlate(image, kernel)[0].tolist())
print("with a flipped kernel:", cross_correlate(image, kernel.flip(0, 1))[0].tolist())


# %% [markdown]
# **Notice.** A 6×6 image became a 4×4 map: one pixel is lost on each side. The flipped kernel gives other numbers, so it
# matters that everybody means the same operation.

# %% [markdown]
# ## Padding
#
# Each 3×3 convolution removes two rows and two columns. Stack thirteen of them on a 28×28 digit, and only 2×2 numbers are
# left. **Padding** the image with a border of zeros keeps the size.
#
# ### Exercise 1.2 · `zero_pad` (1 point)

# %% nbgrader={"grade": false, "grade_id": "zero_pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_pad(image, padding):
    """Surround an H×W tensor with `padding` rows and columns of zeros on every side: (H+2p)×(W+2p)."""
    ### BEGIN SOLUTION
    height, width = image.shape
    out = torch.zeros(height + 2 * padding, width + 2 * padding)
    out[padding : padding + height, padding : padding + width] = image
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_zero_pad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.zero_pad(zero_pad)


# %% [markdown]
# ### Exercise 1.3 · `same_padding` (1 point)
#
# How many rows of zeros must you add on each side so that an f×f filter keeps the size of the image? (f is odd.)

# %% nbgrader={"grade": false, "grade_id": "same_padding", "locked": false, "schema_version": 3, "solution": true, "task": false}
def same_padding(f):
    """The padding with which an f×f filter (f odd) keeps the size of its input."""
    ### BEGIN SOLUTION
    return (f - 1) // 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_same_padding", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.same_padding(same_padding)

# %%
padded = zero_pad(image, same_padding(3))
figures.number_grids(padded=padded, kernel=kernel, output=cross_correlate(padded, kernel), signs="*=")

# %% [markdown]
# > **Erratum.** The slide prints this 6×6 result beside a *5×5* filter and an image padded by 2. The numbers belong to
# > the 3×3 filter with padding 1, as computed above. The next cell computes what the 5×5 filter gives.

# %%
kernel5 = torch.tensor(
    [[1, 2, 1, 1, 2], [0, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 1, 1, 2, 1], [1, 2, 1, 1, 2]],
    dtype=torch.float32,
)
print(cross_correlate(zero_pad(image, same_padding(5)), kernel5))

# %% [markdown]
# **Notice.** The size stays the same. With the 3×3 filter, the middle 4×4 is the result without padding; only the border
# is new, computed partly from zeros.

# %% [markdown]
# ## Stride
#
# With **stride** s the window moves s pixels at a time, down and to the right. The activation map shrinks by a factor of about s in
# each direction, and the work by about s². Satellite images of 10,000×10,000 pixels are one reason to do this.

# %%
image7 = torch.tensor(
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
figures.conv_walk(image7.unsqueeze(0), kernel[None, None], stride=3)


# %% [markdown]
# **Try it.** Move the output cell with the arrow keys. Which pixels are never read? Then change the stride and the padding: when are
# all of them read?

# %% [markdown]
# ## Output size
#
# ### Exercise 1.4 · `output_size` (1 point)
#
# For n pixels, a filter of size f, padding p and stride s, how many positions are there? A last step that would leave the
# image does not count: the result is rounded **down**.

# %% nbgrader={"grade": false, "grade_id": "output_size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_size(n, f, p=0, s=1):
    """Number of outputs along one side: n pixels, filter size f, padding p on each side, stride s (an int)."""
    ### BEGIN SOLUTION
    return (n + 2 * p - f) // s + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_output_size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.output_size(output_size)

# %%
cases = [(6, 3, 0, 1), (6, 3, 1, 1), (6, 5, 2, 1), (7, 3, 0, 2), (8, 3, 0, 2), (32, 3, 1, 1), (227, 11, 0, 4)]
rows = []
for n, f, p, s in cases:
    out = F.conv2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, f, f), padding=p, stride=s)
    rows.append((n, f, p, s, output_size(n, f, p, s), out.shape[-1]))
figures.table(
    rows, columns=["n", "f", "p", "s", "output_size", "PyTorch"], caption="Your formula beside PyTorch"
)


# %% [markdown]
# ### Exercise 1.5 · `conv2d_single` (2 points)
#
# Put padding and stride together, for one image with one channel.

# %% nbgrader={"grade": false, "grade_id": "conv2d_single", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_single(image, kernel, padding=0, stride=1):
    """Cross-correlate an H×W image with a kh×kw kernel, with zero padding and a stride."""
    ### BEGIN SOLUTION
    image = zero_pad(image, padding)
    height = output_size(image.shape[0], kernel.shape[0], s=stride)
    width = output_size(image.shape[1], kernel.shape[1], s=stride)
    out = torch.zeros(height, width)
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            window = image[top : top + kernel.shape[0], left : left + kernel.shape[1]]
            out[i, j] = (window * kernel).sum()
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv2d_single", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.conv2d_single(conv2d_single)

# %%
figures.number_grids(image=image7, kernel=kernel, output=conv2d_single(image7, kernel, stride=2), signs="*=")

# %% [markdown]
# > **Erratum.** For this example the slide prints [[6, 5, 7], [6, 10, 13], [11, 5, 2]]. That is the top-left corner of
# > the stride-1 result. Stride 2 keeps every *second* row and column: [[6, 7, 3], [11, 2, 3], [7, 8, 9]].

# %%
every_second = cross_correlate(image7, kernel)[::2, ::2]
print(every_second)
print("the same as stride 2:", torch.equal(every_second, conv2d_single(image7, kernel, stride=2)))


# %% [markdown]
# **Notice.** Stride 2 gives every second value of the stride-1 result, without computing the others.

# %% [markdown]
# ## Channels
#
# A colour image has three channels; the output of 64 filters has 64. A filter always has **as many channels as
# its input**: it multiplies all of them and adds everything, plus one bias, into **one** map. K filters give K maps.
#
# | tensor | shape |
# | --- | --- |
# | input | C×H×W |
# | weight | K×C×f×f: one C×f×f filter for each output |
# | bias | K: one number for each output |
# | output | K×H'×W' |
#
# > **Erratum.** The slide says that an N-D convolution returns a "1-D activation map". The map is an array with two
# > dimensions and *one channel*.
#
# ### Exercise 1.6 · `conv2d` (3 points)

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d(x, weight, bias=None, padding=0, stride=1):
    """A convolutional layer on one image.

    x: C×H×W, weight: K×C×f×f, bias: K numbers or None. Returns K×H'×W'.
    """
    ### BEGIN SOLUTION
    maps = []
    for number, filter_ in enumerate(weight):
        one_map = sum(
            conv2d_single(channel, kernel, padding, stride)
            for channel, kernel in zip(x, filter_, strict=True)
        )
        maps.append(one_map if bias is None else one_map + bias[number])
    return torch.stack(maps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv2d", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.conv2d(conv2d)

# %% [markdown]
# Here is a small example with two channels and two filters. Each channel has its own slice of the filter, and all products
# go into one sum.

# %%
two_channels = torch.stack([image, image.flip(1)])
two_filters = torch.stack([torch.stack([kernel, kernel.T]), torch.stack([kernel.flip(0), -kernel])])
figures.conv_walk(two_channels, two_filters, bias=torch.tensor([1.0, 0.0]), padding=1)

# %% [markdown]
# Four filters on a grey image give four maps, and so do four filters on a colour image. The filters below are chosen by
# hand; a network learns its own.

# %%
by_hand = {
    "brighter below": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "brighter right": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "brighter than its neighbours": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "brightness around": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
}
names, four = list(by_hand), torch.tensor(list(by_hand.values()), dtype=torch.float32)
digits = load_dataset("digits")
digit = digits.train.images[3].float() / 255
maps = conv2d(digit, four.unsqueeze(1), padding=1)
print(
    "input", tuple(digit.shape), "→ output", tuple(maps.shape), f"from {maps.min():.1f} to {maps.max():.1f}"
)
figures.feature_maps(maps, names, image=digit)

# %%
shapes = load_dataset("shapes")
picture = shapes.train.images[3].float() / 255
maps = conv2d(picture, four.unsqueeze(1).repeat(1, 3, 1, 1) / 3, padding=1)
print(
    "input", tuple(picture.shape), "→ output", tuple(maps.shape), f"from {maps.min():.1f} to {maps.max():.1f}"
)
figures.feature_maps(maps, names, image=picture)

# %% [markdown]
# **Notice.** Four filters make four maps, whether the input has one channel or three: the sum runs over the channels.
# The lines along the borders of the colour image's maps are not in the image: there the filters meet the zeros of the padding.
#
# A photograph has more to find: beams and roofs for the first filter, columns and outlines for the second. (The photograph
# comes with scikit-learn: danielbuechele, [CC BY 2.0](https://creativecommons.org/licenses/by/2.0/), here in grey and at a
# quarter of its width and height.)

# %% nbval_reason="JPEG decoders differ in the last bit" tags=["nbval-ignore-output"]
photo = photograph().mean(dim=0, keepdim=True)
edges = conv2d(photo, four[:2].unsqueeze(1), padding=1).abs()
print("input", tuple(photo.shape), "→ output", tuple(edges.shape), f"at most {edges.max():.1f}")
figures.image_grid(
    [photo, *edges.unsqueeze(1).clamp(max=1)],
    titles=["photograph", "brighter above or below", "brighter left or right"],
    columns=3,
    inches=2.4,
    alt="A three-storey pagoda above trees, by a lake; the maps show its roofs and beams, and its columns and outlines",
)


# %% [markdown]
# ## Convolution as matrix multiplication
#
# Every output pixel is the product of a filter with one **patch**. Write each patch as a column, each filter as a row, and
# the whole layer is one matrix product:
#
# (K × C·f·f) · (C·f·f × H'·W') = K × H'·W'
#
# ### Exercise 1.7 · `im2col` (3 points)
#
# One column for each window, in reading order. Inside a column: the first channel's numbers in reading order, then the
# second channel's, and so on.

# %% nbgrader={"grade": false, "grade_id": "im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
def im2col(x, f, padding=0, stride=1):
    """The patches of x (C×H×W) as the columns of a (C·f·f)×(H'·W') matrix."""
    ### BEGIN SOLUTION
    x = torch.stack([zero_pad(channel, padding) for channel in x])
    height = output_size(x.shape[1], f, s=stride)
    width = output_size(x.shape[2], f, s=stride)
    columns = [
        x[:, i * stride : i * stride + f, j * stride : j * stride + f].flatten()
        for i in range(height)
        for j in range(width)
    ]
    return torch.stack(columns, dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_im2col", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.im2col(im2col)

# %%
small = torch.arange(12.0).reshape(1, 3, 4)
print(im2col(small, 2))

# %% [markdown]
# Follow one patch to its column, and the column to its output pixel:

# %%
figures.im2col_walk(image.unsqueeze(0), kernel[None, None])


# %% [markdown]
# ### Exercise 1.8 · `conv2d_as_matmul` (2 points)
#
# The same layer as `conv2d`, as one matrix multiplication.

# %% nbgrader={"grade": false, "grade_id": "conv2d_as_matmul", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_as_matmul(x, weight, bias=None, padding=0, stride=1):
    """As `conv2d`, but one matrix product: filters as rows times patches as columns."""
    ### BEGIN SOLUTION
    filters, _, f, _ = weight.shape
    out = weight.reshape(filters, -1) @ im2col(x, f, padding, stride)
    if bias is not None:
        out = out + bias[:, None]
    height = output_size(x.shape[1], f, padding, stride)
    width = output_size(x.shape[2], f, padding, stride)
    return out.reshape(filters, height, width)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv2d_as_matmul", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.conv2d_as_matmul(conv2d_as_matmul)

# %%
columns = im2col(digit, 3, padding=1)
print("image:             ", tuple(digit.shape), "=", digit.numel(), "numbers")
print("patches as columns:", tuple(columns.shape), "=", columns.numel(), "numbers, nine times as many")
by_loops = conv2d(digit, four.unsqueeze(1), padding=1)
by_product = conv2d_as_matmul(digit, four.unsqueeze(1), padding=1)
print("same result:       ", torch.allclose(by_loops, by_product, atol=1e-5))


# %% [markdown]
# **Notice.** A convolution is a linear layer with a special structure. The price of writing it as one product is memory:
# every pixel is copied into up to f·f columns.
#
# ### Exercise 1.9 · `conv2d_gradient` (optional)
#
# This exercise counts no points, and nothing below needs it. During training, gradients travel backwards through the layer:
# from the gradient with respect to the output, it computes those with respect to x and to weight. Write both, for padding 0
# and stride 1.
#
# On the way forward, im2col copies a pixel into several columns; on the way back, its **transpose** adds those columns'
# gradients up again at the pixel that they were copied from.

# %% nbgrader={"grade": false, "grade_id": "conv2d_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d_gradient(x, weight, grad_output):
    """The gradients of the loss with respect to x and to weight, as a pair.

    x: C×H×W, weight: K×C×f×f, grad_output: K×H'×W', the gradient with respect to conv2d(x, weight).
    Returns C×H×W and K×C×f×f.
    """
    ### BEGIN SOLUTION
    f = weight.shape[-1]
    _, height, width = grad_output.shape
    grad = grad_output.flatten(1)
    grad_weight = grad @ im2col(x, f).T
    columns = weight.flatten(1).T @ grad
    grad_x = torch.zeros(x.shape)
    for i in range(height):
        for j in range(width):
            grad_x[:, i : i + f, j : j + f] += columns[:, i * width + j].reshape(-1, f, f)
    return grad_x, grad_weight.reshape(weight.shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv2d_gradient", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
check.conv2d_gradient(conv2d_gradient)

# %% [markdown]
# A gradient can be checked without knowing how it was computed: change one number by a small step h, and see how much the
# loss changes. Take (loss(+h) − loss(−h)) / 2h. Here the loss is the sum of all outputs, each times its entry in
# `grad_output`.

# %%
grad_output = torch.arange(32.0).reshape(2, 4, 4) % 5 - 2
grad_x, grad_weight = conv2d_gradient(two_channels, two_filters, grad_output)


def loss(x, weight):
    return (conv2d(x, weight) * grad_output).sum().item()


def slope(loss_of, values, place, h=0.25):
    step = torch.zeros(values.shape)
    step[place] = h
    return (loss_of(values + step) - loss_of(values - step)) / (2 * h)


rows = []
for place in [(0, 0, 0), (0, 2, 3), (1, 5, 1)]:
    measured = slope(lambda changed: loss(changed, two_filters), two_channels, place)
    rows.append(("x", str(place), grad_x[place].item(), measured))
for place in [(0, 0, 0, 0), (0, 1, 2, 1), (1, 0, 1, 2)]:
    measured = slope(lambda changed: loss(two_channels, changed), two_filters, place)
    rows.append(("weight", str(place), grad_weight[place].item(), measured))
figures.table(
    rows,
    columns=["gradient for", "at", "yours", "measured"],
    caption="Your gradients beside finite differences",
)

# %% [markdown]
# ## Fast convolution
#
# Why bother? Because matrix multiplication is what hardware and libraries (BLAS on a CPU, cuDNN on a GPU) do best. The
# next cell times three ways to compute the same layer.

# %% nbval_reason="timings differ from run to run" tags=["nbval-ignore-output"]
x = digits.train.images[3].float() / 255
weight, bias = torch.randn(8, 1, 3, 3), torch.zeros(8)
layer = nn.Conv2d(1, 8, 3, padding=1)


def seconds(function, repeats):
    function()
    with Stopwatch() as watch:
        for _ in range(repeats):
            function()
    return watch.seconds / repeats


with torch.no_grad():
    times = {
        "loops over positions": seconds(lambda: conv2d(x, weight, bias, padding=1), 1),
        "im2col + one product": seconds(lambda: conv2d_as_matmul(x, weight, bias, padding=1), 3),
        "nn.Conv2d": seconds(lambda: layer(x), 50),
    }
figures.timing_bars(times)


# %% [markdown]
# **Notice.** The axis is logarithmic. The product itself is fast; most of the second time is Python building the columns.
# `nn.Conv2d` does both in compiled code, and often never stores the columns at all.

# %% [markdown]
# ## Depth
#
# Two convolutions with nothing in between gain nothing: each is linear, so together they are one linear operation. In
# fact they are **one convolution with one larger filter**.
#
# ### Exercise 1.10 · `fuse_filters` (3 points)
#
# Find the filter that does the work of both. Two filters of sizes a×b and c×d make one of size (a+c−1)×(b+d−1).
# *Where to start:* which image pixels, with which weights, end up in one output of the second filter?

# %% nbgrader={"grade": false, "grade_id": "fuse_filters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fuse_filters(first, second):
    """The one filter that equals `first` followed by `second`.

    first: a×b, second: c×d. Returns (a+c-1)×(b+d-1), such that for every image
    cross_correlate(cross_correlate(image, first), second) == cross_correlate(image, fused).
    """
    ### BEGIN SOLUTION
    (a, b), (c, d) = first.shape, second.shape
    fused = torch.zeros(a + c - 1, b + d - 1)
    for i in range(c):
        for j in range(d):
            fused[i : i + a, j : j + b] += second[i, j] * first
    return fused
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_fuse_filters", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.fuse_filters(fuse_filters)

# %%
first, second = kernel, torch.tensor([[1.0, -1.0], [0.0, 2.0]])
fused = fuse_filters(first, second)
two_steps = cross_correlate(cross_correlate(image, first), second)
one_step = cross_correlate(image, fused)
figures.number_grids(first=first, second=second, fused=fused, two_steps=two_steps, one_step=one_step)

# %%
with_relu = cross_correlate(cross_correlate(image - 1.5, first).relu(), second)
without = cross_correlate(image - 1.5, fused)
print("without ReLU, two filters equal one:", torch.equal(two_steps, one_step))
print("with ReLU in between:               ", torch.allclose(with_relu, without))

# %% [markdown]
# **Notice.** The non-linearity between the layers is what makes depth worth having. Two 3×3 filters see 5×5 pixels; with
# a ReLU between them they can compute what no single 5×5 filter can.

# %% [markdown]
# ## nn.Conv2d
#
# You have now built what PyTorch calls `nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)`. It works on a
# **batch**: N×C×H×W in, N×K×H'×W' out.

# %%
layer = nn.Conv2d(2, 5, kernel_size=3, padding=1)
batch = torch.rand(1, 2, 6, 6)
print("weight", tuple(layer.weight.shape))
print("bias  ", tuple(layer.bias.shape))
print("input ", tuple(batch.shape), "→ output", tuple(layer(batch).shape))

# %%
yours = conv2d(batch[0], layer.weight.detach(), layer.bias.detach(), padding=1)
print("your conv2d agrees:", torch.allclose(yours, layer(batch)[0], atol=1e-6))


# %% [markdown]
# ### Exercise 1.11 · `count_conv_parameters` (1 point)

# %% nbgrader={"grade": false, "grade_id": "count_conv_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_conv_parameters(in_channels, out_channels, f, bias=True):
    """How many numbers a convolutional layer with f×f filters learns (an int)."""
    ### BEGIN SOLUTION
    weights = out_channels * in_channels * f * f
    return weights + out_channels if bias else weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_count_conv_parameters", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.count_conv_parameters(count_conv_parameters)

# %%
rows = []
for channels, filters, f in [(1, 50, 3), (50, 100, 3), (3, 64, 3), (256, 512, 3)]:
    layer = nn.Conv2d(channels, filters, f)
    counted = sum(p.numel() for p in layer.parameters())
    rows.append((channels, filters, f, count_conv_parameters(channels, filters, f), counted))
figures.table(
    rows,
    columns=["in", "out", "f", "yours", "nn.Conv2d"],
    caption="Parameters of four layers that you will meet again",
)

# %% [markdown]
# **Notice.** The size of the image does not matter: one small filter serves every position. A linear layer from a 28×28 image to
# 50×28×28 outputs would need 30.8 million numbers; the convolution needs 500.

# %% [markdown]
# ## Learning a kernel
#
# Nobody chooses a network's filters: it learns them from examples. Give it images and what the lecture's kernel makes of them,
# but not the kernel. It starts from random numbers, and each step moves them a little against the gradient of the squared
# error.

# %%
torch.manual_seed(0)
images, learned = torch.randn(8, 1, 16, 16), torch.randn(1, 1, 3, 3, requires_grad=True)
outputs = F.conv2d(images, kernel[None, None])
before = learned.detach().clone()
for _ in range(100):
    (gradient,) = torch.autograd.grad(F.mse_loss(F.conv2d(images, learned), outputs), learned)
    learned.data -= 0.1 * gradient
after = learned.detach().round(decimals=2)
figures.number_grids(before=before[0, 0].round(decimals=2), after=after[0, 0], kernel=kernel)

# %% [markdown]
# **Notice.** The kernel is found from input and output alone. Lab 03 does the same with all the filters of a network, and
# there nobody knows the right ones.

# %% [markdown]
# ## Predict, then explain
#
# ### Question · `explain_border` (2 points)
#
# Your instructor reads this answer; no check does. Double-click on YOUR ANSWER HERE to write. Write down what you predict before
# you run anything; then run it if you like, and explain.
#
# An image is white everywhere: each of its 100×100 pixels is 1. It is convolved with a 3×3 filter of ones and with padding 1.
#
# 1. Which different numbers does the 100×100 output hold, and where does each of them stand? (1 point)
# 2. The image is the same everywhere, the output is not. What does this mean for what a network finds near the edge of a
#    photograph? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "explain_border", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# 1. 4 in the four corners, 6 along the rest of the border, 9 everywhere else. In a corner the window holds four pixels and five
#    zeros of the padding, at an edge six pixels and three zeros.
# 2. The padding surrounds the picture with a black frame that was not photographed. Near the edge, sums come out smaller and the
#    network sees an edge where there is none, so features there are less reliable. It can also learn from this where the border
#    is. Every further layer widens the strip.

# %% [markdown]
# ## Before you go

# %% nbval_reason="it shows the other labs too" tags=["nbval-ignore-output"]
check.progress()

# %% [markdown]
# **A challenge.** `conv2d_as_matmul` still loops in Python to build the columns. Write `im2col` without any loop
# (`Tensor.unfold` or `torch.as_strided` can view every window without copying) and time it in the plot above.
#
# **Read on.** V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (2016) · K. Chellapilla,
# S. Puri and P. Simard, *High performance convolutional neural networks for document processing* (2006), which introduced
# the matrix product · the lecture of this lab, whose examples and numbers it uses: X. Bresson, *Convolutional neural networks
# implementation* (2021/22), lecture 8 of CS5242, National University of Singapore, Padding to Depth.
