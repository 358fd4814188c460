"""PyTorch's error messages in plain words: one table, shared by all exercises."""

from __future__ import annotations

import re

_DTYPES = {
    "Byte": "uint8",
    "Char": "int8",
    "Int": "int32",
    "Long": "int64",
    "Bool": "bool",
    "Half": "float16",
}
_DTYPES |= {"Float": "float32", "Double": "float64", "float": "float32", "double": "float64"}
_DTYPES |= {"long int": "int64", "long": "int64", "int": "int32", "unsigned char": "uint8", "bool": "bool"}

_SHAPES = r"\((\d+)x(\d+) and (\d+)x(\d+)\)"
_TYPE = r"((?:long |unsigned )?\w+)"
_TWO_TYPES = (
    "Two tensors of different types meet here, {0} and {1}: convert one of them, for example with .float()."
)

_MEANINGS = (
    (
        r"mean\(\): could not infer output dtype.*Got: Byte",
        "uint8 pixels have no mean: convert with .float() first.",
    ),
    (
        rf"mean\(\): could not infer output dtype.*Got: {_TYPE}",
        "A tensor of {0} numbers has no mean: convert with .float() first.",
    ),
    (
        r"(?:std and var|std_mean|var_mean|std|var)\b.* only support floating point",
        "Whole numbers have no standard deviation or variance in PyTorch: convert with .float() first.",
    ),
    (
        r'"(\w*softmax)\w*" not implemented for \'(\w+)\'',
        "The scores are {1}, but soft-max and the loss need fractions: convert them with .float() first.",
    ),
    (
        r'"\w+" not implemented for \'(\w+)\'',
        "PyTorch cannot do this with {0} numbers: convert with .float() first.",
    ),
    (
        rf"expected scalar type {_TYPE} but found {_TYPE}",
        _TWO_TYPES,
    ),
    (
        rf"must have the same dtype, but got:? {_TYPE} and {_TYPE}",
        _TWO_TYPES,
    ),
    (
        rf"to have the same dtype, but got: {_TYPE} != {_TYPE}",
        _TWO_TYPES,
    ),
    (
        rf"result type {_TYPE} can't be cast to the desired output type {_TYPE}",
        "A tensor of {1} numbers cannot hold the result, which is {0}: convert it with .float() first.",
    ),
    (
        r"expected target dtype to be Long or Byte",
        "The labels must be whole numbers (int64), one class for each image.",
    ),
    (
        rf"mat1 and mat2 shapes cannot be multiplied {_SHAPES}",
        "A {0}×{1} matrix cannot be multiplied by a {2}×{3} matrix: the first has {1} columns, the second "
        "{2} rows, and the two must be equal.",
    ),
    (
        r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at .* dimension (\d+)",
        "The shapes of the two tensors do not fit: along axis {2}, one has size {0} and the other {1}.",
    ),
    (
        r"shape '\[(.*?)\]' is invalid for input of size (\d+)",
        "The tensor holds {1} numbers, which do not fill the shape ({0}).",
    ),
    (
        r"Given groups=1, weight of size .* to have (\d+) channels, but got (\d+) channels",
        "The filters are made for {0} channels, but the input has {1}.",
    ),
    (
        r"Kernel size can't be greater than actual input size",
        "The filter is larger than its input, padding included.",
    ),
    (
        r"element 0 of tensors does not require grad",
        "The loss is not connected to any parameter: is it computed under no_grad, or cut off by .item(), "
        ".detach() or .data?",
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        "backward() starts from a single number: take the mean or the sum of the losses first.",
    ),
    (
        r"Trying to backward through the graph a second time",
        "backward() runs twice over the same loss; compute the loss anew before each backward().",
    ),
    (
        r"leaf Variable that requires grad is being used in an in-place operation",
        "A parameter is changed in place while PyTorch records gradients: do that under torch.no_grad(), or "
        "let the optimizer do it.",
    ),
    (
        r"variables needed for gradient computation has been modified by an inplace operation",
        "A tensor that the gradient still needs was changed in place (+=, a[i] = …): make a new one instead.",
    ),
    (
        r"only Tensors of floating point( and complex)? dtype can require gradients",
        "Only tensors of fractions can have gradients: convert with .float() first.",
    ),
    (
        r"Boolean value of Tensor with more than one value is ambiguous",
        "An if, while, and, or, not, and Python's own max and min, need a single yes or no, but this tensor "
        "holds several: use .all() or .any(), .max() or .min(), or compare single numbers.",
    ),
    (
        r"only one element tensors can be converted to Python scalars|"
        r"Tensor with \d+ elements cannot be converted to Scalar",
        "float(), int(), .item() and torch.tensor([…]) need tensors with a single number; join larger ones "
        "with torch.stack.",
    ),
    (
        r"only integer tensors of a single element can be converted to an index",
        "A size or position must be one whole number, not a fraction: use // or int().",
    ),
    (
        r"'float' object cannot be interpreted as an integer|"
        r"slice indices must be integers|must be tuple of ints, but found element of type float",
        "A size or position must be a whole number, not a fraction: use // instead of /.",
    ),
    (
        r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)",
        "Axis {1} has size {2}, and index {0} is outside it: indices start at 0 and end one before the size.",
    ),
    (
        r"Target (-?\d+) is out of bounds",
        "A label is {0}, but there are fewer classes: labels start at 0, and each needs a score.",
    ),
    (
        r"too many indices for tensor of dimension (\d+)",
        "There are more indices than the tensor has axes, which is {0}.",
    ),
    (
        r"Dimension out of range \(expected to be in range of \[(-?\d+), (-?\d+)\], but got (-?\d+)\)",
        "The tensor has no axis {2}: its axes go from {0} to {1}.",
    ),
)
_TABLE = tuple((re.compile(pattern, re.DOTALL), sentence) for pattern, sentence in _MEANINGS)


def in_plain_words(message: str) -> str:
    """Return what an error message of PyTorch means, in a sentence; empty where the table has none.

    Examples
    --------
    >>> in_plain_words("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)")
    'A 2×3 matrix cannot be multiplied by a 4×5 matrix: the first has 3 columns, the second 4 rows, ...'
    >>> in_plain_words("division by zero")
    ''
    """
    for pattern, sentence in _TABLE:
        if found := pattern.search(message):
            return sentence.format(*(_DTYPES.get(part, part) for part in found.groups("")))
    return ""
