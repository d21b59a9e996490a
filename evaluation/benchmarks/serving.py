"""Puts `python -m keras_depth.serve` under load for minutes; reports speed, errors and memory.

One client per protocol sends requests as fast as they are answered, and compares each answer with
its first. Meanwhile bad clients send broken JSON, wrong shapes, files that are not images, too many
bytes, or half a request.

    python -m keras_depth.export runs/rooms --format saved_model --output exported
    python evaluation/benchmarks/serving.py exported --seconds 300
"""

import argparse
import base64
import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from keras_depth import markdown

MAX_BYTES = 1 << 24
TIMEOUT = 10  # seconds that the server waits for the rest of a request


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="an exported network")
    parser.add_argument("--seconds", type=int, default=300, help="of load (300)")
    parser.add_argument("--image", type=Path, help="a JPEG or PNG file (noise of 640x480)")
    arguments = parser.parse_args()

    with server(arguments.folder) as (process, port, grpc_port):
        load(process, port, grpc_port, arguments)


@contextmanager
def server(folder):
    """Runs the server; yields its process and its ports once it is ready."""
    import psutil

    port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "keras_depth.serve", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--grpc-port", str(grpc_port), "--timeout", str(TIMEOUT)]
    process = subprocess.Popen([*command, "--max-bytes", str(MAX_BYTES)], stdout=subprocess.PIPE)
    process.stdout.readline()  # the line that says where it listens
    try:
        yield psutil.Process(process.pid), port, grpc_port
    finally:
        process.terminate()
        start = time.monotonic()
        print(f"\nSIGTERM: left with {process.wait()} in {time.monotonic() - start:.1f} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load(process, port, grpc_port, arguments):
    """Runs all clients for the given time, and prints what they recorded."""
    until = time.monotonic() + arguments.seconds
    model = json.loads(get(port, "/v1/models"))["models"][0]
    shape = json.loads(get(port, f"/v2/models/{model}"))["inputs"][0]["shape"][1:]
    clients, bad, memory = {}, {}, []
    threads = [
        threading.Thread(target=ask, args=(clients.setdefault(name, Client()), make, until))
        for name, make in good_requests(model, shape, port, grpc_port, image(arguments)).items()
    ]
    threads += [
        threading.Thread(target=disturb, args=(bad.setdefault(name, Counter()), send, pause, until))
        for name, (send, pause) in bad_requests(model, port).items()
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.append(process.memory_info().rss / 2**20)
        time.sleep(1)
    report(clients, bad, memory, arguments.seconds)


def image(arguments):
    """Returns the content of an image file."""
    import cv2
    import numpy as np

    if arguments.image:
        return arguments.image.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    return cv2.imencode(".jpg", cv2.resize(noise, (640, 480)))[1].tobytes()


class Client:
    """Records the answers that one client got."""

    def __init__(self):
        self.seconds, self.errors, self.different, self.first = [], Counter(), 0, None


def ask(client, make, until):
    """Sends requests until the time is over.

    `make` opens a connection; it returns a function that sends a request and returns the depth.
    """
    request = make()
    while time.monotonic() < until:
        start = time.perf_counter()
        try:
            depth = request()
        except Exception as error:  # any error is counted
            client.errors[f"{type(error).__name__}: {error}"[:80]] += 1
            time.sleep(0.1)
            request = make()
            continue
        client.seconds.append(time.perf_counter() - start)
        client.first = client.first or depth
        client.different += depth != client.first


def good_requests(model, shape, port, grpc_port, file):
    """Returns, by protocol, a function that connects."""
    import numpy as np

    tensor = np.random.default_rng(1).integers(0, 256, (1, *shape), np.uint8)
    named = {"name": "image", "datatype": "UINT8", "shape": [1, *shape]}
    v1 = json.dumps({"instances": [{"b64": base64.b64encode(file).decode()}]}).encode()
    infer = f"/v2/models/{model}/infer"

    def rest(path, body, headers=None, skip=0):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def request():
            connection.request("POST", path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {content[:60]!r}")
            return content[int(answer.headers.get("Inference-Header-Content-Length", 0)) :]

        return request

    def binary(tensor, raw, **parameters):
        tensor = {**tensor, "parameters": {"binary_data_size": len(raw)}}
        parameters["binary_data_output"] = True
        head = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
        return head + raw, {"Inference-Header-Content-Length": str(len(head))}

    def over_grpc():
        import grpc
        from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
        from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

        stub = GRPCInferenceServiceStub(grpc.insecure_channel(f"127.0.0.1:{grpc_port}"))
        message = pb.ModelInferRequest(
            model_name=model, inputs=[named], raw_input_contents=[tensor.tobytes()]
        )
        return lambda: stub.ModelInfer(message, timeout=60).raw_output_contents[0]

    files = {"name": "image", "datatype": "BYTES", "shape": [1]}
    small = binary(files, struct.pack("<I", len(file)) + file, size="network")
    return {
        "v1, image in base64, depth of its size as JSON": partial(
            rest, f"/v1/models/{model}:predict", v1
        ),
        "v2, image, depth of the network's size, binary": partial(rest, infer, *small),
        "v2, tensor, binary": partial(rest, infer, *binary(named, tensor.tobytes())),
        "gRPC, tensor": over_grpc,
    }


def bad_requests(model, port):
    """Returns, by name, functions that send a bad request and return the status, and pauses."""
    predict = f"/v1/models/{model}:predict"

    def post(body, path=predict):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", path, body)
            return connection.getresponse().status

    def half():
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            head = f"POST {predict} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
            client.sendall(head.encode() + b"{")
            return client.recv(4096).split()[1].decode()

    def leave():
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            head = f"POST {predict} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
            client.sendall(head.encode() + b" " * 50_000)
        return "-"

    text = base64.b64encode(b"no image").decode()
    return {
        "broken JSON": (partial(post, b'{"instances": [[['), 0.5),
        "another shape": (partial(post, b'{"instances": [[[[1, 2, 3]]]]}'), 0.5),
        "no image": (partial(post, json.dumps({"instances": [{"b64": text}]}).encode()), 0.5),
        "unknown model": (partial(post, b"{}", "/v1/models/none:predict"), 0.5),
        "17 MB": (partial(post, b" " * (MAX_BYTES + 2**20)), 5),
        "10 MB of brackets": (partial(post, b'{"instances": [' + b"[]," * 3_333_333), 10),
        "half a request": (half, 0),
        "a client that leaves": (leave, 1),
    }


def disturb(statuses, send, pause, until):
    """Sends a bad request, again and again, until the time is over."""
    while time.monotonic() < until:
        try:
            statuses[str(send())] += 1
        except OSError as error:
            statuses[type(error).__name__] += 1
        time.sleep(pause)


def get(port, path):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def report(clients, bad, memory, seconds):
    import numpy as np

    header = ["", "requests", "a second", *("p50, ms", "p95, ms", "p99, ms"), "errors"]
    rows: list[list] = []
    for name, client in clients.items():
        count = len(client.seconds)
        times = 1000 * np.percentile(client.seconds or [np.nan], (50, 95, 99))
        rows.append([name, count, f"{count / seconds:.1f}", *(f"{t:.0f}" for t in times)])
        rows[-1] += [client.errors.total(), client.different]
    total = sum(len(client.seconds) for client in clients.values())
    rows.append(["together", total, f"{total / seconds:.1f}"])
    print("\n".join(markdown.table([*header, "other answers"], rows, "lrrrrrrr")))
    for error, number in sum((client.errors for client in clients.values()), Counter()).items():
        print(f"{number} times {error}")

    sent = [
        [name, ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))]
        for name, statuses in bad.items()
    ]
    print("\n" + "\n".join(markdown.table(["sent meanwhile", "status: times"], sent, "ll")))

    minutes = [memory[0], *memory[60::60], memory[-1]]
    print(
        "\nServer, MB: start", ", ".join(f"{value:.0f}" for value in minutes), "end; each minute."
    )
    print(f"Highest: {max(memory):.0f}")


if __name__ == "__main__":
    main()
