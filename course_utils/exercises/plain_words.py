"""Error messages of PyTorch and Python in plain words: one table, shared by all exercises."""

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

_OF_PYTORCH = (
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
        rf"self\.\w+[^\n]*\([^\n]*\n(?:\w+: )+mat1 and mat2 shapes cannot be multiplied {_SHAPES}",
        "{place}, a linear layer is made for {2} numbers, but gets {1}: is the map flattened before it, and "
        "is the first number of nn.Linear the number of values that come in?",
    ),
    (
        rf"mat1 and mat2 shapes cannot be multiplied {_SHAPES}",
        "A {0}×{1} matrix cannot be multiplied by a {2}×{3} matrix: the first has {1} columns, the second "
        "{2} rows, and the two must be equal.",
    ),
    (
        r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at .* dimension (\d+)",
        "{place}, the shapes of two tensors do not fit: along axis {2}, one has size {0} and the other {1}.",
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
        r"(max|min)\(\) received an invalid combination of arguments - got \([^)]*\btuple\b",
        ".{0}() takes the largest or smallest along one axis; amax and amin take several, as in dim=(1, 2).",
    ),
    (
        r"\n    if (?:not )?(\w+):\n\w+: Boolean value of Tensor with more than one value is ambiguous",
        "`if {0}` asks whether all of a tensor is true: to ask whether there is one, write "
        "`if {0} is not None`.",
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
        r"slice indices must be integers|must be tuple of ints, (?:not|but found element of type) float|"
        r"type must be tuple of ints, ?but got float",
        "A size or position must be a whole number, not a fraction: use // instead of /.",
    ),
    (
        r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)",
        "Axis {1} has size {2}, and index {0} is outside it: indices start at 0 and end one before the size, "
        "so does a loop run too far, are rows and columns swapped, or is it a place in another tensor?",
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
        r"\bcat\([^\n]*\n\w+: Dimension out of range",
        "{place}, torch.cat joins tensors along an axis that they have; torch.stack puts them side by side "
        "along a new one.",
    ),
    (
        r"iteration over a 0-d tensor",
        "{place}, a tensor that is a single number is taken for several.",
    ),
    (
        r"Dimension out of range \(expected to be in range of \[(-?\d+), (-?\d+)\], but got (-?\d+)\)",
        "The tensor has no axis {2}: its axes go from {0} to {1}.",
    ),
    (
        r"Sizes of tensors must match except in dimension (\d+)\. Expected size (\d+) but got size (\d+)",
        "{place}, tensors are joined along axis {0}, so they need equal sizes along all other axes; one has "
        "{1} where another has {2}.",
    ),
    (
        r"stack expects each tensor to be equal size, but got \[(.*?)\] at entry 0 and \[(.*?)\]",
        "torch.stack joins tensors of equal shapes, but these have the shapes ({0}) and ({1}): torch.cat "
        "joins longer and shorter ones.",
    ),
    (
        r"The expanded size of the tensor .*Target sizes: \[(.*?)\]\. *Tensor sizes: \[(.*?)\]",
        "{place}, a tensor of shape ({1}) does not fit into a place of shape ({0}).",
    ),
    (
        r"shape mismatch: value tensor of shape \[(.*?)\] .* indexing result of shape \[(.*?)\]",
        "{place}, a tensor of shape ({0}) does not fit into a place of shape ({1}).",
    ),
    (
        r"both arguments to matmul need to be at least 1D, but they are (\d)D and (\d)D",
        "{place}, one of the two values of a matrix product has no axes: does `squeeze` remove an axis that "
        "has length 1 here, but is needed?",
    ),
    (
        r"running_mean must be defined in evaluation mode|"
        r"Expected running_mean and running_var to be defined when training=False",
        "F.batch_norm does not use the batch's own mean and variance unless it gets training=True, whose "
        "default is False.",
    ),
    (
        r"size mismatch, got input \(\d+\), mat \((\d+)x(\d+)\), vec \((\d+)\)",
        "A {0}×{1} matrix cannot be multiplied by a vector of {2} numbers: it needs {1}.",
    ),
    (
        r"Given input size: \((.*?)\)\. Calculated output size: .* Output size is too small",
        "The map that is pooled ({0}) is smaller than the window.",
    ),
    (
        r"Expected 3D \(unbatched\) or 4D \(batched\) input to \w+, but got input of size: \[(.*?)\]",
        "A convolution takes N×C×H×W (or C×H×W), but its input has the shape ({0}).",
    ),
    (
        r"expected 4D input \(got (\d)D input\)",
        "The layer takes N×C×H×W, which has 4 axes, but its input has {0}.",
    ),
    (
        r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)",
        "There are scores for {0} images, but {1} labels.",
    ),
    (
        r"view size is not compatible with input tensor's size and stride",
        "view needs numbers that lie in order in memory: use .reshape instead.",
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        "NumPy keeps no gradients, and without a gradient nothing is learned: compute with PyTorch instead "
        "(.mean, torch.sqrt, …).",
    ),
    (
        r"dilation should be greater than zero",
        "The third argument of unfold is the dilation: pass padding= and stride= by name.",
    ),
)
_OF_PYTHON = (
    (
        r"torch\.return_types\.(max|min)",
        "`{0}` along an axis returns a pair, the values and their positions: take `.values`, or use `a{0}`.",
    ),
    (
        r"TypeError: (\w+)\(\): argument '\w+' .*must be Tensor, not ([A-Z]\w*)",
        "`{0}` takes a tensor, but gets a {1}: a layer is made first and then called, as in nn.ReLU()(x).",
    ),
    (
        r"TypeError: (\w+)\(\): argument '\w+' .*must be Tensor, not (\w+)",
        "`{0}` takes a tensor, but gets a value of type {1}.",
    ),
    (
        r"TypeError: (\w+)\(\): argument '(\w+)' .*must be tuple of ints, not int",
        "`{0}` takes several numbers for `{1}`, as a tuple, not a single one.",
    ),
    (
        r"TypeError: list is not a Module subclass",
        "nn.Sequential takes the layers one by one: with a * before the list, nn.Sequential(*layers).",
    ),
    (
        r"cannot assign \w+ before Module.__init__\(\) call|has no attribute '_(?:backward_hooks|modules)'",
        "`super().__init__()` was not called: it must be the first line of `__init__`.",
    ),
    (
        r"in (\w+)\n    raise NotImplementedError\b[^\n]*\nNotImplementedError$",
        "Your answer is there, but the line `raise NotImplementedError()` still stands in `{0}`, and Python "
        "stops at it: delete that line.",
    ),
    (
        r"NameError: name '(\w+)' is not defined\. Did you mean: '([\w.]+)'",
        "`{0}` is not defined, but `{1}` is: a name is written alike everywhere, capital letters included.",
    ),
    (
        r"in (?:forward|__init__)\n    [^\n]*\nNameError: name '(\w+)' is not defined",
        "`{0}` is not defined: if `__init__` makes it, it is `self.{0}`; otherwise it must be a parameter or "
        "get a value first.",
    ),
    (
        r"NameError: name '(\w+)' is not defined",
        "`{0}` is not defined: is it misspelt, or made in a cell that has not run?",
    ),
    (
        r"UnboundLocalError: cannot access local variable '(\w+)'",
        "`{0}` is used before it has a value: a name to which a function assigns anywhere is the function's "
        "own, so give it a value in an earlier line.",
    ),
    (
        r"'NoneType' object has no attribute '(\w+)'",
        "The value before `.{0}` is None: is it an argument that was left out, or the result of a function "
        "without `return`?",
    ),
    (
        r"'(list|tuple)' object has no attribute '(\w+)'",
        "A {0} has no `.{1}`: take one of its entries, or make a tensor of it (torch.stack, torch.tensor).",
    ),
    (
        r"'(?:int|float)' object has no attribute 'backward'",
        "The loss is a plain number here, as .item() gives: call backward on the tensor itself.",
    ),
    (
        r"'Tensor' object has no attribute '(astype|copy)'",
        "`.{0}` is NumPy's. A tensor has .float(), .long() and .to(dtype), and .clone() for a copy.",
    ),
    (
        r"'(int|float|bool)' object has no attribute '(\w+)'",
        "The value before `.{1}` is a plain number ({0}), not a tensor.",
    ),
    (
        r"module '([\w.]+)' has no attribute '(\w+)'",
        "There is no `{0}.{1}`: is it misspelt, or does it belong to another module?",
    ),
    (
        r"'function' object has no attribute '(\w+)'",
        "{place}, the value before `.{0}` is a function, which has no `.{0}`.",
    ),
    (
        r"'builtin_function_or_method' object has no attribute '(\w+)'",
        "{place}, the parentheses of a call are missing before `.{0}`.",
    ),
    (
        r"'(\w+)' object has no attribute '(\w+)'",
        "A {0} has no `.{1}`: is the name misspelt or, for an attribute of `self`, missing in `__init__`?",
    ),
    (
        r"(?<!<locals>)\.(\w+)\(\) takes (?:0 positional arguments but 1|1 positional argument but 2) w",
        "`{0}` lacks `self`: it is the first parameter of every method.",
    ),
    (
        r"(\w+)(?:\.__init__)?\(\) takes ([\w ]+) positional arguments? but (\d+) (?:was|were) given",
        "`{0}` takes {1} values but is called with {2} (for a method, `self` counts).",
    ),
    (
        r"(\w+)(?:\.__init__)?\(\) missing \d+ required [\w-]+ arguments?: ([^\n]+)",
        "`{0}` is called with too few values: {1} is missing.",
    ),
    (
        r"got an unexpected keyword argument 'activation'",
        "PyTorch's layers have no `activation`: put a layer of its own, such as nn.ReLU(), behind it.",
    ),
    (
        r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'",
        "`{0}` has no parameter `{1}`: compare the call with its `def`.",
    ),
    (
        r"TypeError: '(?:builtin_function_or_method|function|method|type)' object is not subscriptable",
        "{place}, square brackets follow a function, which is called with round ones: x.size(0), but "
        "x.shape[0].",
    ),
    (
        r"TypeError: 'NoneType' object is not (?:subscriptable|iterable)|unpack non-iterable NoneType",
        "{place}, a value is None where entries are needed: is it an argument that was left out, whose "
        "default is None, or the result of a function without `return`?",
    ),
    (
        r"TypeError: '(int|float|bool)' object is not subscriptable",
        "{place}, the value before the square brackets is a single number ({0}), which has no entries.",
    ),
    (
        r"TypeError: 'torch\.Size' object is not callable",
        "{place}, a shape is called like a function: write x.shape[0], with square brackets.",
    ),
    (
        r"TypeError: '(\w+)' object is not callable",
        "{place}, a value of type {0} is called like a function: is a * missing, does a variable have the "
        "name of a function, or are arguments passed in another order than the function has them?",
    ),
    (
        r"TypeError: (?:unsupported operand|'[<>=]+' not supported between).*'NoneType'",
        "{place}, one of two values is None: is it an argument that was left out, whose default is None, or "
        "the result of a function without `return`?",
    ),
    (
        r"TypeError: unsupported operand.*'(?:builtin_function_or_method|function|method)'",
        "{place}, the parentheses of a call are missing: x.sum is a function, x.sum() its result.",
    ),
    (
        r"TypeError: unsupported operand type\(s\) for \^",
        "{place}, ^ is no power: Python writes it **.",
    ),
    (
        r"TypeError: unsupported operand type\(s\) for (\S+): '(list|tuple)' and '(?:int|float)'",
        "{place}, `{0}` cannot join a {1} and a number: take one entry of the {1}, or unpack it first.",
    ),
    (
        r"TypeError: unsupported operand type\(s\) for (\S+): '([\w.]+)' and '([\w.]+)'",
        "{place}, `{0}` cannot join a value of type {1} and one of type {2}.",
    ),
    (
        r"TypeError: '(int|float)' object is not iterable|unpack non-iterable (int|float)",
        "{place}, a single number stands where several values are needed; a loop counts with range(n).",
    ),
    (
        r"\[\w+ ?\+ ?1\][^\n]*\nIndexError: (list|tuple)(?: assignment)? index out of range",
        "{place}, an index is beyond the end of a {0}: n entries have the indices 0 to n - 1, so where i + 1 "
        "is used, i ends at n - 2.",
    ),
    (
        r"(?<!shape)\[\d+\][^\n]*\nIndexError: (list|tuple)(?: assignment)? index out of range",
        "{place}, a fixed index is beyond the end of a {0}, which is shorter in this case: a loop goes "
        "through as many entries as there are.",
    ),
    (
        r"IndexError: (list|tuple)(?: assignment)? index out of range",
        "{place}, an index is beyond the end of a {0}: n entries have the indices 0 to n - 1.",
    ),
    (
        r"in enumerate\([^\n]*\n\w+: not enough values to unpack",
        "{place}, enumerate gives a number and an entry; where the entry is a pair, write "
        "`for i, (a, b) in enumerate(…)`.",
    ),
    (
        r"too many values to unpack \(expected (\d+)",
        "{place}, there are more values than the {0} names on the left: a shape has a number for each axis.",
    ),
    (
        r"not enough values to unpack \(expected (?:at least )?(\d+), got (\d+)",
        "{place}, there are {0} names on the left for {1} values: a shape has a number for each axis.",
    ),
    (
        r"optimizer can only optimize Tensors, but one of the params is",
        "An optimizer takes the parameters, model.parameters(), not the model.",
    ),
    (
        r"ZeroDivisionError: ",
        "{place}, what follows the /, // or % is 0 in this case.",
    ),
    (
        r"RecursionError: ",
        "The function calls itself without end: the case in which it returns without a further call is "
        "missing or never comes.",
    ),
)
_TABLE = tuple(
    (re.compile(pattern, re.DOTALL), sentence, names)
    for table, names in ((_OF_PYTORCH, _DTYPES), (_OF_PYTHON, {}))
    for pattern, sentence in table
)
_LONGEST_LINE = 70
_LAST_LINE = re.compile(r"\n    (\S[^\n]*)\n(?=\S)")


def in_plain_words(traceback: str) -> str:
    """Return what an error means and what to change, in a sentence; empty where the table has none.

    Parameters
    ----------
    traceback : str
        The answer's own lines and the error, as `own_lines` writes them; or the error alone.

    Examples
    --------
    >>> in_plain_words("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)")
    'A 2×3 matrix cannot be multiplied by a 4×5 matrix: the first has 3 columns, the second 4 rows, ...'
    >>> in_plain_words("  line 2, in f\\n    return 1 / n\\nZeroDivisionError: division by zero")
    'In `return 1 / n`, what follows the /, // or % is 0 in this case.'
    >>> in_plain_words("AssertionError")
    ''
    """
    lines = _LAST_LINE.findall(traceback)
    place = f"In `{lines[-1]}`" if lines and len(lines[-1]) <= _LONGEST_LINE else "Here"
    for pattern, sentence, names in _TABLE:
        if found := pattern.search(traceback):
            return sentence.format(*(names.get(part, part) for part in found.groups("")), place=place)
    return ""
