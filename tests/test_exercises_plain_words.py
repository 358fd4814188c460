"""What an error means, in plain words: the errors of PyTorch, and those of Python."""

import pytest
import torch
from cells import run_cell
from doubled import verdict_of
from torch import nn

from course_utils import exercises
from course_utils.exercises.plain_words import in_plain_words

# Errors of PyTorch


def test_pixels_without_a_mean_are_an_error_not_a_stub():
    verdict = exercises.evaluate("pixel_statistics", lambda images: (images.mean() / 255, images.std() / 255))
    assert verdict.status == "error"
    assert "uint8 pixels have no mean: convert with .float() first." in verdict.reason
    assert "could not infer output dtype" in verdict.message


LEAF = torch.zeros(2, requires_grad=True)


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (lambda: torch.tensor([1, 2]).mean(), "int64 numbers has no mean: convert with .float()"),
        (lambda: torch.tensor([1, 2]).std(), "no standard deviation"),
        (lambda: torch.zeros(2, 2, 2).max(dim=(1, 2)), "along one axis; amax and amin take several"),
        (lambda: torch.max(torch.max(torch.zeros(2, 2), dim=1), dim=0), "pair"),
        (lambda: torch.tensor([[1, 2]]).log_softmax(1), "The scores are int64"),
        (
            lambda: nn.functional.cross_entropy(torch.tensor([[1, 2]]), torch.tensor([1])),
            "The scores are int64",
        ),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 1, 3, 3).byte(), torch.zeros(1, 1, 2, 2)),
            "different types meet here, uint8 and float32",
        ),
        (
            lambda: nn.Linear(3, 2)(torch.zeros(1, 3).double()),
            "different types meet here, float64 and float32",
        ),
        (
            lambda: torch.zeros(2, 3) @ torch.zeros(3, 2).long(),
            "different types meet here, float32 and int64",
        ),
        (
            lambda: torch.tensor([1]).div_(2),
            "A tensor of int64 numbers cannot hold the result, which is float32",
        ),
        (lambda: nn.functional.nll_loss(torch.zeros(2, 3), torch.zeros(2)), "labels must be whole numbers"),
        (
            lambda: torch.zeros(2, 3) @ torch.zeros(2, 2),
            "A 2×3 matrix cannot be multiplied by a 2×2 matrix: the first has 3 columns, the second 2 rows",
        ),
        (lambda: torch.zeros(3) + torch.zeros(2), "along axis 0, one has size 3 and the other 2"),
        (lambda: torch.zeros(3, 3).reshape(2, 2), "holds 9 numbers, which do not fill the shape (2, 2)"),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(2, 1, 3, 3)),
            "made for 1 channels, but the input has 3",
        ),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 3, 3)),
            "larger than its input",
        ),
        (lambda: torch.zeros(1).backward(), "not connected to any parameter"),
        (lambda: (2 * LEAF).backward(), "starts from a single number"),
        (lambda: [loss.backward() for loss in [(LEAF**2).sum()] * 2], "backward() runs twice"),
        (lambda: LEAF.add_(1), "changed in place while PyTorch records"),
        (lambda: LEAF[0].fill_(1), "changed in place while PyTorch records"),
        (lambda: (LEAF.exp().mul(e := LEAF.exp()).add(e.add_(1))).sum().backward(), "gradient still needs"),
        (lambda: torch.tensor([1]).requires_grad_(), "Only tensors of fractions"),
        (lambda: bool(torch.zeros(2)), "a single yes or no"),
        (lambda: max(torch.zeros(2, 2)), "Python's own max and min"),
        (lambda: float(torch.zeros(2)), "tensors with a single number"),
        (lambda: torch.zeros(2).item(), "tensors with a single number"),
        (lambda: torch.tensor([torch.zeros(2)]), "torch.stack"),
        (lambda: range(torch.tensor(1.0)), "use // or int()"),
        (lambda: range(1.0), "use // instead of /"),
        (lambda: torch.zeros(4)[1.0:2], "use // instead of /"),
        (lambda: nn.functional.pad(torch.zeros(2, 2), (1.0, 1.0)), "use // instead of /"),
        (lambda: torch.zeros(3, 4)[1, 5], "Axis 1 has size 4, and index 5 is outside it"),
        (lambda: nn.functional.nll_loss(torch.zeros(1, 3), torch.tensor([5])), "A label is 5"),
        (lambda: torch.zeros(3)[1, 2], "more indices than the tensor has axes, which is 1"),
        (lambda: torch.zeros(3).sum(dim=2), "no axis 2: its axes go from -1 to 0"),
    ],
)
def test_an_error_of_pytorch_is_told_in_plain_words_beside_the_original(fails, told):
    with pytest.raises(Exception) as error:
        fails()
    verdict = verdict_of(lambda image, times=1: fails())
    assert verdict.status == "error"
    assert told in verdict.reason, (verdict.reason, str(error.value))
    assert str(error.value) in " ".join(verdict.message.split()) or str(error.value)[:60] in verdict.message


# Errors of Python


def told_of(*body):
    return verdict_of(run_cell("\n    ".join(["def doubled(image, times=1):", *body]), "doubled")).reason


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("return Image * 2", "`Image` is not defined, but `image` is: a name is written alike everywhere"),
        ("return img * 2", "`img` is not defined, but `image` is"),
        ("return kernel * 2", "`kernel` is not defined: is it misspelt, or made in a cell that has not run?"),
        ("result = result + image", "`result` is used before it has a value"),
        ("return image.shape(0)", "In `return image.shape(0)`, a shape is called like a function"),
        ("return image.size[0]", "In `return image.size[0]`, square brackets follow a function"),
        ("return 2 (image)", "In `return 2 (image)`, a value of type int is called like a function: is a *"),
        ("return image.max(0).sum()", "take `.values`, or use `amax`"),
        ("return image + image.max(0)", "take `.values`, or use `amax`"),
        ("return torch.relu(image.min(0))", "take `.values`, or use `amin`"),
        ("return [image].sum()", "A list has no `.sum`: take one of its entries"),
        ("return (3).sum()", "The value before `.sum` is a plain number (int), not a tensor."),
        ("return image.doubled()", "A Tensor has no `.doubled`"),
        ("return torch.double_it(image)", "There is no `torch.double_it`: is it misspelt"),
        ("return print(image).shape", "The value before `.shape` is None"),
        ("return print(image)[0]", "In `return print(image)[0]`, a value is None where entries are needed"),
        ("return 3[0]", "is a single number (int), which has no entries"),
        ("return image // None", "one of two values is None"),
        ("return None < 3", "one of two values is None"),
        ("return image.sum / 2", "the parentheses of a call are missing"),
        ("return [image] / 2", "`/` cannot join a list and a number: take one entry of the list"),
        ("for i in 3: pass", "In `for i in 3: pass`, a single number stands where several values are needed"),
        ("a, b = 3", "a single number stands where several values are needed"),
        ("return [1, 2][times + times]", "an index is beyond the end of a list: n entries have the indices"),
        ("return image.shape[2]", "an index is beyond the end of a tuple"),
        ("h, w, c = image.shape", "there are 3 names on the left for 2 values"),
        ("h, = image.shape", "there are more values than the 1 names on the left"),
        ("return image / (1 // 2) + 1 // 0", "what follows the /, // or % is 0 in this case."),
        ("return 1.0 % 0", "In `return 1.0 % 0`, what follows the /, // or % is 0 in this case."),
        ("return doubled(image, times)", "The function calls itself without end"),
        ("return torch.relu(nn.ReLU)", "`relu` takes a tensor, but gets a value of type type."),
        ("return torch.relu(nn.ReLU())", "`relu` takes a tensor, but gets a ReLU: a layer is made first"),
        ("return F.pad(image, 1)", "`pad` takes several numbers for `pad`, as a tuple, not a single one."),
        ("return torch.cat((image, torch.zeros(2, 3)))", "`, tensors are joined along axis 0, so they"),
        ("return image + torch.zeros(3)", "In `return image + torch.zeros(3)`, the shapes of two tensors do"),
        ("return torch.cat([image[0], image[1]], dim=1)", "torch.stack puts them side by side along"),
        ("row, column = image.argmax()", "a tensor that is a single number is taken for several"),
        ("return image @ image.sum()", "one of the two values of a matrix product has no axes"),
        ("return F.batch_norm(image, None, None)", "unless it gets training=True"),
        ("return [1, 2][times + 1]", "n entries have the indices 0 to n - 1, so where i + 1 is used"),
        ("return (1, 2)[5]", "a fixed index is beyond the end of a tuple, which is shorter in this case"),
        ("return torch.relu.stride", "the parentheses of a call are missing before `.stride`"),
        ("return doubled.stride", "the value before `.stride` is a function, which has no `.stride`"),
        ("return torch.stack((image, image[0]))", "have the shapes (2, 2) and (2)"),
        ("image[0] = torch.zeros(3)", "In `image[0] = torch.zeros(3)`, a tensor of shape (3) does not fit"),
        ("return image @ torch.zeros(3)", "cannot be multiplied by a vector of 3 numbers: it needs 2"),
        ("return F.max_pool2d(image[None], 3)", "The map that is pooled (1x2x2) is smaller than the window."),
        ("return F.conv2d(image, image)", "A convolution takes N×C×H×W (or C×H×W), but"),
        ("return nn.BatchNorm2d(2)(image)", "has 4 axes, but its input has 2"),
        ("return F.cross_entropy(image, torch.tensor([1]))", "scores for 2 images, but 1 labels"),
        ("return image.T.view(4)", "use .reshape instead"),
        ("return image.requires_grad_().numpy()", "NumPy keeps no gradients"),
        ("return F.unfold(image[None], 2, 0)", "The third argument of unfold is the dilation"),
        ("return nn.Sequential([nn.ReLU()])(image)", "with a * before the list, nn.Sequential(*layers)"),
    ],
)  # fmt: skip
def test_an_error_of_a_line_is_told_with_what_to_change(line, told):
    assert told in told_of(line)


def test_a_function_called_with_other_arguments_is_told():
    helper = "def helper(x, padding):\n        return x"
    for call, told in (
        ("helper(image)", "`helper` is called with too few values: 'padding' is missing."),
        ("helper(image, 1, 2)", "`helper` takes 2 values but is called with 3"),
        ("helper(image, stride=2)", "`helper` has no parameter `stride`: compare the call with its `def`."),
        ("nn.Linear(3)", "`Linear` is called with too few values: 'out_features' is missing."),
    ):
        assert told in told_of(helper, f"return {call}")


NETWORK = """
class LeNet5(nn.Module):
    def __init__(self):
        {init}
        self.fc = nn.Linear(400, 10)

    def forward({parameters}):
        {forward}
"""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"init": "pass"}, "`super().__init__()` was not called: it must be the first line of `__init__`."),
        ({"parameters": "x"}, "`forward` lacks `self`"),
        ({"forward": "return fc(x)"}, "`fc` is not defined: if `__init__` makes it, it is `self.fc`"),
        ({"forward": "return self.fc2(x)"}, "A LeNet5 has no `.fc2`"),
        (
            {"forward": "return self.fc(x.flatten(1))"},
            "In `return self.fc(x.flatten(1))`, a linear layer is made for 400 numbers, but gets 784",
        ),
    ],
)
def test_an_error_of_a_network_is_told_with_what_to_change(changes, told):
    usual = {"init": "super().__init__()", "parameters": "self, x", "forward": "return x"}
    network = run_cell(NETWORK.format(**usual | changes), "LeNet5")
    assert told in exercises.evaluate("lenet5", network).reason


@pytest.mark.parametrize("operation", ["", "addmm: "])  # PyTorch 2.15 names it
def test_versions_of_pytorch_word_an_error_differently(operation):
    line = "  line 9, in forward\n    return self.fc(x)\n"
    error = f"RuntimeError: {operation}mat1 and mat2 shapes cannot be multiplied (2x784 and 400x10)"
    assert "made for 400 numbers, but gets 784" in in_plain_words(line + error)


def test_only_the_line_of_the_error_is_quoted():
    assert "In `return 1 / (times - 1)`, what" in told_of(
        "def inverse():", "    return 1 / (times - 1)", "return inverse()"
    )
    long = "return " + " + ".join(["image"] * 20) + " + 1 / 0"
    assert "Here, what follows the /" in told_of(long)
    assert verdict_of(eval("lambda image, times=1: 1 / 0")).reason.endswith(
        "Here, what follows the /, // or % is 0 in this case. The case: a 2×2 image."
    )
