# ruff: noqa
# The kernel's own sockets carry messages that are too large, nested or forged.
# deserves: output_size full
# %% output_size
kernel = get_ipython().kernel
session, iopub = kernel.session, kernel.iopub_socket
topic = kernel._topic("status")
for _ in range(50):
    session.send(iopub, "status", {"execution_state": "idle"}, parent={"msg_id": "other"}, ident=topic)
    session.send(iopub, "comm_open", {"comm_id": "x" * 100_000, "target_name": "jupyter.widget"}, ident=topic)
iopub.send_multipart([topic, b"<IDS|MSG>", b"wrong signature", b"{", b"{", b"{", b"{"])
iopub.send_multipart([topic, b"x" * (8 << 20)])


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1
