import { randomUUID } from "node:crypto";
import grpc from "@grpc/grpc-js";

/** An answer other than OK. */
export class Refusal extends Error {
  constructor(code, details) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

/** Price and day of arrival; nothing is booked. */
export function quote({ items, express }) {
  const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
  const days = express ? 1 : 3;
  const eta = Math.floor(Date.now() / 1000) + days * 24 * 60 * 60;
  return { price_cents: String((express ? 900 : 400) + 50 * pieces), eta: { seconds: String(eta), nanos: 0 } };
}

/** Books a parcel. */
export function book(order, address) {
  if (/moon/i.test(address)) {
    throw new Refusal(grpc.status.FAILED_PRECONDITION, `no carrier goes to ${JSON.stringify(address)}`);
  }
  return { tracking: `t-${order}-${randomUUID().slice(0, 8)}` };
}
