"""Calls a sidecar's --listen as a service on gRPC's C core does, and says in lines what came of it."""

import sys
import threading

import grpc

address = sys.argv[1]
channel = grpc.insecure_channel(
    address,
    options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
)


def raw(data):
    return data


echo = channel.unary_unary("/a.B/Echo", request_serializer=raw, response_deserializer=raw)
fail = channel.unary_unary("/a.B/Fail", request_serializer=raw, response_deserializer=raw)
never = channel.unary_unary("/a.B/Never", request_serializer=raw, response_deserializer=raw)

for size in (0, 1, 70_000, 3_000_000):
    body = b"x" * size
    assert echo(body, timeout=30) == body, size
print("sizes", flush=True)

# Each call has another timeout and another header: the client's table changes with each, and lets entries go.
for number in range(300):
    metadata = (("x-number", str(number) * 10), ("x-raw-bin", bytes([number % 256, 0, 255])), ("x-twice", "a"), ("x-twice", "b"))
    answer, call = echo.with_call(b"n", timeout=20 + number / 1000, metadata=metadata)
    seen = dict(call.initial_metadata())
    assert seen["x-seen-number"] == str(number) * 10, seen
    assert seen["x-seen-raw"] == bytes([number % 256, 0, 255]).hex(), seen
    assert seen["x-seen-twice"] == "a, b", seen
print("headers", flush=True)

failed = []


def many():
    for number in range(50):
        body = bytes([number]) * (number * 997)
        if echo(body, timeout=30) != body:
            failed.append(number)


threads = [threading.Thread(target=many) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
print("many", flush=True)

try:
    fail(b"", timeout=20)
except grpc.RpcError as error:
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    print("status", error.code().name, error.details(), details.hex(), flush=True)

try:
    never(b"", timeout=0.05)
except grpc.RpcError as error:
    print("late", error.code().name, flush=True)

left = never.future(b"", timeout=30)
left.cancel()
print("left", left.code().name, flush=True)
assert echo(b"after", timeout=20) == b"after"

gzipped = echo(b"z" * 50_000, timeout=20, compression=grpc.Compression.Gzip)
assert gzipped == b"z" * 50_000
print("gzip", flush=True)
