"""The payment service: python3 payment/server.py --port 50052 --journal payment.jsonl

The *_pb2*.py files beside it are generated:
    protoc -I../proto --python_out=. --grpc_out=. --plugin=protoc-gen-grpc=$(which grpc_python_plugin) payment/v1/payment.proto
    protoc -I. --python_out=. rpc_status.proto
"""

import argparse
import os
import signal
import threading
import uuid
from concurrent import futures

import grpc
from google.protobuf import any_pb2, json_format

import rpc_status_pb2
from journal import Journal
from payment.v1 import payment_pb2, payment_pb2_grpc

CARD_LIMIT_UNITS = 1000
# Invoices above this are looked at before goods leave the house.
REVIEW_UNITS = 1000
# What becomes of the first charges, in this order: "away" finds nobody at the bank, "lost" is done and its answer gets lost, "" is as it should.
TROUBLES = os.environ.get("CHARGE_TROUBLES", "")


class Declined(Exception):
    """The card does not cover the amount."""


class PaymentService(payment_pb2_grpc.PaymentServiceServicer):
    def __init__(self, journal):
        self._journal = journal
        self._lock = threading.Lock()
        self._troubles = TROUBLES.split(",")
        # Charges by id, as the effects so far left them.
        self._charges = {}
        for effect in journal.effects():
            self._apply(effect.get("moved", {}))

    def Charge(self, request, context):
        with self._lock:
            trouble = self._troubles.pop(0) if self._troubles else ""
        if trouble == "away":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the bank does not answer")
        answer = self._once("Charge", request, context, self._charge, payment_pb2.ChargeResponse)
        if trouble == "lost":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the line to the bank broke")
        return answer

    def Refund(self, request, context):
        return self._once("Refund", request, context, self._refund, payment_pb2.RefundResponse)

    def FindCharge(self, request, context):
        key = dict(context.invocation_metadata()).get("idempotency-key", "")
        with self._lock:
            self._journal.append(method="FindCharge", key=key, order=request.order_id, outcome="asked")
            found = next((it for it in self._charges.values() if it["order"] == request.order_id), None)
        if found is None:
            return payment_pb2.FindChargeResponse()
        return payment_pb2.FindChargeResponse(charge=charged(found))

    def _once(self, method, request, context, work, answer_type):
        """Does the work of an idempotency key once; the same key again gets the same answer."""
        key = dict(context.invocation_metadata()).get("idempotency-key", "")
        with self._lock:
            known = self._journal.answer_of(method, key)
            if known is not None:
                self._journal.append(method=method, key=key, order=request.order_id, outcome="repeat")
                return json_format.ParseDict(known, answer_type())
            try:
                answer, moved = work(request)
            except Declined as declined:
                self._journal.append(method=method, key=key, order=request.order_id, outcome="refused")
                decline(context, str(declined))
            self._apply(moved)
            self._journal.append(
                method=method,
                key=key,
                order=request.order_id,
                outcome="effect",
                answer=json_format.MessageToDict(answer),
                moved=moved,
            )
            return answer

    def _charge(self, request):
        by_card = request.method != payment_pb2.METHOD_INVOICE
        if by_card and request.amount.units > CARD_LIMIT_UNITS:
            raise Declined(f"the card was declined: {request.amount.units} {request.amount.currency} is over its limit")
        charge_id = f"c-{uuid.uuid4().hex[:8]}"
        charge = {
            "id": charge_id,
            "order": request.order_id,
            "units": request.amount.units,
            "review": not by_card and request.amount.units > REVIEW_UNITS,
        }
        return charged(charge), {"charged": charge}

    def _refund(self, request):
        if request.charge_id:
            wanted = [request.charge_id] if request.charge_id in self._charges else []
        else:
            wanted = [it["id"] for it in self._charges.values() if it["order"] == request.order_id]
        return payment_pb2.RefundResponse(), {"refunded": wanted}

    def _apply(self, moved):
        charge = moved.get("charged")
        if charge is not None:
            self._charges[charge["id"]] = charge
        for charge_id in moved.get("refunded", []):
            self._charges.pop(charge_id, None)


def charged(charge):
    """A charge as Charge answers it, and FindCharge later."""
    return payment_pb2.ChargeResponse(
        charge_id=charge["id"],
        review_required=charge["review"],
        risk_score=min(1.0, charge["units"] / 10_000),
    )


def decline(context, message):
    """Ends the call with FAILED_PRECONDITION and a Decline in the details."""
    detail = any_pb2.Any()
    detail.Pack(
        payment_pb2.Decline(
            reason=payment_pb2.Decline.REASON_LIMIT,
            limit=payment_pb2.Money(currency="EUR", units=CARD_LIMIT_UNITS),
        )
    )
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = rpc_status_pb2.Status(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


def main():
    parser = argparse.ArgumentParser(description="The payment service.")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "50052")))
    parser.add_argument("--journal", default=os.environ.get("JOURNAL", "payment.jsonl"))
    options = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    payment_pb2_grpc.add_PaymentServiceServicer_to_server(PaymentService(Journal(options.journal)), server)
    port = server.add_insecure_port(f"{options.host}:{options.port}")
    if port == 0:
        raise SystemExit(f"payment can't listen on {options.host}:{options.port}")
    server.start()
    print(f"payment listens on {options.host}:{port}", flush=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.stop(grace=5).wait()


if __name__ == "__main__":
    main()
