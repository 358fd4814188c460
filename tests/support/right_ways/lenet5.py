"""Right answers to lab 03: modules, bare parameters, sequences, lists of layers, loops, other conventions."""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

# ------------------------------------------------------------------------------------- pixel statistics


def statistics_with_numpy(images):
    pixels = images.numpy() / 255
    return pixels.mean(), pixels.std()


def statistics_by_sums(images):
    pixels = images.double().div(255).flatten()
    mean = pixels.sum() / pixels.numel()
    return mean, ((pixels - mean) ** 2).mean().sqrt()


def statistics_of_the_sample(images):
    std, mean = torch.std_mean(images.to(torch.float32) / 255.0)
    return [float(mean), float(std)]


def statistics_scaled_afterwards(images):
    pixels = [pixel for image in images for pixel in image.reshape(-1).tolist()]
    mean = sum(pixels) / len(pixels)
    variance = sum((pixel - mean) ** 2 for pixel in pixels) / len(pixels)
    return torch.tensor([mean / 255, math.sqrt(variance) / 255])


# ----------------------------------------------------------------------------------------------- LeNet5


class BareParameters(nn.Module):
    """Everything by hand, registered from the last layer to the first."""

    def __init__(self):
        super().__init__()
        self.b4, self.w4 = nn.Parameter(torch.zeros(10)), nn.Parameter(torch.randn(10, 100))
        self.b3, self.w3 = nn.Parameter(torch.zeros(100)), nn.Parameter(torch.randn(100, 4900))
        self.b2, self.w2 = nn.Parameter(torch.zeros(100)), nn.Parameter(torch.randn(100, 50, 3, 3))
        self.b1, self.w1 = nn.Parameter(torch.zeros(50)), nn.Parameter(torch.randn(50, 1, 3, 3))

    def forward(self, x):
        x = F.max_pool2d(torch.relu(F.conv2d(x, self.w1, self.b1, padding=1)), 2)
        x = F.max_pool2d(torch.relu(F.conv2d(x, self.w2, self.b2, padding=1)), 2)
        x = torch.relu(F.linear(x.reshape(x.shape[0], -1), self.w3, self.b3))
        return x @ self.w4.T + self.b4


class Transposed(nn.Module):
    """Matrices as inputs × outputs, the first convolution as a product with patches, clamps for ReLUs."""

    def __init__(self):
        super().__init__()
        self.kernels = nn.ParameterDict(
            {"first": nn.Parameter(torch.randn(50, 9)), "second": nn.Parameter(torch.randn(100, 50, 3, 3))}
        )
        self.matrices = nn.ParameterList([torch.randn(4900, 100), torch.randn(100, 10)])
        self.biases = nn.ParameterList(
            [torch.zeros(10), torch.zeros(100), torch.zeros(100), torch.zeros(50, 1, 1)]
        )

    def forward(self, x):
        patches = F.unfold(x, 3, padding=1)
        x = (self.kernels["first"] @ patches).reshape(-1, 50, 28, 28) + self.biases[3]
        x = F.max_pool2d(x, 2).clamp(min=0)
        x = torch.conv2d(x, self.kernels["second"], padding="same") + self.biases[2].reshape(1, 100, 1, 1)
        x = torch.where(x > 0, x, torch.zeros_like(x)).unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        x = torch.einsum("ni,io->no", x.flatten(1), self.matrices[0]) + self.biases[1]
        return torch.addmm(self.biases[0], torch.maximum(x, torch.zeros(())), self.matrices[1])


class InSequence(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 50, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(50, 100, kernel_size=(3, 3), padding="same"),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(7 * 7 * 100, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
        )


class WithAListOfLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4900, 100), nn.ReLU(), nn.Linear(100, 10))
        self.body = nn.ModuleList([nn.Conv2d(1, 50, 3, padding=1), nn.Conv2d(50, 100, 3, padding=1)])
        self.pool, self.act = nn.MaxPool2d(2), nn.ReLU()

    def forward(self, images):
        for layer in self.body:
            images = self.pool(self.act(layer(images)))
        return self.head(images.view(len(images), -1))


class WithKernelsForLayers(nn.Module):
    """The head as convolutions: a 7×7 kernel sees the whole map, a 1×1 kernel is a linear layer."""

    def __init__(self, classes=10):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 50, 3, 1, 1), nn.Conv2d(50, 100, 3, 1, 1)
        self.l1, self.l2 = nn.Conv2d(100, 100, 7), nn.Conv2d(100, classes, 1)
        nn.init.xavier_uniform_(self.c1.weight)

    def forward(self, x):
        for conv in (self.c1, self.c2):
            x = F.adaptive_max_pool2d(conv(x).relu(), 14 if conv.in_channels == 1 else 7)
        return self.l2(self.l1(x).relu_()).squeeze(-1).squeeze(-1)


def a_function_that_builds():
    return nn.Sequential(
        *(
            layer
            for i, o in ((1, 50), (50, 100))
            for layer in (nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        ),
        nn.Flatten(1),
        *(nn.Linear(4900, 100), nn.ReLU(), nn.Linear(100, 10)),
    ).double()


# ------------------------------------------------------------------------------------------- parameters


def counted_by_pytorch():
    layers = [nn.Conv2d(1, 50, 3), nn.Conv2d(50, 100, 3), nn.Linear(4900, 100), nn.Linear(100, 10)]
    return tuple(sum(p.numel() for p in layer.parameters()) for layer in layers)


def counted_by_filter():
    return [50 * (9 + 1), 100 * (50 * 9 + 1), 100 * (4900 + 1), 10 * (100 + 1)]


def counted_as_a_tensor():
    return torch.tensor(counted_by_pytorch())


# ------------------------------------------------------------------------------------------- error rate


def error_by_loop(scores, labels):
    wrong = 0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        wrong += max(range(len(row)), key=row.__getitem__) != label
    return wrong / len(labels)


def error_from_accuracy(scores, labels):
    return 1 - torch.eq(scores.max(1).indices, labels).double().mean()


def error_with_numpy(scores, labels):
    return np.mean(np.argmax(scores.numpy(), axis=-1) != labels.numpy())


def error_after_softmax(scores, labels):
    return (scores.softmax(dim=1).argmax(1).ne(labels).sum() / labels.numel()).item()


# ---------------------------------------------------------------------------------------- learning rate


def rate_by_loop(epoch):
    rate = 0.25
    for past in range(1, epoch + 1):
        if past % 5 == 0:
            rate /= 1.5
    return rate


def rate_with_math(epoch):
    return 0.25 * (2 / 3) ** math.floor(epoch / 5)


def rate_of_a_scheduler(epoch):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.25)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=1 / 1.5)
    for _ in range(epoch):
        optimizer.step()
        scheduler.step()
    return optimizer.param_groups[0]["lr"]


# ------------------------------------------------------------------------------------------- train step


def step_zeroed_before_backward(model, images, labels, criterion, optimizer):
    scores = model(images)
    loss = criterion(scores, labels)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_zeroed_at_the_end(model, images, labels, criterion, optimizer):
    model.train()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss.detach()


def step_with_autograd(net, x, y, loss_function, opt):
    loss = loss_function(net(x), y)
    parameters = [p for p in net.parameters() if p.requires_grad]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    opt.step()
    return float(loss)


def step_with_closure(model, images, labels, criterion, optimizer):
    def closure():
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        return loss

    return optimizer.step(closure)


# --------------------------------------------------------------------------------------------- evaluate


@torch.no_grad()
def evaluate_by_concatenation(model, batches):
    model.eval()
    scores, labels = zip(*[(model(x), y) for x, y in batches], strict=True)
    return (torch.cat(scores).argmax(1) != torch.cat(labels)).float().mean()


def evaluate_with_weights(model, batches):
    was_training = model.training
    model.train(False)
    right, images = 0.0, 0
    with torch.inference_mode():
        for x, y in batches:
            share = (model(x).argmax(dim=-1) == y).double().mean().item()
            right += share * y.numel()
            images += y.numel()
    model.train(was_training)
    return 1 - right / images


def evaluate_image_by_image(model, batches):
    model = model.eval()
    wrong = []
    for x, y in iter(batches):
        for image, label in zip(x, y, strict=True):
            with torch.no_grad():
                wrong.append(int(model(image[None])[0].argmax()) != int(label))
    return np.mean(wrong)


# ---------------------------------------------------------------------------------------- overfit_batch


def overfit_with_train_step(model, images, labels, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model.train()
    criterion = nn.CrossEntropyLoss()
    return [step_zeroed_before_backward(model, images, labels, criterion, optimizer) for _ in range(steps)]


def overfit_written_out(net, x, y, count):
    net.train()
    losses = torch.zeros(count)
    for step in range(count):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(net(x), dim=1), y)
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()
    return losses


def overfit_by_hand(model, images, labels, steps):
    was_training = model.training
    losses = []
    while len(losses) < steps:
        loss = nn.CrossEntropyLoss()(model.train()(images), labels)
        parameters = list(model.parameters())
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter -= 0.05 * gradient
        losses.append(loss)
    model.train(was_training)
    return tuple(losses)


RIGHT_WAYS = {
    "pixel_statistics": [
        statistics_with_numpy,
        statistics_by_sums,
        statistics_of_the_sample,
        statistics_scaled_afterwards,
    ],
    "lenet5": [
        BareParameters,
        Transposed,
        InSequence,
        WithAListOfLayers,
        WithKernelsForLayers,
        a_function_that_builds,
    ],
    "lenet5_parameters": [
        counted_by_pytorch,
        counted_by_filter,
        counted_as_a_tensor,
    ],
    "error_rate": [error_by_loop, error_from_accuracy, error_with_numpy, error_after_softmax],
    "lenet5_learning_rate": [rate_by_loop, rate_with_math, rate_of_a_scheduler],
    "train_step": [
        step_zeroed_before_backward,
        step_zeroed_at_the_end,
        step_with_autograd,
        step_with_closure,
    ],
    "overfit_batch": [overfit_with_train_step, overfit_written_out, overfit_by_hand],
    "evaluate": [evaluate_by_concatenation, evaluate_with_weights, evaluate_image_by_image],
}
