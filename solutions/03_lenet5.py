# %% [markdown]
# # Lab 03 · LeNet5
#
# **Aim.** Build a convolutional network, train it on handwritten digits until it gets fewer than one in a hundred wrong, and
# look at what it has learned.
#
# You write the network and every part of its training loop. Then the computer runs your loop (measured on two CPU cores, no
# GPU: a minute with the profile `fast`, ten minutes or more with `lecture`), and you look at the network's mistakes.
#
# [The data](#The-data) · [The network](#The-network) · [Parameters](#Parameters) · [Loss and error](#Loss-and-error) ·
# [Learning rate](#Learning-rate) · [One training step](#One-training-step) · [Evaluation](#Evaluation) ·
# [One batch by heart](#One-batch-by-heart) · [Training](#Training) · [Looking inside](#Looking-inside) ·
# [Predict, then explain](#Predict,-then-explain)

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_utils import Stopwatch, check, describe_device, figures, fit, load_dataset, pick_device
from course_utils.training import predict, recipe, report

check.begin(lab=3)

# %% [markdown]
# ## The data
#
# MNIST: 60,000 training images (the slide says 50,000) and 10,000 test images of handwritten digits, 28×28 grey pixels.
# If the files cannot be reached, 1,797 smaller real digits stand in, and the lines below say so.

# %% nbval_reason="the device and the dataset depend on the machine" tags=["nbval-ignore-output"]
device = pick_device()
print(describe_device(device))
dataset = load_dataset("mnist", device=device, offline="digits")
print(dataset)

# %% nbval_reason="the images depend on the dataset" tags=["nbval-ignore-output"]
figures.image_grid(
    dataset.train.images[:20], titles=[dataset.classes[k] for k in dataset.train.labels[:20]], columns=10
)


# %% [markdown]
# ### Exercise 3.1 · `pixel_statistics` (1 point)
#
# Networks learn faster from inputs with mean 0 and standard deviation 1. Scale the pixels from 0…255 to 0…1 first, then
# take **one** mean and **one** standard deviation over all pixels of all images.

# %% nbgrader={"grade": false, "grade_id": "pixel_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pixel_statistics(images):
    """Mean and standard deviation over all pixels, scaled to 0…1. images: uint8 N×C×H×W. Returns two floats."""
    ### BEGIN SOLUTION
    pixels = images.double() / 255
    return pixels.mean().item(), pixels.std().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_pixel_statistics", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.pixel_statistics(pixel_statistics)

# %%
digits = load_dataset("digits")
mean, std = pixel_statistics(digits.train.images)
print(f"scikit-learn's digits: mean {mean:.4f}, standard deviation {std:.4f}")

# %% nbval_reason="the numbers depend on the dataset" tags=["nbval-ignore-output"]
mean, std = pixel_statistics(dataset.train.images)
print(
    f"{dataset.name}: mean {mean:.4f}, standard deviation {std:.4f} (MNIST in the lecture: 0.1307 and 0.3081)"
)


# %% [markdown]
# ## The network
#
# Two convolutional layers find features; two linear layers decide.
#
# | layer | output |
# | --- | --- |
# | image | 1×28×28 |
# | convolution 3×3, padding 1, 50 filters, ReLU | 50×28×28 |
# | max pooling 2×2 | 50×14×14 |
# | convolution 3×3, padding 1, 100 filters, ReLU | 100×14×14 |
# | max pooling 2×2 | 100×7×7 |
# | flatten | 4,900 |
# | linear, ReLU | 100 |
# | linear | 10 scores |
#
# > This is the lab's network. The original LeNet-5 of 1998 takes 32×32 images and has about 60,000 parameters; this one
# > has nine times as many.
#
# ### Exercise 3.2 · `LeNet5` (3 points)
#
# The ten outputs are **scores**: any real numbers. No ReLU and no softmax at the end; the loss takes care of that.

# %% nbgrader={"grade": false, "grade_id": "lenet5", "locked": false, "schema_version": 3, "solution": true, "task": false}
class LeNet5(nn.Module):
    """N×1×28×28 images → N×10 scores."""

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(1, 50, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(50, 100, kernel_size=3, padding=1)
        self.linear1 = nn.Linear(100 * 7 * 7, 100)
        self.linear2 = nn.Linear(100, 10)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.flatten(1)
        x = F.relu(self.linear1(x))
        return self.linear2(x)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_lenet5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.lenet5(LeNet5)

# %%
net = LeNet5()
print(net)
scores = net(torch.zeros(5, 1, 28, 28))
print("five images in, scores out:", tuple(scores.shape))
figures.shape_chain(net, (1, 28, 28))


# %% [markdown]
# **Try it.** Change the padding of a convolution to 0, or its kernel to 5. Which layer no longer fits, and what does PyTorch say?

# %% [markdown]
# ## Parameters
#
# ### Exercise 3.3 · `lenet5_parameters` (1 point)
#
# How many numbers does each of the four layers learn? Compute them from the sizes, not from a network.

# %% nbgrader={"grade": false, "grade_id": "lenet5_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lenet5_parameters():
    """The number of parameters of the four layers, in order: [conv1, conv2, linear1, linear2]."""
    ### BEGIN SOLUTION
    return [
        50 * 1 * 3 * 3 + 50,
        100 * 50 * 3 * 3 + 100,
        100 * 7 * 7 * 100 + 100,
        100 * 10 + 10,
    ]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_lenet5_parameters", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.lenet5_parameters(lenet5_parameters)

# %%
layers = ["convolution 1", "convolution 2", "linear 1", "linear 2"]
counts = lenet5_parameters()
rows = [
    (name, f"{count:,}", f"{count / sum(counts):.1%}") for name, count in zip(layers, counts, strict=True)
]
rows.append(("total", f"{sum(counts):,}", "100.0%"))
figures.table(rows, columns=["layer", "parameters", "share"], caption="LeNet5")

# %%
print("PyTorch counts", f"{sum(p.numel() for p in LeNet5().parameters()):,}")

# %% [markdown]
# **Notice.** Nine in ten parameters sit in the first linear layer; nearly all the *work* is done by the convolutions.

# %%
multiply_adds = [1 * 50 * 9 * 28 * 28, 50 * 100 * 9 * 14 * 14, 4900 * 100, 100 * 10]
for name, count in zip(layers, multiply_adds, strict=True):
    print(f"{name:14} {count:>9,} multiply-adds, {count / sum(multiply_adds):.1%}")


# %% [markdown]
# ## Loss and error
#
# Training makes the **loss** small. The loss is cross-entropy, which takes raw scores and applies softmax itself. What
# people care about is the **error**: the share of wrong answers. An untrained network gives each digit about the same chance, so its loss is about
# ln 10 = 2.303 and its error about 90 %.
#
# ### Exercise 3.4 · `error_rate` (1 point)

# %% nbgrader={"grade": false, "grade_id": "error_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def error_rate(scores, labels):
    """Share of wrong answers (0 to 1). scores: N×10, labels: N. The answer is the class with the highest score."""
    ### BEGIN SOLUTION
    return (scores.argmax(dim=1) != labels).float().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_error_rate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.error_rate(error_rate)

# %%
criterion = nn.CrossEntropyLoss()
labels = digits.test.labels
same_score = torch.zeros(len(labels), 10)
print(f"all scores equal: loss {criterion(same_score, labels):.3f}")
print(f"always answering 0: error {error_rate(F.one_hot(torch.zeros_like(labels), 10).float(), labels):.1%}")


# %% [markdown]
# ## Learning rate
#
# The lecture trains with plain stochastic gradient descent, 128 images a step, for 30 epochs (passes over the training
# set). The learning rate starts at 0.25 and is divided by 1.5 after every 5 epochs: the closer to the goal, the smaller the steps.
#
# ### Exercise 3.5 · `lenet5_learning_rate` (1 point)
#
# > **Erratum.** The exercise sheet of 2021 said "divide by 2"; its solution and the lecture divide by 1.5.

# %% nbgrader={"grade": false, "grade_id": "lenet5_learning_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lenet5_learning_rate(epoch):
    """The learning rate of an epoch, counted from 0."""
    ### BEGIN SOLUTION
    return 0.25 / 1.5 ** (epoch // 5)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_lenet5_learning_rate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.lenet5_learning_rate(lenet5_learning_rate)

# %%
for epoch in (0, 4, 5, 10, 29):
    print(f"epoch {epoch:2}: learning rate {lenet5_learning_rate(epoch):.4f}")


# %% [markdown]
# ## One training step
#
# All of deep learning repeats one step: clear the old gradients, compute the scores and the loss, compute the new
# gradients, update the parameters. The order matters.
#
# ### Exercise 3.6 · `train_step` (2 points)

# %% nbgrader={"grade": false, "grade_id": "train_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(model, images, labels, criterion, optimizer):
    """One step of gradient descent on a batch. Returns the batch's loss, as it was before the step."""
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_train_step", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.train_step(train_step)


# %% [markdown]
# ## Evaluation
#
# ### Exercise 3.7 · `evaluate` (2 points)
#
# The error over **all** images of all batches. The last batch is often smaller than the others. Gradients are not needed,
# and the network must be in evaluation mode.

# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def evaluate(model, batches):
    """Share of wrong answers over all images. batches: (images, labels) pairs, not all of the same size."""
    ### BEGIN SOLUTION
    model.eval()
    wrong, seen = 0, 0
    with torch.no_grad():
        for images, labels in batches:
            wrong += (model(images).argmax(dim=1) != labels).sum().item()
            seen += len(labels)
    return wrong / seen
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_evaluate", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.evaluate(evaluate)


# %% [markdown]
# ## One batch by heart
#
# Before you train a new network for minutes or days, let it learn a single batch by heart. A sound network can, in seconds: its
# loss goes to about 0. One that cannot learn 16 images has a fault, and 60,000 images will not mend it.
#
# ### Exercise 3.8 · `overfit_batch` (2 points)
#
# Put the model into training mode and take `steps` steps on the same batch: cross-entropy, plain SGD with learning rate 0.05.
# Return the losses, one for each step, as they were before it.

# %% nbgrader={"grade": false, "grade_id": "overfit_batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def overfit_batch(model, images, labels, steps):
    """Train the model on one batch, `steps` times. Returns a list: the loss before each step."""
    ### BEGIN SOLUTION
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model.train()
    losses = []
    for _ in range(steps):
        losses.append(train_step(model, images, labels, criterion, optimizer))
    return losses
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_overfit_batch", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.overfit_batch(overfit_batch)


# %% [markdown]
# Your network, and two that beginners write. Each gets the same 16 digits, 60 times.

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
class SoftmaxInside(LeNet5):
    def forward(self, x):
        return super().forward(x).softmax(dim=1)


class StartsFromZero(LeNet5):
    def __init__(self):
        super().__init__()
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


torch.manual_seed(0)
images, labels = next(iter(digits.train.batches(16, shuffle=True)))
for network in (LeNet5, SoftmaxInside, StartsFromZero):
    losses = overfit_batch(network(), images, labels, 60)
    print(f"{network.__name__:14} loss {losses[0]:.3f} → {losses[29]:.3f} → {losses[-1]:.3f}")

# %% [markdown]
# **Notice.** The other two stay close to ln 10 = 2.303. With a softmax inside, the loss applies a second one: little of the gradient is
# left, and no weights bring the loss below 1.461. Where all parameters start from zero, only the last biases get a gradient, and they do
# not see the image.

# %% [markdown]
# ## Training
#
# You have all the parts. This is the whole loop, with your own functions, on the small dataset. Four epochs are enough for it, so each
# takes the learning rate from further on: that of the lecture's epochs 0, 7, 15 and 22.

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
torch.manual_seed(0)
net = LeNet5()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.25)

for epoch in range(4):
    for group in optimizer.param_groups:
        group["lr"] = lenet5_learning_rate(epoch * 30 // 4)
    net.train()
    losses = []
    for images, labels in digits.train.batches(32, shuffle=True):
        losses.append(train_step(net, images, labels, criterion, optimizer))
    error = evaluate(net, digits.test.batches(256))
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.3f}, test error {error:.1%}")

# %% [markdown]
# In four passes over the small training set, the error falls from nine in ten to less than one in ten.
#
# `fit` is this loop: it calls **your** `train_step` for each batch and **your** `evaluate` after each epoch. Around them it puts a
# progress bar, curves, a checkpoint after each epoch, an estimate of the time, and what makes a step faster on your machine (open
# `course_utils/training/loop.py` and read it). Interrupt it whenever you like; run the cell again, and it continues where it stopped.
#
# A **recipe** holds the settings. The profile decides which one is used; set it before Jupyter starts, for example
# `COURSE_PROFILE=lecture`.
#
# - `lecture` is the lecture's own recipe, 30 epochs.
# - `fast` comes as far in two. Its batches are a quarter smaller, so an epoch has a third more steps. **Momentum** lets each step keep
#   nine tenths of the last one: what the gradients have in common adds up, and the noise of single batches cancels out. And each time
#   an image is drawn, it is **shifted** by up to a pixel, so the network does not see the same pixels twice.
# - `quick` takes seconds, on the small digits.

# %% nbval_reason="the recipe depends on the profile" tags=["nbval-ignore-output"]
plan = recipe("lenet5", dataset=dataset)
plan


# %% [markdown]
# Your learning rate is made for 30 epochs and starts at 0.25. Here it is squeezed into the recipe's epochs, and starts at the
# recipe's rate, which is smaller where momentum makes the steps longer.

# %% nbval_reason="training results and timings differ between machines" tags=["nbval-ignore-output"]
def squeezed_rate(epoch):
    return lenet5_learning_rate(int(30 * epoch / plan.epochs)) * plan.learning_rate / 0.25


torch.manual_seed(plan.seed)
model = LeNet5()
history = fit(
    model, dataset, plan, train_step=train_step, evaluate=evaluate, learning_rate=squeezed_rate, device=device
)

# %% nbval_reason="training results differ between machines" tags=["nbval-ignore-output"]
report(3, history)

# %% [markdown]
# **Notice.** The training error counts each image before its step, while the network still learns, and with `fast` on shifted images. The test error
# is measured after the epoch. So the training error can be the larger one. In the lecture's 30 epochs it falls to 0 while the test
# error stays at 0.78 %: that network knows its training images by heart.

# %% [markdown]
# **How long does a step take?** Your `train_step` on the CPU, without what `fit` does to make it faster, and on the GPU if there is one:

# %% nbval_reason="times differ between machines" tags=["nbval-ignore-output"]
images, labels = next(iter(dataset.train.batches(128)))
for place in dict.fromkeys([torch.device("cpu"), device]):
    net = LeNet5().to(place)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    batch = images.to(place), labels.to(place)
    train_step(net, *batch, criterion, optimizer)  # the first step also loads libraries
    with Stopwatch(device=place) as watch:
        for _ in range(20):
            train_step(net, *batch, criterion, optimizer)
    print(f"{place}: {1000 * watch.seconds / 20:.1f} ms for a step on 128 images")

# %% [markdown]
# ## Looking inside
#
# **Which digits are confused?** Rows are the true digits, columns the answers. Choose a cell to see its images.

# %% nbval_reason="the answers depend on the trained network" tags=["nbval-ignore-output"]
scores = predict(model, dataset.test)
figures.training_panel(history, scores, dataset.test.labels, dataset.test.images, dataset.classes)

# %% [markdown]
# **The worst mistakes**: the wrong answers that the network was most certain of. Which would you have got right?

# %% nbval_reason="the answers depend on the trained network" tags=["nbval-ignore-output"]
figures.worst_mistakes(dataset.test.images, scores, dataset.test.labels, dataset.classes)

# %% [markdown]
# **The filters** of the first layer. Dark blue subtracts, yellow adds. Some look for edges, some for spots.

# %% nbval_reason="the filters depend on the trained network" tags=["nbval-ignore-output"]
first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
figures.filters(first.weight)

# %% [markdown]
# **The feature maps** of one image after the first layer show what the first 16 filters found.

# %% nbval_reason="the maps depend on the trained network" tags=["nbval-ignore-output"]
one = dataset.test.normalised(dataset.test.images[:1])
with torch.no_grad():
    maps = first(one)[0].relu()
figures.feature_maps(maps[:16], image=dataset.test.images[0])

# %% [markdown]
# **Your own digit.** Draw with the mouse, a finger, or the arrow keys and space; your network answers while you draw.

# %% nbval_reason="it draws with the trained network" tags=["nbval-ignore-output"]
figures.draw_digit(model, mean=dataset.mean, std=dataset.std)

# %% [markdown]
# ## Predict, then explain
#
# ### Question · `explain_size` (2 points)
#
# Your instructor reads this answer; no check does. Double-click on YOUR ANSWER HERE to write. Write down what you predict before
# you run anything; then run it if you like, and explain.
#
# Your LeNet5 gets images of 56×56 pixels instead of 28×28. Of its layers, you change only what must be changed.
#
# 1. By which factor does the number of parameters grow, and by which the work in multiply-adds, for each of the two convolutions
#    and the two linear layers? (1 point)
# 2. Which layer must be built anew, and why not the others? (1 point)

# %% [markdown] nbgrader={"grade": true, "grade_id": "explain_size", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# 1. Convolutions: parameters ×1, work ×4, because the same filters slide over four times as many positions. First linear layer:
#    both ×4 (up to its 100 biases), because it now gets 100·14·14 = 19,600 numbers instead of 4,900. Second linear layer: both ×1.
# 2. Only the first linear layer: it has a weight of its own for every number that comes in. A convolution has the same few weights
#    at every position, however many there are, and the second linear layer still gets 100 numbers.

# %% [markdown]
# ## Before you go

# %% nbval_reason="it shows the other labs too" tags=["nbval-ignore-output"]
check.progress()

# %% [markdown]
# **A challenge.** Move the test images by two pixels with `torch.roll` and evaluate again. How much worse does the network
# get? Which change to the training would help?
#
# **Read on.** Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, *Gradient-based learning applied to document recognition* (1998) ·
# the lecture of this lab, whose examples and numbers it uses: X. Bresson, *Convolutional neural networks implementation* (2021/22),
# lecture 8 of CS5242, National University of Singapore, LeNet5 architecture.
