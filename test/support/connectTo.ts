import { logger } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import { openNats } from "../../runtime/src/natsConnection.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import type { NatsSettings } from "../../runtime/src/natsSettings.ts";

/** A log that nobody sees. */
export const silent: Log = logger("test", { write: () => undefined });

/** Settings of a NATS connection without login. */
export function natsSettingsFor(url: string): NatsSettings {
  return {
    natsUrl: [url],
    natsCreds: undefined,
    natsNkey: undefined,
    natsUser: undefined,
    natsPassword: undefined,
    natsToken: undefined,
    natsCert: undefined,
    natsKey: undefined,
    natsCa: undefined,
    prefix: "sidestep",
  };
}

/** A connection as every process of ours has it. */
export function connectTo(url: string, name = "test"): Promise<Nats> {
  return openNats(natsSettingsFor(url), { name, log: silent, signal: new AbortController().signal });
}
