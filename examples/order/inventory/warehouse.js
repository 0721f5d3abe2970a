"use strict";

const { randomUUID } = require("node:crypto");

class UnknownSku extends Error {}

const stockAtStart = { mug: 1_000_000, lamp: 1_000_000, rug: 1_000_000, globe: 0 };

/** The stock and the reservations, as the effects so far left them. */
function openWarehouse(effects) {
  const stock = new Map(Object.entries(stockAtStart));
  const reservations = new Map();
  const take = (lines, sign) => {
    for (const { sku, quantity } of lines) stock.set(sku, (stock.get(sku) ?? 0) + sign * quantity);
  };
  const apply = (moved) => {
    if (moved?.reserved) {
      reservations.set(moved.reserved.id, moved.reserved);
      take(moved.reserved.lines, -1);
    }
    for (const id of moved?.released ?? []) {
      take(reservations.get(id)?.lines ?? [], 1);
      reservations.delete(id);
    }
  };
  effects.forEach((effect) => apply(effect.moved));

  return {
    reserve(order, lines) {
      const unknown = lines.find((line) => !stock.has(line.sku));
      if (unknown) throw new UnknownSku(`there is no article ${JSON.stringify(unknown.sku)}`);
      const short = lines
        .map(({ sku, quantity }) => ({ sku, quantity: quantity - stock.get(sku) }))
        .filter((line) => line.quantity > 0);
      if (short.length > 0) return { answer: { reservation_id: "", short } };
      const id = `r-${randomUUID().slice(0, 8)}`;
      const moved = { reserved: { id, order, lines } };
      apply(moved);
      return { answer: { reservation_id: id, short: [] }, moved };
    },
    release(order, id) {
      const ids = id !== "" ? [id] : [...reservations.values()].filter((it) => it.order === order).map((it) => it.id);
      const moved = { released: ids.filter((it) => reservations.has(it)) };
      apply(moved);
      return { answer: {}, moved };
    },
  };
}

module.exports = { openWarehouse, UnknownSku };
