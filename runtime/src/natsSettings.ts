import { text, texts, textLike } from "./setting.ts";
import type { Values } from "./setting.ts";

/** How every process of ours reaches NATS. The names are those of the nats command line and are never renamed. */
export const natsSettings = {
  natsUrl: {
    ...texts({ flag: "nats-url", env: "NATS_URL", placeholder: "<url>", doc: "NATS servers, separated by commas." }),
    absent: ["nats://127.0.0.1:4222"],
    defaultText: "nats://127.0.0.1:4222",
  },
  natsCreds: text({
    flag: "nats-creds",
    env: "NATS_CREDS",
    placeholder: "<file>",
    doc: "Credentials file with JWT and seed.",
  }),
  natsNkey: text({ flag: "nats-nkey", env: "NATS_NKEY", placeholder: "<file>", doc: "File with an nkey seed." }),
  natsUser: text({ flag: "nats-user", env: "NATS_USER", placeholder: "<name>", doc: "User name." }),
  natsPassword: text({ flag: "nats-password", env: "NATS_PASSWORD", doc: "Password of the user.", isSecret: true }),
  natsToken: text({ flag: "nats-token", env: "NATS_TOKEN", doc: "Token, instead of a user.", isSecret: true }),
  natsCert: text({
    flag: "nats-cert",
    env: "NATS_CERT",
    placeholder: "<file>",
    doc: "Certificate shown to the server.",
  }),
  natsKey: text({ flag: "nats-key", env: "NATS_KEY", placeholder: "<file>", doc: "Private key of that certificate." }),
  natsCa: text({
    flag: "nats-ca",
    env: "NATS_CA",
    placeholder: "<file>",
    doc: "Certificates the server's is checked against; turns TLS on.",
  }),
  prefix: textLike(
    {
      flag: "prefix",
      placeholder: "<name>",
      doc: "First token of every subject, and, in upper case, of every stream and bucket.",
    },
    "sidestep",
    /^[a-z][a-z0-9-]*$/,
    "lower-case letters, digits and dashes",
  ),
};

export type NatsSettings = Values<typeof natsSettings>;
