import { readFileSync } from "node:fs";
import os from "node:os";
import { credentials, Metadata } from "@grpc/grpc-js";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { actorHeader } from "../../proto/wire/headers.ts";
import { doorKeys } from "./doorKeys.ts";
import { CliFailure, exit } from "./failure.ts";

/** How connections are made: plain, unless something of TLS is given. Throws CliFailure for files that can't be read. */
export function channelCredentials(): ChannelCredentials {
  const { tlsCa, tlsCert, tlsKey } = doorKeys();
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return credentials.createInsecure();
  const [ca = null, cert = null, key = null] = [
    read("--tls-ca", tlsCa),
    read("--tls-cert", tlsCert),
    read("--tls-key", tlsKey),
  ];
  return credentials.createSsl(ca, key, cert);
}

/** What each call says of who makes it. Throws CliFailure for a file that can't be read. */
export function callMetadata(): Metadata {
  const metadata = new Metadata();
  const token = doorKeys().token ?? read("--token-file", doorKeys().tokenFile)?.toString().trim();
  if (token !== undefined && token !== "") metadata.set("authorization", `Bearer ${token}`);
  // Counts only where nothing that proves it is asked for.
  metadata.set(actorHeader, userName());
  return metadata;
}

function userName(): string {
  try {
    return os.userInfo().username.replaceAll(/[^\w.@+-]/g, "_");
  } catch {
    // An user id without a name, as in containers.
    return "";
  }
}

function read(flag: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliFailure(exit.usage, `the file of ${flag} can't be read`, file, "give one that can be read", error);
  }
}
