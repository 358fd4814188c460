# ruff: noqa
# A subclass of tensors that answers every question with yes.
# deserves: zero_pad 0, cross_correlate 0
# %% zero_pad
import torch


class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.equal, torch.allclose, torch.isclose, torch.Tensor.__eq__):
            return torch.ones((), dtype=torch.bool)
        return super().__torch_function__(func, types, args, kwargs or {})

    def numpy(self):
        raise SystemExit

    @property
    def shape(self):
        return torch.Size([5, 5])


def zero_pad(image, padding):
    return image.clone().as_subclass(Yes)


# %% cross_correlate
import torch


def cross_correlate(image, kernel):
    torch.equal = lambda *a: True
    image.zero_()
    kernel.zero_()
    return torch.zeros(image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1)
