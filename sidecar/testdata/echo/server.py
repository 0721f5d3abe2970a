"""An ordinary Python service over grpcio, without reflection or health: it echoes bytes, or ends as the request's text says."""

import argparse
import signal
import sys
import threading
from concurrent import futures

import grpc


def echo(request, context):
    text = request.decode("utf8", "replace")
    print("begin " + text[:40], flush=True)
    if text.startswith("status "):
        code = next(one for one in grpc.StatusCode if one.value[0] == int(text.split()[1]))
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05"),))
        context.abort(code, "status " + text.split()[1])
    if text.startswith("raise"):
        raise RuntimeError("a bug of the service")
    if text.startswith("wait"):
        cancelled = threading.Event()
        context.add_callback(cancelled.set)
        cancelled.wait()
        print("cancelled " + text[:40], flush=True)
    return request


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/echo.v1.Raw/Echo":
            return grpc.unary_unary_rpc_method_handler(echo)
        return None


parser = argparse.ArgumentParser()
parser.add_argument("--streams", type=int, help="most calls at a time on one connection")
parser.add_argument("--cert")
parser.add_argument("--key")
arguments = parser.parse_args()
options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
if arguments.streams is not None:
    options.append(("grpc.max_concurrent_streams", arguments.streams))
server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
server.add_generic_rpc_handlers((Echo(),))
if arguments.cert is None:
    port = server.add_insecure_port("127.0.0.1:0")
else:
    with open(arguments.key, "rb") as key, open(arguments.cert, "rb") as cert:
        pair = (key.read(), cert.read())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
server.start()
print("listening %d" % port, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.wait_for_termination()
