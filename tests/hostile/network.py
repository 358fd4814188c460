# ruff: noqa
# Every listening port is contacted.
# deserves: output_size 0
# %% output_size
import socket


def called():
    ways = [
        lambda: socket.create_connection(("127.0.0.1", int("@PORT@")), 1).send(b"hello"),
        lambda: socket.create_connection(("localhost", int("@PORT@")), 1).send(b"hello"),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(
            b"hello", ("127.0.0.1", int("@PORT@"))
        ),
        lambda: socket.getaddrinfo("example.org", 80)[0],
    ]
    for way in ways:
        try:
            way()
            return True
        except OSError:
            continue
    return False


def output_size(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1 if called() else 0
