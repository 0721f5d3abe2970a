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
  return { price_cents: String((express ? 900 : 400) + 50 * pieces), eta: arrival(express) };
}

/** Prints the label of a parcel. */
export function label({ order_id, sku, quantity }) {
  return { label_id: `l-${order_id}-${sku}-${randomUUID().slice(0, 8)}`, weight_grams: String(400 * quantity) };
}

/** Books the parcels of an order. */
export function book({ order_id, address, express }) {
  if (/moon/i.test(address)) {
    throw new Refusal(grpc.status.FAILED_PRECONDITION, `no carrier goes to ${JSON.stringify(address)}`);
  }
  return { tracking: `t-${order_id}-${randomUUID().slice(0, 8)}`, eta: arrival(express) };
}

function arrival(express) {
  const days = express ? 1 : 3;
  return { seconds: String(Math.floor(Date.now() / 1000) + days * 24 * 60 * 60), nanos: 0 };
}
