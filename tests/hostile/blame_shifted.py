# ruff: noqa
# The cell forges its own reply, and runs for ever while the next cells wait.
# deserves: output_size 0
# %% output_size
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
stream = kernel.shell_streams[0] if getattr(kernel, "shell_streams", None) else kernel.shell_stream
try:
    kernel.session.send(
        stream,
        "execute_reply",
        {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []},
        parent,
        ident=kernel._parent_ident.get("shell") if hasattr(kernel, "_parent_ident") else None,
    )
except Exception:
    pass
kernel.session.send(
    kernel.iopub_socket, "status", {"execution_state": "idle"}, parent, ident=kernel._topic("status")
)
while True:
    pass


def output_size(n, f, p=0, s=1):
    return 0
